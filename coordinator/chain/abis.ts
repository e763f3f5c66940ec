import { assayTokenAbi, challengesAbi, disputeGameAbi, juryAbi, marketAbi, registryAbi } from "#protocol"

type ErrorItem = Extract<(typeof marketAbi)[number], { type: "error" }>

/** Every custom error of the contracts: a revert inside one may come from another. */
export const errorsAbi = [
  ...marketAbi,
  ...registryAbi,
  ...challengesAbi,
  ...juryAbi,
  ...disputeGameAbi,
  ...assayTokenAbi,
].filter((item): item is ErrorItem => item.type === "error")
