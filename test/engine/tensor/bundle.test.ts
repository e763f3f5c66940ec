import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { bundleName, decodeBundle, EngineError, encodeBundle, parseBundleName } from "#engine"
import { bytesPerElement, DTYPES, type Tensor } from "#protocol"

const tensors = fc
  .record({ dtype: fc.constantFrom(...DTYPES), dims: fc.array(fc.nat(4), { maxLength: 3 }) })
  .chain(({ dtype, dims }) => {
    const byteLength = dims.reduce((a, b) => a * b, 1) * bytesPerElement(dtype)
    return fc
      .uint8Array({ minLength: byteLength, maxLength: byteLength })
      .map((data): Tensor => ({ dtype, dims, data }))
  })

const entries = fc.uniqueArray(fc.record({ name: fc.string({ minLength: 1 }), tensor: tensors }), {
  selector: (entry) => entry.name,
  maxLength: 8,
})

function file(header: unknown, data: number[] = []): Uint8Array {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return new Uint8Array(Buffer.concat([length, json, Buffer.from(data)]))
}

function refused(bytes: Uint8Array, code: string, why: RegExp) {
  assert.throws(
    () => decodeBundle(bytes),
    (error) => error instanceof EngineError && error.code === code && why.test(error.message),
  )
}

test("property: any tensors come back from a bundle as they went in, in order unless empty", () => {
  fc.assert(
    fc.property(entries, (list) => {
      fc.pre(list.every(({ name }) => name !== "__proto__" && name !== "__metadata__"))
      const decoded = decodeBundle(encodeBundle(list))
      const byName = new Map(decoded.map((entry) => [entry.name, entry.tensor]))
      assert.equal(byName.size, list.length)
      for (const { name, tensor } of list) {
        const got = byName.get(name)
        assert.deepEqual({ ...got, data: Buffer.from(got!.data) }, { ...tensor, data: Buffer.from(tensor.data) })
      }
    }),
  )
})

test("property: the same tensors make the same bytes", () => {
  fc.assert(fc.property(entries, (list) => assert.deepEqual(encodeBundle(list), encodeBundle(structuredClone(list)))))
})

test("property: random bytes are refused with a code, never with another error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        decodeBundle(bytes)
      } catch (error) {
        assert.ok(error instanceof EngineError && error.code.startsWith("E_BUNDLE_"))
      }
    }),
  )
})

const u8 = (start: number, end: number) => ({ dtype: "U8", shape: [end - start], data_offsets: [start, end] })

test("error: overlapping tensors", () =>
  refused(file({ a: u8(0, 4), b: u8(2, 6) }, [1, 2, 3, 4, 5, 6]), "E_BUNDLE_FORMAT", /due/))
test("error: a gap between tensors", () =>
  refused(file({ a: u8(0, 1), b: u8(2, 3) }, [1, 2, 3]), "E_BUNDLE_FORMAT", /due/))
test("error: data past the end", () => refused(file({ a: u8(0, 9) }, [1]), "E_BUNDLE_FORMAT", /past the end/))
test("error: data that belong to no tensor", () =>
  refused(file({ a: u8(0, 1) }, [1, 2]), "E_BUNDLE_FORMAT", /no tensor/))
test("error: a header that claims to be huge", () => {
  const bytes = new Uint8Array(16)
  new DataView(bytes.buffer).setBigUint64(0, 2n ** 63n, true)
  refused(bytes, "E_BUNDLE_TOO_LARGE", /header/)
})
test("error: a header past the end", () => refused(file("{}").subarray(0, 9), "E_BUNDLE_FORMAT", /past its end/))
test("error: a shape whose size is no safe integer", () =>
  refused(
    file({ a: { dtype: "U8", shape: [2 ** 52, 2 ** 52], data_offsets: [0, 1] } }, [1]),
    "E_BUNDLE_FORMAT",
    /shape/,
  ))
test("error: strings are no element type", () =>
  refused(file({ a: { dtype: "STR", shape: [1], data_offsets: [0, 1] } }, [1]), "E_BUNDLE_FORMAT", /unknown type/))
test("error: negative offsets", () =>
  refused(file({ a: { dtype: "U8", shape: [1], data_offsets: [-1, 0] } }, [1]), "E_BUNDLE_FORMAT", /offsets/))
test("error: a name that appears twice is not written", () => {
  const tensor: Tensor = { dtype: "uint8", dims: [], data: new Uint8Array(1) }
  assert.throws(
    () =>
      encodeBundle([
        { name: "a", tensor },
        { name: "a", tensor },
      ]),
    /twice/,
  )
})

test("behavior: a bundle name carries the task index, and a tensor name may hold slashes", () => {
  assert.deepEqual(parseBundleName(bundleName(7, "a/b")), { taskIndex: 7, name: "a/b" })
  assert.equal(parseBundleName("07/a"), undefined)
  assert.equal(parseBundleName("-1/a"), undefined)
})
