import assert from "node:assert/strict"
import { dirname, join } from "node:path"
import { after, type TestContext, test } from "node:test"
import { readManifest, replayRun } from "#client"
import { createRunner, readModel, withParameters } from "#engine"
import { hexOf, sha256, type TrainingManifest } from "#protocol"
import { packTensors } from "../../engine/train/parameters.ts"
import { MANIFEST_PATH as ADDER_MANIFEST, readAdderModel } from "../../examples/adder/adderModel.ts"
import { adderModel } from "../../examples/adder/network.ts"
import { BATCH as ADDER_BATCH } from "../../examples/adder/training.ts"
import { MANIFEST_PATH as GLYPH_MANIFEST, glyphForward } from "../../examples/glyphs/glyphModel.ts"
import { readGlyphModel } from "../../examples/glyphs/index.ts"
import { randomWeights } from "../../examples/glyphs/network.ts"
import { createRandom } from "../../examples/glyphs/random.ts"
import { readTrainConfig } from "../../scripts/shared/trainConfig.ts"
import { ROOT, runProcess, tempDir } from "../scripts/support/assay.ts"

const runner = createRunner()
after(() => runner.close())

/** The weights of a committed model, in the file that the run wrote. */
function asTrained(forward: Uint8Array, committed: Uint8Array, { program }: TrainingManifest): Uint8Array {
  const { graph } = readModel(committed)
  const p = packTensors(program.parameters, (name) => graph.initializers.find((one) => one.name === name)!.read())
  return withParameters(forward, program.parameters, p)
}

async function planOf(t: TestContext, example: string) {
  const dir = await tempDir(t)
  const written = await runProcess(process.execPath, [
    ...process.execArgv,
    join(ROOT, "examples", example, "writeRun.ts"),
    dir,
  ])
  assert.equal(written.status, 0, written.stderr)
  return (await readTrainConfig(join(dir, "run.json"))).plan
}

test("lineage: the committed models are, to the bit, what their runs' manifests name", async () => {
  const [adder, glyphs] = [await readManifest(dirname(ADDER_MANIFEST)), await readManifest(dirname(GLYPH_MANIFEST))]
  assert.equal(hexOf(sha256(asTrained(adderModel(ADDER_BATCH), await readAdderModel(), adder))), adder.model)
  const { bytes } = await readGlyphModel()
  const forward = glyphForward(randomWeights(createRandom(1)), 64)
  assert.equal(hexOf(sha256(asTrained(forward, bytes, glyphs))), glyphs.model)
  for (const { played, rounds, program } of [adder, glyphs]) {
    assert.equal(played.length, rounds)
    assert.ok(played.every(({ final, slots }) => final && slots.length === program.slots))
    assert.ok(
      new Set(played.flatMap(({ slots }) => slots.map((slot) => slot?.worker))).size >= 4,
      "four workers made it",
    )
  }
})

test("lineage: the adder's first rounds, made again from its configuration, have the manifest's losses; others are found out", async (t) => {
  const plan = await planOf(t, "adder")
  const manifest = await readManifest(dirname(ADDER_MANIFEST))
  const played = manifest.played.slice(0, 3)
  const { checks } = await replayRun({ runner }, { plan, manifest: { ...manifest, played } })
  const verdicts = Object.fromEntries(checks.map(({ name, ok }) => [name, ok]))
  // The last state and the model are those of sixty rounds, so three of them must come to others.
  assert.deepEqual(verdicts, {
    program: true,
    "round 0: steps": true,
    "round 1: steps": true,
    "round 2: steps": true,
    state: false,
    model: false,
    jobs: null,
  })
  const [first, ...others] = played
  const slots = first!.slots.map((slot, i) =>
    slot && i === 2 ? { ...slot, losses: [0, ...slot.losses.slice(1)] } : slot,
  )
  const lied = await replayRun(
    { runner },
    { plan, manifest: { ...manifest, played: [{ ...first!, slots }, ...others] } },
  )
  assert.match(lied.checks.find(({ ok }) => ok === false)!.detail, /step 0 in slot 2/)
})

test("lineage: the glyphs' program follows from their configuration", async (t) => {
  const { program } = await planOf(t, "glyphs")
  const { program: stated } = await readManifest(dirname(GLYPH_MANIFEST))
  assert.equal(hexOf(sha256(program.model)), stated.sha256)
})
