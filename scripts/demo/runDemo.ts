import { availableParallelism } from "node:os"
import { join } from "node:path"
import { type Client, createClient } from "#client"
import { formatAmount, formatCount, formatJobId } from "#protocol"
import { openKey } from "../shared/accounts.ts"
import { contextOf } from "../shared/action.ts"
import type { ChildEvent } from "../shared/children.ts"
import { ensureCompiled } from "../shared/compile.ts"
import { publicClient } from "../shared/deployment.ts"
import { CliError } from "../shared/errors.ts"
import { ensureNative, ensureTokens } from "../shared/funds.ts"
import type { Home } from "../shared/home.ts"
import type { Output } from "../shared/output.ts"
import { parseAddress } from "../shared/parse.ts"
import { freePort } from "../shared/ports.ts"
import { settleRefund } from "../shared/refund.ts"
import { createStack } from "../shared/stack.ts"
import { ROOT } from "../shared/version.ts"
import { waitForSeats } from "../shared/waitForSeats.ts"
import { tellChain } from "./chainStory.ts"
import { type GlyphWork, loadGlyphs, scoreLabels } from "./glyphWork.ts"
import { type JobOutcome, type OutcomeJson, readOutcome } from "./outcome.ts"
import { runSecondAct, type SecondActJson } from "./secondAct.ts"
import { createStory, type Story } from "./story.ts"
import { withdrawAll } from "./withdrawAll.ts"

export type DemoDeps = { home: Home; out: Output; signal: AbortSignal }
export type DemoResult = { json: OutcomeJson & { secondAct: SecondActJson }; text: string }

const TASKS = 256
const SHARD_SIZE = 8
const AUDIT_RATE = 2000
/** The cheat works alone until it holds this many of the 32 shards; then the honest ones join. */
const CHEAT_SHARDS = 8
/** An audit of a fifth of its leaves misses a cheat about once in 10^6 demos: three in a row is a fault of ours. */
const ATTEMPTS = 3
/**
 * A jury of 21 leaves out the accused and the accuser and needs eight seats that vote: with ten seats to each honest
 * worker's name the other two hold two thirds of the draw.
 */
const HONEST_SEATS = 10
const CHEAT = "cheat"
const HONEST = ["honest-1", "honest-2", "honest-3"]

export async function runDemo({ home, out, signal }: DemoDeps): Promise<DemoResult> {
  await ensureCompiled(out.say)
  const story = createStory(out)
  const cheatShards = new Set<string>()
  const listeners: (() => void)[] = []
  const onEvent = (name: string, event: ChildEvent) => {
    if (name === CHEAT && event.kind === "receipt") cheatShards.add(`${event.jobId}/${event.shard}`)
    for (const listener of listeners) listener()
  }
  // The demo has one small job, and people are watching: batches close after three seconds instead of ten, and leases
  // end after 20 instead of the 60 that the contracts allow. A shard that was voided waits for the end of its old lease,
  // for two that overlap would convict the coordinator (R14).
  const env = { ASSAY_BATCH_MAX_AGE_SECONDS: "3", ASSAY_LEASE_SECONDS: "20" }
  const stack = createStack({ home, env, say: out.say, signal, onEvent })
  try {
    const glyphs = await loadGlyphs({ count: TASKS, seed: 7 })
    story.tell(
      "model",
      `a recogniser of handwritten-like glyphs, trained on this market by four workers: ${(glyphs.accuracy * 100).toFixed(1)} % right on glyphs it never saw`,
    )
    const { url: rpcUrl } = await stack.startChain(await freePort())
    const deployment = await stack.deploy()
    story.tell("deploy", `a local chain, and the contracts on it: market ${deployment.contracts.market}`)
    const coordinator = await stack.startCoordinator(await freePort())
    story.name(coordinator.account, "coordinator")
    const chain = publicClient(rpcUrl)
    const endStory = tellChain({ chain, deployment, story })

    const cheat = await stack.startWorker({
      role: CHEAT,
      threads: 1,
      seats: 1,
      backend: join(ROOT, "examples", "cheats", "lazy.ts"),
    })
    story.name(cheat.account, CHEAT)
    story.tell("stake", `the ${CHEAT} is the first to stake: it skips the work and makes answers up`)
    const honest = await Promise.all(
      HONEST.map(async (role) => {
        const worker = await stack.startWorker({ role, threads: 1, seats: HONEST_SEATS })
        story.name(worker.account, role)
        // Staked and drawn for audits, but no leases yet: the cheat is to have the first ones.
        worker.child.kill("SIGUSR1")
        return worker
      }),
    )
    story.tell(
      "stake",
      `${honest.length} honest workers stake as well, ${HONEST_SEATS} seats each; ${availableParallelism()} cores for all`,
    )

    const context = {
      ...contextOf({ home: home.path, json: out.json, rpc: rpcUrl, coordinator: coordinator.url }),
      signal,
    }
    const { account } = await openKey(context, "requester")
    story.name(account.address, "requester")
    const fundDeps = { context, chain, rpcUrl, deployment }
    await ensureNative(fundDeps, account.address)
    const client = await createClient({ rpcUrl, coordinatorUrl: coordinator.url, deployment, account })

    await waitForSeats(coordinator.url)
    let outcome: JobOutcome | undefined
    for (let attempt = 1; attempt <= ATTEMPTS && !outcome; attempt++) {
      cheatShards.clear()
      for (const worker of honest) worker.child.kill("SIGUSR1")
      cheat.child.kill("SIGUSR2")
      const jobId = await postJob({ client, story, glyphs, fund: (amount) => ensureTokens(fundDeps, account, amount) })
      await until({ signal, listeners, done: () => cheatShards.size >= CHEAT_SHARDS || !cheat.child.isRunning() })
      story.tell(
        "lease",
        `the ${CHEAT} holds ${cheatShards.size} of the ${TASKS / SHARD_SIZE} shards; the honest workers join`,
      )
      // It takes the leases that it has asked for already and no more, for it would cheat again on the shards that are
      // queued again; its seat is still drawn, and audits by it are as good as any.
      cheat.child.kill("SIGUSR1")
      for (const worker of honest) worker.child.kill("SIGUSR2")
      const found = await followToEnd({ client, coordinatorUrl: coordinator.url, story, jobId, signal })
      if (found.slashed.some(({ worker }) => worker.toLowerCase() === cheat.account.toLowerCase())) outcome = found
      else story.tell("escape", `the draw missed all ${CHEAT}'s leaves this time: posting the next job`)
    }
    if (!outcome) throw new CliError("E_CHEAT_ESCAPED", `the cheat escaped ${ATTEMPTS} times: the audit is broken`)

    const results = await client.results(outcome.jobId, { signal })
    const score = scoreLabels(glyphs, results)
    story.tell(
      "results",
      `${results.length} labels, ${score} of them right; each was checked against the leaf that was paid for`,
    )
    await withdrawAll({
      ...fundDeps,
      roles: [...HONEST, "coordinator"],
      coordinator: parseAddress(coordinator.account),
    })
    const refunded = await settleRefund({ client, account: account.address }, outcome.jobId)
    story.tell("refund", `${formatAmount(refunded)} of the escrow were not used and go back to the requester`)
    const verified = await client.verify(outcome.jobId, { rerun: true, signal })
    for (const { name, detail } of verified.checks.filter(({ ok }) => ok === false))
      story.tell("verify", `WRONG: ${name}: ${detail}`)
    const passed = verified.checks.filter(({ ok }) => ok === true).length
    const open = verified.checks.filter(({ ok }) => ok === null).length
    story.tell(
      "verify",
      `${passed} checks passed${open > 0 ? `, ${open} could not be done` : ""}: draw, leaves, signatures, verdicts and payouts derived again from chain and artifacts`,
    )
    await endStory()

    const final = await readOutcome({
      client,
      coordinatorUrl: coordinator.url,
      deployment,
      jobId: outcome.jobId,
      refunded,
      verified: verified.ok,
    })
    if (!final.json.conserved || !verified.ok) {
      throw new CliError(
        "E_DEMO_FAILED",
        `the job is done, but ${verified.ok ? "money is not conserved" : "verify found something wrong"}: see above`,
      )
    }
    const secondAct = await runSecondAct({
      context,
      client,
      stack,
      coordinatorUrl: coordinator.url,
      story,
      glyphs,
      leaving: [cheat, ...honest],
      fund: (amount) => ensureTokens(fundDeps, account, amount),
      signal,
    })
    return {
      json: { ...final.json, secondAct },
      text: `done in ${story.seconds().toFixed(0)} s: the ${CHEAT} lost its collateral, the honest were paid, job ${formatJobId(outcome.jobId)}; and no majority saved the forger`,
    }
  } finally {
    await stack.stop()
  }
}

type PostDeps = { client: Client; story: Story; glyphs: GlyphWork; fund: (amount: bigint) => Promise<unknown> }

async function postJob({ client, story, glyphs, fund }: PostDeps): Promise<bigint> {
  const prepared = await client.prepare({
    model: glyphs.model,
    tasks: glyphs.tasks,
    shardSize: SHARD_SIZE,
    auditRate: AUDIT_RATE,
    fee: 10n ** 16n,
    title: "glyphs",
  })
  await fund(prepared.quote.escrow)
  const { jobId, escrow } = await client.post(prepared)
  story.tell(
    "post",
    `job ${formatJobId(jobId)}: ${TASKS} glyphs in ${TASKS / SHARD_SIZE} shards, ${AUDIT_RATE / 100} % audited, ${formatAmount(escrow)} in escrow`,
  )
  return jobId
}

type FollowDeps = { client: Client; coordinatorUrl: string; story: Story; jobId: bigint; signal: AbortSignal }

/** To the last payout. */
async function followToEnd({ client, coordinatorUrl, story, jobId, signal }: FollowDeps): Promise<JobOutcome> {
  let last = ""
  const view = await client.follow(jobId, {
    signal,
    pollMs: 400,
    onProgress: ({ counts }) => {
      const { leased, received } = counts
      const text = leased + received > 0 ? `${formatCount(received, "shard")} computed, ${leased} under way` : ""
      if (text && text !== last) story.tell("compute", text)
      last = text
    },
  })
  if (view.counts.final !== view.shards) {
    throw new CliError(
      "E_JOB_NOT_DONE",
      `the job ended ${view.state} with ${view.counts.final} of ${view.shards} shards paid: ${view.reason.text}`,
    )
  }
  const { json, slashed } = await readOutcome({
    client,
    coordinatorUrl,
    deployment: client.deployment,
    jobId,
    refunded: 0n,
    verified: false,
  })
  return { jobId, json, slashed }
}

const UNTIL_MS = 60_000

async function until({
  signal,
  listeners,
  done,
}: {
  signal: AbortSignal
  listeners: (() => void)[]
  done: () => boolean
}): Promise<void> {
  if (done()) return
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () =>
        finish(() =>
          reject(
            new CliError(
              "E_DEMO_STUCK",
              "the cheat took no leases for a minute: run it again with --keep and see the logs",
            ),
          ),
        ),
      UNTIL_MS,
    )
    const finish = (end: () => void) => {
      clearTimeout(timer)
      listeners.splice(listeners.indexOf(look), 1)
      signal.removeEventListener("abort", abort)
      end()
    }
    const look = () => {
      if (done()) finish(resolve)
    }
    const abort = () => finish(() => reject(new CliError("E_INTERRUPTED", "stopped")))
    listeners.push(look)
    signal.addEventListener("abort", abort, { once: true })
  })
}
