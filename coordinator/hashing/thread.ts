import { parentPort } from "node:worker_threads"
import { isCodedError } from "#protocol"
import { type CheckInputsParams, type CheckReceiptParams, checkInputs, checkReceipt } from "./tasks.ts"

export type HashingRequest = { id: number } & (
  | { task: "checkInputs"; params: CheckInputsParams }
  | { task: "checkReceipt"; params: CheckReceiptParams }
)
export type HashingReply = { id: number } & (
  | { ok: true; result: unknown }
  | { ok: false; code: string; message: string; details?: Record<string, unknown> | undefined }
)

const port = parentPort
if (!port) throw new Error("this file runs as a worker thread")

port.on("message", async (request: HashingRequest) => {
  port.postMessage(await answer(request))
})

async function answer({ id, ...request }: HashingRequest): Promise<HashingReply> {
  try {
    const result =
      request.task === "checkInputs" ? await checkInputs(request.params) : await checkReceipt(request.params)
    return { id, ok: true, result }
  } catch (error) {
    if (!isCodedError(error))
      return { id, ok: false, code: "E_INTERNAL", message: String((error as Error)?.stack ?? error) }
    const { code, message, details } = error.detail as {
      code: string
      message?: string
      details?: Record<string, unknown>
    }
    return { id, ok: false, code, message: message ?? code, details }
  }
}
