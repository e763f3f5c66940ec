import { createHash, randomUUID } from "node:crypto"
import { createReadStream, createWriteStream } from "node:fs"
import { mkdir, open, readdir, readFile, rename, rm, stat, statfs } from "node:fs/promises"
import { dirname, join } from "node:path"
import { Readable, Transform, type TransformCallback } from "node:stream"
import { pipeline } from "node:stream/promises"
import type { Hex } from "viem"
import { refuse } from "../errors.ts"
import { corrupt, diskError, unknown } from "./artifactErrors.ts"
import type { ArtifactStore, ArtifactStoreParams, PutParams } from "./artifactStore.ts"

const UNFINISHED_MS = 3_600_000
const SHA256 = /^0x[0-9a-f]{64}$/

export type DiskStoreParams = Pick<ArtifactStoreParams, "dir" | "minFreeBytes">

/** The store in a folder: a file's name is its hash. */
export async function openDiskStore({ dir, minFreeBytes }: DiskStoreParams): Promise<ArtifactStore> {
  const incoming = join(dir, "incoming")
  await mkdir(incoming, { recursive: true })
  await sweep(incoming)

  function path(sha256: Hex): string {
    if (!SHA256.test(sha256))
      throw refuse("E_ARTIFACT_UNKNOWN", "an artifact is named by its sha256, 0x and 64 hex digits")
    return join(dir, sha256.slice(2, 4), sha256.slice(4))
  }

  async function size(sha256: Hex): Promise<number | undefined> {
    try {
      return (await stat(path(sha256))).size
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined
      throw error
    }
  }

  async function checkRoom(bytes: number): Promise<void> {
    const { bavail, bsize } = await statfs(dir)
    const free = bavail * bsize
    if (free - bytes < minFreeBytes) {
      throw refuse("E_DISK_FULL", "the coordinator's disk is full: nothing was stored, try again later", {
        free,
        bytes,
      })
    }
  }

  async function put({
    sha256,
    source,
    maxBytes,
    expectedBytes,
  }: PutParams): Promise<{ bytes: number; created: boolean }> {
    const target = path(sha256)
    if (expectedBytes !== undefined && expectedBytes > maxBytes) throw tooLarge(maxBytes, expectedBytes)
    await checkRoom(expectedBytes ?? 0)
    const temporary = join(incoming, randomUUID())
    const meter = createMeter(maxBytes)
    try {
      await pipeline(source, meter, createWriteStream(temporary, { flags: "wx" }))
      const got: Hex = `0x${meter.digest()}`
      if (got !== sha256) {
        throw refuse("E_ARTIFACT_HASH", "the bytes do not have the hash that names them", { expected: sha256, got })
      }
      const created = (await size(sha256)) === undefined
      await mkdir(dirname(target), { recursive: true })
      // Also over a file that is there: should the disk have damaged that one, this one is good.
      await rename(temporary, target)
      return { bytes: meter.bytes(), created }
    } catch (error) {
      throw diskError(error)
    } finally {
      await rm(temporary, { force: true })
    }
  }

  return {
    size,
    put,
    file: async (sha256) => path(sha256),

    async putBytes(bytes) {
      const sha256: Hex = `0x${createHash("sha256").update(bytes).digest("hex")}`
      await put({ sha256, source: Readable.from([bytes]), maxBytes: bytes.byteLength, expectedBytes: bytes.byteLength })
      return sha256
    },

    async has(sha256) {
      return (await size(sha256)) !== undefined
    },

    async read(sha256) {
      let bytes: Buffer
      try {
        bytes = await readFile(path(sha256))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") throw unknown(sha256)
        throw error
      }
      if (`0x${createHash("sha256").update(bytes).digest("hex")}` !== sha256) throw corrupt(sha256)
      return bytes
    },

    async stream(sha256) {
      let handle: Awaited<ReturnType<typeof open>>
      try {
        handle = await open(path(sha256))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") throw unknown(sha256)
        throw error
      }
      const { size: bytes } = await handle.stat()
      const checked = createChecker(sha256)
      const source = createReadStream("", { fd: handle, highWaterMark: 256 * 1024 })
      // Whoever reads `checked` sees its error; a second report here would be an unhandled one.
      pipeline(source, checked).catch(() => undefined)
      return { bytes, stream: checked }
    },

    async removeOlder(sha256, seconds) {
      const found = await stat(path(sha256)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT") return undefined
        throw error
      })
      if (found && Date.now() - found.mtimeMs > seconds * 1000) await rm(path(sha256), { force: true })
    },
  }
}

/** What an earlier process did not finish is nobody's; a replica's upload of this hour is its own. */
async function sweep(incoming: string): Promise<void> {
  for (const name of await readdir(incoming)) {
    const file = join(incoming, name)
    // A replica may have finished it since.
    const found = await stat(file).catch(() => undefined)
    if (found && Date.now() - found.mtimeMs > UNFINISHED_MS) await rm(file, { force: true })
  }
}

/** Counts and hashes what passes; stops a stream that grows over its limit. */
function createMeter(maxBytes: number) {
  const hash = createHash("sha256")
  let seen = 0
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.byteLength
      if (seen > maxBytes) return done(tooLarge(maxBytes, seen))
      hash.update(chunk)
      done(null, chunk)
    },
  })
  return Object.assign(meter, { bytes: () => seen, digest: () => hash.digest("hex") })
}

/** Holds back the last piece until the hash of the whole is known to be right. */
function createChecker(sha256: Hex): Transform {
  const hash = createHash("sha256")
  let held: Buffer | undefined
  return new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      hash.update(chunk)
      const ready = held
      held = chunk
      done(null, ready)
    },
    flush(done: TransformCallback) {
      if (`0x${hash.digest("hex")}` !== sha256) return done(corrupt(sha256))
      done(null, held)
    },
  })
}

function tooLarge(maxBytes: number, bytes: number) {
  return refuse("E_ARTIFACT_TOO_LARGE", `an artifact may have ${maxBytes} bytes here`, { maxBytes, bytes })
}
