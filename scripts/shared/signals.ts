let signal: AbortSignal | undefined

/**
 * Aborted by the first Ctrl-C or SIGTERM, which asks for a clean stop; the second one does not ask. A process that a
 * supervisor started stops with it, even when the supervisor was killed and could not say so.
 */
export function stopSignal(): AbortSignal {
  if (signal) return signal
  const controller = new AbortController()
  const stop = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(name === "SIGINT" ? 130 : 143)
    controller.abort(new Error(name))
  }
  process.on("SIGINT", stop)
  process.on("SIGTERM", stop)
  if (process.env.ASSAY_SUPERVISED && process.connected) {
    process.once("disconnect", () => controller.abort(new Error("the supervisor is gone")))
    // Listening must not keep a process alive that has done its work.
    process.channel?.unref()
  }
  signal = controller.signal
  return signal
}

export async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))
}
