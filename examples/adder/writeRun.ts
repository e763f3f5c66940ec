import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { encodeNpz } from "#engine"
import { adderTraining } from "./training.ts"

/** `node examples/adder/writeRun.ts DIR`: what `assay train --config DIR/run.json` takes, to train the adder on the market. */
const [folder] = process.argv.slice(2)
if (!folder) {
  console.error("usage: node examples/adder/writeRun.ts DIR")
  process.exit(2)
}
const { model, data, loss, batch, optimizer, parameters, clipNorm } = adderTraining()
await mkdir(folder, { recursive: true })
await writeFile(join(folder, "adder.onnx"), model)
await writeFile(join(folder, "additions.npz"), encodeNpz(data))
const run = {
  title: "adder",
  model: "adder.onnx",
  data: "additions.npz",
  loss,
  batch,
  steps: 25,
  rounds: 40,
  slots: 4,
  optimizer,
  clipNorm,
  parameters,
  rate: { peak: 0.003, warmUp: 200 },
  compression: "int4",
  outer: { rate: 0.7, momentum: 0.6 },
  audit: "25%",
}
await writeFile(join(folder, "run.json"), `${JSON.stringify(run, null, 2)}\n`)
console.log(
  `additions and a network of random weights in ${folder}; train it: assay train --config ${join(folder, "run.json")} --wait`,
)
