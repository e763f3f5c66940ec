import type { Hex } from "viem"

/** `bytes32 constant X = "assay.x"` in Solidity: the ASCII bytes, zeros to the right. */
function tag(name: string): Hex {
  return `0x${Buffer.from(`assay.${name}`, "ascii").toString("hex").padEnd(64, "0")}`
}

/** One tag a use, so that no hash of one kind can stand for another (R3). */
export const TAGS = {
  job: tag("job"),
  terms: tag("terms"),
  leaf: tag("leaf"),
  node: tag("node"),
  pad: tag("pad"),
  root: tag("root"),
  pair: tag("pair"),
  empty: tag("empty"),
  input: tag("input"),
  tensors: tag("tensors"),
  salt: tag("salt"),
  saltOut: tag("salt.out"),
  saltDigest: tag("salt.digest"),
  output: tag("output"),
  program: tag("program"),
  operation: tag("operation"),
  wire: tag("wire"),
  capability: tag("capability"),
  seed: tag("seed"),
  feistel: tag("feistel"),
  panel: tag("panel"),
  candidate: tag("candidate"),
  jury: tag("jury"),
  verdict: tag("verdict"),
  vote: tag("vote"),
  dispute: tag("dispute"),
  demand: tag("demand"),
  find: tag("find"),
  game: tag("game"),
  gameVerdict: tag("game.verdict"),
  reaudit: tag("reaudit"),
  reauditor: tag("reauditor"),
} as const
