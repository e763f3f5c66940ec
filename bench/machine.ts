import { arch, cpus } from "node:os"
import { pathToFileURL } from "node:url"
import type { InferenceSession as Sessions } from "onnxruntime-node"
import { canonicalNaN, exactProfile, readModelInterface, runSelfTest, sessionOptions } from "#engine"
import { engineError } from "#engine/errors.ts"
import { fromOrt, toOrt } from "#engine/run/ortTensor.ts"
import type { SelfTestRunner } from "#engine/selfTest/selfTest.ts"

/**
 * `node bench/machine.ts [MODULE]`: whether a machine computes what the exact class means, with every vector that differs
 * by name. MODULE is the file of another build of onnxruntime, onnxruntime-web's for one. All runs in this one process, so
 * that `node` may be an emulator's (docs/exactness.md has the commands and what came out); the worker's own self-test asks
 * the same in the process that computes.
 */
const [module] = process.argv.slice(2)
const { InferenceSession } = (await import(module ? pathToFileURL(module).href : "onnxruntime-node")) as {
  readonly InferenceSession: typeof Sessions
}
const start = performance.now()
const { passed, failed } = await runSelfTest(inThisProcess())
const seconds = ((performance.now() - start) / 1_000).toFixed(1)
const processor = `${arch()}, ${cpus()[0]?.model.trim() || "unknown processor"}`
console.log(`${processor}: ${passed} vectors agree, ${failed.length} differ, ${seconds} seconds`)
for (const { name, why } of failed) console.log(`${name}: ${why}`)
if (failed.length > 0) process.exitCode = 1

function inThisProcess(): SelfTestRunner {
  let session: Sessions | undefined
  let [inputs, outputs]: (readonly string[])[] = [[], []]
  return {
    load: async (source) => {
      await session?.release()
      const bytes = source as Uint8Array
      const model = readModelInterface(bytes)
      session = await InferenceSession.create(bytes, sessionOptions(exactProfile())).catch(differs)
      ;[inputs, outputs] = [model.inputs.map(({ name }) => name), model.outputs.map(({ name }) => name)]
      return model
    },
    run: async (_sha256, tensors) => {
      const feeds = Object.fromEntries(inputs!.map((name, i) => [name, toOrt(tensors[i]!, name)]))
      const results = await session!.run(feeds).catch(differs)
      return outputs!.map((name) => canonicalNaN(fromOrt(results[name]!, name)))
    },
  }
}

/** A vector that this build cannot run is one that differs. */
function differs(cause: unknown): never {
  throw engineError("E_RUN_FAILED", cause instanceof Error ? cause.message : String(cause), { cause })
}
