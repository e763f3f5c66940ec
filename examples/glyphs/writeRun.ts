import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { encodeElements, encodeNpz } from "#engine"
import { SIZE } from "./drawGlyph.ts"
import { glyphForward } from "./glyphModel.ts"
import { makeGlyphInputs } from "./inputs.ts"
import { randomWeights } from "./network.ts"
import { createRandom } from "./random.ts"

/** `node examples/glyphs/writeRun.ts DIR`: what `assay train --config DIR/run.json` takes, to train the recogniser on the market. */
const [folder] = process.argv.slice(2)
if (!folder) {
  console.error("usage: node examples/glyphs/writeRun.ts DIR")
  process.exit(2)
}
const SAMPLES = 4_096
const BATCH = 32
const inputs = makeGlyphInputs({ seed: 11, count: SAMPLES })
const labels = inputs.map(({ glyph }) => BigInt(glyph.label))
await mkdir(folder, { recursive: true })
await writeFile(join(folder, "glyphs.onnx"), glyphForward(randomWeights(createRandom(1)), BATCH))
await writeFile(
  join(folder, "glyphs.npz"),
  encodeNpz({
    scan: {
      dtype: "uint8",
      dims: [SAMPLES, 1, SIZE, SIZE],
      data: new Uint8Array(Buffer.concat(inputs.map(({ glyph }) => glyph.pixels))),
    },
    label: { dtype: "int64", dims: [SAMPLES], data: encodeElements("int64", labels) },
  }),
)
const run = {
  title: "glyphs",
  model: "glyphs.onnx",
  data: "glyphs.npz",
  loss: { kind: "crossEntropy", logits: "logits", targets: "label" },
  batch: BATCH,
  steps: 25,
  rounds: 40,
  slots: 4,
  optimizer: { kind: "adamw", weightDecay: 0 },
  clipNorm: 1,
  rate: { peak: 0.003, warmUp: 50 },
  compression: "int4",
  outer: { rate: 0.7, momentum: 0.6 },
  audit: "25%",
}
await writeFile(join(folder, "run.json"), `${JSON.stringify(run, null, 2)}\n`)
console.log(
  `${SAMPLES} scans and a network of random weights in ${folder}; train it: assay train --config ${join(folder, "run.json")} --wait`,
)
