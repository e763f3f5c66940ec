let signal: AbortSignal | undefined

/** Aborted by the first Ctrl-C or SIGTERM, which asks for a clean stop; the second one does not ask. */
export function stopSignal(): AbortSignal {
  if (signal) return signal
  const controller = new AbortController()
  const stop = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(name === "SIGINT" ? 130 : 143)
    controller.abort(new Error(name))
  }
  process.on("SIGINT", stop)
  process.on("SIGTERM", stop)
  signal = controller.signal
  return signal
}

export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))
}
