import type { IncomingMessage, ServerResponse } from "node:http"
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawServerDefault } from "fastify"
import type { ZodTypeProvider } from "fastify-type-provider-zod"
import type { Address } from "viem"

/** Fastify whose routes take and give protocol's zod schemas. */
export type App = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>

/** Who signed the request; throws a coded error if nobody did. Call it first in every handler that is not public. */
export type Auth = (request: FastifyRequest) => Promise<Address>

declare module "fastify" {
  interface FastifyInstance {
    /** Aborted when the server begins to close. */
    closingSignal: AbortSignal
  }
  interface FastifyRequest {
    /** The body as it came, which the signature covers. */
    rawBody: Buffer | undefined
  }
}
