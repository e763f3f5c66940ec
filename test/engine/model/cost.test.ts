import assert from "node:assert/strict"
import { after, test } from "node:test"
import { createRunner, inspectModel, type NodeSpec, writeModel } from "#engine"

const runner = createRunner()
after(() => runner.close())

type Case = {
  name: string
  node: Omit<NodeSpec, "inputs" | "outputs">
  inputs: number[][]
  output: number[]
  flops: number
}

const einsum = (equation: string, inputs: number[][], output: number[], flops: number): Case => ({
  name: equation,
  node: { op: "Einsum", attributes: { equation: { s: equation } } },
  inputs,
  output,
  flops,
})

const CASES: readonly Case[] = [
  {
    name: "MatMul",
    node: { op: "MatMul" },
    inputs: [
      [3, 4],
      [4, 5],
    ],
    output: [3, 5],
    flops: 2 * 3 * 4 * 5,
  },
  einsum(
    "ij,jk->ik",
    [
      [3, 4],
      [4, 5],
    ],
    [3, 5],
    2 * 3 * 4 * 5,
  ),
  einsum(
    "bqhd,bkhd->bhqk",
    [
      [2, 3, 6, 4],
      [2, 5, 6, 4],
    ],
    [2, 6, 3, 5],
    2 * 2 * 3 * 5 * 6 * 4,
  ),
  einsum(
    "...ij,...jk->...ik",
    [
      [7, 2, 3, 4],
      [7, 2, 4, 5],
    ],
    [7, 2, 3, 5],
    2 * 7 * 2 * 3 * 4 * 5,
  ),
  {
    name: "Attention",
    node: { op: "Attention" },
    inputs: [
      [2, 6, 3, 4],
      [2, 6, 5, 4],
      [2, 6, 5, 8],
    ],
    output: [2, 6, 3, 8],
    flops: 2 * 2 * 6 * 3 * 5 * (4 + 8),
  },
]

for (const { name, node, inputs, output, flops } of CASES)
  test(`behavior: the cost of ${name} is twice its multiplications`, async () => {
    const names = inputs.map((_, i) => `x${i}`)
    const model = writeModel({
      name: "one",
      nodes: [{ ...node, inputs: names, outputs: ["y"] }],
      inputs: inputs.map((dims, i) => ({ name: `x${i}`, dtype: "float32", dims })),
      outputs: [{ name: "y", dtype: "float32", dims: output }],
      opset: 23,
      irVersion: 9,
    })
    assert.equal((await inspectModel({ runner }, model)).flops, flops)
  })
