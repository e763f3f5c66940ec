import assert from "node:assert/strict"
import test from "node:test"
import fc from "fast-check"
import type { Address } from "viem"
import {
  candidateOwners,
  candidatePlaces,
  createPermutation,
  drawSeed,
  feistelWidth,
  jurors,
  panelSeats,
  sampleCount,
  samplePositions,
} from "#protocol"
import { account, hexOf32, word } from "../support.ts"

test("property: the Feistel walk is a permutation of any size under any seed (R19)", () => {
  fc.assert(
    fc.property(hexOf32, fc.integer({ min: 1, max: 700 }), (seed, size) => {
      const permute = createPermutation(seed, size)
      const images = new Set(Array.from({ length: size }, (_, i) => permute(i)))
      assert.equal(images.size, size)
      for (const image of images) assert.ok(image >= 0 && image < size)
    }),
    { numRuns: 40 },
  )
})

test("behavior: the width is the even number of bits that holds the size, 2 at least (R19)", () => {
  const sizes = [1, 2, 4, 5, 16, 17, 64, 65, 65_536, 65_537, 2 ** 32]
  assert.deepEqual(sizes.map(feistelWidth), [2, 2, 2, 4, 4, 6, 6, 8, 16, 18, 32])
})

test("property: k samples, all distinct, at least p of the batch (R19)", () => {
  fc.assert(
    fc.property(
      hexOf32,
      fc.integer({ min: 1, max: 10_000 }),
      fc.integer({ min: 1, max: 400 }),
      (seed, auditRate, size) => {
        const positions = samplePositions({ seed, auditRate, size })
        assert.equal(new Set(positions).size, positions.length)
        assert.ok(positions.length * 10_000 >= auditRate * size && positions.length >= 1 && positions.length <= size)
        assert.equal(positions.length, sampleCount(auditRate, size))
      },
    ),
    { numRuns: 40 },
  )
})

test("behavior: images fall evenly: over many seeds no position of a small batch is favoured", () => {
  const hits = new Array<number>(10).fill(0)
  for (let i = 0; i < 2000; i++) {
    const position = createPermutation(drawSeed(word("01"), BigInt(i)), 10)(0)
    hits[position] = hits[position]! + 1
  }
  // 200 expected, deviation 13.4: six of them.
  for (const count of hits) assert.ok(Math.abs(count - 200) < 80, `hits ${hits.join(" ")}`)
})

const people = ["0a", "0b", "0c", "0d"].map(account)

test("property: candidates are three places of others, or all there are, and never the executor's (R20)", () => {
  const panel = fc.array(fc.constantFrom(...people), { minLength: 16, maxLength: 16 })
  fc.assert(
    fc.property(hexOf32, fc.nat(300), panel, fc.constantFrom(...people), (seed, sample, owners, executor) => {
      const params = { seed, sample, executor, owners }
      const places = candidatePlaces(params)
      const pool = owners.filter((owner) => owner !== executor).length
      assert.equal(places.length, Math.min(3, pool))
      assert.equal(new Set(places).size, places.length, "drawn without replacement")
      for (const owner of candidateOwners(params)) assert.notEqual(owner, executor)
    }),
  )
})

test("behavior: a panel that is wholly the executor's goes on past 16 to the first other owner (R20)", () => {
  const executor = account("0a")
  const own = Array.from({ length: 20 }, (): Address => executor)
  assert.deepEqual(candidatePlaces({ seed: word("01"), sample: 0, executor, owners: own }), [])
  const params = { seed: word("01"), sample: 0, executor, owners: [...own, account("0b"), account("0c")] }
  assert.deepEqual(candidatePlaces(params), [20])
})

test("behavior: the executor is known however its address is written", () => {
  const owners = Array.from({ length: 16 }, (_, j): Address => (j === 0 ? account("0b") : account("ab")))
  const executor: Address = "0xABABABABABABABABABABABABABABABABABABABAB"
  assert.deepEqual(candidateOwners({ seed: word("01"), sample: 0, executor, owners }), [account("0b")])
})

test("behavior: jurors vote once with the weight of their seats; executor and verifiers do not (R28)", () => {
  const seats = [people[0]!, people[1]!, people[0]!, people[2]!, people[3]!]
  const drawn = jurors(seats, [people[2]!, people[3]!])
  assert.deepEqual(drawn, [
    { account: people[0], weight: 2 },
    { account: people[1], weight: 1 },
  ])
})

test("property: seats are numbers below the count, and follow from the seed alone", () => {
  fc.assert(
    fc.property(hexOf32, fc.integer({ min: 1, max: 5000 }), (seed, count) => {
      const seats = panelSeats(seed, count)
      assert.equal(seats.length, 16)
      for (const seat of seats) assert.ok(seat >= 0 && seat < count)
      assert.deepEqual(panelSeats(seed, count), seats)
    }),
  )
})
