import assert from "node:assert/strict"
import { test } from "node:test"
import fc from "fast-check"
import { strToU8, zipSync } from "fflate"
import { decodeNpy, decodeNpz, EngineError, encodeNpy } from "#engine"
import { bytesPerElement, DTYPES, type Tensor } from "#protocol"
import { ramp, tensor } from "../support/graphs.ts"

function npy(dict: string, data: Uint8Array, version = 1): Uint8Array {
  const header = Buffer.alloc(version === 1 ? 10 : 12)
  header.set([0x93, ...Buffer.from("NUMPY"), version, 0])
  if (version === 1) header.writeUInt16LE(dict.length, 8)
  else header.writeUInt32LE(dict.length, 8)
  return new Uint8Array(Buffer.concat([header, Buffer.from(dict), data]))
}

function refused(bytes: Uint8Array, code: string, why: RegExp) {
  assert.throws(
    () => decodeNpy(bytes),
    (error) => error instanceof EngineError && error.code === code && why.test(error.message),
  )
}

test("property: any tensor comes back from .npy", () => {
  const tensors = fc
    .record({ dtype: fc.constantFrom(...DTYPES), dims: fc.array(fc.nat(4), { maxLength: 4 }) })
    .chain(({ dtype, dims }) => {
      const length = dims.reduce((a, b) => a * b, 1) * bytesPerElement(dtype)
      return fc.uint8Array({ minLength: length, maxLength: length }).map((data): Tensor => ({ dtype, dims, data }))
    })
  fc.assert(fc.property(tensors, (given) => assert.deepEqual(decodeNpy(encodeNpy(given)), given)))
})

test("behavior: the bytes are those that NumPy writes", () => {
  // np.save of np.arange(6, dtype='<f4').reshape(2, 3), NumPy 1.26
  const bytes = encodeNpy(tensor("float32", [2, 3], [0, 1, 2, 3, 4, 5]))
  const header = "\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
  assert.equal(Buffer.from(bytes.subarray(0, 128)).toString("latin1"), `${header.padEnd(127)}\n`)
  assert.equal(bytes.length, 128 + 24)
})

test("behavior: column-major and big-endian files are read as what they mean", () => {
  const fortran = npy(
    "{'descr': '<i4', 'fortran_order': True, 'shape': (2, 3), }",
    new Uint8Array(Int32Array.of(0, 3, 1, 4, 2, 5).buffer),
  )
  assert.deepEqual(decodeNpy(fortran), tensor("int32", [2, 3], [0, 1, 2, 3, 4, 5]))
  const big = npy("{'descr': '>i2', 'fortran_order': False, 'shape': (2,), }", Uint8Array.of(0, 1, 2, 0), 2)
  assert.deepEqual(
    { ...decodeNpy(big), data: [...decodeNpy(big).data] },
    { dtype: "int16", dims: [2], data: [1, 0, 0, 2] },
  )
})

test("error: not a .npy file", () => refused(strToU8("hello"), "E_INPUT_FORMAT", /NUMPY/))
test("error: a file that is cut off", () =>
  refused(encodeNpy(ramp([4])).subarray(0, 130), "E_INPUT_TRUNCATED", /130 bytes of 144/))
test("error: objects are no numbers", () =>
  refused(
    npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", new Uint8Array(8)),
    "E_INPUT_FORMAT",
    /'\|O'/,
  ))
test("error: complex numbers are no model input", () =>
  refused(npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", new Uint8Array(8)), "E_INPUT_DTYPE", /c8/))
test("error: a shape that no memory holds is refused before any is taken", () =>
  refused(
    npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999, 99999999), }", new Uint8Array(4)),
    "E_INPUT_FORMAT",
    /absurd/,
  ))

test("behavior: an archive gives each array under its name", () => {
  const zip = zipSync({ "a.npy": encodeNpy(ramp([3])), "b.npy": encodeNpy(ramp([2, 2])), "notes.txt": strToU8("no") })
  const arrays = decodeNpz(zip, 1_000)
  assert.deepEqual([...arrays.keys()].sort(), ["a", "b"])
  assert.deepEqual(arrays.get("b"), ramp([2, 2]))
})
test("error: an archive that unfolds beyond the limit is not unfolded", () => {
  const bomb = zipSync({ "a.npy": new Uint8Array(1_000_000) })
  assert.ok(bomb.length < 10_000)
  assert.throws(
    () => decodeNpz(bomb, 1_000),
    (error) => (error as EngineError).code === "E_INPUT_TOO_LARGE",
  )
})
test("error: a damaged archive", () => {
  assert.throws(
    () => decodeNpz(strToU8("PK\x03\x04 no"), 1_000),
    (error) => (error as EngineError).code === "E_INPUT_FORMAT",
  )
})
