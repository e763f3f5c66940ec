import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { encodeElements, encodeNpz } from "#engine"
import { SIZE } from "./drawGlyph.ts"
import { glyphForward } from "./glyphModel.ts"
import { makeGlyphInputs } from "./inputs.ts"
import { randomWeights } from "./network.ts"
import { createRandom } from "./random.ts"

/**
 * `node examples/glyphs/writeRun.ts DIR [SHARDS]`: what `assay train --config DIR/run.json` takes to train the recogniser on the
 * market, and `assay train --alone --config DIR/alone.json` to train it on one machine with all slots' batches in each step.
 * With a number of shards the scans come in so many files, and are given to the tasks that learn from them.
 */
const [folder, parts] = process.argv.slice(2)
const SAMPLES = 65_536
const shards = parts === undefined ? 1 : Number(parts)
if (!folder || !Number.isInteger(SAMPLES / shards)) {
  console.error(`usage: node examples/glyphs/writeRun.ts DIR [SHARDS, a divisor of ${SAMPLES}]`)
  process.exit(2)
}
const BATCH = 64
const SLOTS = 4
const inputs = makeGlyphInputs({ seed: 11, count: SAMPLES })
const labels = inputs.map(({ glyph }) => BigInt(glyph.label))
await mkdir(folder, { recursive: true })
for (const [name, batch] of [
  ["glyphs.onnx", BATCH],
  ["glyphs-alone.onnx", SLOTS * BATCH],
] as const) {
  await writeFile(join(folder, name), glyphForward(randomWeights(createRandom(1)), batch))
}
const names = Array.from({ length: shards }, (_, shard) => (parts === undefined ? "glyphs" : `glyphs-${shard}`))
for (const [shard, name] of names.entries()) {
  const [from, to] = [(shard * SAMPLES) / shards, ((shard + 1) * SAMPLES) / shards]
  await writeFile(
    join(folder, `${name}.npz`),
    encodeNpz({
      scan: {
        dtype: "uint8",
        dims: [to - from, 1, SIZE, SIZE],
        data: new Uint8Array(Buffer.concat(inputs.slice(from, to).map(({ glyph }) => glyph.pixels))),
      },
      label: { dtype: "int64", dims: [to - from], data: encodeElements("int64", labels.slice(from, to)) },
    }),
  )
}
const run = {
  title: "glyphs",
  model: "glyphs.onnx",
  data: parts === undefined ? "glyphs.npz" : names.map((name) => `${name}.npz`),
  loss: { kind: "crossEntropy", logits: "logits", targets: "label" },
  batch: BATCH,
  steps: 50,
  rounds: 60,
  slots: SLOTS,
  optimizer: { kind: "adamw", weightDecay: 0 },
  clipNorm: 1,
  rate: { peak: 0.004, warmUp: 50 },
  compression: "int4",
  outer: { rate: 0.7, momentum: 0.6 },
  audit: "25%",
}
const alone = {
  ...run,
  title: "glyphs with all slots' batches",
  model: "glyphs-alone.onnx",
  batch: SLOTS * BATCH,
  slots: 1,
}
await writeFile(join(folder, "run.json"), `${JSON.stringify(run, null, 2)}\n`)
await writeFile(join(folder, "alone.json"), `${JSON.stringify(alone, null, 2)}\n`)
console.log(
  `${SAMPLES} scans and a network of random weights in ${folder}; train it: assay train --config ${join(folder, "run.json")} --wait`,
)
