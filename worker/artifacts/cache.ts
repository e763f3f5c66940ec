import { createHash, hash } from "node:crypto"
import { createReadStream, createWriteStream } from "node:fs"
import { mkdir, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises"
import { dirname, join } from "node:path"
import { Transform } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { Hex } from "viem"
import type { Piece } from "#engine"
import { codeOf, workerError } from "../errors.ts"
import { writeDurably } from "../support/files.ts"
import { assemble, type ByteRange, createPieceIndex } from "./pieces.ts"

export type DownloadArtifact = (
  sha256: Hex,
  signal: AbortSignal,
  range?: ByteRange,
) => Promise<AsyncIterable<Uint8Array>>

export type FetchParams = {
  sha256: Hex
  maxBytes: number
  download: DownloadArtifact
  signal: AbortSignal
  /** For artifacts that may share tensors with others of their kind: what is here already is not downloaded. */
  shared?: { kind: Hex; piecesOf: (sha256: Hex, signal: AbortSignal) => Promise<readonly Piece[] | undefined> }
}

/** Artifacts on disk by their hash, at most `limitBytes` of them: what was used longest ago goes first. */
export type ArtifactCache = {
  /** Downloads what is missing. The path stays good while the artifact is pinned. */
  fetch(params: FetchParams): Promise<string>
  /** The bytes, or undefined if they are not here. A file that has rotted counts as not here. */
  read(sha256: Hex): Promise<Buffer | undefined>
  /** Keeps bytes of our own. */
  store(bytes: Uint8Array): Promise<Hex>
  has(sha256: Hex): boolean
  sizeOf(sha256: Hex): number | undefined
  /** A pinned artifact is never dropped; pins are counted. */
  pin(sha256: Hex): void
  unpin(sha256: Hex): void
  /** What pins alone hold: the worker leases no more when this nears the limit. */
  pinnedBytes(): number
  list(): Hex[]
}

export async function openArtifactCache({
  root,
  limitBytes,
}: {
  root: string
  limitBytes: number
}): Promise<ArtifactCache> {
  /** In order of use, the stalest first. */
  const sizes = await scan(root)
  const pins = new Map<Hex, number>()
  /** Files from an earlier process are hashed once before they are trusted; files of this one were hashed on the way in. */
  const checked = new Set<Hex>()
  const running = new Map<Hex, Promise<void>>()
  const pieces = createPieceIndex()

  const pathOf = (sha256: Hex) => join(root, sha256.slice(2, 4), sha256.slice(2))
  const total = () => [...sizes.values()].reduce((sum, size) => sum + size, 0)

  async function use(sha256: Hex): Promise<void> {
    const size = sizes.get(sha256)!
    sizes.delete(sha256)
    sizes.set(sha256, size)
    const now = new Date()
    // The time of use survives a restart; that it could not be written only makes the order less exact.
    await utimes(pathOf(sha256), now, now).catch(() => undefined)
  }

  async function drop(sha256: Hex): Promise<void> {
    sizes.delete(sha256)
    checked.delete(sha256)
    pieces.forget(sha256)
    await rm(pathOf(sha256), { force: true })
  }

  async function admit(sha256: Hex, size: number): Promise<void> {
    sizes.delete(sha256)
    sizes.set(sha256, size)
    checked.add(sha256)
    let excess = total() - limitBytes
    for (const [candidate, bytes] of [...sizes]) {
      if (excess <= 0) break
      if (candidate === sha256 || pins.has(candidate)) continue
      await drop(candidate)
      excess -= bytes
    }
  }

  async function learn(sha256: Hex, size: number): Promise<void> {
    if (size >= LEAST_SHARED_BYTES) await pieces.learn(sha256, pathOf(sha256))
  }

  async function isSound(sha256: Hex): Promise<boolean> {
    if (!sizes.has(sha256)) return false
    if (checked.has(sha256)) return true
    const got = await hashFile(pathOf(sha256)).catch(missingFile)
    if (got !== sha256) {
      await drop(sha256)
      return false
    }
    checked.add(sha256)
    return true
  }

  /** Undefined where nothing of it is here. */
  async function assembled({ sha256, maxBytes, download, shared, signal }: FetchParams) {
    if (!shared || maxBytes < LEAST_SHARED_BYTES || !pieces.isWorth(shared.kind)) return undefined
    const parts = pieces.plan(shared.kind, (await shared.piecesOf(sha256, signal)) ?? [])
    return parts && assemble({ parts, pathOf, download: (range) => download(sha256, signal, range) })
  }

  async function get(params: FetchParams): Promise<void> {
    const { sha256, maxBytes, download, signal } = params
    if (await isSound(sha256)) return await use(sha256)
    const path = pathOf(sha256)
    const temporary = `${path}.${process.pid}.part`
    await mkdir(dirname(path), { recursive: true })
    const into = { temporary, sha256, maxBytes, signal }
    const whole = async () => receive(await download(sha256, signal), into)
    try {
      const parts = await assembled(params)
      const size = parts ? await receive(parts, into).catch((error) => ifNotPutTogether(error, whole)) : await whole()
      await rename(temporary, path)
      await admit(sha256, size)
      if (params.shared) await learn(sha256, size)
    } catch (error) {
      await rm(temporary, { force: true })
      throw diskError(error)
    }
  }

  return {
    async fetch(params) {
      const { sha256 } = params
      // Two that want the same model share one download; the second starts anew if the first was aborted.
      const before = running.get(sha256)
      const work = before ? before.catch(() => undefined).then(() => get(params)) : get(params)
      running.set(sha256, work)
      try {
        await work
      } finally {
        if (running.get(sha256) === work) running.delete(sha256)
      }
      return pathOf(sha256)
    },
    async read(sha256) {
      if (!sizes.has(sha256)) return undefined
      const bytes = await readFile(pathOf(sha256)).catch(missingFile)
      if (bytes && sha256Of(bytes) === sha256) {
        await use(sha256)
        return bytes
      }
      await drop(sha256)
      return undefined
    },
    async store(bytes) {
      const sha256 = sha256Of(bytes)
      if (await isSound(sha256)) await use(sha256)
      else {
        await writeDurably(pathOf(sha256), bytes).catch((error: unknown) => {
          throw diskError(error)
        })
        await admit(sha256, bytes.byteLength)
        await learn(sha256, bytes.byteLength)
      }
      return sha256
    },
    has: (sha256) => sizes.has(sha256),
    sizeOf: (sha256) => sizes.get(sha256),
    pin: (sha256) => {
      pins.set(sha256, (pins.get(sha256) ?? 0) + 1)
    },
    unpin: (sha256) => {
      const left = (pins.get(sha256) ?? 0) - 1
      if (left > 0) pins.set(sha256, left)
      else pins.delete(sha256)
    },
    pinnedBytes: () => [...pins.keys()].reduce((sum, sha256) => sum + (sizes.get(sha256) ?? 0), 0),
    list: () => [...sizes.keys()],
  }
}

/** What is smaller is had sooner than what it is made of. */
export const LEAST_SHARED_BYTES = 64 * 1024

/** A piece of this disk that rotted, or went in this moment, or a list of pieces that was wrong. */
async function ifNotPutTogether<T>(error: unknown, whole: () => Promise<T>): Promise<T> {
  const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT"
  if (isMissing || PUT_TOGETHER_WRONG.has(codeOf(error))) return await whole()
  throw error
}
const PUT_TOGETHER_WRONG = new Set(["E_ARTIFACT_HASH", "E_ARTIFACT_TOO_LARGE"])

export function sha256Of(bytes: Uint8Array): Hex {
  return `0x${hash("sha256", bytes, "hex")}`
}

async function hashFile(path: string): Promise<Hex> {
  const digest = createHash("sha256")
  await pipeline(createReadStream(path), digest)
  return `0x${digest.digest("hex")}`
}

type ReceiveParams = { temporary: string; sha256: Hex; maxBytes: number; signal: AbortSignal }

/** Streams to disk, hashing on the way; stops at the first byte too many. */
async function receive(
  source: AsyncIterable<Uint8Array>,
  { temporary, sha256, maxBytes, signal }: ReceiveParams,
): Promise<number> {
  const digest = createHash("sha256")
  let size = 0
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      size += chunk.byteLength
      if (size > maxBytes) {
        done(workerError("E_ARTIFACT_TOO_LARGE", `artifact ${sha256} is larger than the ${maxBytes} bytes agreed on`))
        return
      }
      digest.update(chunk)
      done(null, chunk)
    },
  })
  await pipeline(source, meter, createWriteStream(temporary, { mode: 0o600 }), { signal })
  const got = `0x${digest.digest("hex")}`
  if (got !== sha256) {
    throw workerError("E_ARTIFACT_HASH", `artifact ${sha256} arrived with the bytes of ${got}`, {
      facts: { expected: sha256, got },
    })
  }
  return size
}

/** What is on disk already, by time of last use. Foreign and half-written files are left alone and not counted. */
async function scan(root: string): Promise<Map<Hex, number>> {
  await mkdir(root, { recursive: true })
  const found: { sha256: Hex; size: number; usedAt: number }[] = []
  for (const folder of await readdir(root)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue
    for (const name of await readdir(join(root, folder))) {
      if (name.endsWith(".part") || name.endsWith(".tmp")) await rm(join(root, folder, name), { force: true })
      if (!/^[0-9a-f]{64}$/.test(name)) continue
      const { size, mtimeMs } = await stat(join(root, folder, name))
      found.push({ sha256: `0x${name}`, size, usedAt: mtimeMs })
    }
  }
  found.sort((a, b) => a.usedAt - b.usedAt)
  return new Map(found.map(({ sha256, size }) => [sha256, size]))
}

function missingFile(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error
  return undefined
}

function diskError(error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code !== "ENOSPC") return error
  return workerError("E_DISK_FULL", "the disk is full, so no artifact can be kept", {
    remedy: "free some space or move --home to another disk",
    cause: error,
  })
}
