import assert from "node:assert/strict"
import { after, test } from "node:test"
import {
  createRunner,
  decodeElements,
  encodeElements,
  evaluatePrimitive,
  type NodeSpec,
  type ValueSpec,
  writeModel,
} from "#engine"
import { PRIMITIVES, type Tensor } from "#protocol"
import { fma32 } from "../../../engine/program/float32.ts"
import { assertConforms, runModel } from "../support/conformance.ts"
import { floatTensor, integerTensor, noise } from "../support/networks.ts"

/** What the definitions rest on: that this machine's onnxruntime computes what docs/primitives.md says. */

const runner = createRunner({ timeoutMs: 120_000 })
after(() => runner.close())

const node = (op: string, inputs: readonly string[], attributes: NodeSpec["attributes"] = {}): NodeSpec => ({
  op,
  inputs,
  outputs: ["y"],
  attributes,
})

function model(
  nodes: readonly NodeSpec[],
  inputs: readonly ValueSpec[],
  dims: readonly number[],
  initializers: Record<string, Tensor> = {},
): Uint8Array {
  return writeModel({ name: "kernel", nodes, inputs, outputs: [{ name: "y", dtype: "float32", dims }], initializers })
}

/** Exponents of every size, ends of the ranges, and bits at random. */
function hardFloats(count: number, seed: number): Tensor {
  const next = noise(seed)
  const words = new Uint32Array(count)
  const values = new Float32Array(words.buffer)
  const ends = [
    0,
    -0,
    Infinity,
    -Infinity,
    Number.NaN,
    88.72283,
    88.72284,
    88.77626,
    -87.33655,
    -103.97208,
    -103.98,
    9,
    -9,
    18,
    -18,
    0.921875,
    0.9218751,
    3.925,
    -3.925,
    1e-45,
    0.5,
    1.5,
    2.5,
  ]
  for (let i = 0; i < count; i++) {
    const kind = i % 4
    if (kind === 0) words[i] = ((next() + 1) * 2 ** 31) >>> 0
    else values[i] = next() * [4, 20, 110][kind - 1]!
  }
  values.set(ends)
  return { dtype: "float32", dims: [count], data: new Uint8Array(words.buffer) }
}

const COUNT = 100_000
const codes = {
  Exp: PRIMITIVES.EXP,
  Tanh: PRIMITIVES.TANH,
  Sigmoid: PRIMITIVES.SIGMOID,
  Erf: PRIMITIVES.ERF,
  Sqrt: PRIMITIVES.SQRT,
  Round: PRIMITIVES.ROUND,
  Floor: PRIMITIVES.FLOOR,
  Ceil: PRIMITIVES.CEIL,
}

for (const [op, code] of Object.entries(codes))
  test(`behavior: ${op} follows its formula for ${COUNT} values`, async () => {
    const x = hardFloats(COUNT, code)
    const [y] = await runModel(
      runner,
      model([node(op, ["x"])], [{ name: "x", dtype: "float32", dims: [COUNT] }], [COUNT]),
      [x],
    )
    const want = decodeElements(
      evaluatePrimitive({ code, attributes: [], operands: [x], dtype: "float32", dims: [COUNT] }),
    )
    const got = decodeElements(y!)
    assert.deepEqual(
      want
        .flatMap((value, i) =>
          Object.is(value, got[i]) ? [] : [{ x: decodeElements(x)[i], got: got[i], want: value }],
        )
        .slice(0, 5),
      [],
    )
  })

for (const op of ["Exp", "Tanh", "Sigmoid", "Erf"] as const)
  test(`behavior: ${op} has the same bits at every position and length, the last few elements too`, async () => {
    const whole = hardFloats(4096, 77)
    for (const length of [...Array.from({ length: 37 }, (_, i) => i + 1), 64, 100, 1023]) {
      const x = {
        dtype: "float32" as const,
        dims: [length],
        data: whole.data.slice(4 * (length + 3), 4 * (2 * length + 3)),
      }
      const [y] = await runModel(
        runner,
        model([node(op, ["x"])], [{ name: "x", dtype: "float32", dims: [length] }], [length]),
        [x],
      )
      const want = decodeElements(
        evaluatePrimitive({ code: codes[op], attributes: [], operands: [x], dtype: "float32", dims: [length] }),
      )
      assert.ok(
        decodeElements(y!).every((value, i) => Object.is(value, want[i])),
        `${length} elements`,
      )
    }
  })

test("behavior: a fused multiply-add is rounded once", () => {
  const f32 = Math.fround
  const exact = (a: number, b: number, c: number): number => {
    // Both are integers over 2^298 (two mantissas and the least exponents); BigInt adds them without rounding.
    const scaled = (value: number): bigint => {
      const view = new DataView(new ArrayBuffer(4))
      view.setFloat32(0, value)
      const bits = view.getUint32(0)
      const exponent = (bits >>> 23) & 0xff
      const mantissa = BigInt((bits & 0x7fffff) | (exponent ? 0x800000 : 0)) << BigInt(Math.max(exponent, 1) - 1)
      return bits >>> 31 ? -mantissa : mantissa // over 2^149
    }
    const sum = scaled(a) * scaled(b) + (scaled(c) << 149n)
    const size = sum < 0n ? -sum : sum
    if (size === 0n) return Number.NaN // the sign of zero is checked elsewhere
    const length = size.toString(2).length
    const shift = BigInt(Math.max(length - 24, 149))
    const [whole, rest, half] = [size >> shift, size & ((1n << shift) - 1n), 1n << (shift - 1n)]
    const up = rest > half || (rest === half && (whole & 1n) === 1n)
    const rounded = Number(whole + (up ? 1n : 0n)) * 2 ** (Number(shift) - 298)
    return f32(sum < 0n ? -rounded : rounded)
  }
  const next = noise(5)
  for (let i = 0; i < 20_000; i++) {
    const size = () => f32(next() * 2 ** Math.round(next() * (i % 2 ? 10 : 70)))
    const [a, b] = [size(), size()]
    // Often nearly -a b, so that much cancels.
    const c = i % 3 === 0 ? f32(-a * b * (1 + next() * 2 ** -22)) : size()
    if (!Number.isFinite(c)) continue
    const want = exact(a, b, c)
    if (Number.isNaN(want)) continue
    assert.ok(Object.is(fma32(a, b, c), want), `${a} ${b} ${c}: ${fma32(a, b, c)} for ${want}`)
  }
  assert.ok(Object.is(fma32(-1e-30, 1e-30, 0), -0))
  assert.ok(Object.is(fma32(2, 3, -6), 0))
})

test("behavior: products add in the blocks that the program states, for any sizes", async () => {
  const next = noise(23)
  const pick = (low: number, high: number) => low + Math.floor(((next() + 1) / 2) * (high - low))
  for (let i = 0; i < 24; i++) {
    const [m, k, n] = [pick(1, 6), pick(1, i % 2 ? 1500 : 300), pick(1, i % 3 ? 40 : 300)]
    const batch = i % 4 === 0 ? [2] : []
    const x = floatTensor([...batch, m, k], next)
    const w = floatTensor(i % 5 === 0 ? [...batch, k, n] : [k, n], next)
    const info = (name: string, { dims }: Tensor): ValueSpec => ({ name, dtype: "float32", dims })
    const dims = [...batch, m, n]
    const constant = model([node("MatMul", ["x", "w"])], [info("x", x)], dims, { w })
    await assertConforms(runner, constant, [x], await runModel(runner, constant, [x]))
    const computed = model([node("MatMul", ["x", "w"])], [info("x", x), info("w", w)], dims)
    await assertConforms(runner, computed, [x, w], await runModel(runner, computed, [x, w]))
  }
})

test("behavior: convolutions add in the blocks that the program states, for any sizes", async () => {
  const next = noise(29)
  const pick = (low: number, high: number) => low + Math.floor(((next() + 1) / 2) * (high - low))
  for (let i = 0; i < 16; i++) {
    const group = i % 3 === 0 ? 2 : 1
    const [perGroup, filters, kernel, size] = [pick(1, i % 2 ? 60 : 8), group * pick(1, 20), pick(1, 5), pick(5, 20)]
    const pad = pick(0, kernel)
    const [stride, dilation] = [pick(1, 3), size > 10 ? pick(1, 3) : 1]
    const x = floatTensor([1, perGroup * group, size, size], next)
    const w = floatTensor([filters, perGroup, kernel, kernel], next)
    const out = Math.floor((size + 2 * pad - dilation * (kernel - 1) - 1) / stride) + 1
    if (out < 1) continue
    const conv = model(
      [
        node("Conv", ["x", "w"], {
          group,
          pads: [pad, pad, pad, pad],
          strides: [stride, stride],
          dilations: [dilation, dilation],
        }),
      ],
      [{ name: "x", dtype: "float32", dims: x.dims }],
      [1, filters, out, out],
      { w },
    )
    await assertConforms(runner, conv, [x], await runModel(runner, conv, [x]))
  }
})

test("behavior: the place of the greatest is the first of equals", async () => {
  for (const [dtype, n] of [
    ["float32", 100],
    ["int32", 33],
    ["uint8", 64],
  ] as const) {
    const x =
      dtype === "float32"
        ? { ...integerTensor("int32", [40, n], noise(n), -2, 2), dtype }
        : integerTensor(dtype, [40, n], noise(n), 0, 3)
    const values = decodeElements(x.dtype === "float32" ? { ...x, dtype: "int32" } : x).map((value, i) =>
      value === 0 && i % 2 ? -0 : value,
    )
    const given = { dtype, dims: [40, n], data: encodeElements(dtype, values) }
    const choose = writeModel({
      name: "choose",
      nodes: [node("ArgMax", ["x"], { axis: 1, keepdims: 0 })],
      inputs: [{ name: "x", dtype, dims: [40, n] }],
      outputs: [{ name: "y", dtype: "int64", dims: [40] }],
    })
    await assertConforms(runner, choose, [given], await runModel(runner, choose, [given]))
  }
})
