import assert from "node:assert/strict"
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type TestContext, test } from "node:test"
import type { Hex } from "viem"
import { type DownloadArtifact, openArtifactCache, sha256Of } from "../../worker/artifacts/cache.ts"

const { signal } = new AbortController()

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "assay-cache-"))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

/** A peer that serves these bytes whatever it is asked for, and counts. */
function serving(bytes: Uint8Array) {
  const asked: Hex[] = []
  const download: DownloadArtifact = async (sha256) => {
    asked.push(sha256)
    return (async function* () {
      for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100)
    })()
  }
  return { asked, download }
}

const file = (fill: number, size = 1000) => Buffer.alloc(size, fill)

test("behavior: an artifact is downloaded once, by callers together and after a restart", async (t) => {
  const root = await folder(t)
  const bytes = file(1)
  const peer = serving(bytes)
  const cache = await openArtifactCache({ root, limitBytes: 10_000 })
  const params = { sha256: sha256Of(bytes), maxBytes: 1000, download: peer.download, signal }
  await Promise.all([cache.fetch(params), cache.fetch(params)])
  assert.deepEqual(await cache.read(params.sha256), bytes)
  const again = await openArtifactCache({ root, limitBytes: 10_000 })
  await again.fetch(params)
  assert.equal(peer.asked.length, 1)
})

test("error: bytes with another hash are refused and nothing of them stays", async (t) => {
  const root = await folder(t)
  const cache = await openArtifactCache({ root, limitBytes: 10_000 })
  const sha256 = sha256Of(file(1))
  const fetching = cache.fetch({ sha256, maxBytes: 1000, download: serving(file(2)).download, signal })
  await assert.rejects(fetching, { code: "E_ARTIFACT_HASH" })
  assert.equal(cache.has(sha256), false)
  assert.deepEqual(await readdir(join(root, sha256.slice(2, 4))), [])
})

test("error: a peer that sends more than was agreed on is cut off", async (t) => {
  const cache = await openArtifactCache({ root: await folder(t), limitBytes: 10_000 })
  const bytes = file(1, 5000)
  const fetching = cache.fetch({ sha256: sha256Of(bytes), maxBytes: 1000, download: serving(bytes).download, signal })
  await assert.rejects(fetching, { code: "E_ARTIFACT_TOO_LARGE" })
})

test("behavior: over the limit the artifact used longest ago goes, pinned ones never", async (t) => {
  const cache = await openArtifactCache({ root: await folder(t), limitBytes: 3000 })
  const [a, b, c] = [await cache.store(file(1)), await cache.store(file(2)), await cache.store(file(3))]
  cache.pin(a)
  await cache.read(b)
  const d = await cache.store(file(4))
  assert.deepEqual([a, b, c, d].map(cache.has), [true, true, false, true])
  cache.unpin(a)
  await cache.store(file(5))
  assert.equal(cache.has(a), false)
})

test("behavior: the order of use survives a restart", async (t) => {
  const root = await folder(t)
  const first = await openArtifactCache({ root, limitBytes: 2000 })
  const a = await first.store(file(1))
  const b = await first.store(file(2))
  await new Promise((resolve) => setTimeout(resolve, 5))
  await first.read(a)
  const second = await openArtifactCache({ root, limitBytes: 2000 })
  await second.store(file(3))
  assert.deepEqual([a, b].map(second.has), [true, false])
})

test("behavior: a file that has rotted on disk is fetched anew", async (t) => {
  const root = await folder(t)
  const bytes = file(1)
  const sha256 = await (await openArtifactCache({ root, limitBytes: 10_000 })).store(bytes)
  await writeFile(join(root, sha256.slice(2, 4), sha256.slice(2)), file(2))
  const cache = await openArtifactCache({ root, limitBytes: 10_000 })
  const peer = serving(bytes)
  await cache.fetch({ sha256, maxBytes: 1000, download: peer.download, signal })
  assert.equal(peer.asked.length, 1)
  assert.deepEqual(await cache.read(sha256), bytes)
})

test("behavior: two that store the same bytes at once both succeed", async (t) => {
  const cache = await openArtifactCache({ root: await folder(t), limitBytes: 10_000 })
  const stored = await Promise.all(Array.from({ length: 8 }, () => cache.store(file(1))))
  assert.deepEqual(new Set(stored), new Set([sha256Of(file(1))]))
})
