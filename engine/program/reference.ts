import { type Dtype, elementCount, PRIMITIVES, type Tensor } from "#protocol"
import { canonicalNaN } from "./canonicalNaN.ts"
import { type Elements, elementsOf, newElements, tensorOf } from "./elements.ts"
import { erf32, exp32, floatOfBits, fma32, sigmoid32, tanh32 } from "./float32.ts"
import { stridesOf } from "./values.ts"

/**
 * `docs/primitives.md` in TypeScript: every element of an operation's result. Folds constants while a model is
 * normalized, and is what tests hold onnxruntime and the referee against. Slow and plain on purpose.
 */
export type Evaluation = {
  readonly code: number
  readonly attributes: readonly bigint[]
  /** In the layout of operands: second factors as (..., N, K). */
  readonly operands: readonly Tensor[]
  readonly dtype: Dtype
  readonly dims: readonly number[]
}

type Input = { readonly dtype: Dtype; readonly dims: readonly number[]; readonly data: Elements }
type Job = {
  readonly code: number
  readonly attributes: readonly number[]
  readonly inputs: readonly Input[]
  readonly dims: readonly number[]
  readonly out: Elements
}

const f32 = Math.fround

export function evaluatePrimitive({ code, attributes, operands, dtype, dims }: Evaluation): Tensor {
  const inputs = operands.map((tensor) => ({ dtype: tensor.dtype, dims: tensor.dims, data: elementsOf(tensor) }))
  const job: Job = { code, attributes: attributes.map(Number), inputs, dims, out: newElements(dtype, dims) }
  run(job, dtype)
  return canonicalNaN(tensorOf(dtype, dims, job.out))
}

function run(job: Job, dtype: Dtype): void {
  if (job.code === PRIMITIVES.CAST) cast(job, dtype)
  else if (job.code === PRIMITIVES.QUANTIZE) quantize(job, dtype)
  else (MEANINGS[job.code] ?? elementwise)(job)
}

// --- elementwise ---

type Scalar = (a: never, b: never, c: never) => number | bigint | boolean

const FLOAT: Partial<Record<number, (a: number, b: number) => number>> = {
  [PRIMITIVES.ADD]: (a, b) => f32(a + b),
  [PRIMITIVES.SUB]: (a, b) => f32(a - b),
  [PRIMITIVES.MUL]: (a, b) => f32(a * b),
  [PRIMITIVES.DIV]: (a, b) => f32(a / b),
  [PRIMITIVES.NEG]: (a) => -a,
  [PRIMITIVES.ABS]: Math.abs,
  [PRIMITIVES.SQRT]: (a) => f32(Math.sqrt(a)),
  [PRIMITIVES.FLOOR]: Math.floor,
  [PRIMITIVES.CEIL]: Math.ceil,
  [PRIMITIVES.ROUND]: roundToEven,
  [PRIMITIVES.EXP]: exp32,
  [PRIMITIVES.TANH]: tanh32,
  [PRIMITIVES.SIGMOID]: sigmoid32,
  [PRIMITIVES.ERF]: erf32,
  [PRIMITIVES.RELU]: (a) => (Number.isNaN(a) ? 0 : Math.max(a, 0)),
}

/** Stored into an Int32Array, whose writes wrap around. */
const INT32: Partial<Record<number, (a: number, b: number) => number>> = {
  [PRIMITIVES.ADD]: (a, b) => (a + b) | 0,
  [PRIMITIVES.SUB]: (a, b) => (a - b) | 0,
  [PRIMITIVES.MUL]: Math.imul,
  [PRIMITIVES.DIV]: (a, b) => (a / b) | 0,
  [PRIMITIVES.NEG]: (a) => -a | 0,
  [PRIMITIVES.ABS]: (a) => Math.abs(a) | 0,
  [PRIMITIVES.MIN]: (a, b) => Math.min(a, b),
  [PRIMITIVES.MAX]: (a, b) => Math.max(a, b),
}

/** Stored into a BigInt64Array, whose writes wrap around. */
const INT64: Partial<Record<number, (a: bigint, b: bigint) => bigint>> = {
  [PRIMITIVES.ADD]: (a, b) => a + b,
  [PRIMITIVES.SUB]: (a, b) => a - b,
  [PRIMITIVES.MUL]: (a, b) => a * b,
  [PRIMITIVES.DIV]: (a, b) => a / b,
  [PRIMITIVES.NEG]: (a) => -a,
  [PRIMITIVES.ABS]: (a) => (a < 0n ? -a : a),
  [PRIMITIVES.MIN]: lesser,
  [PRIMITIVES.MAX]: greater,
}

function lesser(a: bigint, b: bigint): bigint {
  if (a < b) return a
  return b
}

function greater(a: bigint, b: bigint): bigint {
  if (a > b) return a
  return b
}

/** The same for numbers and bigints. */
const LOGIC: Partial<Record<number, (a: number, b: number) => boolean>> = {
  [PRIMITIVES.LESS]: (a, b) => a < b,
  [PRIMITIVES.GREATER]: (a, b) => a > b,
  [PRIMITIVES.EQUAL]: (a, b) => a === b,
  [PRIMITIVES.LESS_OR_EQUAL]: (a, b) => a <= b,
  [PRIMITIVES.GREATER_OR_EQUAL]: (a, b) => a >= b,
  [PRIMITIVES.AND]: (a, b) => a !== 0 && b !== 0,
  [PRIMITIVES.OR]: (a, b) => a !== 0 || b !== 0,
  [PRIMITIVES.XOR]: (a, b) => (a !== 0) !== (b !== 0),
  [PRIMITIVES.NOT]: (a) => a === 0,
}

function elementwise({ code, inputs, dims, out }: Job): void {
  const { dtype } = inputs[0]!
  const table = dtype === "int64" ? INT64 : dtype === "int32" ? INT32 : FLOAT
  const compute = (
    code === PRIMITIVES.WHERE ? (c: number, a: number, b: number) => (c !== 0 ? a : b) : (LOGIC[code] ?? table[code])
  ) as Scalar | undefined
  if (!compute) throw new RangeError(`no meaning for code ${code} of ${dtype}`)
  const [a, b, c] = inputs.map((input) => input.data) as [Elements, Elements?, Elements?]
  walk(
    dims,
    inputs.map((input) => broadcastStrides(input.dims, dims)),
    (e, at) => {
      out[e] = compute(a[at[0]!] as never, b?.[at[1]!] as never, c?.[at[2]!] as never) as number
    },
  )
}

/** Ties to even. */
function roundToEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  if (rest < 0.5 || (rest === 0.5 && floor % 2 === 0))
    return floor === 0 && (value < 0 || Object.is(value, -0)) ? -0 : floor
  return rest > 0 ? (floor + 1 === 0 ? -0 : floor + 1) : value
}

function cast({ inputs: [x], out }: Job, dtype: Dtype): void {
  const { data, dtype: from } = x!
  const wide = dtype === "int64"
  for (let e = 0; e < out.length; e++) {
    const value = data[e]!
    if (dtype === "bool") out[e] = Number(value) !== 0 ? 1 : 0
    else if (dtype === "float32") out[e] = typeof value === "bigint" ? floatOfBigInt(value) : value
    else if (typeof value === "bigint") out[e] = wide ? value : Number(BigInt.asIntN(32, value))
    else {
      const whole = from === "float32" || from === "float64" ? Math.trunc(value) : value
      out[e] = wide ? BigInt(whole) : whole
    }
  }
}

function quantize({ attributes: [bits, zero], inputs: [x], out }: Job, dtype: Dtype): void {
  const scale = floatOfBits(bits!)
  const [low, high] = dtype === "uint8" ? [0, 255] : [-128, 127]
  const data = x!.data as Float32Array
  for (let e = 0; e < out.length; e++) {
    const steps = roundToEven(f32(data[e]! / scale))
    out[e] = Math.min(Math.max(steps, low - zero!), high - zero!) + zero!
  }
}

/** Rounded once: Number() would round to a double first. */
function floatOfBigInt(value: bigint): number {
  const size = value < 0n ? -value : value
  const shift = BigInt(Math.max(0, size.toString(2).length - 26))
  // Two bits beyond float32's 24, the last one sticky.
  const kept = size >> shift
  const sticky = kept << shift === size ? kept : kept | 1n
  const rounded = f32(Number(sticky)) * 2 ** Number(shift)
  return value < 0n ? -rounded : rounded
}

// --- data in other places ---

function view({ attributes: [offset, ...strides], inputs: [x], dims, out }: Job): void {
  const data = x!.data
  walk(dims, [strides], (e, at) => {
    out[e] = data[offset! + at[0]!]!
  })
}

function pad({ attributes: begins, inputs: [x, value], dims, out }: Job): void {
  out.fill(value!.data[0] as never)
  const strides = stridesOf(dims)
  const offset = begins.reduce((sum, begin, i) => sum + begin * strides[i]!, 0)
  const data = x!.data
  walk(x!.dims, [strides], (e, at) => {
    out[offset + at[0]!] = data[e]!
  })
}

function concat({ attributes: [axis], inputs, dims, out }: Job): void {
  const outer = elementCount(dims.slice(0, axis))
  const inner = elementCount(dims.slice(axis! + 1))
  let at = 0
  for (let o = 0; o < outer; o++)
    for (const { data, dims: own } of inputs) {
      const run = own[axis!]! * inner
      out.set(data.subarray(o * run, (o + 1) * run) as never, at)
      at += run
    }
}

function gather({ attributes: [axis], inputs: [x, indices], out }: Job): void {
  const outer = elementCount(x!.dims.slice(0, axis))
  const size = x!.dims[axis!]!
  const inner = elementCount(x!.dims.slice(axis! + 1))
  let at = 0
  for (let o = 0; o < outer; o++)
    for (const index of indices!.data) {
      const i = Number(index) < 0 ? Number(index) + size : Number(index)
      if (i < 0 || i >= size) throw new RangeError(`index ${index} is outside ${size}`)
      const start = (o * size + i) * inner
      out.set(x!.data.subarray(start, start + inner) as never, at)
      at += inner
    }
}

// --- reductions ---

function reduce({ code, inputs: [x], out }: Job): void {
  const { data, dims } = x!
  const n = dims.at(-1)!
  const least = code === PRIMITIVES.REDUCE_MIN || code === PRIMITIVES.ARG_MIN
  const index = code === PRIMITIVES.ARG_MAX || code === PRIMITIVES.ARG_MIN
  for (let e = 0; e < out.length; e++) {
    let best = e * n
    for (let i = best + 1; i < (e + 1) * n; i++) if (least ? data[i]! < data[best]! : data[i]! > data[best]!) best = i
    out[e] = index ? BigInt(best - e * n) : data[best]!
  }
}

function pool({ attributes, inputs: [x], dims, out }: Job): void {
  const [kh, kw, sh, sw, top, left, dh, dw] = attributes as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const [, , height, width] = x!.dims as [number, number, number, number]
  const [, , rows, columns] = dims as [number, number, number, number]
  for (let e = 0; e < out.length; e++) {
    const column = e % columns
    const row = Math.floor(e / columns) % rows
    const image = Math.floor(e / columns / rows) * height * width
    let best: number | bigint | undefined
    for (let i = 0; i < kh; i++)
      for (let j = 0; j < kw; j++) {
        const [r, c] = [row * sh - top + i * dh, column * sw - left + j * dw]
        if (r < 0 || c < 0 || r >= height || c >= width) continue
        const value = x!.data[image + r * width + c]!
        if (best === undefined || value > best) best = value
      }
    out[e] = best!
  }
}

// --- products ---

function product({ code, attributes, inputs: [a, b], dims, out }: Job): void {
  const [m, n] = dims.slice(-2) as [number, number]
  const k = a!.dims.at(-1)!
  const batch = dims.slice(0, -2)
  const strides = [a!, b!].map((input) => {
    const own = input.dims.slice(0, -2)
    const size = elementCount(input.dims.slice(-2))
    return broadcastStrides(own, batch).map((stride) => stride * size)
  })
  const x = a!.data as Float32Array
  const y = b!.data as Float32Array
  const float = code === PRIMITIVES.MATMUL
  const [p, q] = attributes as [number, number]
  walk(batch, strides, (e, at) => {
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        const [from, to] = [at[0]! + i * k, at[1]! + j * k]
        out[(e * m + i) * n + j] = float ? chain(x, from, y, to, k, p) : sum(x, from, y, to, k, p, q)
      }
  })
}

function chain(x: Float32Array, from: number, y: Float32Array, to: number, k: number, block: number): number {
  let total = 0
  for (let start = 0; start < k; start += block) {
    let acc = 0
    for (let t = start; t < Math.min(k, start + block); t++) acc = fma32(x[from + t]!, y[to + t]!, acc)
    total = start === 0 ? acc : f32(total + acc)
  }
  return total
}

function sum(
  x: ArrayLike<number>,
  from: number,
  y: ArrayLike<number>,
  to: number,
  k: number,
  zeroX: number,
  zeroY: number,
): number {
  let total = 0
  for (let t = 0; t < k; t++) total = (total + (x[from + t]! - zeroX) * (y[to + t]! - zeroY)) | 0
  return total
}

function convolution({ code, attributes, inputs: [x, w], dims, out }: Job): void {
  const float = code === PRIMITIVES.CONV
  const [p, q] = attributes as [number, number]
  const [group, sh, sw, top, left, dh, dw] = attributes.slice(float ? 1 : 2) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const [, channels, height, width] = x!.dims as [number, number, number, number]
  const [filters, perGroup, kh, kw] = w!.dims as [number, number, number, number]
  const [, , rows, columns] = dims as [number, number, number, number]
  const k = perGroup * kh * kw
  const data = x!.data as Float32Array
  const weights = w!.data as Float32Array
  const fill = float ? 0 : p
  const patch = new Float32Array(k)
  // One patch serves all filters of its group.
  const perFilterGroup = filters / group
  for (let image = 0; image < dims[0]!; image++)
    for (let g = 0; g < group; g++)
      for (let row = 0; row < rows; row++)
        for (let column = 0; column < columns; column++) {
          let t = 0
          for (let c = 0; c < perGroup; c++) {
            const plane = (image * channels + g * perGroup + c) * height * width
            for (let i = 0; i < kh; i++)
              for (let j = 0; j < kw; j++) {
                const [r, s] = [row * sh - top + i * dh, column * sw - left + j * dw]
                patch[t++] = r < 0 || s < 0 || r >= height || s >= width ? fill : data[plane + r * width + s]!
              }
          }
          for (let f = g * perFilterGroup; f < (g + 1) * perFilterGroup; f++)
            out[((image * filters + f) * rows + row) * columns + column] = float
              ? chain(patch, 0, weights, f * k, k, p)
              : sum(patch, 0, weights, f * k, k, p, q)
        }
}

// --- indices ---

function broadcastStrides(own: readonly number[], dims: readonly number[]): number[] {
  const strides = stridesOf(own)
  const shift = dims.length - own.length
  return dims.map((_, i) => (i < shift || own[i - shift] === 1 ? 0 : strides[i - shift]!))
}

/** Calls with each element's number and its offset under each set of strides. */
function walk(
  dims: readonly number[],
  strides: readonly (readonly number[])[],
  visit: (element: number, at: readonly number[]) => void,
): void {
  const count = elementCount(dims)
  const index = new Array<number>(dims.length).fill(0)
  const at = new Array<number>(strides.length).fill(0)
  for (let e = 0; e < count; e++) {
    visit(e, at)
    for (let d = dims.length - 1; d >= 0; d--) {
      index[d]!++
      for (let s = 0; s < at.length; s++) at[s]! += strides[s]![d]!
      if (index[d]! < dims[d]!) break
      for (let s = 0; s < at.length; s++) at[s]! -= strides[s]![d]! * dims[d]!
      index[d] = 0
    }
  }
}

const MEANINGS: Partial<Record<number, (job: Job) => void>> = {
  [PRIMITIVES.VIEW]: view,
  [PRIMITIVES.PAD]: pad,
  [PRIMITIVES.CONCAT]: concat,
  [PRIMITIVES.GATHER]: gather,
  [PRIMITIVES.REDUCE_MAX]: reduce,
  [PRIMITIVES.REDUCE_MIN]: reduce,
  [PRIMITIVES.ARG_MAX]: reduce,
  [PRIMITIVES.ARG_MIN]: reduce,
  [PRIMITIVES.POOL_MAX]: pool,
  [PRIMITIVES.MATMUL]: product,
  [PRIMITIVES.MATMUL_INTEGER]: product,
  [PRIMITIVES.CONV]: convolution,
  [PRIMITIVES.CONV_INTEGER]: convolution,
}
