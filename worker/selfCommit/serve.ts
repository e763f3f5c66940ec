import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify"
import { type Address, type Hex, isAddressEqual } from "viem"
import { z } from "zod"
import {
  AuditBundleSchema,
  AuditRequestSchema,
  type BatchData,
  BatchDataSchema,
  BatchIdSchema,
  type DisputeBundle,
  DisputeBundleSchema,
  DisputeIdSchema,
  httpStatusOf,
  isCodedError,
  isHttpErrorCode,
  Sha256Schema,
  type Signer,
  VerdictSubmissionSchema,
  VerdictsStoredSchema,
} from "#protocol"
import { workerError } from "../errors.ts"
import type { Events } from "../events.ts"
import { bundleOf, drawOf, keepVerdict, nextOwnAudit, type OwnAuditDeps, recordsOf, sampleOf } from "./audit.ts"
import { type Authenticate, createAuthenticate } from "./authenticate.ts"
import { batchShard } from "./shards.ts"

export type ServeDeps = OwnAuditDeps & { signer: Signer; events: Events }
export type ServeParams = { host: string; port: number }

const MAX_BODY_BYTES = 8 * 1024 * 1024

/**
 * A worker that commits for itself is the coordinator of that batch (R18): it serves drawn verifiers, jurors and the
 * requester, in the same messages. It listens only where there is a --public-url.
 */
export async function serveOwnBatches(
  deps: ServeDeps,
  { host, port }: ServeParams,
): Promise<{ close(): Promise<void> }> {
  const app = Fastify({ logger: false, bodyLimit: MAX_BODY_BYTES, trustProxy: false })
  // The signature covers the raw bytes, so they are parsed after it was checked.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body))
  app.setErrorHandler((error, _request, reply) => sendError(deps, reply, error))
  addRoutes(app, deps, createAuthenticate(deps))
  try {
    await app.listen({ host, port })
  } catch (cause) {
    const inUse = (cause as NodeJS.ErrnoException).code === "EADDRINUSE"
    throw workerError(inUse ? "E_PORT_IN_USE" : "E_LISTEN", `cannot listen at ${host}:${port} for --public-url`, {
      remedy: "choose another port",
      cause,
    })
  }
  return { close: () => app.close() }
}

function addRoutes(app: FastifyInstance, deps: ServeDeps, authenticate: Authenticate): void {
  const signedBy = (request: FastifyRequest) => {
    const { method, url: path, headers } = request
    return authenticate({ method, path, headers, body: request.body as Buffer | undefined })
  }

  app.post("/v1/audits", async (request, reply) => {
    const account = await signedBy(request)
    parseBody(AuditRequestSchema, request)
    const bundle = await nextOwnAudit(deps, account)
    // No long poll: who asks here has read the draw, and knows whether it is a candidate.
    if (!bundle) return reply.code(204).send()
    return z.encode(AuditBundleSchema, bundle)
  })

  app.post("/v1/audits/:batchId/verdicts", async (request) => {
    const account = await signedBy(request)
    const { batchId } = parse(z.object({ batchId: BatchIdSchema }), request.params)
    const { verdicts } = parseBody(VerdictSubmissionSchema, request)
    const refused: { sample: number; code: string }[] = []
    for (const signed of verdicts) {
      const code = await keepVerdict(deps, { batchId, signed, account })
      if (code) refused.push({ sample: signed.verdict.sample, code })
    }
    return z.encode(VerdictsStoredSchema, { stored: verdicts.length - refused.length, refused })
  })

  app.get("/v1/artifacts/:sha256", async (request, reply) => {
    const account = await signedBy(request)
    const { sha256 } = parse(z.object({ sha256: Sha256Schema }), request.params)
    if (!mayRead(deps, sha256, account)) throw workerError("E_AUTH_FORBIDDEN", "this artifact is not for this account")
    const bytes = await deps.cache.read(sha256)
    if (!bytes) throw workerError("E_ARTIFACT_UNKNOWN", "this artifact is not here any more")
    return reply.type("application/octet-stream").send(bytes)
  })

  app.get("/v1/disputes/:id", async (request) => {
    const account = await signedBy(request)
    const { id } = parse(z.object({ id: DisputeIdSchema }), request.params)
    return z.encode(DisputeBundleSchema, await disputeBundle(deps, { disputeId: id, account }))
  })

  app.get("/v1/batches/:batchId/data", async (request) => {
    const { batchId } = parse(z.object({ batchId: BatchIdSchema }), request.params)
    return z.encode(BatchDataSchema, await batchData(deps, batchId))
  })
}

/** Models of our batches are for whoever has business here; inputs for whom they were cut; outputs for the requester. */
function mayRead({ own, grants, ...deps }: ServeDeps, sha256: Hex, account: Address): boolean {
  if (grants.has(sha256, account)) return true
  return own.all().some(({ batchId }) =>
    recordsOf(deps, batchId).some(({ bundle: { spec, terms }, result }) => {
      if (spec.model.sha256 === sha256) return true
      return result.outputs === sha256 && isAddressEqual(terms.requester, account)
    }),
  )
}

async function disputeBundle(
  deps: ServeDeps,
  { disputeId, account }: { disputeId: bigint; account: Address },
): Promise<DisputeBundle> {
  const { chain, own: batches, grants } = deps
  const [dispute] = await chain.jury.read.disputeOf([disputeId])
  const own = batches.get(dispute.batchId)
  const draw = own && (await drawOf(deps, own))
  if (!own || !draw) throw workerError("E_DISPUTE_UNKNOWN", "the dispute is not about a batch of this worker")
  const [jurors] = await chain.jury.read.jurorsOf([disputeId])
  const parties = [...jurors, dispute.verifier]
  if (!parties.some((party) => isAddressEqual(party, account))) {
    throw workerError("E_AUTH_FORBIDDEN", "tasks in dispute are for the jurors and the parties")
  }
  const found = sampleOf(deps, { own, draw, sample: dispute.sample })
  const inputs = await bundleOf(deps, [found])
  grants.give(inputs, account)
  const { terms, spec } = found.record.bundle
  const { batchId, batch, attestation } = own
  return { disputeId, batchId, batch, seed: draw.seed, attestation, terms, spec, ...found.task, inputs }
}

/** Leaves are public from the attestation on; before it they would tell verifiers the answers (R21). */
async function batchData(deps: ServeDeps, batchId: bigint): Promise<BatchData> {
  const own = deps.own.get(batchId)
  if (!own) throw workerError("E_BATCH_UNKNOWN", "this worker committed no such batch")
  if (!own.attestation) throw workerError("E_BATCH_NOT_PUBLIC", "the leaves are public once the batch is attested")
  const records = recordsOf(deps, batchId)
  const draw = await drawOf(deps, own)
  const shards = await Promise.all(records.map((record) => batchShard(deps, record)))
  const verdicts = (draw?.positions ?? []).map((_, sample) => {
    const given = own.verdicts.find(({ verdict }) => verdict.sample === sample)
    return given ? { sample, silent: false, ...given } : { sample, silent: true }
  })
  return { batchId, jobId: own.batch.jobId, shards, verdicts }
}

function parseBody<T>(schema: z.ZodType<T>, request: FastifyRequest): T {
  let json: unknown
  try {
    json = JSON.parse((request.body as Buffer).toString("utf8"))
  } catch (cause) {
    throw workerError("E_BAD_REQUEST", "the body is not JSON", { cause })
  }
  return parse(schema, json)
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw workerError("E_BAD_REQUEST", z.prettifyError(parsed.error).slice(0, 500))
  return parsed.data
}

function sendError({ events }: ServeDeps, reply: FastifyReply, error: unknown): void {
  if (isCodedError(error) && isHttpErrorCode(error.code)) {
    void reply.code(httpStatusOf(error.code)).send({ code: error.code, message: error.message })
    return
  }
  const status = (error as { statusCode?: number }).statusCode ?? 500
  if (status < 500) {
    void reply.code(status).send({ code: "E_BAD_REQUEST", message: "the request is malformed" })
    return
  }
  events.fail(error)
  void reply.code(500).send({ code: "E_INTERNAL", message: "the worker failed to answer" })
}
