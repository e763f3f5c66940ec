/**
 * float32 arithmetic to the bit, in plain numbers: what `docs/primitives.md` writes down and the referee computes.
 * Sums, products, quotients and roots of doubles that hold float32 values, rounded once more to float32, are correctly
 * rounded (53 >= 2 * 24 + 2); the fused multiply-add alone needs care.
 */

const double = new Float64Array(1)
const doubleBits = new BigInt64Array(double.buffer)
const single = new Float32Array(1)
const singleBits = new Int32Array(single.buffer)

const f32 = Math.fround

export function bitsOfFloat(value: number): number {
  single[0] = value
  return singleBits[0]!
}

export function floatOfBits(bits: number): number {
  singleBits[0] = bits
  return single[0]!
}

/**
 * a * b + c with one rounding. The product is exact in a double; the sum is rounded to odd (its error, found by
 * Knuth's two-sum, decides), so that rounding it again to float32 is right.
 */
export function fma32(a: number, b: number, c: number): number {
  const product = a * b
  const sum = product + c
  if (!Number.isFinite(sum)) return f32(sum)
  const back = sum - product
  const error = product - (sum - back) + (c - back)
  if (error === 0) return f32(sum)
  double[0] = sum
  // Magnitudes grow with the bits whatever the sign; an odd last bit stays.
  if ((doubleBits[0]! & 1n) === 0n) doubleBits[0]! += error > 0 === sum > 0 ? 1n : -1n
  return f32(double[0])
}

/** As the processor's: smallest magnitudes stay, NaN is the caller's to have taken out. */
function clamp(value: number, low: number, high: number): number {
  return value < low ? low : Math.min(value, high)
}

function horner(x: number, coefficients: readonly number[]): number {
  let p = coefficients[0]!
  for (let i = 1; i < coefficients.length; i++) p = fma32(p, x, coefficients[i]!)
  return p
}

const EXP = {
  low: f32(-103.9720840454),
  high: f32(88.776262664795),
  /** 1.5 * 2^23: adding it rounds to an integer, which then stands in the low bits. */
  bias: 12582912,
  log2e: f32(Math.LOG2E),
  ln2High: f32(-6.93145752e-1),
  ln2Low: f32(-1.42860677e-6),
} as const
/** 0x1.694p-10, 0x1.125edcp-7, 0x1.555b5ap-5, 0x1.55545p-3, 0x1.fffff6p-2, 1 */
const EXP_POLYNOMIAL = [0x3ab4a000, 0x3c092f6e, 0x3d2aadad, 0x3e2aaa28, 0x3efffffb, 0x3f800000].map(floatOfBits)

export function exp32(value: number): number {
  if (Number.isNaN(value)) return Number.NaN
  const x = clamp(value, EXP.low, EXP.high)
  const biased = fma32(x, EXP.log2e, EXP.bias)
  const m = f32(biased - EXP.bias)
  const r = fma32(m, EXP.ln2Low, fma32(m, EXP.ln2High, x))
  // 2^m in two factors, since m reaches from -150 to 128 and one exponent does not.
  const shifted = bitsOfFloat(biased) << 23
  const normal = Math.max(Math.min(shifted, 0x3f800000), 0xc1000000 | 0)
  const first = floatOfBits((shifted - normal + 0x3f800000) | 0)
  const second = floatOfBits((normal + 0x3f800000) | 0)
  return f32(fma32(horner(r, EXP_POLYNOMIAL), f32(r * first), first) * second)
}

const TANH_ALPHA = [
  -2.76076847742355e-16, 2.00018790482477e-13, -8.60467152213735e-11, 5.12229709037114e-8, 1.48572235717979e-5,
  6.37261928875436e-4, 4.89352455891786e-3,
].map(f32)
const TANH_BETA = [1.19825839466702e-6, 1.18534705686654e-4, 2.268434632439e-3, 4.89352518554385e-3].map(f32)

export function tanh32(value: number): number {
  if (Number.isNaN(value)) return Number.NaN
  const x = clamp(value, -9, 9)
  const square = f32(x * x)
  return f32(f32(horner(square, TANH_ALPHA) * x) / horner(square, TANH_BETA))
}

const SIGMOID_ALPHA = [
  4.37031012579801e-11, 1.15627324459942e-7, 6.08574864600143e-5, 8.51377133304701e-3, 2.48287947061529e-1,
].map(f32)
const SIGMOID_BETA = [
  6.10247389755681e-13, 5.76102136993427e-9, 6.2910678501704e-6, 1.70198817374094e-3, 1.16817656904453e-1,
  9.9315192102318e-1,
].map(f32)

export function sigmoid32(value: number): number {
  if (Number.isNaN(value)) return Number.NaN
  const x = clamp(value, -18, 18)
  const square = f32(x * x)
  const half = f32(f32(horner(square, SIGMOID_ALPHA) * x) / horner(square, SIGMOID_BETA))
  return clamp(f32(half + 0.5), 0, 1)
}

const ERF_SMALL = [-5.99104969e-4, 4.99339588e-3, -2.67667342e-2, 1.12818025e-1, -3.76124859e-1, 1.28379151e-1].map(f32)
const ERF_BIG = [
  1.7294893e-5, -3.8320868e-4, 3.88393435e-3, -2.42545605e-2, 1.06777847e-1, 6.34846687e-1, 1.28717512e-1,
].map(f32)
const ERF_EXP = [1.38319808e-3, 8.37550033e-3, 4.16689515e-2, 1.66664466e-1, 4.99999851e-1, 1, 1].map(f32)
const ERF_LIMIT = f32(3.925)
const ERF_SPLIT = f32(0.921875)
const ERF_EXP_LOW = f32(-88.3762626647949)

export function erf32(value: number): number {
  if (Number.isNaN(value)) return Number.NaN
  const x = Math.min(Math.abs(value), ERF_LIMIT)
  const size = x > ERF_SPLIT ? erfBig(x) : fma32(horner(f32(x * x), ERF_SMALL), x, x)
  return value < 0 || Object.is(value, -0) ? -size : size
}

/** 1 - exp(-p(x)). */
function erfBig(x: number): number {
  const power = Math.max(-fma32(horner(x, ERF_BIG), x, x), ERF_EXP_LOW)
  const biased = fma32(EXP.log2e, power, EXP.bias)
  const m = f32(biased - EXP.bias)
  const r = fma32(m, EXP.ln2Low, fma32(m, EXP.ln2High, power))
  return f32(1 - f32(horner(r, ERF_EXP) * 2 ** m))
}
