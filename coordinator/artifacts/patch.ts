import { Readable } from "node:stream"
import type { Hex } from "viem"
import { type ArtifactPatch, ArtifactPatchSchema } from "#protocol"
import { refuse } from "../errors.ts"
import type { ArtifactStore } from "./artifactStore.ts"
import { readRange } from "./byteRange.ts"

export type OpenPatchParams = {
  readonly body: Readable
  readonly artifacts: Pick<ArtifactStore, "size" | "file">
  /** What the sender may not read it may not have others build on either. */
  readonly mayRead: (sha256: Hex) => Promise<boolean>
  readonly maxBytes: number
}

const MAX_HEAD_BYTES = 8 * 1024 * 1024
/** Each is looked up, and fetched where artifacts are in a bucket. */
const MAX_FILES = 16

/** The bytes that a patch makes, and how many; their hash is for whoever stores them to check. */
export async function openPatch(params: OpenPatchParams): Promise<{ bytes: number; source: Readable }> {
  const reader = createReader(params.body)
  const patch = await readHead(reader)
  const bytes = patch.parts.reduce((sum, part) => sum + part.bytes, 0)
  if (bytes > params.maxBytes) {
    throw refuse("E_ARTIFACT_TOO_LARGE", `an artifact may have ${params.maxBytes} bytes here`, { bytes })
  }
  const files = new Set(patch.parts.flatMap(({ place }) => (place ? [place.file] : [])))
  if (files.size > MAX_FILES) throw refuse("E_BAD_REQUEST", `a patch may take from ${MAX_FILES} artifacts`)
  const sizes = new Map<Hex, number>()
  for (const file of files) {
    const size = (await params.mayRead(file)) ? await params.artifacts.size(file) : undefined
    if (size === undefined) {
      throw refuse("E_ARTIFACT_UNKNOWN", "there is no such artifact that this account may read", { sha256: file })
    }
    sizes.set(file, size)
  }
  for (const { bytes, place } of patch.parts) {
    if (!place || place.from + bytes <= sizes.get(place.file)!) continue
    throw refuse("E_BAD_REQUEST", `the artifact ${place.file} has ${sizes.get(place.file)} bytes, the patch wants more`)
  }
  return { bytes, source: Readable.from(assemble(params, patch, reader)) }
}

async function* assemble({ artifacts }: OpenPatchParams, { parts }: ArtifactPatch, reader: Reader) {
  for (const { bytes, place } of parts) {
    if (place) yield* await readRange(artifacts, place.file, { from: place.from, to: place.from + bytes - 1 })
    else yield* reader.pass(bytes)
  }
  await reader.end()
}

async function readHead(reader: Reader): Promise<ArtifactPatch> {
  const length = (await reader.take(4)).readUInt32LE()
  if (length > MAX_HEAD_BYTES) throw refuse("E_BAD_REQUEST", `a patch's head may have ${MAX_HEAD_BYTES} bytes`)
  const parsed = ArtifactPatchSchema.safeParse(parseJson((await reader.take(length)).toString()))
  if (parsed.success) return parsed.data
  throw refuse("E_BAD_REQUEST", "the patch's head is not what the protocol says")
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    // No JSON is one more way not to fit the schema.
    return undefined
  }
}

/** A stream that is read by the byte. */
type Reader = {
  /** The next bytes. @throws E_BAD_REQUEST where there are fewer */
  pass(bytes: number): AsyncGenerator<Buffer>
  take(bytes: number): Promise<Buffer>
  /** @throws E_BAD_REQUEST where there are more */
  end(): Promise<void>
}

function createReader(source: Readable): Reader {
  const chunks = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  let held: Buffer = Buffer.alloc(0)

  async function* pass(bytes: number): AsyncGenerator<Buffer> {
    let left = bytes
    while (left > 0) {
      if (held.byteLength === 0) {
        const next = await chunks.next()
        if (next.done) throw refuse("E_BAD_REQUEST", `the patch ends ${left} bytes early`)
        held = next.value
        continue
      }
      const part = held.subarray(0, left)
      held = held.subarray(part.byteLength)
      left -= part.byteLength
      yield part
    }
  }

  return {
    pass,
    async take(bytes) {
      const parts: Buffer[] = []
      for await (const part of pass(bytes)) parts.push(part)
      return Buffer.concat(parts)
    },
    async end() {
      if (held.byteLength > 0 || !(await chunks.next()).done)
        throw refuse("E_BAD_REQUEST", "the patch has bytes too many")
    },
  }
}
