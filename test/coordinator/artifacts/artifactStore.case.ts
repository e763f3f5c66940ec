import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { readdir, stat, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { Readable } from "node:stream"
import { buffer } from "node:stream/consumers"
import { test } from "node:test"
import type { Hex } from "viem"
import {
  type ArtifactStore,
  type ArtifactStoreParams,
  openArtifactStore,
} from "../../../coordinator/artifacts/artifactStore.ts"
import { ownFolder } from "../support/folder.ts"

export const sha256Of = (bytes: Uint8Array): Hex => `0x${createHash("sha256").update(bytes).digest("hex")}`
export const hasCode = (code: string) => (error: unknown) => (error as { code?: string }).code === code

export function put(store: ArtifactStore, bytes: Uint8Array, { maxBytes = 1 << 24, sha256 = sha256Of(bytes) } = {}) {
  const pieces = []
  for (let at = 0; at < bytes.byteLength; at += 10_000) pieces.push(bytes.subarray(at, at + 10_000))
  return store.put({ sha256, source: Readable.from(pieces), maxBytes })
}

type Ends = { after: (work: () => void | Promise<void>) => void }

/** What every store of artifacts does, wherever it has its bytes; `bucket` is asked once its server runs. */
export function artifactStoreCase(bucket: () => ArtifactStoreParams["bucket"]): void {
  async function open(t: Ends, { minFreeBytes = 0, dir }: { minFreeBytes?: number; dir?: string } = {}) {
    const folder = dir ?? (await ownFolder(t))
    const store = await openArtifactStore({ dir: folder, minFreeBytes, bucket: bucket() })
    t.after(store.close)
    return { dir: folder, store }
  }

  test("behavior: what was put is read back, whole and as a stream, and putting it again changes nothing", async (t) => {
    const { store } = await open(t)
    for (const length of [0, 1, 9_999, 1_000_000]) {
      const bytes = Buffer.alloc(length, length % 251)
      const sha256 = sha256Of(bytes)
      assert.equal(await store.has(sha256), false)
      assert.deepEqual(await put(store, bytes), { bytes: length, created: true })
      assert.deepEqual(await put(store, bytes), { bytes: length, created: false })
      assert.equal(await store.size(sha256), length)
      assert.deepEqual(Buffer.from(await store.read(sha256)), bytes)
      const { stream, bytes: announced } = await store.stream(sha256)
      assert.equal(announced, length)
      assert.deepEqual(await buffer(stream), bytes)
    }
  })

  test("error: bytes with another hash are refused and leave nothing behind", async (t) => {
    const { store, dir } = await open(t)
    const sha256 = sha256Of(Buffer.from("expected"))
    await assert.rejects(put(store, Buffer.from("sent"), { sha256 }), hasCode("E_ARTIFACT_HASH"))
    assert.equal(await store.has(sha256), false)
    assert.deepEqual(await readdir(join(dir, "incoming")), [])
  })

  test("error: a stream over the limit is cut off, announced or not", async (t) => {
    const { store, dir } = await open(t)
    const bytes = Buffer.alloc(50_000)
    await assert.rejects(put(store, bytes, { maxBytes: 49_999 }), hasCode("E_ARTIFACT_TOO_LARGE"))
    const source = Readable.from([bytes])
    await assert.rejects(
      store.put({ sha256: sha256Of(bytes), source, maxBytes: 49_999, expectedBytes: 50_000 }),
      hasCode("E_ARTIFACT_TOO_LARGE"),
    )
    assert.deepEqual(await put(store, bytes, { maxBytes: 50_000 }), { bytes: 50_000, created: true })
    assert.deepEqual(await readdir(join(dir, "incoming")), [])
  })

  test("error: a full disk is a code, and nothing half-written stays", async (t) => {
    const { store, dir } = await open(t, { minFreeBytes: Number.MAX_SAFE_INTEGER })
    await assert.rejects(put(store, Buffer.from("x")), hasCode("E_DISK_FULL"))
    const { diskError } = await import("../../../coordinator/artifacts/artifactErrors.ts")
    const enospc = Object.assign(new Error("no space left on device"), { code: "ENOSPC" })
    assert.equal((diskError(enospc) as { code: string }).code, "E_DISK_FULL")
    assert.deepEqual(await readdir(join(dir, "incoming")), [])
  })

  test("error: names that are no hash reach no path", async (t) => {
    const { store } = await open(t)
    for (const name of [
      "../../etc/passwd",
      "0x",
      `0x${"A".repeat(64)}`,
      `0x${"0".repeat(63)}/`,
      `0x${"0".repeat(64)}\n`,
    ]) {
      await assert.rejects(store.file(name as Hex), hasCode("E_ARTIFACT_UNKNOWN"))
      await assert.rejects(store.size(name as Hex), hasCode("E_ARTIFACT_UNKNOWN"))
      await assert.rejects(store.read(name as Hex), hasCode("E_ARTIFACT_UNKNOWN"))
    }
    await assert.rejects(store.stream(sha256Of(Buffer.from("absent"))), hasCode("E_ARTIFACT_UNKNOWN"))
  })

  test("behavior: what an earlier process left unfinished is swept at the start", async (t) => {
    const { dir } = await open(t)
    for (const name of ["old", "fresh"]) await writeFile(join(dir, "incoming", name), "…")
    await utimes(join(dir, "incoming", "old"), 0, 0)
    await open(t, { dir })
    assert.deepEqual(await readdir(join(dir, "incoming")), ["fresh"], "a replica may be at it")
  })

  test("behavior: what is removed is gone, unless it was put again within the time", async (t) => {
    const { store } = await open(t)
    const [bytes, sha256] = [Buffer.from("removed"), sha256Of(Buffer.from("removed"))]
    await put(store, bytes)
    await store.removeOlder(sha256, 60)
    assert.ok(await store.has(sha256))
    await new Promise((resolve) => setTimeout(resolve, 1_100))
    await store.removeOlder(sha256, 0)
    assert.equal(await store.has(sha256), false)
    await assert.rejects(store.read(sha256), hasCode("E_ARTIFACT_UNKNOWN"))
    await assert.rejects(store.file(sha256).then((path) => stat(path)))
  })
}
