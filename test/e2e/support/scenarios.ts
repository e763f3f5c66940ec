import assert from "node:assert/strict"
import { join } from "node:path"
import { after, before, describe, test } from "node:test"
import { type TaskOutput, train } from "#client"
import { createRunner, type SlotState } from "#engine"
import { characterOf } from "../../../examples/glyphs/index.ts"
import type { RunningWorker } from "../../../scripts/shared/stack.ts"
import { playedAlone, smallRunOf } from "../../client/training/support/smallRun.ts"
import { isFinal, openStage, type PostedJob, paidFor, ROOT, SHARD_SIZE, type Stage, slashedOf } from "./stage.ts"

export type ScenarioParams = {
  /** Named in the titles. */
  stores: string
  skip?: string | undefined
  /** Of the training run. */
  slotState: SlotState
  /** DATABASE_URL, REDIS_URL and ARTIFACTS_URL, once their servers run. */
  open(): Promise<{ env: Record<string, string | undefined>; close(): Promise<void> }>
}

const TASKS = 16
/** The audit budget pays for half of the shards twice, and a cheat has taken a few before it is stopped. */
const CHEATED_TASKS = 48
const FEE = 10n ** 16n
/** Every leaf is computed again, so that a cheat is caught with certainty and not with luck. */
const ALL = 10_000
const FIFTH = 2_000
const ROUNDS = 3

const pause = (worker: RunningWorker) => worker.child.kill("SIGUSR1")
const resume = (worker: RunningWorker) => worker.child.kill("SIGUSR2")

/** The whole path by real processes; the same on every kind of store. */
export function scenarios({ stores, skip, slotState, open }: ScenarioParams): void {
  describe(`end to end on ${stores}`, { skip: skip ?? false }, () => {
    let stage: Stage
    let closeStores: () => Promise<void> = async () => {}
    before(async () => {
      const opened = await open()
      closeStores = opened.close
      stage = await openStage({ env: opened.env, honest: 4, seats: 5 })
    })
    after(async () => {
      await stage?.close()
      await closeStores()
    })

    test("honest run: every task right, everyone paid, the rest refunded, all of it verified", async () => {
      const job = await stage.post({ tasks: TASKS, seed: 1, auditRate: FIFTH })
      await settled(stage, job)
      await assertRight(stage, job)
      const paid = await paidFor(stage, job.jobId)
      assert.equal(sum(paid), BigInt(TASKS) * FEE, "work is paid by the task, to the last unit")
      for (const account of paid.keys())
        assert.ok(
          stage.honest.some((worker) => same(worker.account, account)),
          account,
        )
      const { ok, checks } = await stage.client.verify(job.jobId, { rerun: true })
      assert.ok(ok, JSON.stringify(checks.filter((check) => check.ok === false)))
      assert.equal(checks.filter((check) => check.ok === null).length, 0, "nothing was left undone")
      assert.ok(await stage.conserved(), "the Registry holds what went in less what came out (R9)")
    })

    test("worker killed in mid-shard: its shard goes to another, and the job ends", async () => {
      for (const worker of stage.honest) pause(worker)
      const slow = await stage.startWorker({
        role: "slow",
        threads: 1,
        seats: 1,
        backend: join(import.meta.dirname, "slowBackend.ts"),
      })
      // A paused worker still takes the one lease that it had asked for; there are more shards than those.
      const job = await stage.post({ tasks: 2 * TASKS, seed: 2, auditRate: FIFTH })
      await stage.until("a lease of the slow worker", () => said(stage, "slow", "leased") > 0)
      slow.child.kill("SIGKILL")
      await slow.child.exited
      assert.equal(said(stage, "slow", "receipt"), 0, "it was killed before it signed anything")
      for (const worker of stage.honest) resume(worker)
      await settled(stage, job)
      await assertRight(stage, job)
      assert.equal(await slashedOf(stage, slow.account), 0n, "to die is no crime")
    })

    for (const [name, file] of [
      ["cheating worker", "lazy.ts"],
      ["surrogate worker (right labels, wrong digest)", "surrogate.ts"],
    ] as const) {
      test(`${name}: caught by the audit, refuted in the game, slashed; the honest compute and are paid`, async () => {
        const role = file.replace(".ts", "")
        for (const worker of stage.honest) pause(worker)
        const cheat = await stage.startWorker({
          role,
          threads: 1,
          seats: 1,
          backend: join(ROOT, "examples", "cheats", file),
        })
        const job = await stage.post({ tasks: CHEATED_TASKS, seed: file.length, auditRate: ALL })
        await stage.until("a receipt of the cheat", () => said(stage, role, "receipt") >= 1)
        pause(cheat)
        for (const worker of stage.honest) resume(worker)
        await stage.until("the cheat's slash", async () => (await slashedOf(stage, cheat.account)) > 0n)
        await settled(stage, job)
        await assertRight(stage, job)
        const paid = await paidFor(stage, job.jobId)
        assert.equal(paid.get(cheat.account.toLowerCase()) ?? 0n, 0n, "a cheat is paid for no task")
        assert.equal(sum(paid), BigInt(CHEATED_TASKS) * FEE)
        for (const worker of stage.honest) assert.equal(await slashedOf(stage, worker.account), 0n, worker.role)
        assert.ok(await stage.conserved())
        const { checks } = await stage.client.verify(job.jobId)
        assert.deepEqual(
          checks.filter(({ ok }) => ok === false),
          [],
        )
        await cheat.child.stop()
      })
    }

    test("coordinator killed and restarted: it goes on from its database, and nobody loses anything", async () => {
      const job = await stage.post({ tasks: TASKS, seed: 5, auditRate: FIFTH })
      await stage.until("a shard under way", async () => {
        const { counts } = await stage.client.job(job.jobId)
        return counts.leased + counts.received + counts.committed > 0
      })
      await killCoordinator(stage)
      await stage.startCoordinator()
      await settled(stage, job)
      await assertRight(stage, job)
      for (const worker of stage.honest) assert.equal(await slashedOf(stage, worker.account), 0n, worker.role)
    })

    test("training: the coordinator is killed in mid-round and a worker leaves; the run ends with the bits of one machine", async (t) => {
      const runner = createRunner()
      t.after(() => runner.close())
      const small = smallRunOf(slotState)
      const [leaver] = stage.honest
      let restarted: Promise<void> | undefined
      const { state, rounds } = await train(
        { client: stage.client, runner },
        {
          ...small,
          rounds: ROUNDS,
          fund: (escrow) => stage.fund(escrow),
          keep: async () => {},
          onEvent(event) {
            if (event.kind !== "posted") return
            if (event.round === 1) restarted = killCoordinator(stage).then(() => stage.startCoordinator())
            if (event.round === 2) pause(leaver!)
          },
        },
      )
      await restarted
      resume(leaver!)
      assert.ok(restarted !== undefined)
      assert.deepEqual(state, await playedAlone(runner, { program: small.program, rounds: ROUNDS }))
      assert.ok(rounds.every(({ final }) => final))
      assert.ok(await stage.conserved())
    })

    test("silent coordinator: workers commit for themselves, are audited, and are paid (R18)", async () => {
      await killCoordinator(stage)
      // It takes receipts and then commits nothing.
      await stage.startCoordinator({ ASSAY_BATCH_MAX_AGE_SECONDS: "86400", ASSAY_LEASE_SECONDS: "5" })
      const job = await stage.post({ tasks: TASKS, seed: 6, auditRate: FIFTH })
      const shards = TASKS / SHARD_SIZE
      await stage.until("all receipts", async () => (await stage.client.job(job.jobId)).counts.received === shards)
      await killCoordinator(stage)
      await stage.until(
        "pay for every task",
        async () => sum(await paidFor(stage, job.jobId)) === BigInt(TASKS) * FEE,
        240_000,
      )
      assert.ok(await stage.conserved())
      for (const worker of stage.honest) assert.equal(await slashedOf(stage, worker.account), 0n, worker.role)
    })
  })
}

async function killCoordinator({ stack }: Stage): Promise<void> {
  const coordinator = stack.children.findLast((child) => child.name === "coordinator")
  coordinator?.kill("SIGKILL")
  await coordinator?.exited
}

async function settled(stage: Stage, { jobId }: PostedJob): Promise<void> {
  await stage.until("the job's end", () => isFinal(stage, jobId), 180_000)
}

async function assertRight(stage: Stage, { jobId, inputs }: PostedJob): Promise<void> {
  const results: TaskOutput[] = await stage.client.results(jobId)
  assert.equal(results.length, inputs.length)
  const wrong = results.filter(({ index, outputs }) => {
    const [label] = Object.values(outputs)
    return !label || characterOf(label) !== inputs[index]?.character
  })
  // The model itself is wrong about one glyph in a few hundred.
  assert.ok(wrong.length <= 1, `${wrong.length} of ${results.length} labels are wrong`)
}

function said({ events }: Stage, role: string, kind: string): number {
  return (events.get(role) ?? []).filter((event) => event.kind === kind).length
}

function sum(amounts: Map<string, bigint>): bigint {
  return [...amounts.values()].reduce((total, amount) => total + amount, 0n)
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase()
}
