import { elementCount, type Tensor } from "#protocol"
import { createBuilder } from "../program/builder.ts"
import { floatOfBits } from "../program/float32.ts"
import { createOps } from "../program/ops.ts"
import { writeProgram } from "../program/writeProgram.ts"
import { encodeElements } from "../tensor/elements.ts"
import { CASES, type Operand } from "./cases.ts"

/**
 * The self-test's models: small programs that between them use every primitive, since programs are all that exact work
 * consists of. Weights and inputs come from integer arithmetic, so every machine builds the same bytes.
 */
export type SelfTestModel = { readonly name: string; readonly bytes: Uint8Array; readonly inputs: readonly Tensor[] }

export function selfTestModels(): SelfTestModel[] {
  return CASES.map(({ name, inputs, constants = {}, build }, i) => {
    const fill = filler(i + 1)
    const builder = createBuilder()
    const specs = Object.entries(inputs).map(([name, { dtype = "float32", dims }]) => ({ name, dtype, dims }))
    const given = Object.fromEntries([
      ...specs.map(({ name, dtype, dims }) => [name, builder.input(name, dtype, dims)] as const),
      ...Object.entries(constants).map(([name, operand]) => [name, builder.constant(fill(operand))] as const),
    ])
    const results = Object.entries(build(createOps(builder), given))
    const bytes = writeProgram(builder, specs, results, [], name)
    return { name, bytes, inputs: Object.values(inputs).map(fill) }
  })
}

/** Both zeros, subnormals, infinities, NaN, ties, and ends of the approximated functions' ranges. */
const SPECIAL = [
  0x00000000, 0x80000000, 0x00000001, 0x807fffff, 0x00800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x33800001,
  0x7f7fffff, 0xff7fffff, 0x3f000000, 0xbf000000, 0x3fc00000, 0x40200000, 0xc0200000, 0x4b000001, 0xcb000001,
  0x42b17218, 0xc2aeac50, 0xc2cff1b5, 0x41100000, 0xc1100000, 0x41900000, 0xc1900000, 0x3f6c0000, 0x407b3333,
].map(floatOfBits)

/** Numbers with full mantissas between low and high, from a linear congruential generator. */
function filler(seed: number): (operand: Operand) => Tensor {
  let state = Math.imul(seed, 2_654_435_761) >>> 0
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  return ({ dtype = "float32", dims, low = -1, high = 1, special = false, values = [] }) => {
    const drawn = Array.from({ length: elementCount(dims) }, () => {
      const value = low + (high - low) * next()
      return dtype === "float32" ? value : Math.floor(value)
    })
    // Spread, so that they meet every lane of a vector and its tail.
    if (special) for (const [i, value] of SPECIAL.entries()) drawn[(i * 19) % drawn.length] = value
    for (const [i, value] of values.entries()) drawn[i] = value
    return { dtype, dims, data: encodeElements(dtype, drawn) }
  }
}
