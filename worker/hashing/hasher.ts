import { Worker } from "node:worker_threads"
import { workerError } from "../errors.ts"
import type { HashReply, HashRequest, HashTaskName, HashTasks } from "./tasks.ts"

/**
 * All hashing of tensors and leaves, on a thread of its own: while a task's result is hashed here, the main thread
 * hands the next one to the runner. (15 ms tasks leave no room for hashing in between.)
 */
export type Hasher = {
  run<K extends HashTaskName>(name: K, params: Parameters<HashTasks[K]>[0]): Promise<ReturnType<HashTasks[K]>>
  close(): Promise<void>
}

type Waiting = { resolve: (value: never) => void; reject: (error: Error) => void }

export function createHasher(): Hasher {
  const thread = new Worker(new URL("./thread.ts", import.meta.url))
  const waiting = new Map<number, Waiting>()
  let nextId = 0
  let failure: Error | undefined

  thread.on("message", ({ id, value, error }: HashReply) => {
    const waiter = waiting.get(id)!
    waiting.delete(id)
    if (error) waiter.reject(workerError("E_INTERNAL", `hashing failed: ${error.message}`, { cause: error }))
    else waiter.resolve(value as never)
  })
  const fail = (why: string, cause?: unknown) => {
    failure = workerError("E_INTERNAL", why, { cause })
    for (const waiter of waiting.values()) waiter.reject(failure)
    waiting.clear()
  }
  thread.on("error", (error) => fail("the hashing thread died", error))
  thread.on("exit", () => fail("the hashing thread has ended"))
  // The process may end while it idles.
  thread.unref()

  return {
    run: (name, params) =>
      new Promise((resolve, reject) => {
        if (failure) return reject(failure)
        const request: HashRequest = { id: nextId++, name, params }
        waiting.set(request.id, { resolve, reject })
        thread.postMessage(request)
      }),
    async close() {
      await thread.terminate()
    },
  }
}
