import type { FastifyReply } from "fastify"

/**
 * Aborts when the peer goes away before it was answered (nobody is given a lease that nobody receives), and when the
 * server shuts down (it answers what waits instead of waiting itself).
 */
export function connectionSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once("close", () => {
    if (!reply.raw.writableFinished) controller.abort()
  })
  return AbortSignal.any([controller.signal, reply.server.closingSignal])
}
