import assert from "node:assert/strict"
import { after, test } from "node:test"
import type { Hex } from "viem"
import { int64s, tensorOf } from "#engine/program/elements.ts"
import { PRIMITIVES, type Tensor } from "#protocol"
import { createJudge, type Judged, openRange, operationOf } from "./support/judge.ts"
import { bitsOf, createDice, floatsOf, runNode } from "./support/operations.ts"

const judge = await createJudge()
after(() => judge.close())

const dice = createDice(11)
const floats = (...dims: number[]) => floatsOf(dice, dims, { manner: "near", plain: true })
/** The first number is one, the second none. */
const nan = (...dims: number[]) => tensorOf("float32", dims, Float32Array.of(1, Number.NaN))
const ints = (dims: number[], ...values: number[]) => tensorOf("int32", dims, Int32Array.from(values))

function judged(
  code: number,
  attributes: bigint[],
  operands: Tensor[],
  dtype: Tensor["dtype"],
  dims: number[],
): Judged {
  return { primitive: { code, attributes, dtype, dims }, operands }
}

const add = judged(PRIMITIVES.ADD, [], [floats(2, 3), floats(2, 3)], "float32", [2, 3])
const product = judged(PRIMITIVES.MATMUL, [256n], [floats(2, 600), floats(3, 600)], "float32", [2, 3])
const change = (base: Judged, primitive: Partial<Judged["primitive"]>): Judged => ({
  ...base,
  primitive: { ...base.primitive, ...primitive },
})

const ILL: readonly [string, Judged, number][] = [
  ["an element outside the result", add, 6],
  ["a code that no primitive has", change(add, { code: 5 }), 0],
  ["a code above all others", change(add, { code: 900 }), 0],
  ["one attribute too many", change(add, { attributes: [1n] }), 0],
  ["an operand too few", { ...add, operands: add.operands.slice(1) }, 0],
  ["no operand at all", { ...add, operands: [] }, 0],
  ["types that do not fit", change(add, { dtype: "int32" }), 0],
  ["shapes that do not broadcast", { ...add, operands: [floats(2, 2), floats(2, 3)] }, 2],
  ["a result beyond all limits", change(add, { dims: [2 ** 40, 2 ** 40] }), 0],
  ["a chain without a block", change(product, { attributes: [] }), 0],
  ["a block of 0", change(product, { attributes: [0n] }), 0],
  ["a negative block", change(product, { attributes: [-256n] }), 0],
  ["factors of two lengths", { ...product, operands: [floats(2, 8), floats(3, 9)] }, 0],
  ["a view outside its operand", judged(PRIMITIVES.VIEW, [0n, 100n], [floats(8)], "float32", [2]), 1],
  ["a view before its operand", judged(PRIMITIVES.VIEW, [-1n, 0n], [floats(8)], "float32", [2]), 1],
  ["an axis that is none", judged(PRIMITIVES.CONCAT, [3n], [floats(2), floats(2)], "float32", [4]), 0],
  [
    "a greatest int64, which onnxruntime gets wrong",
    judged(PRIMITIVES.MAX, [], [int64s([16]), int64s([3902118967])], "int64", [1]),
    0,
  ],
  [
    "a greatest int64 of a row, which onnxruntime gets wrong",
    judged(PRIMITIVES.REDUCE_MAX, [], [int64s([16, 3902118967])], "int64", [1]),
    0,
  ],
  [
    "a greatest of a window with a NaN",
    judged(PRIMITIVES.POOL_MAX, [1n, 2n, 1n, 1n, 0n, 0n, 1n, 1n], [nan(1, 1, 1, 2)], "float32", [1, 1, 1, 1]),
    0,
  ],
  [
    "a window that steps over the image, from one padding to the other",
    judged(PRIMITIVES.POOL_MAX, [2n, 1n, 1n, 1n, 1n, 0n, 2n, 1n], [floats(1, 1, 1, 3)], "float32", [1, 1, 1, 3]),
    0,
  ],
  ["a greatest of a row with a NaN", judged(PRIMITIVES.REDUCE_MAX, [], [nan(2)], "float32", [1]), 0],
  ["the place of the least of a row with a NaN", judged(PRIMITIVES.ARG_MIN, [], [nan(2)], "int64", [1]), 0],
  ["a scale of 0", judged(PRIMITIVES.QUANTIZE, [0n, 0n], [floats(4)], "uint8", [4]), 0],
  ["a zero point that is no byte", judged(PRIMITIVES.QUANTIZE, [0x3f800000n, 256n], [floats(4)], "uint8", [4]), 0],
  [
    "a kernel without cells",
    judged(
      PRIMITIVES.CONV,
      [1n, 1n, 1n, 1n, 0n, 0n, 1n, 1n],
      [floats(1, 1, 2, 2), floats(1, 1, 0, 2)],
      "float32",
      [1, 1, 2, 2],
    ),
    0,
  ],
]

for (const [name, operation, element] of ILL)
  test(`an ill-formed operation is never answered: ${name}`, async () => {
    await assert.rejects(judge.evaluate(operation, [element]), /RefereeUnjudgeable/)
  })

test("a byte that is not opened is named, and nothing is taken for zero", async () => {
  const operation = operationOf(product)
  const [a, b] = product.operands as [Tensor, Tensor]
  // Element 5 reads row 1 of A, bytes 2,400 to 4,799: chunks 2 to 4.
  const gap = { chunks: [2, 4], data: openRange(a, 4_096, 4_800).data + "00".repeat(1_024) }
  await assert.rejects(judge.call("evaluate", [operation, 5n, [gap, openRange(b)]]), /RefereeNotOpened\(0, 3072\)/)
  const short = openRange(b, 0, 1_024)
  await assert.rejects(judge.call("evaluate", [operation, 5n, [openRange(a), short]]), /RefereeNotOpened\(1, 4800\)/)
})

test("chunks that are no whole number of 1,024 bytes are refused", async () => {
  const [a, b] = add.operands as [Tensor, Tensor]
  const cut = { chunks: [0], data: openRange(a).data.slice(0, -2) as Hex }
  await assert.rejects(judge.call("evaluate", [operationOf(add), 0n, [cut, openRange(b)]]), /RefereeUnjudgeable/)
})

test("where no value is right, any claim is wrong", async () => {
  const gather = judged(PRIMITIVES.GATHER, [0n], [floats(3), ints([2], 3, -4)], "float32", [2])
  const division = judged(PRIMITIVES.DIV, [], [ints([1], 7), ints([1], 0)], "int32", [1])
  const far = judged(
    PRIMITIVES.CAST,
    [],
    [tensorOf("float32", [3], Float32Array.of(256, -1, Number.NaN))],
    "uint8",
    [3],
  )
  const verdicts = [
    ...(await judge.evaluate(gather, [0, 1])),
    ...(await judge.evaluate(division, [0])),
    ...(await judge.evaluate(far, [0, 1, 2])),
  ]
  assert.deepEqual(
    verdicts.map(({ defined }) => defined),
    [false, false, false, false, false, false],
  )
})

test("a chain in parts ends in the same bits as in one, whatever the parts", async () => {
  const inputs = [floats(2, 700), floats(3, 700)]
  const { judged: operation, result } = await runNode({ op: "MatMul", inputs, transposed: true })
  for (const cuts of [[700], [1, 2, 700], [128, 256, 384, 700], [255, 257, 699, 700], [0, 700, 700]]) {
    let state = 0n
    let answer: readonly [bigint, boolean, bigint] = [0n, false, 0n]
    for (const upTo of cuts) {
      const opened = operation.operands.map((tensor) => openRange(tensor))
      const args = [operationOf(operation), 4n, opened, state, BigInt(upTo)]
      answer = (await judge.call("extend", args)) as typeof answer
      assert.equal(answer[1], upTo === 700, "done")
      state = answer[0]
    }
    assert.equal(answer[2], bitsOf(result, 4, 4), `in parts ${cuts}`)
  }
  const opened = operation.operands.map((tensor) => openRange(tensor))
  const back = [operationOf(operation), 4n, opened, 600n << 64n, 500n]
  await assert.rejects(judge.call("extend", back), /RefereeUnjudgeable/)
})
