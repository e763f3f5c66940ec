import assert from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { contributions, createRunFolder, openRunFolder, readManifest, type TrainEvent, train, verifyRun } from "#client"
import { createRunner } from "#engine"
import { classifier } from "../../engine/support/graphs.ts"
import { startLocalStack } from "../../worker/support/localStack.ts"
import { playedAlone, program, SIZE, SLOTS, STEPS, smallRun } from "./support/smallRun.ts"

const ROUNDS = 3

test("R32 to R34: a run is rounds of ordinary jobs; a cheat in a round is slashed, and the result is what one machine makes", async (t) => {
  const { client, startWorker, ready } = await startLocalStack(t, { ASSAY_LEASE_SECONDS: "20" })
  const cheat = startWorker({ backend: join(import.meta.dirname, "../../../examples/cheats/lazy.ts") })
  const honest = [1, 2, 3].map(() => startWorker({ seats: 6 }))
  await ready()
  const runner = createRunner()
  const home = await mkdtemp(join(tmpdir(), "assay-run-"))
  t.after(async () => {
    await runner.close()
    await rm(home, { recursive: true })
  })
  const dir = join(home, "run")
  const folder = await createRunFolder(dir, {
    program,
    forward: classifier(),
    parameters: [{ name: "w", dims: [SIZE], offset: 0 }],
    title: "a run",
    rounds: ROUNDS,
    sources: {},
  })
  const events: TrainEvent[] = []
  const run = await train(
    { client, runner },
    {
      ...smallRun,
      run: folder.run,
      rounds: ROUNDS - 1,
      keep: folder.save,
      onEvent: (event) => {
        events.push(event)
        // Found out once, it goes: the run does without it.
        if (event.kind === "refuted") void cheat.handle.stop()
      },
    },
  )
  assert.ok(
    events.some(({ kind }) => kind === "refuted"),
    "the cheat took part, and was found out",
  )
  for (const { events: seen } of honest) assert.ok(!seen.some(({ kind }) => kind === "slashed"))

  // What was kept is enough to go on from, in another process.
  const reopened = await openRunFolder(dir)
  assert.deepEqual(reopened.run, run)
  const ended = await train({ client, runner }, { ...smallRun, run: reopened.run, rounds: ROUNDS, keep: reopened.save })
  assert.deepEqual(ended.state, await playedAlone(runner, ROUNDS), "not a bit differs from the run of one machine")
  assert.ok(ended.rounds.length === ROUNDS && ended.rounds.every(({ final }) => final))
  const steps = [...contributions(ended).values()].reduce((sum, one) => sum + one, 0)
  assert.equal(steps, ROUNDS * SLOTS * STEPS)
  assert.ok(!contributions(ended).has(cheat.address), "nobody is credited with what was made up")

  const { plan } = await openRunFolder(dir)
  const manifest = await readManifest(dir)
  const verified = await verifyRun({ client, runner }, { plan, manifest })
  assert.deepEqual(
    verified.checks.filter(({ ok }) => ok === false),
    [],
  )
  assert.equal(verified.checks.length, 4 * ROUNDS + 1)

  // Rounds that changed places ran on what did not follow.
  const [first, second, ...others] = manifest.played
  const swapped = { ...manifest, played: [{ ...second!, round: 0 }, { ...first!, round: 1 }, ...others] }
  const wrong = await verifyRun({ client, runner }, { plan, manifest: swapped })
  assert.ok(!wrong.ok && wrong.checks.some(({ name, ok }) => name === "round 0: links" && ok === false))
})
