import assert from "node:assert/strict"
import test from "node:test"
import fc from "fast-check"
import { encodeAbiParameters, type Hex, keccak256 } from "viem"
import { encodeWords, hashWords, keccakBytes, keccakHex, TAGS, UintError, WordError } from "#protocol"
import { keccakLow16 } from "../../../protocol/hashing/keccak.ts"
import { account, word } from "../support.ts"

test("property: keccak of any bytes is viem's, at every length around a block and beyond the page", () => {
  const lengths = [0, 1, 135, 136, 137, 271, 272, 273, 64_999, 65_024, 65_025, 65_536, 200_001]
  for (const length of lengths) {
    const bytes = new Uint8Array(length).map((_, i) => i * 7 + length)
    assert.equal(keccakHex(bytes), keccak256(bytes), `${length} bytes`)
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 700 }), (bytes) => {
      const expected = keccak256(bytes)
      assert.equal(keccakHex(bytes), expected)
      assert.equal(Buffer.from(keccakBytes(bytes)).toString("hex"), expected.slice(2))
      assert.equal(keccakLow16(bytes), Number(BigInt(expected) & 0xffffn))
    }),
  )
})

test("behavior: a hash that was handed out does not change with the next one", () => {
  const first = keccakBytes(Uint8Array.of(1))
  const copy = Uint8Array.from(first)
  keccakBytes(Uint8Array.of(2))
  assert.deepEqual(Uint8Array.from(first), copy)
})

test("property: words are laid out as abi.encode lays out static types", () => {
  const uint = fc.bigInt({ min: 0n, max: 2n ** 256n - 1n })
  const small = fc.integer({ min: 0, max: 2 ** 32 - 1 })
  fc.assert(
    fc.property(uint, small, fc.uint8Array({ minLength: 20, maxLength: 20 }), (big, number, bytes) => {
      const address: Hex = `0x${Buffer.from(bytes).toString("hex")}`
      const types = ["bytes32", "uint256", "uint32", "address", "bytes32"].map((type) => ({ type }))
      const hash = hashWords(TAGS.leaf, big, number, address, word("0f"))
      assert.equal(hash, keccak256(encodeAbiParameters(types, [TAGS.leaf, big, number, address, word("0f")])))
    }),
  )
})

test("error: what is no word is refused rather than half written", () => {
  for (const bad of ["0x", "0x00", `0x${"0g".repeat(32)}`, `0x${"00".repeat(33)}`, "nonsense"] as Hex[]) {
    assert.throws(() => encodeWords([bad]), WordError)
  }
  for (const bad of [-1, 1.5, Number.NaN, 2 ** 53, -1n, 2n ** 256n]) assert.throws(() => encodeWords([bad]), UintError)
  assert.equal(encodeWords([account("0a")]).length, 32)
})

test("behavior: tags are the ASCII of their names, zeros to the right, all different", () => {
  assert.equal(TAGS.saltDigest, `0x${Buffer.from("assay.salt.digest").toString("hex").padEnd(64, "0")}`)
  assert.equal(new Set(Object.values(TAGS)).size, Object.keys(TAGS).length)
})
