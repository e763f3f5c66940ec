import assert from "node:assert/strict"
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type TestContext, test } from "node:test"
import type { Hex } from "viem"
import { bundleName, encodeBundle, readPieces } from "#engine"
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

/** Tensors of 20,000 bytes, as a peer's artifact that tells what it is made of. */
async function bundled(t: TestContext, fills: readonly number[]) {
  const bytes = Buffer.from(
    encodeBundle(
      fills.map((fill, i) => ({
        name: bundleName(i, "x"),
        tensor: { dtype: "uint8" as const, dims: [20_000], data: new Uint8Array(20_000).fill(fill) },
      })),
    ),
  )
  const path = join(await folder(t), "bundle")
  await writeFile(path, bytes)
  const pieces = await readPieces(path)
  const sent: number[] = []
  const download: DownloadArtifact = async (_sha256, _signal, range) => {
    const part = range ? bytes.subarray(range.from, range.to + 1) : bytes
    sent.push(part.length)
    return (async function* () {
      yield part
    })()
  }
  let told = 0
  const piecesOf = async () => {
    told++
    return pieces
  }
  const params = { sha256: sha256Of(bytes), maxBytes: 1_000_000, download, signal }
  return { bytes, pieces, params: { ...params, shared: { kind: sha256Of(file(1)), piecesOf } }, sent, told: () => told }
}

test("behavior: tensors that other artifacts have as well are not downloaded again", async (t) => {
  const cache = await openArtifactCache({ root: await folder(t), limitBytes: 1_000_000 })
  const first = await bundled(t, [1, 2, 3, 4])
  await cache.fetch(first.params)
  assert.deepEqual([first.told(), first.sent], [0, [first.bytes.length]])
  const own = await bundled(t, [7, 8, 9, 10])
  await cache.store(own.bytes)

  const second = await bundled(t, [2, 5, 6, 8, 1])
  await cache.fetch(second.params)
  assert.deepEqual(await cache.read(second.params.sha256), second.bytes)
  // Its header, and the two that are new; they lie beside each other.
  assert.deepEqual(second.sent, [second.pieces[0]!.bytes, 40_000])
})

test("behavior: where nothing is shared, what artifacts are made of is not asked for each time", async (t) => {
  const cache = await openArtifactCache({ root: await folder(t), limitBytes: 10_000_000 })
  let asked = 0
  for (let i = 0; i < 40; i++) {
    const { params, told, sent, bytes } = await bundled(t, [4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3])
    await cache.fetch(params)
    asked += told()
    assert.deepEqual(sent, [bytes.length])
  }
  assert.equal(asked, 2)
})

test("attack: a list of pieces that lies, and a tensor that has rotted here, cost a download and nothing else", async (t) => {
  const root = await folder(t)
  const cache = await openArtifactCache({ root, limitBytes: 1_000_000 })
  const first = await bundled(t, [1, 2, 3, 4])
  await cache.fetch(first.params)
  const lies = [
    (await bundled(t, [1, 2, 3, 4])).pieces,
    [...first.pieces, ...first.pieces, ...first.pieces].map((piece) => ({ ...piece })),
  ]
  for (const [i, pieces] of lies.entries()) {
    const lied = await bundled(t, [1, 20 + i, 3, 4])
    await cache.fetch({
      ...lied.params,
      maxBytes: 90_000,
      shared: { ...lied.params.shared, piecesOf: async () => pieces },
    })
    assert.deepEqual(await cache.read(lied.params.sha256), lied.bytes)
    assert.equal(lied.sent.at(-1), lied.bytes.length)
  }
  const hex = first.params.sha256.slice(2)
  const damages = [
    () => writeFile(join(root, hex.slice(0, 2), hex), Buffer.alloc(first.bytes.length)),
    () => rm(join(root, hex.slice(0, 2), hex)),
  ]
  for (const [i, damage] of damages.entries()) {
    await damage()
    const wanted = await bundled(t, [2, 30, 31, 40 + i])
    await cache.fetch(wanted.params)
    assert.deepEqual(await cache.read(wanted.params.sha256), wanted.bytes)
  }
})
