import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { encodeNpz } from "#engine"
import { adderModel } from "./network.ts"
import { adderTraining } from "./training.ts"

/**
 * `node examples/adder/writeRun.ts DIR`: what `assay train --config DIR/run.json` takes to train the adder on the market,
 * and `assay train --alone --config DIR/alone.json` to train it on one machine with all slots' batches in each step.
 */
const [folder] = process.argv.slice(2)
if (!folder) {
  console.error("usage: node examples/adder/writeRun.ts DIR")
  process.exit(2)
}
const SLOTS = 4
const { model, data, loss, batch, optimizer, parameters, clipNorm } = adderTraining()
await mkdir(folder, { recursive: true })
await writeFile(join(folder, "adder.onnx"), model)
await writeFile(join(folder, "adder-alone.onnx"), adderModel(SLOTS * batch))
await writeFile(join(folder, "additions.npz"), encodeNpz(data))
const run = {
  title: "adder",
  model: "adder.onnx",
  data: "additions.npz",
  loss,
  batch,
  steps: 25,
  rounds: 60,
  slots: SLOTS,
  optimizer,
  clipNorm,
  parameters,
  rate: { peak: 0.003, warmUp: 200 },
  compression: "int4",
  outer: { rate: 0.7, momentum: 0.6 },
  audit: "25%",
}
const alone = {
  ...run,
  title: "adder with all slots' batches",
  model: "adder-alone.onnx",
  batch: SLOTS * batch,
  slots: 1,
}
await writeFile(join(folder, "run.json"), `${JSON.stringify(run, null, 2)}\n`)
await writeFile(join(folder, "alone.json"), `${JSON.stringify(alone, null, 2)}\n`)
console.log(
  `additions and a network of random weights in ${folder}; train it: assay train --config ${join(folder, "run.json")} --wait`,
)
