import { Worker } from "node:worker_threads"
import { refuse } from "../errors.ts"
import type { CheckInputsParams, CheckInputsResult, CheckReceiptParams } from "./tasks.ts"
import type { HashingReply, HashingRequest } from "./thread.ts"

/** Heavy hashing on threads of its own, so that a big submission does not stall everybody's leases. */
export type Hasher = {
  checkInputs(params: CheckInputsParams): Promise<CheckInputsResult>
  checkReceipt(params: CheckReceiptParams): Promise<void>
  close(): Promise<void>
}

type Waiting = { resolve: (value: never) => void; reject: (error: unknown) => void }
type Lane = { worker: Worker; waiting: Map<number, Waiting> }

/** Two lanes: receipts are small and many, submissions big and rare; neither waits for the other. */
export function createHasher(): Hasher {
  let next = 0
  let closed = false
  const lanes = { checkInputs: undefined as Lane | undefined, checkReceipt: undefined as Lane | undefined }

  function lane(name: keyof typeof lanes): Lane {
    const open = lanes[name]
    if (open) return open
    const worker = new Worker(new URL("./thread.ts", import.meta.url), { name: `assay-${name}` })
    const waiting: Lane["waiting"] = new Map()
    const fresh = { worker, waiting }
    worker.on("message", (reply: HashingReply) => {
      const caller = waiting.get(reply.id)
      waiting.delete(reply.id)
      if (waiting.size === 0) worker.unref()
      if (reply.ok) caller?.resolve(reply.result as never)
      else caller?.reject(refuse(reply.code, reply.message, reply.details))
    })
    const end = (cause: unknown) => {
      if (lanes[name] === fresh) lanes[name] = undefined
      for (const { reject } of waiting.values()) {
        reject(refuse("E_INTERNAL", "the hashing thread ended; try again", undefined, cause))
      }
      waiting.clear()
    }
    worker.on("error", end)
    worker.on("exit", () => end(undefined))
    worker.unref()
    lanes[name] = fresh
    return fresh
  }

  function ask<R>(request: Omit<HashingRequest, "id"> & { task: keyof typeof lanes }): Promise<R> {
    if (closed) return Promise.reject(refuse("E_SHUTTING_DOWN", "the coordinator is shutting down"))
    const { worker, waiting } = lane(request.task)
    const id = ++next
    return new Promise<R>((resolve, reject) => {
      waiting.set(id, { resolve: resolve as (value: never) => void, reject })
      worker.ref()
      worker.postMessage({ id, ...request })
    })
  }

  return {
    checkInputs: (params) => ask({ task: "checkInputs", params } as never),
    checkReceipt: (params) => ask({ task: "checkReceipt", params } as never),
    async close() {
      closed = true
      await Promise.all(Object.values(lanes).map((open) => open?.worker.terminate()))
    },
  }
}
