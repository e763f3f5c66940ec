import type { Readable } from "node:stream"
import { and, eq, notExists, sql } from "drizzle-orm"
import type { FastifyRequest } from "fastify"
import type { Address, Hex } from "viem"
import { z } from "zod"
import { ArtifactPiecesSchema, REQUEST_HEADERS, Sha256Schema } from "#protocol"
import { mayRead, registerArtifact } from "../../artifacts/access.ts"
import type { ArtifactStore } from "../../artifacts/artifactStore.ts"
import { parseByteRange, readRange } from "../../artifacts/byteRange.ts"
import { openPatch } from "../../artifacts/patch.ts"
import { createPieces } from "../../artifacts/pieces.ts"
import type { Limits } from "../../config.ts"
import { refuse } from "../../errors.ts"
import type { Metrics } from "../../metrics/metrics.ts"
import type { Db } from "../../store/database.ts"
import { artifactAcl, artifacts as artifactRows } from "../../store/schema.ts"
import type { App, Auth } from "../app.ts"

export type ArtifactRoutesDeps = {
  db: Db
  artifacts: ArtifactStore
  limits: Pick<Limits, "artifactBytes" | "looseBytesPerAccount">
  metrics: Pick<Metrics, "artifactBytes">
  coordinator: Address
  /** Chain time. */
  now: () => number
}

const Params = z.object({ sha256: Sha256Schema })

export function artifactRoutes(app: App, auth: Auth, deps: ArtifactRoutesDeps): void {
  const { db, artifacts, limits, metrics, coordinator, now } = deps
  const piecesOf = createPieces(artifacts)

  type Upload = { sha256: Hex; source: Readable; expectedBytes: number | undefined }

  async function store(account: Address, upload: Upload): Promise<{ bytes: number; created: boolean }> {
    await checkQuota(db, account, { coming: upload.expectedBytes ?? 0, most: limits.looseBytesPerAccount })
    const stored = await artifacts.put({ ...upload, maxBytes: limits.artifactBytes })
    await registerArtifact(db, { sha256: upload.sha256, bytes: stored.bytes, uploader: account })
    return stored
  }

  async function assertReadable(request: FastifyRequest, sha256: Hex): Promise<void> {
    const signed = request.headers[REQUEST_HEADERS.signature] !== undefined
    const account = signed ? await auth(request) : undefined
    if (account === coordinator || (await mayRead(db, { sha256, account, now: now() }))) return
    // The same answer whether it exists or not: a hash may be guessed from what it names.
    throw refuse("E_ARTIFACT_UNKNOWN", "there is no such artifact that this account may read", { sha256 })
  }

  type Opened = Pick<Upload, "source" | "expectedBytes">

  function putRoute(
    path: string,
    description: string,
    open: (request: FastifyRequest, account: Address) => Opened | Promise<Opened>,
  ): void {
    const schema = {
      description,
      params: Params,
      consumes: ["application/octet-stream"],
      security: [{ signature: [] }],
    }
    app.put(path, { schema }, async (request, reply) => {
      const account = await auth(request)
      const { sha256 } = request.params
      const { bytes, created } = await store(account, { sha256, ...(await open(request, account)) })
      metrics.artifactBytes.inc({ way: "in" }, lengthOf(request) ?? bytes)
      return reply.code(created ? 201 : 200).send({ sha256, bytes })
    })
  }

  putRoute(
    "/v1/artifacts/:sha256",
    "Stores bytes under their sha256. The signature covers the path; the hash covers the bytes.",
    (request) => ({ source: bodyOf(request), expectedBytes: lengthOf(request) }),
  )

  putRoute(
    "/v1/artifacts/:sha256/patch",
    "Stores bytes under their sha256, of which some are in artifacts that the sender may read: 4 bytes with the length " +
      "of a JSON that names the parts, little-endian, the JSON, and the bytes that are in none.",
    async (request, account) => {
      const { bytes, source } = await openPatch({
        body: bodyOf(request),
        artifacts,
        mayRead: (file) => mayRead(db, { sha256: file, account, now: now() }),
        maxBytes: limits.artifactBytes,
      })
      return { source, expectedBytes: bytes }
    },
  )

  app.get(
    "/v1/artifacts/:sha256",
    {
      schema: {
        description:
          "The bytes of an artifact, or one range of them. Public ones need no signature; of others only who may read " +
          "them hears.",
        params: Params,
        produces: ["application/octet-stream"],
      },
    },
    async (request, reply) => {
      const { sha256 } = request.params
      await assertReadable(request, sha256)
      const size = await artifacts.size(sha256)
      const range = parseByteRange(request.headers.range, size ?? 0)
      if (range) reply.code(206).header("content-range", `bytes ${range.from}-${range.to}/${size}`)
      const { bytes, stream } = range
        ? { bytes: range.to - range.from + 1, stream: await readRange(artifacts, sha256, range) }
        : await artifacts.stream(sha256)
      metrics.artifactBytes.inc({ way: "out" }, bytes)
      return reply
        .header("content-length", bytes)
        .header("cache-control", "private, max-age=31536000, immutable")
        .type("application/octet-stream")
        .send(stream)
    },
  )

  app.get(
    "/v1/artifacts/:sha256/pieces",
    {
      schema: {
        description: "What the artifact is made of, for who has some of it in others. Heard by who may read it.",
        params: Params,
        response: { 200: ArtifactPiecesSchema },
      },
    },
    async (request) => {
      const { sha256 } = request.params
      await assertReadable(request, sha256)
      return { pieces: [...(await piecesOf(sha256))] }
    },
  )
}

function bodyOf({ body }: FastifyRequest): Readable {
  const source = body as Readable | undefined
  if (typeof source?.pipe === "function") return source
  throw refuse("E_BAD_REQUEST", "send the bytes as application/octet-stream")
}

function lengthOf({ headers }: FastifyRequest): number | undefined {
  const length = headers["content-length"]
  return length === undefined ? undefined : Number(length)
}

/** Uploads cost disk: what an account sent within a day and no job, lease or batch took up yet is limited. */
async function checkQuota(db: Db, account: Address, { coming, most }: { coming: number; most: number }): Promise<void> {
  const used = db
    .select({ one: sql`1` })
    .from(artifactAcl)
    .where(and(eq(artifactAcl.sha256, artifactRows.sha256), sql`${artifactAcl.reason} <> 'uploader'`))
  const [row] = await db
    .select({ loose: sql<string>`coalesce(sum(${artifactRows.bytes}), 0)` })
    .from(artifactRows)
    .where(
      and(
        eq(artifactRows.uploader, account),
        eq(artifactRows.public, false),
        sql`${artifactRows.createdAt} > now() - interval '1 day'`,
        notExists(used),
      ),
    )
  const loose = Number(row?.loose ?? 0)
  if (loose + coming <= most) return
  const message = `this account uploaded ${loose} bytes that no job uses: submit and post the job first`
  throw refuse("E_QUOTA", message, { loose, limit: most })
}
