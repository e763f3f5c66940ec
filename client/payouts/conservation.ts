import type { PublicClient } from "viem"
import { assayTokenAbi, type Deployment, escrow as escrowOf, type Terms } from "#protocol"
import { eventsNamed, type History } from "../chain/readHistory.ts"
import { findBonds, readBatches } from "./ledger.ts"

export type Conservation = { readonly balance: bigint; readonly expected: bigint; readonly conserved: boolean }

/**
 * R9 seen from outside: what went in less what came out and was burned is what the Registry holds, by its events alone.
 */
export async function readConservation(
  chain: PublicClient,
  deployment: Deployment,
  history: History,
): Promise<Conservation> {
  const sum = <T>(items: readonly T[], amountOf: (item: T) => bigint) =>
    items.reduce((total, item) => total + amountOf(item), 0n)
  const { registry, token } = deployment.contracts
  const escrow = sum(eventsNamed(history, "JobPosted"), ({ args }) => escrowOf(args.terms as Terms))
  const staked = sum(eventsNamed(history, "Staked"), ({ args }) => args.count * deployment.params.seat)
  const allowed = sum(eventsNamed(history, "Allowed"), ({ args }) => args.amount)
  const out =
    sum(eventsNamed(history, "Unstaked"), ({ args }) => args.amount) +
    sum(eventsNamed(history, "TakenOut"), ({ args }) => args.amount) +
    sum(eventsNamed(history, "Withdrawn"), ({ args }) => args.amount)
  const burned = sum(eventsNamed(history, "Burned"), ({ args }) => args.amount)
  const standing = new Map(eventsNamed(history, "StandingChanged").map(({ args }) => [args.account, args.amount]))
  // A standing bond that equivocation forfeited burned in part; the rest is owed now (R14).
  const forfeited = sum(eventsNamed(history, "EquivocationProved"), ({ args }) => args.taken)
  const bonds = sum([...standing.values()], (amount) => amount) + forfeited
  const finds = sum(findBonds(history, deployment, readBatches(history)), ({ amount }) => amount)
  const expected = escrow + staked + allowed + bonds + finds - out - burned
  const balance = await chain.readContract({
    address: token,
    abi: assayTokenAbi,
    functionName: "balanceOf",
    args: [registry],
    blockNumber: history.head,
  })
  return { balance, expected, conserved: balance === expected }
}
