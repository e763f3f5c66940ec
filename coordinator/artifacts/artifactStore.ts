import type { Readable } from "node:stream"
import type { Hex } from "viem"
import { openBucket } from "./bucket.ts"
import { openBucketStore } from "./bucketStore.ts"
import { openDiskStore } from "./diskStore.ts"

/**
 * Bytes by their sha256. A name is a hash, which was checked before the bytes got that name and is checked again
 * whenever they are read: what leaves the store is what its name says, or an error. Peers never name a path.
 */
export type ArtifactStore = {
  /** Stores a stream under the hash that it must have. Resolves with the size; `created` is false if it was there. */
  put(params: PutParams): Promise<{ bytes: number; created: boolean }>
  /** Stores bytes of the coordinator's own making. */
  putBytes(bytes: Uint8Array): Promise<Hex>
  has(sha256: Hex): Promise<boolean>
  /** The size, or undefined if it is not here. */
  size(sha256: Hex): Promise<number | undefined>
  read(sha256: Hex): Promise<Uint8Array>
  /** A stream that fails before its last piece if the bytes are not the artifact any more. */
  stream(sha256: Hex): Promise<{ bytes: number; stream: Readable }>
  /** A file on this machine, for a child process or thread that reads it; who reads it checks the hash. */
  file(sha256: Hex): Promise<string>
  /** Removes the artifact unless it was put, or put again, within these seconds. */
  removeOlder(sha256: Hex, seconds: number): Promise<void>
}

export type PutParams = { sha256: Hex; source: Readable; maxBytes: number; expectedBytes?: number | undefined }

export type ArtifactStoreParams = {
  dir: string
  /** Uploads are refused when less than this would stay free: the database on the same disk needs room to work. */
  minFreeBytes: number
  /** Where the artifacts are (`s3://BUCKET/PREFIX`), and how much of it the folder holds. The folder has all without. */
  bucket?: { url: string; cacheBytes: number } | undefined
}

export async function openArtifactStore(params: ArtifactStoreParams): Promise<ArtifactStore & { close(): void }> {
  const { dir, bucket: at } = params
  const disk = await openDiskStore(params)
  if (!at) return { ...disk, close: () => {} }
  const bucket = await openBucket(at.url)
  return { ...(await openBucketStore({ disk, dir, bucket, cacheBytes: at.cacheBytes })), close: bucket.close }
}
