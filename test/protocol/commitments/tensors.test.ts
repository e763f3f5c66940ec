import assert from "node:assert/strict"
import test from "node:test"
import fc from "fast-check"
import {
  chunkCount,
  digestPart,
  inputCommitment,
  joinOutput,
  keyedDigest,
  keyedTensorRoot,
  openChunk,
  outputCommitment,
  outputPart,
  rootFromChunk,
  type Tensor,
  TensorError,
  taskSalt,
  tensorRoot,
} from "#protocol"
import { account, flipBit, hexOf32, word } from "../support.ts"

const tensors: fc.Arbitrary<Tensor> = fc
  .uint8Array({ minLength: 1, maxLength: 6000 })
  .map((data) => ({ dtype: "uint8", dims: [data.length], data }))

const key = { verifier: account("0a"), batchId: 5n, position: 3 }

test("property: every chunk opens to the root, plain and keyed, and a flipped bit does not (R6, R21)", () => {
  fc.assert(
    fc.property(tensors, fc.nat(), fc.nat(), (tensor, at, bit) => {
      const index = at % chunkCount(tensor.data.length)
      for (const used of [undefined, key]) {
        const root = used === undefined ? tensorRoot(tensor) : keyedTensorRoot(tensor, used)
        const opening = openChunk(tensor, index, used)
        assert.equal(rootFromChunk(tensor, opening, used), root)
        const chunk = flipBit(opening.chunk, bit % 8192)
        assert.notEqual(rootFromChunk(tensor, { ...opening, chunk }, used), root)
        if (opening.path.length > 0) {
          const path = opening.path.map((node, i) =>
            i === bit % opening.path.length ? flipBit(node, bit % 256) : node,
          )
          assert.notEqual(rootFromChunk(tensor, { ...opening, path }, used), root)
        }
      }
    }),
    { numRuns: 50 },
  )
})

test("property: one flipped bit of the data, another dtype or another shape has another root (R6)", () => {
  fc.assert(
    fc.property(tensors, fc.nat(), (tensor, bit) => {
      const root = tensorRoot(tensor)
      const data = Uint8Array.from(tensor.data)
      data[(bit >> 3) % data.length]! ^= 1 << (bit & 7)
      assert.notEqual(tensorRoot({ ...tensor, data }), root)
      assert.notEqual(tensorRoot({ ...tensor, dtype: "int8" }), root)
      assert.notEqual(tensorRoot({ ...tensor, dims: [1, tensor.data.length] }), root)
    }),
  )
})

test("behavior: a tensor is not mistaken for one with zeros after it (R6)", () => {
  const short: Tensor = { dtype: "uint8", dims: [1], data: Uint8Array.of(1) }
  const long: Tensor = { dtype: "uint8", dims: [2], data: Uint8Array.of(1, 0) }
  assert.notEqual(tensorRoot(short), tensorRoot(long))
})

test("behavior: a verdict copied by another verifier fails the keyed check (R21)", () => {
  const salt = taskSalt(word("01"), 0)
  const result = {
    outputs: [{ dtype: "int64", dims: [1], data: new Uint8Array(8) } as const],
    digests: [{ dtype: "float32", dims: [10], data: new Uint8Array(40).fill(7) } as const],
  }
  const honest = keyedDigest(salt, result, key)
  for (const other of [
    { ...key, verifier: account("0b") },
    { ...key, batchId: 6n },
    { ...key, position: 4 },
  ]) {
    assert.notEqual(keyedDigest(salt, result, other), honest)
  }
  // Nor does it follow from what a leaf shows: the surrogate that has the right label lacks the digest tensors.
  const surrogate = { ...result, digests: [{ ...result.digests[0]!, data: new Uint8Array(40) }] }
  assert.notEqual(keyedDigest(salt, surrogate, key), honest)
  assert.notEqual(outputCommitment(salt, surrogate), outputCommitment(salt, result))
  assert.equal(outputPart(salt, surrogate.outputs), outputPart(salt, result.outputs))
})

test("property: the output commitment is its two parts, each under a salt of its own (R6)", () => {
  fc.assert(
    fc.property(hexOf32, tensors, (salt, tensor) => {
      const result = { outputs: [tensor], digests: [tensor] }
      assert.equal(outputCommitment(salt, result), joinOutput(outputPart(salt, [tensor]), digestPart(salt, [tensor])))
      const parts = [inputCommitment(salt, [tensor]), outputPart(salt, [tensor]), digestPart(salt, [tensor])]
      assert.equal(new Set(parts).size, 3)
    }),
    { numRuns: 20 },
  )
})

test("error: bytes that do not fit the shape, and shapes that are none", () => {
  const tensor: Tensor = { dtype: "float32", dims: [2], data: new Uint8Array(8) }
  assert.throws(() => tensorRoot({ ...tensor, data: new Uint8Array(7) }), TensorError)
  assert.throws(() => openChunk({ ...tensor, data: new Uint8Array(7) }, 0), { code: "E_TENSOR_LENGTH" })
  for (const dims of [[-1], [0.5], new Array<number>(256).fill(1)]) {
    assert.throws(() => tensorRoot({ ...tensor, dims }), { code: "E_TENSOR_DIMS" })
  }
  assert.throws(() => openChunk(tensor, 1), { code: "E_TREE_POSITION" })
})
