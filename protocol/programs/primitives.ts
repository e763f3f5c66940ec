/** Codes of the primitive operations; `docs/primitives.md` defines each to the bit, `contracts/types/Primitives.sol` repeats them. */
export const PRIMITIVES = {
  ADD: 1,
  SUB: 2,
  MUL: 3,
  DIV: 4,
  NEG: 10,
  ABS: 11,
  SQRT: 12,
  FLOOR: 13,
  CEIL: 14,
  ROUND: 15,
  EXP: 16,
  TANH: 17,
  SIGMOID: 18,
  ERF: 19,
  LESS: 20,
  GREATER: 21,
  EQUAL: 22,
  LESS_OR_EQUAL: 23,
  GREATER_OR_EQUAL: 24,
  AND: 25,
  OR: 26,
  NOT: 27,
  XOR: 28,
  WHERE: 30,
  CAST: 31,
  MIN: 32,
  MAX: 33,
  RELU: 34,
  QUANTIZE: 35,
  VIEW: 40,
  PAD: 41,
  CONCAT: 42,
  GATHER: 43,
  REDUCE_MAX: 50,
  REDUCE_MIN: 51,
  ARG_MAX: 52,
  ARG_MIN: 53,
  POOL_MAX: 54,
  MATMUL: 60,
  MATMUL_INTEGER: 61,
  CONV: 62,
  CONV_INTEGER: 63,
} as const

export type PrimitiveName = keyof typeof PRIMITIVES
export type PrimitiveCode = (typeof PRIMITIVES)[PrimitiveName]

const NAMES = new Map<number, PrimitiveName>(
  Object.entries(PRIMITIVES).map(([name, code]) => [code, name as PrimitiveName]),
)

/** The name of a code, or undefined where no primitive has it. */
export function primitiveName(code: number): PrimitiveName | undefined {
  return NAMES.get(code)
}
