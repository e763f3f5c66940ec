import assert from "node:assert/strict"
import { hash } from "node:crypto"
import test from "node:test"
import { encodeAbiParameters, type Hex, keccak256, pad, toHex } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import {
  buildShardTree,
  buildTopTree,
  committedRoot,
  createPermutation,
  isSignedBy,
  leafHash,
  leafPath,
  marketDomain,
  openChunk,
  rootFromChunk,
  signMessage,
  TAGS,
  type Tensor,
  tensorRoot,
  verifyLeaf,
} from "#protocol"

const worker = "0x00000000000000000000000000000000000000aa" as const
const one = pad("0x01", { size: 32 })

test("behavior: a leaf hash equals keccak256(abi.encode(tag, ...))", () => {
  const leaf = { taskIndex: 7, worker, units: 3, inputCommitment: one, outputCommitment: TAGS.pad }
  const types = ["bytes32", "uint192", "uint32", "address", "uint32", "bytes32", "bytes32"].map((type) => ({ type }))
  const encoded = encodeAbiParameters(types, [TAGS.leaf, 5n, 7, worker, 3, one, TAGS.pad])
  assert.equal(leafHash(5n, leaf), keccak256(encoded))
})

test("behavior: a tensor of one chunk is the wrapped hash of that chunk", () => {
  const tensor: Tensor = { dtype: "uint8", dims: [3], data: Uint8Array.of(1, 2, 3) }
  const chunk = Buffer.alloc(1025)
  chunk.set(tensor.data, 1)
  const root = Buffer.concat([Buffer.from("0302010000000000000003", "hex"), hash("sha256", chunk, "buffer")])
  assert.equal(tensorRoot(tensor), `0x${hash("sha256", root, "hex")}`)
})

test("behavior: every chunk of a tensor opens to its root", () => {
  const tensor: Tensor = { dtype: "float32", dims: [2, 700], data: new Uint8Array(5600).map((_, i) => i * 7) }
  for (let i = 0; i < 6; i++) assert.equal(rootFromChunk(tensor, openChunk(tensor, i)), tensorRoot(tensor))
})

test("behavior: a leaf verifies at its own position only", () => {
  const shards = [0, 1, 2].map((s) =>
    Array.from({ length: s === 2 ? 2 : 3 }, (_, i) => ({
      taskIndex: s * 3 + i,
      worker,
      units: i + 1,
      inputCommitment: toHex(s, { size: 32 }),
      outputCommitment: toHex(i, { size: 32 }),
    })),
  )
  const trees = shards.map((leaves) => buildShardTree({ jobId: 9n, shardSize: 3, leaves }))
  const topTree = buildTopTree(trees.map((tree) => tree.root))
  const root: Hex = committedRoot(topTree.root)
  const path = leafPath({ shardTree: trees[2]!, topTree, ordinal: 2, offset: 1 })
  const given = { root, jobId: 9n, shardSize: 3, shards: 3, leaf: shards[2]![1]!, path }
  for (let position = 0; position < 9; position++) assert.equal(verifyLeaf({ ...given, position }), position === 7)
})

test("behavior: the permutation is a bijection on a size that is no power of two", () => {
  const permute = createPermutation(one, 1000)
  assert.equal(new Set(Array.from({ length: 1000 }, (_, i) => permute(i))).size, 1000)
})

test("behavior: a signed lease is its signer's and nobody else's", async () => {
  const account = privateKeyToAccount(one)
  const domain = marketDomain({ chainId: 31337, market: worker })
  const message = { jobId: 1n, shard: 2, worker, start: 3n, expiry: 4n }
  const signature = await signMessage(account, { domain, type: "Lease", message })
  const params = { domain, type: "Lease", message, signature } as const
  assert.equal(await isSignedBy({ ...params, signer: account.address }), true)
  assert.equal(await isSignedBy({ ...params, signer: worker }), false)
  assert.equal(await isSignedBy({ ...params, message: { ...message, shard: 3 }, signer: account.address }), false)
})
