import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Hex } from "viem"
import type { Tensor } from "#protocol"
import type { ValueInfo } from "../backend.ts"
import { EngineError, engineError } from "../errors.ts"
import { plainBytes } from "../tensor/plainBytes.ts"
import { type ChildHandle, startChild } from "./childProcess.ts"
import type { ProbedValue, Reply, Request } from "./messages.ts"
import { type ExecutionProfile, exactProfile } from "./profile.ts"

export type RunnerOptions = {
  readonly profile?: ExecutionProfile
  /** Resident memory of the computing process, models and onnxruntime itself (about 100 MB) included. */
  readonly memoryBytes?: number
  /** Longest time for one task, or for loading one model. */
  readonly timeoutMs?: number
  readonly maxSessions?: number
  readonly maxOutputBytes?: number
}

export type LoadedModel = { readonly inputs: readonly ValueInfo[]; readonly outputs: readonly ValueInfo[] }

export type Runner = {
  readonly profile: ExecutionProfile
  /** Makes the model ready; `fresh` builds a new session even if one is warm. */
  load(source: string | Uint8Array, sha256: Hex, options?: { fresh?: boolean }): Promise<LoadedModel>
  /** Runs one task; inputs in model order, results in model order with the digest tensors last. */
  run(sha256: Hex, inputs: readonly Tensor[]): Promise<Tensor[]>
  /**
   * Runs many, yielding results in order. Inputs go ahead of the results, so that the process never waits for its
   * next task while the caller hashes or uploads the last one.
   */
  runMany(
    sha256: Hex,
    tasks: Iterable<readonly Tensor[]> | AsyncIterable<readonly Tensor[]>,
    signal?: AbortSignal,
  ): AsyncIterable<Tensor[]>
  /** The root of a loaded model read as a program (R2, version 1); an E_MODEL error where it is none. */
  programRoot(sha256: Hex): Promise<Hex>
  /** What onnxruntime infers about every output of a model, without running it. */
  probe(bytes: Uint8Array): Promise<readonly ProbedValue[]>
  /** Ends the process; what is under way fails with E_RUN_CLOSED. */
  close(): Promise<void>
}

type AskRequest = Exclude<Request, { type: "source" }>
type Call = {
  readonly request: AskRequest
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: EngineError) => void
}

const GIB = 1024 ** 3
const START_LIMIT_MS = 60_000
/** Inputs that may wait in the process' channel: enough to keep it busy, little enough to keep memory flat. */
const AHEAD = { tasks: 4, bytes: 32 * 1024 ** 2 }

export function createRunner(options: RunnerOptions = {}): Runner {
  const {
    profile = exactProfile(),
    memoryBytes = 2 * GIB,
    timeoutMs = 60_000,
    maxSessions = 8,
    maxOutputBytes = GIB / 4,
  } = options
  const paths = new Map<Hex, string>()
  /** In the order in which the process will answer; the first is what it works on. */
  const calls = new Map<number, Call>()
  let [nextId, closed] = [1, false]
  let child: ChildHandle | undefined
  let ready = false
  let told = new Set<Hex>()
  let timer: NodeJS.Timeout | undefined
  let scratch: Promise<string> | undefined

  function post(call: Call): void {
    child ??= start()
    const { request } = call
    if (request.type !== "probe") {
      const path = paths.get(request.sha256)
      if (path && !told.has(request.sha256)) {
        child.send({ type: "source", sha256: request.sha256, path })
        told.add(request.sha256)
      }
    }
    child.send(request)
  }

  function start(): ChildHandle {
    told = new Set()
    ready = false
    const settings = { profile, maxSessions, sessionBytes: memoryBytes / 2, maxOutputBytes }
    const started = startChild(
      { settings, memoryBytes },
      { onReply: (reply) => settle(started, reply), onEnd: (why) => ended(started, why) },
    )
    return started
  }

  function settle(from: ChildHandle, reply: Reply): void {
    if (from !== child) return
    if (reply.type === "ready") ready = true
    else {
      const call = calls.get(reply.id)
      calls.delete(reply.id)
      if (reply.type === "failed") call?.reject(new EngineError(reply.detail))
      else call?.resolve(reply)
    }
    watchClock()
  }

  /** The first call is the one that the process died of; the others are asked again of the next process. */
  function ended(from: ChildHandle, why: EngineError): void {
    if (from !== child) return
    child = undefined
    const [first, ...others] = calls
    if (first) {
      calls.delete(first[0])
      first[1].reject(why)
    }
    for (const [, call] of others) post(call)
    watchClock()
  }

  /** The clock runs for the call that is being worked on, and starts anew with each answer. */
  function watchClock(): void {
    clearTimeout(timer)
    timer = undefined
    if (calls.size === 0 || !child) {
      child?.unref()
      return
    }
    child.ref()
    const running = child
    // Starting a process on a busy machine is nobody's model's fault: it has a limit of its own.
    const [limitMs, what] = ready ? [timeoutMs, "the model"] : [START_LIMIT_MS, "the computing process' start"]
    timer = setTimeout(() => {
      running.kill(
        engineError("E_RUN_TIMEOUT", `${what} took longer than ${limitMs} ms`, {
          remedy: "raise the time limit, or make the task smaller",
          facts: { timeoutMs: limitMs },
        }),
      )
    }, limitMs)
  }

  function ask(request: AskRequest): Promise<Reply> {
    if (closed) return Promise.reject(closedError())
    return new Promise((resolve, reject) => {
      const call = { request, resolve, reject }
      calls.set(request.id, call)
      post(call)
      if (calls.size === 1) watchClock()
    })
  }

  async function scratchFile(name: string, bytes: Uint8Array): Promise<string> {
    try {
      scratch ??= mkdtemp(join(tmpdir(), "assay-run-"))
      const path = join(await scratch, `${name}.onnx`)
      await writeFile(path, bytes)
      return path
    } catch (cause) {
      if (!(await scratch?.catch(() => undefined))) scratch = undefined // the next call tries again
      throw engineError("E_RUN_SCRATCH", `cannot write the model to ${tmpdir()}: ${(cause as Error).message}`, {
        remedy: "free space there, or point TMPDIR at a folder that can be written",
        cause,
      })
    }
  }

  async function load(source: string | Uint8Array, sha256: Hex, { fresh = false } = {}): Promise<LoadedModel> {
    if (closed) throw closedError()
    const path =
      typeof source === "string" ? source : (paths.get(sha256) ?? (await scratchFile(sha256.slice(2), source)))
    if (paths.get(sha256) !== path) told.delete(sha256)
    paths.set(sha256, path)
    const reply = await ask({ type: "load", id: nextId++, sha256, fresh })
    if (reply.type !== "loaded") throw unexpected(reply)
    return { inputs: reply.inputs, outputs: reply.outputs }
  }

  async function run(sha256: Hex, inputs: readonly Tensor[]): Promise<Tensor[]> {
    const reply = await ask({ type: "run", id: nextId++, sha256, inputs })
    if (reply.type !== "ran") throw unexpected(reply)
    return reply.outputs.map((tensor) => ({ ...tensor, data: plainBytes(tensor.data) }))
  }

  async function* runMany(
    sha256: Hex,
    tasks: Iterable<readonly Tensor[]> | AsyncIterable<readonly Tensor[]>,
    signal?: AbortSignal,
  ): AsyncGenerator<Tensor[]> {
    const ahead: { result: Promise<Tensor[]>; bytes: number }[] = []
    let aheadBytes = 0
    const takeFirst = async (): Promise<Tensor[]> => {
      const { result, bytes } = ahead.shift()!
      aheadBytes -= bytes
      return await abortable(result, signal)
    }
    try {
      for await (const inputs of tasks) {
        if (signal?.aborted) throw abortedError(signal)
        const bytes = inputs.reduce((sum, { data }) => sum + data.byteLength, 0)
        const result = run(sha256, inputs)
        result.catch(() => {}) // reported when its turn comes, or not at all if an earlier one failed
        ahead.push({ result, bytes })
        aheadBytes += bytes
        while (ahead.length > 0 && (ahead.length >= AHEAD.tasks || aheadBytes > AHEAD.bytes)) yield await takeFirst()
      }
      while (ahead.length > 0) yield await takeFirst()
    } finally {
      // Left early: what is still under way is finished by the process and dropped, so the next caller finds order.
      await Promise.allSettled(closed || signal?.aborted ? [] : ahead.map(({ result }) => result))
    }
  }

  async function programRoot(sha256: Hex): Promise<Hex> {
    const reply = await ask({ type: "program", id: nextId++, sha256 })
    if (reply.type !== "program") throw unexpected(reply)
    return reply.root
  }

  async function probe(bytes: Uint8Array): Promise<readonly ProbedValue[]> {
    const id = nextId++
    const path = await scratchFile(`probe-${id}`, bytes)
    try {
      const reply = await ask({ type: "probe", id, path })
      if (reply.type !== "probed") throw unexpected(reply)
      return reply.values
    } finally {
      await rm(path, { force: true })
    }
  }

  async function close(): Promise<void> {
    if (closed) return
    closed = true
    clearTimeout(timer)
    const open = [...calls.values()]
    calls.clear()
    const running = child
    child = undefined
    for (const call of open) call.reject(closedError())
    running?.ref() // the wait for its end keeps the parent alive
    running?.kill(closedError())
    await running?.exited
    if (scratch) await rm(await scratch, { recursive: true, force: true })
  }

  return { profile, load, run, runMany, programRoot, probe, close }
}

function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  if (signal.aborted) return Promise.reject(abortedError(signal))
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(abortedError(signal))
    signal.addEventListener("abort", onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort))
  })
}

function abortedError(signal: AbortSignal) {
  return engineError("E_RUN_ABORTED", "the run was stopped before it was done", { cause: signal.reason })
}

function closedError() {
  return engineError("E_RUN_CLOSED", "the computing process was closed")
}

function unexpected(reply: Reply) {
  return engineError("E_RUN_CRASHED", `the computing process answered "${reply.type}" out of turn`)
}
