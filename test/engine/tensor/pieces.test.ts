import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import fc from "fast-check"
import { bundleName, createPieceBook, encodeBundle, partsOf, piecesOf, readPieces } from "#engine"

const dir = await mkdtemp(join(tmpdir(), "assay-pieces-"))
after(() => rm(dir, { recursive: true, force: true }))

const sha256Of = (bytes: Uint8Array) => `0x${createHash("sha256").update(bytes).digest("hex")}`

/** From a file and from memory, which are one. */
async function found(bytes: Uint8Array) {
  const path = join(dir, "file")
  await writeFile(path, bytes)
  const pieces = await readPieces(path)
  assert.deepEqual(piecesOf(bytes), pieces)
  return pieces
}

function bundleOf(lengths: readonly number[]): Uint8Array {
  return encodeBundle(
    lengths.map((length, i) => ({
      name: bundleName(i, "x"),
      tensor: { dtype: "uint8", dims: [length], data: new Uint8Array(length).fill(i) },
    })),
  )
}

test("property: pieces are the file, in order and without gaps, and every large tensor is one of them", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.nat(100), fc.integer({ min: 16_000, max: 20_000 })), { maxLength: 6 }),
      async (lengths) => {
        const bytes = bundleOf(lengths)
        const pieces = await found(bytes)
        let at = 0
        for (const piece of pieces) {
          assert.equal(piece.sha256, sha256Of(bytes.subarray(at, at + piece.bytes)))
          at += piece.bytes
        }
        assert.equal(at, bytes.length)
        for (const [i, length] of lengths.entries()) {
          const isPiece = pieces.some(({ sha256 }) => sha256 === sha256Of(new Uint8Array(length).fill(i)))
          assert.ok(isPiece || length < 16_384, `${length}`)
        }
      },
    ),
    { numRuns: 60 },
  )
})

test("behavior: what is no bundle, or none any more, is one piece; of nothing there is none", async () => {
  const bundle = bundleOf([20_000])
  for (const bytes of [
    new Uint8Array(5).fill(1),
    new Uint8Array(30_000).fill(9),
    bundle.subarray(0, 9_000),
    bundle.subarray(0, 12),
  ]) {
    assert.deepEqual(await found(bytes), [{ sha256: sha256Of(bytes), bytes: bytes.length }])
  }
  assert.deepEqual(await found(new Uint8Array()), [])
})

test("behavior: a tensor of large rows is as many pieces, so that tensors that were stacked are found in the stack", async () => {
  const rows = [1, 2, 3].map((fill) => new Uint8Array(20_000).fill(fill))
  const stack = encodeBundle([
    { name: "0/stack", tensor: { dtype: "uint8", dims: [3, 200, 100], data: new Uint8Array(Buffer.concat(rows)) } },
    { name: "0/small", tensor: { dtype: "uint8", dims: [3, 10_000], data: new Uint8Array(30_000).fill(7) } },
  ])
  const pieces = await found(stack)
  assert.deepEqual(
    pieces.slice(1).map(({ sha256 }) => sha256),
    [...rows, new Uint8Array(30_000).fill(7)].map(sha256Of),
  )
  const book = createPieceBook(100)
  book.learn(
    "0xaa",
    piecesOf(encodeBundle([{ name: "y", tensor: { dtype: "uint8", dims: [20_000], data: rows[1]! } }])),
  )
  const [before, own, after] = partsOf(pieces, book.find)!
  assert.deepEqual([before!.place, own!.bytes, own!.place!.file, after!.bytes], [undefined, 20_000, "0xaa", 50_000])
})
