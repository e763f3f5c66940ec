import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { decodeElements, encodeElements, fromNestedArrays, toNestedArrays } from "#engine"
import { tensor } from "../support/graphs.ts"

test("behavior: all 65,536 float16 and bfloat16 patterns come back, NaNs as some NaN", () => {
  for (const dtype of ["float16", "bfloat16"] as const) {
    const data = new Uint8Array(Uint16Array.from({ length: 65_536 }, (_, i) => i).buffer)
    const values = decodeElements({ dtype, dims: [65_536], data })
    const again = new Uint16Array(encodeElements(dtype, values).buffer)
    values.forEach((value, bits) => {
      if (!Number.isNaN(value)) assert.equal(again[bits], bits, `${dtype} pattern ${bits}`)
    })
  }
})

test("behavior: float16 rounds to nearest, ties to even, and overflows to infinity", () => {
  const bits = (value: number) => new Uint16Array(encodeElements("float16", [value]).buffer)[0]
  assert.equal(bits(1 + 2 ** -11), 0x3c00) // half way between 1 and the next: to even
  assert.equal(bits(1 + 3 * 2 ** -11), 0x3c02)
  assert.equal(bits(65_519), 0x7bff)
  assert.equal(bits(65_520), 0x7c00)
  assert.equal(bits(2 ** -25), 0)
  assert.equal(bits(-(2 ** -24)), 0x8001)
})

test("property: nested arrays of any integer type come back", () => {
  const cases = fc.constantFrom("int8", "uint8", "int16", "int32", "int64" as const)
  fc.assert(
    fc.property(cases, fc.array(fc.integer({ min: 0, max: 127 }), { minLength: 6, maxLength: 6 }), (dtype, values) => {
      const dims = [2, 3]
      const exact = tensor(dtype, dims, values)
      assert.deepEqual(fromNestedArrays(toNestedArrays(exact), { name: "x", dtype, dims }), exact)
    }),
  )
})

test("behavior: integers beyond 2^53 and special floats travel as strings", () => {
  const big = tensor("int64", [2], [2n ** 62n, -5n])
  assert.deepEqual(toNestedArrays(big), ["4611686018427387904", -5])
  assert.deepEqual(fromNestedArrays(toNestedArrays(big), { name: "x", dtype: "int64", dims: [2] }), big)
  const special = tensor("float32", [3], [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
  assert.deepEqual(fromNestedArrays(toNestedArrays(special), { name: "x", dtype: "float32", dims: [3] }), special)
})

const want = (dtype: "uint8" | "float32", dims: number[]) => ({ name: "pixels", dtype, dims })
const code = (expected: string, message: RegExp) => (error: unknown) =>
  (error as { code: string }).code === expected && message.test((error as Error).message)

test("error: a number that the type cannot hold names the input and the number", () => {
  assert.throws(
    () => fromNestedArrays([300], want("uint8", [1])),
    code("E_INPUT_DTYPE", /"pixels" holds 300, which is no uint8/),
  )
  assert.throws(() => fromNestedArrays([0.5], want("uint8", [1])), code("E_INPUT_DTYPE", /0\.5/))
})
test("error: ragged, flat and too deep arrays are wrong shapes", () => {
  assert.throws(() => fromNestedArrays([[1, 2], [3]], want("float32", [2, 2])), code("E_INPUT_SHAPE", /\[2,2\]/))
  assert.throws(
    () => fromNestedArrays([1, 2, 3, 4], want("float32", [2, 2])),
    code("E_INPUT_SHAPE", /the model wants \[2,2\]/),
  )
  assert.throws(() => fromNestedArrays([[1]], want("float32", [1])), code("E_INPUT_SHAPE", /too deep/))
})
test("error: words and nulls are no numbers", () => {
  assert.throws(() => fromNestedArrays(["cat"], want("float32", [1])), code("E_INPUT_FORMAT", /"cat"/))
  assert.throws(() => fromNestedArrays([null], want("float32", [1])), code("E_INPUT_FORMAT", /null/))
})
