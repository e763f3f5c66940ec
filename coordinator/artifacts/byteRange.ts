import { createReadStream } from "node:fs"
import type { Readable } from "node:stream"
import type { Hex } from "viem"
import type { ArtifactStore } from "./artifactStore.ts"

export type ByteRange = { readonly from: number; readonly to: number }

/** `bytes=FROM-TO`, both included. Anything else is answered with the whole, as HTTP allows: undefined. */
export function parseByteRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=([0-9]{1,15})-([0-9]{1,15})$/.exec(header ?? "")
  if (!match) return undefined
  const [from, to] = [Number(match[1]), Number(match[2])]
  return from <= to && to < size ? { from, to } : undefined
}

/**
 * A part of an artifact, and nothing else is read: a peer that asks for many bytes costs many, not one that asks often.
 * No hash is checked here, for a part has none: whoever puts a whole together of it holds that against its hash.
 */
export async function readRange(
  artifacts: Pick<ArtifactStore, "file">,
  sha256: Hex,
  { from, to }: ByteRange,
): Promise<Readable> {
  return createReadStream(await artifacts.file(sha256), { start: from, end: to })
}
