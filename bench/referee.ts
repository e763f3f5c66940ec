import { PRIMITIVES, type Tensor } from "#protocol"
import { createJudge, type Judge, type Judged, openRange, operationOf } from "../test/engine/support/judge.ts"
import { createDice, floatsOf, integersOf } from "../test/engine/support/operations.ts"
import type { Figure } from "./figure.ts"

const LENGTHS = [256, 1_024, 4_096]

/**
 * Gas of judging one element in a transaction of its own: the 21,000 of every transaction, the calldata of the operation
 * and of the chunks that it reads, and the work. Without the proofs that the chunks belong to the operands.
 */
export async function referee(): Promise<Figure[]> {
  const judge = await createJudge()
  const dice = createDice(1)
  try {
    const figures: Figure[] = []
    const add = async (name: string, judged: Judged, goal?: number, opened = whole(judged)) => {
      const value = await judge.gas("evaluate", [operationOf(judged), 0n, opened])
      figures.push(figure(name, value, goal))
    }
    for (const k of LENGTHS) {
      const operands = [integersOf(dice, "uint8", [4, k]), integersOf(dice, "uint8", [4, k])]
      const judged = operation(PRIMITIVES.MATMUL_INTEGER, [128n, 3n], operands, "int32", [4, 4])
      const rows = operands.map((tensor) => openRange(tensor, 0, k))
      await add(`uint8 product, K = ${k}`, judged, k === 4_096 ? 400_000 : undefined, rows)
    }
    for (const k of LENGTHS) {
      const operands = [near([4, k]), near([4, k])]
      const judged = operation(PRIMITIVES.MATMUL, [256n], operands, "float32", [4, 4])
      const rows = operands.map((tensor) => openRange(tensor, 0, 4 * k))
      await add(`float32 product, K = ${k}`, judged, k === 1_024 ? 1_600_000 : undefined, rows)
    }
    figures.push(figure("float32 product, K = 16384, in four transactions", await inParts(judge, 16_384, 4)))
    const window = [1n, 1n, 1n, 1n, 1n, 1n, 1n]
    for (const channels of [3, 16]) {
      const x = near([1, channels, 8, 8])
      const w = near([4, channels, 3, 3])
      const conv = operation(PRIMITIVES.CONV, [128n, ...window], [x, w], "float32", [1, 4, 8, 8])
      await add(`float32 convolution, ${channels} channels, 3 x 3`, conv)
      const bytes = [x, w].map(({ dims }) => integersOf(dice, "uint8", dims))
      const integer = operation(PRIMITIVES.CONV_INTEGER, [128n, 3n, ...window], bytes, "int32", [1, 4, 8, 8])
      await add(`uint8 convolution, ${channels} channels, 3 x 3`, integer)
    }
    const x = near([16, 16])
    const two = [x, near([16, 16])]
    for (const name of ["ADD", "MUL", "DIV"] as const)
      await add(`${name}, float32`, operation(PRIMITIVES[name], [], two, "float32", [16, 16]))
    for (const name of ["SQRT", "ROUND", "EXP", "TANH", "SIGMOID", "ERF"] as const)
      await add(`${name}, float32`, operation(PRIMITIVES[name], [], [x], "float32", [16, 16]))
    await add("CAST, float32 to int32", operation(PRIMITIVES.CAST, [], [x], "int32", [16, 16]))
    await add("VIEW, a transpose", operation(PRIMITIVES.VIEW, [0n, 1n, 16n], [x], "float32", [16, 16]))
    const indices = integersOf(dice, "int32", [4])
    indices.data.fill(0)
    await add("GATHER", operation(PRIMITIVES.GATHER, [0n], [x, indices], "float32", [4, 16]))
    const row = floatsOf(dice, [1, 1_024], { plain: true, manner: "near", nan: false, negativeZero: false })
    await add("REDUCE_MAX, float32, 1,024", operation(PRIMITIVES.REDUCE_MAX, [], [row], "float32", [1]))
    return figures

    function near(dims: readonly number[]): Tensor {
      return floatsOf(dice, dims, { plain: true, manner: "near", nan: false })
    }

    async function inParts(judge: Judge, k: number, parts: number): Promise<number> {
      const operands = [near([4, k]), near([4, k])]
      const judged = operation(PRIMITIVES.MATMUL, [256n], operands, "float32", [4, 4])
      let [state, gas] = [0n, 0]
      for (let part = 1; part <= parts; part++) {
        const [from, upTo] = [((part - 1) * k) / parts, (part * k) / parts]
        const opened = operands.map((tensor) => openRange(tensor, 4 * from, 4 * upTo))
        const args = [operationOf(judged), 0n, opened, state, BigInt(upTo)]
        gas += await judge.gas("extend", args)
        const [next] = (await judge.call("extend", args)) as [bigint]
        state = next
      }
      return gas
    }
  } finally {
    await judge.close()
  }
}

function operation(
  code: number,
  attributes: readonly bigint[],
  operands: readonly Tensor[],
  dtype: Tensor["dtype"],
  dims: readonly number[],
): Judged {
  return { primitive: { code, attributes, dtype, dims }, operands }
}

function whole({ operands }: Judged) {
  return operands.map((tensor) => openRange(tensor))
}

function figure(name: string, value: number, goal?: number): Figure {
  return {
    name: `referee, ${name}`,
    value,
    unit: "gas",
    against: goal === undefined ? "no goal" : `at most ${goal}`,
    ratio: goal === undefined ? null : value / goal,
  }
}
