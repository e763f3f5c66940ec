import { floats } from "../program/elements.ts"
import type { Nodes } from "./nodes.ts"

/**
 * How an update becomes few bits. All work on chunks of 128 numbers, each with one float32 scale, and all leave the
 * rest to error feedback: what was not sent this round is added to what is sent in the next.
 *
 * - `int4`: sixteen levels but one, -7 to 7, of the chunk's greatest magnitude (https://arxiv.org/abs/2501.18512).
 * - `sign`: one bit a number, of the chunk's mean magnitude (https://arxiv.org/abs/1901.09847).
 * - `dct`: the chunk's cosine transform; of every sixteen coefficients the greatest, by its place and its sign, of the
 *   chunk's mean magnitude among those (after DeMo, https://arxiv.org/abs/2411.19870).
 */
export const COMPRESSIONS = ["int4", "sign", "dct"] as const
export type Compression = (typeof COMPRESSIONS)[number]

/**
 * Second moments, where slots keep none of their own and begin each round with the mean of what all sent: a mean of
 * squares spans many magnitudes and is divided by, so `root4` has sixteen levels, none of them 0, of the fourth root.
 */
export type Coding = Compression | "root4"

export const CHUNK = 128
const LEVELS = 7
const ROOT_LEVELS = 16
const GROUP = 16
const GROUPS = CHUNK / GROUP

/** uint8 a chunk. */
const CODE_BYTES: Record<Coding, number> = { int4: CHUNK / 2, sign: CHUNK / 8, dct: GROUPS, root4: CHUNK / 2 }

/** Shapes of what is sent for `chunks` chunks: codes uint8, scales float32. */
export function codeShapes(compression: Coding, chunks: number): { codes: number[]; scales: number[] } {
  return { codes: [chunks, CODE_BYTES[compression]], scales: [chunks, 1] }
}

/** Values by name: `x` float32 [chunks, 128] becomes `codes` and `scales` as `codeShapes` says. */
export function compress(g: Nodes, compression: Coding, x: string): { codes: string; scales: string } {
  return COMPRESS[compression](g, x)
}

/** What the receiver makes of `codes` and `scales`: float32 [chunks, 128]. */
export function decompress(g: Nodes, compression: Coding, codes: string, scales: string): string {
  return DECOMPRESS[compression](g, codes, scales)
}

const COMPRESS: Record<Coding, (g: Nodes, x: string) => { codes: string; scales: string }> = {
  int4(g, x) {
    const greatest = g.op("ReduceMax", [g.op("Abs", [x])], { axes: [1], keepdims: 1 })
    const scales = g.op("Div", [greatest, g.number(LEVELS)])
    const levels = g.op("Round", [g.op("Div", [x, withoutZero(g, scales)])])
    // Div and Round may come to 8 where the scale was rounded down: the code has no such level.
    const kept = clip(g, levels, LEVELS)
    return { codes: inPairs(g, g.op("Add", [kept, g.number(LEVELS + 1)])), scales }
  },
  sign(g, x) {
    const scales = mean(g, g.op("Abs", [x]))
    const bits = asFloat(g, g.op("Greater", [x, g.number(0)]))
    const packed = sum(
      g,
      Array.from({ length: 8 }, (_, i) =>
        g.op("Mul", [g.slice(bits, { axis: 1, from: i, to: CHUNK, step: 8 }), g.number(2 ** i)]),
      ),
    )
    return { codes: asBytes(g, packed), scales }
  },
  dct(g, x) {
    const coefficients = g.reshape(g.op("MatMul", [x, g.constant(floats([CHUNK, CHUNK], cosines()))]), [-1, GROUP])
    const magnitudes = g.op("Abs", [coefficients])
    const place = g.op("ArgMax", [magnitudes], { axis: 1, keepdims: 1 })
    const places = asFloat(g, place)
    const greatest = g.reshape(g.op("ReduceMax", [magnitudes], { axes: [1], keepdims: 1 }), [-1, GROUPS])
    const scales = mean(g, greatest)
    const chosen = g.op("Where", [isPlace(g, places), coefficients, g.number(0)])
    // One of the sixteen is not zero: its sign is that of greatest and least together.
    const high = g.op("ReduceMax", [chosen], { axes: [1], keepdims: 1 })
    const positive = asFloat(g, g.op("Greater", [high, g.number(0)]))
    const codes = g.op("Add", [g.op("Mul", [places, g.number(2)]), positive])
    return { codes: asBytes(g, g.reshape(codes, [-1, GROUPS])), scales }
  },
  root4(g, x) {
    const roots = g.op("Sqrt", [g.op("Sqrt", [x])])
    const scales = g.op("ReduceMax", [roots], { axes: [1], keepdims: 1 })
    // Upwards, for what is divided by must not come out smaller; 1 to 16 are the codes 0 to 15.
    const levels = g.op("Ceil", [g.op("Mul", [g.op("Div", [roots, withoutZero(g, scales)]), g.number(ROOT_LEVELS)])])
    const codes = g.op("Sub", [levels, g.number(1)])
    const least = g.op("Where", [g.op("Less", [codes, g.number(0)]), g.number(0), codes])
    return { codes: inPairs(g, least), scales }
  },
}

const DECOMPRESS: Record<Coding, (g: Nodes, codes: string, scales: string) => string> = {
  int4(g, codes, scales) {
    const levels = g.op("Sub", [outOfPairs(g, codes), g.number(LEVELS + 1)])
    return g.op("Mul", [levels, scales])
  },
  sign(g, codes, scales) {
    const bits: string[] = []
    let rest = asFloat(g, codes)
    for (let i = 0; i < 8; i++) {
      const half = g.op("Floor", [g.op("Mul", [rest, g.number(0.5)])])
      bits.push(g.op("Sub", [rest, g.op("Mul", [half, g.number(2)])]))
      rest = half
    }
    const signs = g.op("Sub", [g.op("Mul", [interleave(g, bits), g.number(2)]), g.number(1)])
    return g.op("Mul", [signs, scales])
  },
  dct(g, codes, scales) {
    const bytes = asFloat(g, g.reshape(codes, [-1, 1]))
    const places = g.op("Floor", [g.op("Mul", [bytes, g.number(0.5)])])
    const bits = g.op("Sub", [bytes, g.op("Mul", [places, g.number(2)])])
    const signs = g.op("Sub", [g.op("Mul", [bits, g.number(2)]), g.number(1)])
    const spread = g.reshape(g.op("Mul", [asFloat(g, isPlace(g, places)), signs]), [-1, CHUNK])
    const coefficients = g.op("Mul", [spread, scales])
    return g.op("MatMul", [coefficients, g.constant(floats([CHUNK, CHUNK], transposed(cosines())))])
  },
  root4(g, codes, scales) {
    const levels = g.op("Add", [outOfPairs(g, codes), g.number(1)])
    const root = g.op("Mul", [g.op("Mul", [levels, g.number(1 / ROOT_LEVELS)]), scales])
    const square = g.op("Mul", [root, root])
    return g.op("Mul", [square, square])
  },
}

/** Whole numbers from 0 to 15, two a byte. */
function inPairs(g: Nodes, codes: string): string {
  const [even, odd] = [0, 1].map((from) => g.slice(codes, { axis: 1, from, to: CHUNK, step: 2 }))
  return asBytes(g, g.op("Add", [g.op("Mul", [even!, g.number(16)]), odd!]))
}

function outOfPairs(g: Nodes, codes: string): string {
  const bytes = asFloat(g, codes)
  const high = g.op("Floor", [g.op("Mul", [bytes, g.number(1 / 16)])])
  const low = g.op("Sub", [bytes, g.op("Mul", [high, g.number(16)])])
  return interleave(g, [high, low])
}

/** A chunk of zeros has scale 0, and its numbers over any scale are 0. */
function withoutZero(g: Nodes, scales: string): string {
  return g.op("Where", [g.op("Equal", [scales, g.number(0)]), g.number(1), scales])
}

function clip(g: Nodes, x: string, most: number): string {
  const upper = g.op("Where", [g.op("Greater", [x, g.number(most)]), g.number(most), x])
  return g.op("Where", [g.op("Less", [upper, g.number(-most)]), g.number(-most), upper])
}

/** Of each row. */
function mean(g: Nodes, x: string): string {
  return g.op("ReduceMean", [x], { axes: [1], keepdims: 1 })
}

function sum(g: Nodes, values: readonly string[]): string {
  return values.reduce((total, value) => g.op("Add", [total, value]))
}

function isPlace(g: Nodes, places: string): string {
  return g.op("Equal", [
    g.constant(
      floats(
        [1, GROUP],
        Array.from({ length: GROUP }, (_, i) => i),
      ),
    ),
    places,
  ])
}

/** Columns of all, in turns: [chunks, n] each, to [chunks, 128]. */
function interleave(g: Nodes, values: readonly string[]): string {
  const columns = values.map((value) => g.reshape(value, [-1, CHUNK / values.length, 1]))
  return g.reshape(g.op("Concat", columns, { axis: 2 }), [-1, CHUNK])
}

function asFloat(g: Nodes, value: string): string {
  return g.op("Cast", [value], { to: 1 })
}

function asBytes(g: Nodes, value: string): string {
  return g.op("Cast", [value], { to: 2 })
}

/** Columns are the orthonormal cosines of the DCT-II. */
function cosines(): Float32Array {
  return Float32Array.from({ length: CHUNK * CHUNK }, (_, at) => {
    const [n, k] = [Math.floor(at / CHUNK), at % CHUNK]
    return Math.sqrt((k === 0 ? 1 : 2) / CHUNK) * Math.cos((Math.PI * (2 * n + 1) * k) / (2 * CHUNK))
  })
}

function transposed(square: Float32Array): Float32Array {
  return square.map((_, at) => square[(at % CHUNK) * CHUNK + Math.floor(at / CHUNK)]!)
}
