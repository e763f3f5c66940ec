import { createBullBoard } from "@bull-board/api"
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter"
import { FastifyAdapter } from "@bull-board/fastify"
import rateLimit from "@fastify/rate-limit"
import swagger from "@fastify/swagger"
import type { Queue } from "bullmq"
import Fastify, { type FastifyRequest, LogController } from "fastify"
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod"
import type { Logger } from "pino"
import type { Limits } from "../config.ts"
import { refuse } from "../errors.ts"
import type { Metrics } from "../metrics/metrics.ts"
import type { App, Auth } from "./app.ts"
import { type AuthDeps, authenticate } from "./auth.ts"
import { mapErrors } from "./errors.ts"
import { operatorOnly } from "./operator.ts"

export type CreateServerParams = {
  auth: AuthDeps
  limits: Pick<Limits, "requestsPerMinute">
  metrics: Metrics
  log: Logger
  version: string
  operatorToken?: string | undefined
  /** Adds the routes of the service. */
  routes: (app: App, auth: Auth) => void | Promise<void>
}

export type Server = { app: App; showQueue: (queue: Queue) => void }

/** JSON bodies: a receipt of 1,024 leaves has about 400 kB, a submission of 10,000 shards 1 MB. */
const BODY_BYTES = 64 * 1024 ** 2
/** A long poll waits 25 s; an upload may take its time, but not forever. */
const REQUEST_MS = 15 * 60_000
/** How long what was begun may take once the server is told to close. */
const CLOSE_GRACE_MS = 3_000

export async function createServer(params: CreateServerParams): Promise<Server> {
  const { metrics, log, limits } = params
  const app: App = Fastify({
    loggerInstance: log,
    bodyLimit: BODY_BYTES,
    requestTimeout: REQUEST_MS,
    keepAliveTimeout: 65_000,
    // Every request at `info` would bury what matters; failures and refusals are logged where they happen.
    logController: new LogController({ disableRequestLogging: true }),
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 128 },
    return503OnClosing: true,
  }).withTypeProvider<ZodTypeProvider>() as unknown as App
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  mapErrors(app)
  readBodies(app)
  const closing = new AbortController()
  app.decorate("closingSignal", closing.signal)
  app.addHook("preClose", async () => {
    closing.abort()
    // What waits is answered now. A connection that a peer opened and has not used counts as active for a minute: what
    // is still there after a while is cut, for a coordinator that is told to stop must be back soon.
    const cut = setTimeout(() => app.server.closeAllConnections(), CLOSE_GRACE_MS)
    app.server.once("close", () => clearTimeout(cut))
  })

  await app.register(rateLimit, {
    max: limits.requestsPerMinute,
    timeWindow: "1 minute",
    allowList: (request) => request.url === "/healthz" || request.url === "/readyz",
    errorResponseBuilder: () => refuse("E_RATE_LIMIT", "too many requests: wait a little and try again"),
  })
  await app.register(swagger, {
    openapi: {
      info: {
        title: "Assay coordinator",
        version: params.version,
        description:
          "Signed requests carry x-assay-account, x-assay-nonce, x-assay-expiry (chain time, at most 120 s ahead) and " +
          "x-assay-signature: EIP-712 Request { method, path, bodyHash, nonce, expiry } under the Market's domain.",
      },
      components: {
        securitySchemes: { signature: { type: "apiKey", in: "header", name: "x-assay-signature" } },
      },
    },
    transform: jsonSchemaTransform,
  })
  app.addHook("onResponse", async (request, reply) => {
    const labels = {
      method: request.method,
      route: request.routeOptions.url ?? "none",
      status: String(reply.statusCode),
    }
    metrics.request.observe(labels, reply.elapsedTime / 1000)
  })

  const auth: Auth = (request) => authenticate(params.auth, request, bodyOf(request))
  await params.routes(app, auth)
  const operator = operatorOnly(params.operatorToken)
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger())
  app.get("/metrics", { schema: { hide: true }, onRequest: operator }, async (_request, reply) => {
    return reply
      .type(metrics.registry.contentType)
      .serializer(String)
      .send(await metrics.registry.metrics())
  })
  const showQueue = await addBoard(app, operator)
  return { app, showQueue }
}

/** Keeps JSON bodies as they came, for the signature; leaves others to the handler as a stream. */
function readBodies(app: App): void {
  app.decorateRequest("rawBody", undefined)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => {
    request.rawBody = body as Buffer
    try {
      done(null, body.length === 0 ? undefined : JSON.parse(body.toString()))
    } catch (cause) {
      done(refuse("E_BAD_REQUEST", "the body is not JSON", undefined, cause) as Error)
    }
  })
  app.addContentTypeParser("application/octet-stream", (_request, payload, done) => done(null, payload))
}

function bodyOf(request: FastifyRequest): Uint8Array | "streamed" | undefined {
  return request.method === "PUT" ? "streamed" : request.rawBody
}

/** The dashboard of the queue, under the operator's lock. */
async function addBoard(app: App, operator: ReturnType<typeof operatorOnly>): Promise<Server["showQueue"]> {
  const serverAdapter = new FastifyAdapter()
  serverAdapter.setBasePath("/queues")
  const board = createBullBoard({ queues: [], serverAdapter })
  await app.register(async (scope) => {
    scope.addHook("onRequest", operator)
    // The pages are not ours: neither are their bodies and schemas.
    scope.setValidatorCompiler(() => () => true)
    scope.setSerializerCompiler(() => JSON.stringify)
    await scope.register(serverAdapter.registerPlugin(), { prefix: "/queues", basePath: "/queues" } as never)
  })
  return (queue) => board.addQueue(new BullMQAdapter(queue, { readOnlyMode: true }))
}
