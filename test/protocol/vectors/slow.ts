import { createHash } from "node:crypto"
import { encodeAbiParameters, type Hex, keccak256, parseAbiParameters, stringToHex } from "viem"

/**
 * The formulas of docs/protocol-encodings.md once more, as plainly as they can be written: recursion, concatenation and
 * viem's encoder. Nothing here is shared with the code under test.
 */

export function H(tag: string, types: string, values: readonly unknown[]): Hex {
  const padded = stringToHex(`assay.${tag}`, { size: 32 })
  const parameters = parseAbiParameters(types === "" ? "bytes32" : `bytes32, ${types}`)
  return keccak256(encodeAbiParameters(parameters as readonly unknown[] as [], [padded, ...values] as unknown as []))
}

export function depthOf(count: number): number {
  return count <= 1 ? 0 : 1 + depthOf(Math.ceil(count / 2))
}

export type Node = { hash: Hex; units: bigint }

export function sumRoot(nodes: readonly Node[], depth: number): Node {
  if (depth === 0) return nodes[0] ?? { hash: H("pad", "", []), units: 0n }
  const half = 2 ** (depth - 1)
  const left = sumRoot(nodes.slice(0, half), depth - 1)
  const right = sumRoot(nodes.slice(half), depth - 1)
  const hash = H("node", "bytes32, uint64, bytes32, uint64", [left.hash, left.units, right.hash, right.units])
  return { hash, units: left.units + right.units }
}

export function pairRoot(leaves: readonly Hex[], depth: number): Hex {
  if (depth === 0) return leaves[0] ?? H("empty", "", [])
  const half = 2 ** (depth - 1)
  return H("pair", "bytes32, bytes32", [
    pairRoot(leaves.slice(0, half), depth - 1),
    pairRoot(leaves.slice(half), depth - 1),
  ])
}

export function sha(...parts: Uint8Array[]): Buffer {
  return createHash("sha256").update(Buffer.concat(parts)).digest()
}

export function pattern(bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, (_, i) => (31 * i + 7) % 256))
}

function chunkTree(chunks: readonly Buffer[], prefix: Uint8Array, depth: number): Buffer {
  if (depth === 0) {
    const chunk = chunks[0]
    return chunk === undefined ? sha(Buffer.from([2])) : sha(prefix, chunk, Buffer.alloc(1024 - chunk.length))
  }
  const half = 2 ** (depth - 1)
  const left = chunkTree(chunks.slice(0, half), prefix, depth - 1)
  return sha(Buffer.from([1]), left, chunkTree(chunks.slice(half), prefix, depth - 1))
}

const NUMBERS: Record<string, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
}

export function tensorRoot(dtype: string, dims: readonly number[], bytes: number, prefix: Uint8Array): Hex {
  const data = pattern(bytes)
  const chunks = Array.from({ length: Math.ceil(bytes / 1024) }, (_, i) => data.subarray(i * 1024, (i + 1) * 1024))
  const tree = chunkTree(chunks, prefix, depthOf(chunks.length))
  const shape = dims.map((dim) => Buffer.from(dim.toString(16).padStart(16, "0"), "hex"))
  return `0x${sha(Buffer.from([3, NUMBERS[dtype]!, dims.length]), ...shape, tree).toString("hex")}`
}

/** Feistel with nothing but bigint. */
export function permute(seed: Hex, size: bigint, index: bigint): bigint {
  let width = 2n
  while (2n ** width < size) width += 2n
  const half = width / 2n
  const mask = 2n ** half - 1n
  let x = index
  do {
    let [left, right] = [x / 2n ** half, x % 2n ** half]
    for (let r = 0; r < 4; r++) {
      const f = BigInt(H("feistel", "bytes32, uint8, uint256", [seed, r, right])) & mask
      ;[left, right] = [right, left ^ f]
    }
    x = left * 2n ** half + right
  } while (x >= size)
  return x
}
