import type { WorkerHello, WorkerWelcome } from "#protocol"
import { isTransient, type Peer } from "../api/peer.ts"
import { sayHello } from "../api/routes.ts"
import { codeOf, textOf } from "../errors.ts"
import type { Events } from "../events.ts"
import { pause } from "../support/sleep.ts"

const FRESH_MS = 30_000
const REFUSED_MS = 2000

export type HelloParams = {
  hello: WorkerHello
  onWelcome: (welcome: WorkerWelcome) => void
  /** A second process with this key: one of the two must stop. */
  onFatal: (error: unknown) => void
  signal: AbortSignal
}

/** Says who is here, at the start and every half minute; more often while it is refused, so that it begins at once. */
export async function helloLoop(
  { peer, events }: { peer: Peer; events: Events },
  { hello, onWelcome, onFatal, signal }: HelloParams,
): Promise<void> {
  while (!signal.aborted) {
    let ready = false
    try {
      const welcome = await sayHello(peer, hello, signal)
      onWelcome(welcome)
      ready = welcome.ready
      if (ready) events.resume("hello")
      for (const { code, text } of welcome.refused) {
        // What it asked for itself is no news.
        if (!(hello.verifyOnly && code === "WORKER_VERIFY_ONLY")) events.wait("hello", "refused", code, text)
      }
    } catch (error) {
      if (signal.aborted) return
      if (codeOf(error) === "E_WORKER_TWICE") return onFatal(error)
      // Down is told by the loops that need it; the rest is news.
      if (!isTransient(error)) events.wait("hello", "refused", codeOf(error), textOf(error))
    }
    await pause(ready ? FRESH_MS : REFUSED_MS, signal)
  }
}
