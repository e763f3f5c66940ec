import { join } from "node:path"
import type { Client } from "#client"
import { formatJobId } from "#protocol"
import type { Context } from "../shared/action.ts"
import { CliError } from "../shared/errors.ts"
import { unstakeAll } from "../shared/seats.ts"
import type { RunningWorker, Stack } from "../shared/stack.ts"
import { ROOT } from "../shared/version.ts"
import { waitForSeats } from "../shared/waitForSeats.ts"
import type { GlyphWork } from "./glyphWork.ts"
import type { Story } from "./story.ts"

export type SecondActParams = {
  context: Context
  client: Client
  stack: Stack
  coordinatorUrl: string
  story: Story
  glyphs: GlyphWork
  /** Everybody of the first act: they leave the draw, so that the forger's friends are the whole panel. */
  leaving: readonly RunningWorker[]
  fund: (amount: bigint) => Promise<unknown>
  signal: AbortSignal
}

/** What the story came to, for `--json`. */
export type SecondActJson = {
  jobId: string
  operation: string
  element: number
  claimed: string
  computed: string
  transactions: number
  gas: string
}

const FORGER = "forger"
const FRIENDS = ["friend-1", "friend-2", "friend-3"]
const SEATS_EACH = 2
const TASKS = 16
const SHARD_SIZE = 8

/**
 * No majority helps: a forger leases, and everyone who is drawn to check it is its friend and swears to the same lie.
 * Every verdict agrees, the batch is attested, the window opens. One watcher, who computes for itself, takes it to the
 * contract, which computes one number of the network and finds another.
 */
export async function runSecondAct(params: SecondActParams): Promise<SecondActJson> {
  const { context, client, stack, coordinatorUrl, story, glyphs, leaving, fund, signal } = params
  for (const { role, child } of leaving) {
    child.kill("SIGTERM")
    await unstakeAll(context, role)
  }
  const backend = join(ROOT, "examples", "cheats", "forger.ts")
  for (const role of [FORGER, ...FRIENDS]) {
    const plan = { role, threads: 1, seats: SEATS_EACH, backend, verifyOnly: role !== FORGER }
    const worker = await stack.startWorker(plan)
    story.name(worker.account, role)
  }
  const owners = 1 + FRIENDS.length
  await waitForSeats(coordinatorUrl, { seats: owners * SEATS_EACH, owners })
  story.tell("act 2", `the honest leave. A ${FORGER} comes with three friends: every seat that can be drawn is theirs`)
  const prepared = await client.prepare({
    model: glyphs.model,
    tasks: glyphs.tasks.slice(0, TASKS),
    shardSize: SHARD_SIZE,
    auditRate: 2_000,
    fee: 10n ** 16n,
    title: "glyphs, second act",
  })
  await fund(prepared.quote.escrow)
  const { jobId } = await client.post(prepared)
  story.tell("post", `job ${formatJobId(jobId)}: ${TASKS} glyphs. The verdicts will all agree, on a lie`)

  const stop = new AbortController()
  const until = AbortSignal.any([signal, stop.signal, AbortSignal.timeout(LIMIT_MS)])
  let told = false
  const { wrong } = await client.watch({
    rate: 1,
    signal: until,
    onEvent: (event) => {
      if (event.kind === "batch" && !told) {
        story.tell("watch", `one watcher computes ${event.sampled} of ${event.leaves} results for itself`)
        told = true
      }
      if (event.kind === "checked" && event.result.outcome !== "agrees") stop.abort()
    },
  })
  const caught = wrong.find(({ outcome }) => outcome === "refuted")
  if (!caught?.operation)
    throw new CliError("E_CHEAT_ESCAPED", "no watcher caught the forger: the dispute game is broken")
  const { operation, element, claimed, computed, gas, transactions } = caught
  story.tell(
    "judge",
    `operation ${operation.index} (${operation.name}), element ${element}: the ${FORGER} says ${claimed}, the contract computes ${computed}`,
  )
  story.tell("judge", `${transactions.length} transactions, ${gas} gas: no jury, no majority, one number`)
  return {
    jobId: formatJobId(jobId),
    operation: operation.name,
    element: element ?? 0,
    claimed: claimed ?? "",
    computed: computed ?? "",
    transactions: transactions.length,
    gas: String(gas),
  }
}

const LIMIT_MS = 120_000
