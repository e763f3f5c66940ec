import assert from "node:assert/strict"
import { readdir, stat, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { buffer } from "node:stream/consumers"
import { after, before, test } from "node:test"
import type { Hex } from "viem"
import { openArtifactStore } from "../../../coordinator/artifacts/artifactStore.ts"
import { ownFolder } from "../support/folder.ts"
import { type OwnBucket, startBucket } from "../support/servers.ts"
import { artifactStoreCase, hasCode, put, sha256Of } from "./artifactStore.case.ts"

const CACHE_BYTES = 1 << 20
const HOUR_AGO = () => new Date(Date.now() - 3_600_000)

let server: OwnBucket
before(async () => {
  server = await startBucket()
  Object.assign(process.env, server.env)
})
after(() => server.stop())

// Each test has a place of its own: what one put is not there for another.
let places = 0
const place = () => ({ url: `${server.url}/${places++}`, cacheBytes: CACHE_BYTES })
artifactStoreCase(place)

async function replica(t: { after: (work: () => void | Promise<void>) => void }, bucket: ReturnType<typeof place>) {
  const dir = await ownFolder(t)
  const store = await openArtifactStore({ dir, minFreeBytes: 0, bucket })
  t.after(store.close)
  return { dir, store }
}

/** The file in which the server keeps an object. */
async function objectOf(bucket: { url: string }, sha256: Hex): Promise<string> {
  const folder = join(server.dir, bucket.url.slice("s3://assay/".length), sha256.slice(2, 4))
  const names = await readdir(folder)
  return join(folder, names.find((name) => name.startsWith(sha256.slice(2)) && name.endsWith("object"))!)
}

test("behavior: what one replica stored another one has, and fetches it once", async (t) => {
  const bucket = place()
  const [one, two] = [await replica(t, bucket), await replica(t, bucket)]
  const bytes = Buffer.alloc(900_000, 3)
  const sha256 = sha256Of(bytes)
  await put(one.store, bytes)
  assert.equal(await two.store.size(sha256), bytes.byteLength)
  const [read, { stream }, path] = await Promise.all([
    two.store.read(sha256),
    two.store.stream(sha256),
    two.store.file(sha256),
  ])
  assert.deepEqual(Buffer.from(read), bytes)
  assert.deepEqual(await buffer(stream), bytes)
  assert.equal((await stat(path)).size, bytes.byteLength)
  // The bucket is not asked again for what is on disk.
  await writeFile(await objectOf(bucket, sha256), "something else")
  assert.deepEqual(Buffer.from(await two.store.read(sha256)), bytes)
})

test("attack: what the bucket's owner altered is never served as the artifact", async (t) => {
  const bucket = place()
  const [one, two] = [await replica(t, bucket), await replica(t, bucket)]
  const bytes = Buffer.alloc(50_000, 9)
  const sha256 = sha256Of(bytes)
  await put(one.store, bytes)
  const altered = Buffer.from(bytes)
  altered[40_000] = 1
  await writeFile(await objectOf(bucket, sha256), altered)
  await assert.rejects(two.store.read(sha256), hasCode("E_ARTIFACT_CORRUPT"))
  await assert.rejects(two.store.stream(sha256), hasCode("E_ARTIFACT_CORRUPT"))
  await assert.rejects(two.store.file(sha256), hasCode("E_ARTIFACT_CORRUPT"))
  // Uploaded again it is whole again.
  await put(two.store, bytes)
  const three = await replica(t, bucket)
  assert.deepEqual(Buffer.from(await three.store.read(sha256)), bytes)
})

test("behavior: a copy that rotted on disk is replaced by the bucket's", async (t) => {
  const { store } = await replica(t, place())
  const bytes = Buffer.alloc(600_000, 7)
  const sha256 = sha256Of(bytes)
  await put(store, bytes)
  const rotten = Buffer.from(bytes)
  rotten[599_999] = 8
  await writeFile(await store.file(sha256), rotten)
  assert.deepEqual(Buffer.from(await store.read(sha256)), bytes)

  await writeFile(await store.file(sha256), rotten)
  const { stream } = await store.stream(sha256)
  await assert.rejects(buffer(stream), hasCode("E_ARTIFACT_CORRUPT"), "its head was sent before the end was seen")
  const again = await store.stream(sha256)
  assert.deepEqual(await buffer(again.stream), bytes)
})

test("behavior: the folder keeps what was used last, and what it lost comes from the bucket", async (t) => {
  const { dir, store } = await replica(t, place())
  const artifacts = Array.from({ length: 5 }, (_, i) => Buffer.alloc(250_000, i))
  const isOnDisk = async (bytes: Buffer) => {
    const file = join(dir, sha256Of(bytes).slice(2, 4), sha256Of(bytes).slice(4))
    return stat(file).then(
      () => true,
      () => false,
    )
  }
  for (const bytes of artifacts.slice(0, 4)) {
    await put(store, bytes)
    const file = await store.file(sha256Of(bytes))
    await utimes(file, HOUR_AGO(), HOUR_AGO())
  }
  await store.read(sha256Of(artifacts[0]!))
  await put(store, artifacts[4]!)
  assert.ok(await isOnDisk(artifacts[0]!), "read just now")
  assert.ok(await isOnDisk(artifacts[4]!), "put just now")
  const left = await Promise.all(artifacts.map(isOnDisk))
  assert.equal(left.filter(Boolean).length, 3, "as many as fit")
  for (const bytes of artifacts) assert.deepEqual(Buffer.from(await store.read(sha256Of(bytes))), bytes)
})

test("error: a bucket that is not there, or not ours, ends the start with the variable's name", async (t) => {
  const dir = await ownFolder(t)
  const start = (url: string) => openArtifactStore({ dir, minFreeBytes: 0, bucket: { url, cacheBytes: CACHE_BYTES } })
  const says = (error: unknown) => {
    assert.ok(hasCode("E_CONFIG")(error))
    assert.match((error as Error).message, /ARTIFACTS_URL: s3:.*NoSuchBucket|SignatureDoesNotMatch/)
    return true
  }
  await assert.rejects(start("s3://nobodys-bucket"), says)
  process.env.AWS_SECRET_ACCESS_KEY = "wrong"
  try {
    await assert.rejects(start(server.url), says)
  } finally {
    Object.assign(process.env, server.env)
  }
})

test("error: while the bucket is down nothing counts as stored, and what is on disk is read", async (t) => {
  const own = await startBucket()
  Object.assign(process.env, own.env)
  const { store } = await replica(t, { url: own.url, cacheBytes: CACHE_BYTES })
  Object.assign(process.env, server.env)
  const [kept, lost] = [Buffer.from("kept"), Buffer.from("lost")]
  await put(store, kept)
  await own.stop()
  await assert.rejects(put(store, lost), hasCode("E_ARTIFACT_STORE"))
  await assert.rejects(store.has(sha256Of(lost)), hasCode("E_ARTIFACT_STORE"))
  assert.deepEqual(Buffer.from(await store.read(sha256Of(kept))), kept)
})
