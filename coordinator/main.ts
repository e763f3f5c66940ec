import { isCodedError } from "#protocol"
import { parseConfig } from "./config.ts"
import { startCoordinator } from "./node.ts"

// The coordinator as a process of its own, configured by its environment (see config.ts).
const stopping = new AbortController()
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stopping.abort())

try {
  const coordinator = await startCoordinator(parseConfig(process.env))
  await new Promise<void>((resolve) => {
    if (stopping.signal.aborted) resolve()
    stopping.signal.addEventListener("abort", () => resolve(), { once: true })
  })
  await coordinator.close()
} catch (error) {
  const line = isCodedError(error) ? `${error.code}: ${error.message}` : String((error as Error)?.stack ?? error)
  process.stderr.write(`${line}\n`)
  process.exitCode = 1
}
