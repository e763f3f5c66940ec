import { elementCount, type Tensor } from "#protocol"
import { tensorOf } from "../program/elements.ts"

/** Seeded float32 tensors to start from, the same bits on every machine: integer arithmetic and one rounding each. */
export type Initializer = {
  /** Roughly normal, mean 0. */
  readonly normal: (dims: readonly number[], deviation: number) => Tensor
  readonly filled: (dims: readonly number[], value: number) => Tensor
}

export function createInitializer(seed: number): Initializer {
  let state = seed >>> 0
  // mulberry32: logarithms and cosines of a normal draw would differ between engines, a sum of uniform ones does not.
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const filledBy = (dims: readonly number[], value: () => number): Tensor =>
    tensorOf("float32", dims, new Float32Array(elementCount(dims)).map(value))
  /** Irwin-Hall: twelve uniform draws have variance 1. */
  const draw = (): number => {
    let sum = -6
    for (let i = 0; i < 12; i++) sum += next()
    return sum
  }
  return {
    normal: (dims, deviation) => filledBy(dims, () => draw() * deviation),
    filled: (dims, value) => filledBy(dims, () => value),
  }
}
