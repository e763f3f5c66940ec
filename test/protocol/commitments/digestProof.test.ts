import assert from "node:assert/strict"
import test from "node:test"
import fc from "fast-check"
import { zeroHash } from "viem"
import {
  bytesOf,
  commitRoots,
  copiedOpening,
  digestBytes,
  digestList,
  digestSalt,
  joinOutput,
  keyedDigest,
  openChunk,
  outputCommitment,
  outputSalt,
  rootFromChunk,
  type Tensor,
} from "#protocol"
import { account, word } from "../support.ts"

const tensor: fc.Arbitrary<Tensor> = fc
  .uint8Array({ minLength: 0, maxLength: 5_000 })
  .map((data) => ({ dtype: "uint8", dims: [data.length], data }))
const tensors = fc.array(tensor, { minLength: 1, maxLength: 2 })
const salt = word("5a")
const author = { verifier: account("0a"), batchId: 5n, position: 3 }

test("property: what is shown leads to the output commitment, with digest tensors and without (R6, R7)", () => {
  fc.assert(
    fc.property(tensors, fc.option(tensors), (outputs, digests) => {
      const result = { outputs, digests: digests ?? [] }
      const list = digestList(salt, result)
      const signed = outputCommitment(salt, result)
      if (digests) {
        assert.equal(list.salt, digestSalt(salt), "the task's own salt stays secret")
        assert.equal(joinOutput(list.outputPart, commitRoots(list.salt, list.roots)), signed)
      } else {
        assert.equal(list.outputPart, zeroHash)
        const outer = commitRoots(outputSalt(list.salt), list.roots)
        assert.equal(joinOutput(outer, commitRoots(digestSalt(list.salt), [])), signed)
      }
    }),
  )
})

test("property: a copy opens under its author's key, in the place of the same chunk (R21)", () => {
  fc.assert(
    fc.property(tensors, (digests) => {
      const result = { outputs: [], digests }
      const opening = copiedOpening(result, author)
      if (!opening) return assert.ok(digests.every(({ data }) => data.length === 0))
      assert.equal(commitRoots(digestSalt(salt), opening.keyedRoots), keyedDigest(salt, result, author))
      const shown = digests[opening.tensor]!
      const { chunk, path } = openChunk(shown, opening.index)
      assert.deepEqual([opening.chunk, opening.path], [chunk, path])
      const root = rootFromChunk(shown, { index: 0, chunk, path: opening.keyedPath }, author)
      assert.equal(root, opening.keyedRoots[opening.tensor])
    }),
  )
})

test("behavior: all bytes are shown as they are, each tensor with its header", () => {
  const data = Uint8Array.from({ length: 6 }, (_, i) => i)
  const shown = digestBytes({ outputs: [{ dtype: "uint8", dims: [2, 3], data }], digests: [] })
  assert.deepEqual(
    shown.map((one) => one.data),
    ["0x000102030405"],
  )
  assert.equal(Buffer.from(bytesOf(shown[0]!.header)).toString("hex"), "020200000000000000020000000000000003")
})
