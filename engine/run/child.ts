import { createHash } from "node:crypto"
import { readFile } from "node:fs/promises"
import { env, InferenceSession } from "onnxruntime-node"
import type { Hex } from "viem"
import type { Tensor } from "#protocol"
import type { ValueInfo } from "../backend.ts"
import { EngineError, type EngineErrorDetail, engineError } from "../errors.ts"
import { checkInput, missingInput } from "../inputs/checkInput.ts"
import { assertMarketModel, TRACED_LIMITS } from "../model/marketRules.ts"
import { interfaceOf } from "../model/modelInterface.ts"
import { readModel } from "../onnx/readModel.ts"
import { canonicalNaN } from "../program/canonicalNaN.ts"
import { compileProgram } from "../program/compileProgram.ts"
import type { ChildSettings, ProbedValue, Reply, Request } from "./messages.ts"
import { loadError, runError } from "./ortErrors.ts"
import { fromOrt, toOrt } from "./ortTensor.ts"
import { sessionOptions } from "./profile.ts"

/**
 * The process in which strangers' models are parsed and run. It has no secrets in its environment, no network use and
 * no state worth keeping: the parent kills it when it takes too long or too much, and starts another.
 */

type Loaded = {
  readonly session: InferenceSession
  readonly inputs: readonly ValueInfo[]
  readonly outputs: readonly ValueInfo[]
  readonly bytes: number
}

const settings = JSON.parse(process.argv[2] ?? "{}") as ChildSettings
const sources = new Map<Hex, string>()
/** Least recently used first. */
const sessions = new Map<Hex, Loaded>()
const queue: Request[] = []
let busy = false

env.logLevel = "error"
// Ctrl-C reaches the whole group of processes; the parent decides when this one ends.
process.on("SIGINT", () => {})
process.on("SIGTERM", () => {})
process.on("disconnect", () => process.exit(0))
process.on("message", (request: Request) => {
  queue.push(request)
  if (!busy) void work()
})
send({ type: "ready" })

async function work(): Promise<void> {
  busy = true
  for (let request = queue.shift(); request; request = queue.shift()) {
    if (request.type === "source") {
      sources.set(request.sha256, request.path)
      continue
    }
    try {
      send(await answer(request))
    } catch (error) {
      send({ type: "failed", id: request.id, detail: detailOf(error) })
    }
  }
  busy = false
}

async function answer(request: Exclude<Request, { type: "source" }>): Promise<Reply> {
  switch (request.type) {
    case "load": {
      if (request.fresh) await drop(request.sha256)
      const { inputs, outputs } = await session(request.sha256)
      return { type: "loaded", id: request.id, inputs, outputs }
    }
    case "run":
      return { type: "ran", id: request.id, outputs: await run(await session(request.sha256), request.inputs) }
    case "probe":
      return { type: "probed", id: request.id, values: await probe(request.path) }
    case "program":
      return { type: "program", id: request.id, root: compileProgram(await readSource(request.sha256)).root }
  }
}

async function run(loaded: Loaded, inputs: readonly Tensor[]): Promise<Tensor[]> {
  const feeds: Record<string, ReturnType<typeof toOrt>> = {}
  loaded.inputs.forEach((want, i) => {
    const given = inputs[i]
    if (!given) throw missingInput(want)
    feeds[want.name] = toOrt(checkInput(given, want), want.name)
  })
  const fetched = await loaded.session.run(feeds).catch((cause: unknown) => {
    throw runError(cause)
  })
  const outputs = loaded.outputs.map((output) => {
    const raw = fromOrt(fetched[output.name]!, output.name)
    // Payload and sign of a NaN are the processor's: no exact result may depend on them.
    const tensor = settings.profile.numericClass === "exact" ? canonicalNaN(raw) : raw
    if (tensor.dtype !== output.dtype || tensor.dims.join() !== output.dims.join())
      throw engineError(
        "E_RUN_FAILED",
        `output "${output.name}" came out as ${tensor.dtype} [${tensor.dims}] where the model states ${output.dtype} [${output.dims}]`,
      )
    return tensor
  })
  const bytes = outputs.reduce((sum, { data }) => sum + data.byteLength, 0)
  if (bytes > settings.maxOutputBytes)
    throw engineError(
      "E_RUN_OUTPUT_TOO_LARGE",
      `the outputs have ${bytes} bytes; at most ${settings.maxOutputBytes} are taken`,
    )
  return outputs
}

async function session(sha256: Hex): Promise<Loaded> {
  const warm = sessions.get(sha256)
  if (warm) {
    sessions.delete(sha256)
    sessions.set(sha256, warm)
    return warm
  }
  const loaded = await load(sha256)
  sessions.set(sha256, loaded)
  await evict()
  return loaded
}

async function readSource(sha256: Hex): Promise<Buffer> {
  const path = sources.get(sha256)
  if (!path) throw engineError("E_RUN_NOT_LOADED", `no model ${sha256} was given to this process`)
  const bytes = await readFile(path)
  const got = `0x${createHash("sha256").update(bytes).digest("hex")}`
  if (got !== sha256)
    throw engineError("E_MODEL_INVALID", `the stored model has the hash ${got} where ${sha256} was named`, {
      remedy: "delete it from the cache, so that it is fetched again",
    })
  return bytes
}

async function load(sha256: Hex): Promise<Loaded> {
  const bytes = await readSource(sha256)
  const model = readModel(bytes)
  assertMarketModel(model, bytes.byteLength, TRACED_LIMITS)
  const { inputs, outputs, digestTensors } = interfaceOf(model)
  const before = process.memoryUsage.rss()
  const created = await InferenceSession.create(bytes, sessionOptions(settings.profile)).catch((cause: unknown) => {
    throw loadError(cause)
  })
  const grown = process.memoryUsage.rss() - before
  return { session: created, inputs, outputs: [...outputs, ...digestTensors], bytes: Math.max(grown, bytes.byteLength) }
}

async function evict(): Promise<void> {
  const total = () => [...sessions.values()].reduce((sum, { bytes }) => sum + bytes, 0)
  while (sessions.size > 1 && (sessions.size > settings.maxSessions || total() > settings.sessionBytes)) {
    const [oldest] = sessions.keys()
    await drop(oldest!)
  }
}

async function drop(sha256: Hex): Promise<void> {
  const loaded = sessions.get(sha256)
  sessions.delete(sha256)
  await loaded?.session.release()
}

/** Only asks what onnxruntime makes of the graph; nothing of it is run, and the session is not kept. */
async function probe(path: string): Promise<ProbedValue[]> {
  const options = sessionOptions({ ...settings.profile, device: "cpu" })
  const created = await InferenceSession.create(await readFile(path), options).catch((cause: unknown) => {
    throw loadError(cause)
  })
  const values = created.outputMetadata.map((value) =>
    value.isTensor
      ? { name: value.name, type: value.type, dims: value.shape }
      : { name: value.name, type: "none", dims: [] },
  )
  await created.release()
  return values
}

function send(reply: Reply): void {
  process.send?.(reply)
}

function detailOf(error: unknown): EngineErrorDetail {
  if (error instanceof EngineError) return error.detail
  const message = error instanceof Error ? error.message : String(error)
  return { code: "E_RUN_FAILED", message: `the computing process failed: ${message.slice(0, 500)}` }
}
