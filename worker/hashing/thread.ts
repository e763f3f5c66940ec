import { parentPort } from "node:worker_threads"
import { HASH_TASKS, type HashReply, type HashRequest } from "./tasks.ts"

/** The other side of createHasher: one request, one reply, in order. */
parentPort!.on("message", ({ id, name, params }: HashRequest) => {
  let reply: HashReply
  try {
    const task = HASH_TASKS[name] as (params: unknown) => unknown
    reply = { id, value: task(params) }
  } catch (error) {
    const { message, stack } = error as Error
    reply = { id, error: { message, stack } }
  }
  parentPort!.postMessage(reply)
})
