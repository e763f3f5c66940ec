import { utimes } from "node:fs/promises"
import type { Hex } from "viem"
import { isCodedError } from "#protocol"
import { corrupt, unknown } from "./artifactErrors.ts"
import type { ArtifactStore, PutParams } from "./artifactStore.ts"
import { type Bucket, storeFailed } from "./bucket.ts"
import { openFolderLimit } from "./folderLimit.ts"

export type BucketStoreParams = {
  /** The folder `dir`, which holds what was used last, `cacheBytes` of it. */
  disk: ArtifactStore
  dir: string
  cacheBytes: number
  bucket: Bucket
}

/**
 * The store in a bucket that replicas share. What is there is what the bucket says; whatever passes is kept on disk,
 * where it got its hash checked, so that a model comes over the network once and not for every worker.
 */
export async function openBucketStore({ disk, dir, cacheBytes, bucket }: BucketStoreParams): Promise<ArtifactStore> {
  const limit = await openFolderLimit(dir, cacheBytes)
  const running = new Map<Hex, Promise<void>>()
  /** Seen to be damaged on disk. */
  const rotten = new Set<Hex>()

  async function download(sha256: Hex): Promise<void> {
    const found = await bucket.get(sha256)
    if (!found) throw unknown(sha256)
    const { bytes, stream } = found
    try {
      await disk.put({ sha256, source: stream, maxBytes: bytes, expectedBytes: bytes })
    } catch (error) {
      if (!isCodedError(error)) throw storeFailed(error)
      throw error.code === "E_ARTIFACT_HASH" ? corrupt(sha256) : error
    }
    rotten.delete(sha256)
    await limit.added(bytes)
  }

  /** Two that want the same model share one download. */
  function fetch(sha256: Hex): Promise<void> {
    const before = running.get(sha256)
    if (before) return before
    const work = download(sha256).finally(() => running.delete(sha256))
    running.set(sha256, work)
    return work
  }

  async function local(sha256: Hex): Promise<string> {
    const file = await disk.file(sha256)
    const now = new Date()
    const isHere = await utimes(file, now, now).then(
      () => true,
      () => false,
    )
    if (!isHere || rotten.has(sha256)) await fetch(sha256)
    return file
  }

  /** From disk, and once more if what is there has rotted or went in this moment. */
  async function readable<T>(sha256: Hex, read: () => Promise<T>): Promise<T> {
    await local(sha256)
    try {
      return await read()
    } catch (error) {
      if (!isCodedError(error) || !LOST.has(error.code)) throw error
      await fetch(sha256)
      return await read()
    }
  }

  async function size(sha256: Hex): Promise<number | undefined> {
    // The name is checked before it is a part of a URL.
    await disk.file(sha256)
    return (await bucket.head(sha256))?.bytes
  }

  /** Keeps on disk what `store` puts there, and is done when the bucket has it. */
  async function send(
    sha256: Hex,
    store: () => Promise<{ bytes: number }>,
  ): Promise<{ bytes: number; created: boolean }> {
    const { bytes } = await store()
    await limit.added(bytes)
    const created = (await size(sha256)) === undefined
    // Also over an object that is there: its day begins anew, and should it have been damaged, this one is good.
    await bucket.put(sha256, { file: await disk.file(sha256), bytes })
    return { bytes, created }
  }

  return {
    size,
    file: local,
    put: (params: PutParams) => send(params.sha256, () => disk.put(params)),

    async putBytes(bytes) {
      const sha256 = await disk.putBytes(bytes)
      await send(sha256, async () => ({ bytes: bytes.byteLength }))
      return sha256
    },

    async has(sha256) {
      return (await size(sha256)) !== undefined
    },

    read: (sha256) => readable(sha256, () => disk.read(sha256)),

    async stream(sha256) {
      const opened = await readable(sha256, () => disk.stream(sha256))
      // Whoever asks again gets it from the bucket.
      opened.stream.once("error", (error) => {
        if (isCodedError(error) && LOST.has(error.code)) rotten.add(sha256)
      })
      return opened
    },

    async removeOlder(sha256, seconds) {
      const found = await bucket.head(sha256)
      if (found && Date.now() - found.modified.getTime() <= seconds * 1000) return
      await bucket.remove(sha256)
      await disk.removeOlder(sha256, 0)
    },
  }
}

const LOST = new Set(["E_ARTIFACT_UNKNOWN", "E_ARTIFACT_CORRUPT"])
