import { createHash } from "node:crypto"
import { engineError } from "../errors.ts"
import type { Value } from "../program/builder.ts"
import { int64s } from "../program/elements.ts"
import type { Ops } from "../program/ops.ts"

/**
 * Which sample stands where in a stream of data, by exact integer arithmetic alone, so that anyone can say what was in
 * which step. Position t = cursor * batch + row of stream `slot` is sample
 *
 *   (multiplier * (t mod count) + shift) mod count, epoch = t div count, pass = (slot * STRIDE + epoch) mod 2^31
 *
 * with multiplier = multipliers[pass mod TABLE], each coprime to count, so that every epoch of a stream meets every
 * sample once, and shift = (pass mod count) * step mod count.
 */
export type SampleOrder = {
  /** Samples of the data set. */
  readonly count: number
  readonly multipliers: readonly number[]
  readonly step: number
}

const TABLE = 64
/** Odd, so that streams start at different places of the table. */
const STRIDE = 40503
/** Products of two remainders stay below 2^62. */
const MOST_SAMPLES = 2 ** 31 - 1

/** Throws E_TRAIN_OPTION for a number of samples that exact arithmetic does not hold. */
export function createSampleOrder(count: number, seed: number): SampleOrder {
  if (!Number.isInteger(count) || count < 1 || count > MOST_SAMPLES)
    throw engineError("E_TRAIN_OPTION", `a data set has 1 to ${MOST_SAMPLES} samples, not ${count}`)
  const number = (label: string): number => {
    const digest = createHash("sha256").update(`sample order ${seed} ${count} ${label}`).digest()
    return Number(digest.readBigUInt64LE() % BigInt(count))
  }
  const coprime = (label: string): number => {
    let candidate = number(label)
    while (gcd(candidate, count) !== 1) candidate = (candidate + 1) % count
    return candidate
  }
  return {
    count,
    multipliers: Array.from({ length: TABLE }, (_, i) => (count === 1 ? 1 : coprime(`multiplier ${i}`))),
    step: number("step"),
  }
}

/** The samples of one step, by their rows in the data set. */
export function samplesOf(
  order: SampleOrder,
  { slot, cursor, batch }: { readonly slot: bigint; readonly cursor: bigint; readonly batch: number },
): number[] {
  return Array.from({ length: batch }, (_, row) => sampleAt(order, slot, cursor * BigInt(batch) + BigInt(row)))
}

/** The sample at one position of a stream. */
export function sampleAt({ count, multipliers, step }: SampleOrder, slot: bigint, position: bigint): number {
  const n = BigInt(count)
  const pass = (slot * BigInt(STRIDE) + position / n) % 2n ** 31n
  const multiplier = BigInt(multipliers[Number(pass % BigInt(TABLE))]!)
  return Number((multiplier * (position % n) + (((pass % n) * BigInt(step)) % n)) % n)
}

/** The same in the graph: int64 [batch] from slot and cursor, int64 [1] each. */
export function sampleIndices(o: Ops, order: SampleOrder, slot: Value, cursor: Value, batch: number): Value {
  const { count, multipliers, step } = order
  const whole = (value: number) => o.number("int64", value)
  const remainder = (a: Value, b: number) => o.sub(a, o.mul(o.div(a, whole(b)), whole(b)))
  const t = o.add(o.mul(cursor, whole(batch)), o.constant(int64s([...new Array(batch).keys()])))
  const epoch = o.div(t, whole(count))
  const pass = remainder(o.add(o.mul(slot, whole(STRIDE)), epoch), 2 ** 31)
  const multiplier = o.gather(o.constant(int64s(multipliers)), remainder(pass, TABLE), 0)
  const shift = remainder(o.mul(remainder(pass, count), whole(step)), count)
  const place = o.sub(t, o.mul(epoch, whole(count)))
  return remainder(o.add(o.mul(multiplier, place), shift), count)
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}
