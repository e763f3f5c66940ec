import { setTimeout as sleep } from "node:timers/promises"
import { CliError } from "./errors.ts"
import type { Output } from "./output.ts"
import type { RunningWorker, Stack } from "./stack.ts"

const FIRST_DELAY_MS = 1000
const LONGEST_DELAY_MS = 60_000
/** A worker that ran this long before it ended did not fail to start. */
const HEALTHY_MS = 60_000

export type WatchParams = { stack: Stack; workers: RunningWorker[]; out: Output; signal: AbortSignal }

/** Starts workers again that end by themselves. Ends with an error when the chain or the coordinator is gone. */
export async function watch({ stack, workers, out, signal }: WatchParams): Promise<void> {
  const vital = stack.children.filter((child) => child.name === "chain" || child.name === "coordinator")
  for (const worker of workers) {
    void keepRunning({ stack, worker, out, signal }).catch((error: unknown) =>
      out.say(`${worker.role} is lost: ${String(error)}`),
    )
  }
  const ended = await Promise.race(vital.map(async (child) => child.exited.then(() => child)))
  if (signal.aborted) return
  throw new CliError(
    "E_PROCESS_ENDED",
    `the ${ended.name} ended by itself: its log is in HOME/run/logs; \`assay up\` starts afresh`,
  )
}

async function keepRunning({
  stack,
  worker,
  out,
  signal,
}: Omit<WatchParams, "workers"> & { worker: RunningWorker }): Promise<void> {
  let delayMs = FIRST_DELAY_MS
  let running: RunningWorker = worker
  for (;;) {
    const started = Date.now()
    const code = await running.child.exited
    if (signal.aborted) return
    if (Date.now() - started > HEALTHY_MS) delayMs = FIRST_DELAY_MS
    out.say(`${worker.role} ended with status ${code}: starting it again in ${delayMs / 1000} s`)
    await sleep(delayMs, undefined, { signal }).catch(() => {})
    if (signal.aborted) return
    delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)
    running = await stack.startWorker(worker).catch(() => running)
  }
}
