import type { Address, PublicClient } from "viem"
import { type Deployment, registryAbi } from "#protocol"
import { eventsNamed, type History, readHistory } from "../chain/readHistory.ts"
import { buildLedger, type LedgerEntry } from "./ledger.ts"

export type Payout = {
  readonly account: Address
  /** All that was ever credited: work, audits, coordination, rewards. */
  readonly earned: bigint
  /** Escrow that was not used, and bonds of disputes that were not lost. */
  readonly refunded: bigint
  /** What the Registry owes now, over all pairs. */
  readonly owed: bigint
  readonly withdrawn: bigint
  readonly slashed: bigint
  /** Whether what was credited is what is owed and was withdrawn, to the last unit. */
  readonly balanced: boolean
  readonly entries: readonly LedgerEntry[]
}

/** From the chain alone: nobody is asked who was paid. */
export async function readPayouts(chain: PublicClient, deployment: Deployment, account?: Address): Promise<Payout[]> {
  const history = await readHistory(chain, deployment)
  const ledger = buildLedger(history, deployment)
  const accounts = account ? [account.toLowerCase() as Address] : accountsOf(ledger)
  return Promise.all(accounts.map((one) => payoutOf({ chain, deployment, history, ledger }, one)))
}

type PayoutDeps = { chain: PublicClient; deployment: Deployment; history: History; ledger: readonly LedgerEntry[] }

async function payoutOf({ chain, deployment, history, ledger }: PayoutDeps, account: Address): Promise<Payout> {
  const entries = ledger.filter((entry) => entry.account.toLowerCase() === account)
  const withdrawals = eventsNamed(history, "Withdrawn").filter(({ args }) => args.account.toLowerCase() === account)
  const coordinators = new Set([
    ...entries.map((entry) => entry.coordinator),
    ...withdrawals.map(({ args }) => args.coordinator),
  ])
  const pairs = await Promise.all(
    [...new Set([...coordinators].map((one) => one.toLowerCase() as Address))].map((coordinator) =>
      chain.readContract({
        address: deployment.contracts.registry,
        abi: registryAbi,
        functionName: "pairOf",
        args: [account, coordinator],
        blockNumber: history.head,
      }),
    ),
  )
  const sumOf = (...kinds: LedgerEntry["kind"][]) =>
    entries.filter(({ kind }) => kinds.includes(kind)).reduce((sum, { amount }) => sum + amount, 0n)
  const earned = sumOf("work", "audit", "coordination", "reward")
  const refunded = sumOf("refund", "bond")
  const owed = pairs.reduce((sum, [, pairOwed]) => sum + pairOwed, 0n)
  const withdrawn = withdrawals.reduce((sum, { args }) => sum + args.amount, 0n)
  const balanced = earned + refunded === owed + withdrawn
  return { account, earned, refunded, owed, withdrawn, slashed: sumOf("slashed"), balanced, entries }
}

function accountsOf(ledger: readonly LedgerEntry[]): Address[] {
  return [...new Set(ledger.map(({ account }) => account.toLowerCase() as Address))]
}
