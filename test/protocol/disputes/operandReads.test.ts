import assert from "node:assert/strict"
import { after, test } from "node:test"
import { numbersOf } from "#engine/program/elements.ts"
import { bytesPerElement, elementCount, type Operation, type Tensor } from "#protocol"
import { chunksOf } from "#protocol/disputes/elementProof.ts"
import { operandReads } from "#protocol/disputes/operandReads.ts"
import { buildTensorTree, NOTHING_OPENED, openChunks } from "#protocol/disputes/tensorTree.ts"
import { createJudge, operationOf } from "../../engine/support/judge.ts"
import { bitsOf, createDice, MAKERS, runNode } from "../../engine/support/operations.ts"

const judge = await createJudge()
after(() => judge.close())

test("the chunks that an element reads are enough for the referee, for every kind of operation", async () => {
  const dice = createDice(11)
  const seen = new Set<string>()
  for (let i = 0; i < 3 * MAKERS.length; i++) {
    const { op, judged, result } = await runNode(MAKERS[i % MAKERS.length]!(dice))
    const operation: Operation = operationOf(judged)
    for (let j = 0; j < 6; j++) {
      const element = dice.below(elementCount(result.dims))
      const valueAt = (operand: number, at: number) => Number(numbersOf(judged.operands[operand]!)[at])
      const reads = operandReads({ operation, element, valueAt })
      const opened = judged.operands.map((tensor, k) => openRuns(tensor, reads[k]!))
      const [bits, defined] = (await judge.call("evaluate", [operation, BigInt(element), opened])) as [bigint, boolean]
      const expected = bitsOf(result, bytesPerElement(result.dtype), element)
      assert.deepEqual({ op, element, defined, bits }, { op, element, defined: true, bits: expected })
    }
    seen.add(op)
  }
  assert.ok(seen.size >= MAKERS.length, "an operation was never read")
})

function openRuns(tensor: Tensor, runs: Parameters<typeof chunksOf>[0]) {
  const chunks = chunksOf(runs, bytesPerElement(tensor.dtype))
  return (chunks.length === 0 ? NOTHING_OPENED : openChunks(tensor, buildTensorTree(tensor), chunks)).opened
}
