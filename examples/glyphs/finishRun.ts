import { mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { createRunner, decodeElements, elementsOf, readModel } from "#engine"
import { hexOf, sha256, type Tensor } from "#protocol"
import { SIZE } from "./drawGlyph.ts"
import { glyphForward, glyphModel, MANIFEST_PATH, MODEL_PATH } from "./glyphModel.ts"
import { makeGlyphInputs } from "./inputs.ts"
import { CLASSES, WEIGHT_NAMES, type Weights } from "./network.ts"

/**
 * `node examples/glyphs/finishRun.ts RUN`: reads held-out glyphs with the model of a run, and writes it as the one that
 * the demo uses, beside the manifest that says where it came from.
 */
const HELD_OUT = { seed: 0x5eed, count: 20_000 }
const BATCH = 500

const [run] = process.argv.slice(2)
if (!run) {
  console.error("usage: node examples/glyphs/finishRun.ts RUN")
  process.exit(2)
}
const { graph } = readModel(new Uint8Array(await readFile(join(run, "model.onnx"))))
const weights = Object.fromEntries(
  WEIGHT_NAMES.map((name) => {
    const initializer = graph.initializers.find((tensor) => tensor.name === name)
    if (!initializer) throw new Error(`${run}/model.onnx has no '${name}': it is not of this network`)
    return [name, elementsOf(initializer.read()) as Float32Array]
  }),
) as Weights
const held = await accuracy(weights)
await writeFile(MODEL_PATH, glyphModel(weights, held))
await mkdir(join(MANIFEST_PATH, ".."), { recursive: true })
await writeFile(MANIFEST_PATH, await readFile(join(run, "manifest.json")))
console.log(`${(held * 100).toFixed(2)} % of ${HELD_OUT.count} held-out glyphs right; ${MODEL_PATH} is written`)

/** The share of glyphs never seen in training that are read right. */
async function accuracy(trained: Weights): Promise<number> {
  const model = glyphForward(trained, BATCH)
  const hash = hexOf(sha256(model))
  const glyphs = makeGlyphInputs(HELD_OUT)
  const runner = createRunner()
  try {
    await runner.load(model, hash)
    let right = 0
    for (let at = 0; at < glyphs.length; at += BATCH) {
      const part = glyphs.slice(at, at + BATCH)
      const data = new Uint8Array(Buffer.concat(part.map(({ glyph }) => glyph.pixels)))
      const scan: Tensor = { dtype: "uint8", dims: [BATCH, 1, SIZE, SIZE], data }
      const [logits] = await runner.run(hash, [scan])
      const values = decodeElements(logits!) as number[]
      right += part.filter(({ glyph }, i) => {
        const row = values.slice(i * CLASSES, (i + 1) * CLASSES)
        return row.indexOf(Math.max(...row)) === glyph.label
      }).length
    }
    return right / glyphs.length
  } finally {
    await runner.close()
  }
}
