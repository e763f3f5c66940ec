import { type Client, readConservation, readHistory } from "#client"
import { BatchDataSchema, type Deployment, formatBatchId, formatJobId } from "#protocol"
import { amount } from "../shared/output.ts"

export type OutcomeJson = {
  jobId: string
  tasks: number
  batches: number
  audits: { drawn: number; matched: number; mismatched: number }
  slashed: ({ worker: string } & Record<string, string>)[]
  payouts: ({ account: string; role: string; tasks: number } & Record<string, string | number>)[]
  refunded: string
  refundedFormatted: string
  conserved: boolean
  verified: boolean
}

export type JobOutcome = { jobId: bigint; json: OutcomeJson; slashed: { worker: string; amount: bigint }[] }

export type OutcomeParams = {
  client: Client
  coordinatorUrl: string
  deployment: Deployment
  jobId: bigint
  refunded: bigint
  verified: boolean
}

const ROLES: Record<string, string> = {
  work: "worker",
  audit: "verifier",
  coordination: "coordinator",
  reward: "finder",
}

/** What a job came to: money from the chain's events, audits from the published batches. */
export async function readOutcome({
  client,
  coordinatorUrl,
  deployment,
  jobId,
  refunded,
  verified,
}: OutcomeParams): Promise<JobOutcome> {
  const view = await client.job(jobId)
  const ids = new Set(view.batches.map(({ batchId }) => batchId))
  const entries = (await client.payouts()).flatMap((payout) => payout.entries)
  const ofJob = entries.filter(({ batchId, kind }) => kind === "reward" || (batchId !== undefined && ids.has(batchId)))
  const slashed = ofJob
    .filter(({ kind }) => kind === "slashed")
    .map((entry) => ({ worker: entry.account, amount: entry.amount }))
  const paid = new Map<string, { account: string; role: string; tasks: number; value: bigint }>()
  for (const { account, kind, tasks, amount: value } of ofJob) {
    const role = ROLES[kind]
    if (role === undefined) continue
    const key = `${account} ${role}`
    const before = paid.get(key) ?? { account, role, tasks: 0, value: 0n }
    paid.set(key, { ...before, tasks: before.tasks + tasks, value: before.value + value })
  }
  const conservation = await readConservation(client.chain, deployment, await readHistory(client.chain, deployment))
  const audits = { drawn: 0, matched: 0, mismatched: 0 }
  for (const { batchId } of view.batches) {
    const { drawn, matched, mismatched } = await countVerdicts(coordinatorUrl, batchId)
    audits.drawn += drawn
    audits.matched += matched
    audits.mismatched += mismatched
  }
  const json: OutcomeJson = {
    jobId: formatJobId(jobId),
    tasks: view.tasks,
    batches: view.batches.length,
    audits,
    slashed: slashed.map(({ worker, amount: value }) => ({ worker, ...amount("amount", value) })),
    payouts: [...paid.values()].map(({ account, role, tasks, value }) => ({
      account,
      role,
      tasks,
      ...amount("amount", value),
    })),
    ...amount("refunded", refunded),
    conserved: conservation.conserved,
    verified,
  }
  return { jobId, json, slashed }
}

/** Verdicts of one batch against its leaves; a batch that never was attested has none to show. */
async function countVerdicts(coordinatorUrl: string, batchId: bigint): Promise<OutcomeJson["audits"]> {
  const response = await fetch(`${coordinatorUrl}/v1/batches/${formatBatchId(batchId)}/data`)
  if (!response.ok) return { drawn: 0, matched: 0, mismatched: 0 }
  const { shards, verdicts } = BatchDataSchema.parse(await response.json())
  const leaves = shards.flatMap((shard) => shard.leaves)
  const given = verdicts.flatMap(({ verdict }) => verdict ?? [])
  const matched = given.filter((verdict) => leaves[verdict.position]?.outputCommitment === verdict.outputCommitment)
  return { drawn: verdicts.length, matched: matched.length, mismatched: given.length - matched.length }
}
