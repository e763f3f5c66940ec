// Posts a paid job and prints its first result. Needs `./assay up` in another terminal:
//   ./assay run examples/postJob.ts model.onnx input.npy PRIVATE_KEY
import { readFile } from "node:fs/promises"
import type { Hex } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { createClient } from "#client"
import { loadInputs, readModelInterface } from "#engine"
import { formatAmount, formatJobId } from "#protocol"

const [modelPath, inputPath, key] = process.argv.slice(2) as [string, string, Hex]
const client = await createClient({
  rpcUrl: "http://127.0.0.1:8545",
  coordinatorUrl: "http://127.0.0.1:8787",
  account: privateKeyToAccount(key),
})
const model = await readFile(modelPath)
const tasks = await loadInputs({ from: inputPath }, readModelInterface(model).inputs)
const { jobId, escrow } = await client.post({ model, tasks, auditRate: 1000 })
console.log(`job ${formatJobId(jobId)} locks ${formatAmount(escrow)}`)
const job = await client.follow(jobId)
console.log(job.reason.text, (await client.results(jobId))[0]?.outputs)
