import assert from "node:assert/strict"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import {
  type Backend,
  createRunner,
  createRunnerBackend,
  inspectModel,
  type ModelArtifact,
  prepareModel,
  type ShardResult,
} from "#engine"
import * as lazy from "../../examples/cheats/lazy.ts"
import * as surrogate from "../../examples/cheats/surrogate.ts"
import { ALPHABET, characterOf, makeGlyphInputs, readGlyphModel, renderGlyph } from "../../examples/glyphs/index.ts"

const runner = createRunner()
const dir = await mkdtemp(join(tmpdir(), "assay-glyphs-"))
after(async () => {
  await runner.close()
  await rm(dir, { recursive: true })
})

const inputs = makeGlyphInputs({ seed: 99, count: 300 })
const { bytes, accuracy } = await readGlyphModel()

async function results(backend: Backend): Promise<ShardResult[]> {
  const prepared = await prepareModel({ runner }, bytes)
  const path = join(dir, `${prepared.sha256}.onnx`)
  await writeFile(path, prepared.bytes)
  const model: ModelArtifact = { ...prepared, path }
  const tasks = inputs.map(({ tensor }, index) => ({ index, inputs: [tensor] }))
  const found: ShardResult[] = []
  for await (const result of backend.runShard(model, tasks, { signal: new AbortController().signal }))
    found.push(result)
  return found
}

const right = (list: readonly ShardResult[]) =>
  list.filter(({ index, outputs }) => characterOf(outputs[0]!) === inputs[index]!.character).length / list.length
const bits = ({ outputs, digest }: ShardResult) =>
  [...outputs, ...digest].map(({ data }) => Buffer.from(data).toString("hex"))

test("behavior: the committed model reads glyphs that it never saw as well as it claims", async () => {
  const honest = await results(createRunnerBackend(runner))
  assert.ok(accuracy > 0.98, `it claims ${accuracy}`)
  assert.ok(right(honest) > 0.97, `it reads ${right(honest)}`)
})

test("R7: its work digest is the logits, and it can be exact", async () => {
  const { exact, digest, inputs: wants } = await inspectModel({ runner }, bytes)
  assert.deepEqual(exact, { ok: true, refused: [] })
  assert.deepEqual(digest.tensors, ["logits"])
  assert.deepEqual(wants, [{ name: "scan", dtype: "uint8", dims: [1, 1, 20, 20] }])
})

test("behavior: the same seed draws the same inputs, all distinct, another seed others", () => {
  assert.deepEqual(makeGlyphInputs({ seed: 99, count: 300 }), inputs)
  assert.equal(new Set(inputs.map(({ glyph }) => glyph.pixels.join())).size, 300)
  assert.notDeepEqual(makeGlyphInputs({ seed: 1, count: 1 })[0], inputs[0])
  assert.equal(new Set(inputs.map(({ character }) => character)).size, ALPHABET.length)
})

test("behavior: a glyph is shown in ten lines of text", () => {
  const text = renderGlyph(inputs[0]!.glyph.pixels)
  assert.equal(text.split("\n").length, 10)
  assert.match(text, /[#%@]/)
})

test("behavior: the lazy cheat is wrong nearly always, and lies the same way twice", async () => {
  const first = await results(lazy.createBackend({ runner }))
  assert.equal(first.length, inputs.length)
  assert.ok(right(first) < 0.2)
  assert.deepEqual((await results(lazy.createBackend({ runner }))).map(bits), first.map(bits))
})

test("R7: the surrogate cheat has the honest labels and never the honest digest", async () => {
  const honest = await results(createRunnerBackend(runner))
  const cheat = await results(surrogate.createBackend({ runner }))
  cheat.forEach((result, i) => {
    assert.deepEqual(result.outputs, honest[i]!.outputs)
    assert.deepEqual(
      result.digest.map(({ dtype, dims }) => [dtype, dims]),
      [["float32", [1, 36]]],
    )
    assert.notDeepEqual(result.digest, honest[i]!.digest)
  })
})
