import assert from "node:assert/strict"
import { after, test } from "node:test"
import { buildStep, compileProgram, createRunner, initialState } from "#engine"
import { DERIVATIVES } from "#engine/train/derivatives/index.ts"
import { createGraph, type Graph } from "./graph.ts"
import { floatsOf, floatTensor, intTensor, segmentRunner, spread } from "./support.ts"

const runner = createRunner()
after(() => runner.close())

type Case = {
  readonly parameters: Readonly<Record<string, readonly number[]>>
  /** Moves the parameters to where the function is defined and smooth. */
  readonly place?: (value: number) => number
  /** The value whose weighed sum is the loss; `x` is an input of shape [2, 3]. */
  readonly of: (g: Graph) => string
}

const ints = (g: Graph, values: readonly number[]) => g.constant(intTensor([values.length], values))
const scalar = (g: Graph, value: number) => g.constant(floatTensor([], [value]))
const unary = (op: string, place?: Case["place"]): Case => ({
  parameters: { a: [2, 3] },
  ...(place ? { place } : {}),
  of: (g) => g.node(op, ["a"]),
})
const binary = (op: string, a: readonly number[], b: readonly number[], place?: Case["place"]): Case => ({
  parameters: { a, b },
  ...(place ? { place } : {}),
  of: (g) => g.node(op, ["a", "b"]),
})
const positive = (value: number) => 1.5 + value
const conv = (
  x: readonly number[],
  w: readonly number[],
  attributes: Record<string, number | readonly number[]>,
): Case => ({
  parameters: { a: x, w },
  of: (g) => g.node("Conv", ["a", "w"], { kernel_shape: w.slice(2), ...attributes }),
})
const pool = (op: string, x: readonly number[], attributes: Record<string, number | readonly number[]>): Case => ({
  parameters: { a: x },
  of: (g) => g.node(op, ["a"], attributes),
})

const CASES: Readonly<Record<string, Case>> = {
  "Add of equal shapes": binary("Add", [2, 3], [2, 3]),
  "Add of a row": binary("Add", [2, 3], [3]),
  "Add of a column": binary("Add", [2, 3], [2, 1]),
  "Add of an inner axis": binary("Add", [2, 3, 4], [3, 1]),
  "Add that repeats both": binary("Add", [2, 1, 4], [3, 1]),
  Sub: binary("Sub", [2, 3], [3]),
  Mul: binary("Mul", [2, 3], [2, 1]),
  "Mul of a value with itself": { parameters: { a: [2, 3] }, of: (g) => g.node("Mul", ["a", "a"]) },
  Div: binary("Div", [2, 3], [3], positive),
  Neg: unary("Neg"),
  Abs: unary("Abs"),
  Sqrt: unary("Sqrt", positive),
  Exp: unary("Exp"),
  Tanh: unary("Tanh"),
  Sigmoid: unary("Sigmoid"),
  Erf: unary("Erf"),
  Log: unary("Log", positive),
  Relu: unary("Relu"),
  Gelu: {
    parameters: { a: [2, 3] },
    of: (g) => {
      const erf = g.node("Erf", [g.node("Div", ["a", scalar(g, Math.SQRT2)])])
      return g.node("Mul", [g.node("Mul", ["a", g.node("Add", [erf, scalar(g, 1)])]), scalar(g, 0.5)])
    },
  },
  Softplus: unary("Softplus"),
  "Pow of 2": { parameters: { a: [2, 3] }, of: (g) => g.node("Pow", ["a", scalar(g, 2)]) },
  Softmax: { parameters: { a: [2, 3] }, of: (g) => g.node("Softmax", ["a"], { axis: -1 }) },
  "Softmax over an inner axis": { parameters: { a: [2, 3, 2] }, of: (g) => g.node("Softmax", ["a"], { axis: 1 }) },
  LogSoftmax: { parameters: { a: [2, 3] }, of: (g) => g.node("LogSoftmax", ["a"], { axis: -1 }) },
  LayerNormalization: {
    parameters: { a: [2, 6], scale: [6], bias: [6] },
    of: (g) => g.node("LayerNormalization", ["a", "scale", "bias"], { axis: -1, epsilon: { f: 1e-5 } }),
  },
  "Where by a mask": {
    parameters: { a: [2, 3], b: [3] },
    of: (g) => g.node("Where", [g.node("Greater", ["x", scalar(g, 0)]), "a", "b"]),
  },
  "Where by a row": {
    parameters: { a: [2, 3], b: [2, 1] },
    of: (g) => g.node("Where", [g.constant({ dtype: "bool", dims: [3], data: Uint8Array.of(1, 0, 1) }), "a", "b"]),
  },
  Max: binary("Max", [2, 3], [2, 3]),
  Transpose: { parameters: { a: [2, 3, 2] }, of: (g) => g.node("Transpose", ["a"], { perm: [1, 2, 0] }) },
  Reshape: { parameters: { a: [2, 3] }, of: (g) => g.node("Reshape", ["a", ints(g, [3, 2])]) },
  Expand: { parameters: { a: [2, 1] }, of: (g) => g.node("Expand", ["a", ints(g, [3, 2, 4])]) },
  Slice: {
    parameters: { a: [4, 5] },
    of: (g) => g.node("Slice", ["a", ints(g, [1]), ints(g, [4]), ints(g, [1]), ints(g, [1])]),
  },
  "Slice with steps up and down": {
    parameters: { a: [4, 7] },
    of: (g) => g.node("Slice", ["a", ints(g, [3, 1]), ints(g, [-9, 7]), ints(g, [0, 1]), ints(g, [-2, 3])]),
  },
  "Split of which a part is used twice": {
    parameters: { a: [2, 6] },
    of: (g) => {
      const [first, , last] = g.split("a", 3, 1)
      return g.node("Mul", [g.node("Mul", [first!, last!]), first!])
    },
  },
  "Split whose parts are joined with a gap": {
    parameters: { a: [2, 6] },
    of: (g) => {
      const [first, , last] = g.split("a", 3, 1)
      return g.node("Mul", [first!, last!])
    },
  },
  Pad: {
    parameters: { a: [2, 3] },
    of: (g) => g.node("Pad", ["a", ints(g, [1, 0, 0, 2]), scalar(g, 0)], { mode: { s: "constant" } }),
  },
  "Concat of different sizes": {
    parameters: { a: [2, 3], b: [2, 1] },
    of: (g) => g.node("Concat", ["a", "b", "a"], { axis: 1 }),
  },
  "Gather of rows, some twice": {
    parameters: { a: [5, 3] },
    of: (g) => g.node("Gather", ["a", g.constant(intTensor([2, 3], [4, 0, 4, -1, 2, 0]))], { axis: 0 }),
  },
  "Gather of an inner axis": {
    parameters: { a: [2, 4, 3] },
    of: (g) => g.node("Gather", ["a", ints(g, [3, 1, 3])], { axis: 1 }),
  },
  ReduceMax: { parameters: { a: [3, 4] }, of: (g) => g.node("ReduceMax", ["a"], { axes: [1], keepdims: 0 }) },
  "ReduceMin over the first axis": {
    parameters: { a: [3, 4] },
    of: (g) => g.node("ReduceMin", ["a"], { axes: [0], keepdims: 1 }),
  },
  ReduceSum: { parameters: { a: [2, 3, 4] }, of: (g) => g.node("ReduceSum", ["a", ints(g, [0, 2])], { keepdims: 0 }) },
  ReduceMean: { parameters: { a: [2, 3, 4] }, of: (g) => g.node("ReduceMean", ["a"], { axes: [1], keepdims: 1 }) },
  "MatMul of matrices": binary("MatMul", [3, 4], [4, 2]),
  "MatMul of stacks": binary("MatMul", [2, 3, 4], [2, 4, 2]),
  "MatMul of a stack and a matrix": binary("MatMul", [2, 3, 4], [4, 2]),
  "MatMul that repeats a stack": binary("MatMul", [2, 1, 3, 4], [3, 4, 2]),
  "MatMul of one row and one column": binary("MatMul", [1, 4], [4, 1]),
  "Gemm with everything turned": {
    parameters: { a: [4, 3], b: [2, 4], c: [2] },
    of: (g) => g.node("Gemm", ["a", "b", "c"], { transA: 1, transB: 1, alpha: { f: 0.5 }, beta: { f: 2 } }),
  },
  Conv: conv([2, 2, 5, 4], [3, 2, 3, 3], { pads: [1, 1, 1, 1] }),
  "Conv with strides that leave an edge": conv([1, 2, 6, 7], [2, 2, 3, 2], { strides: [2, 3], pads: [1, 0, 0, 1] }),
  "Conv with dilations": conv([1, 1, 7, 6], [2, 1, 2, 3], { dilations: [3, 2], pads: [0, 2, 1, 0] }),
  "Conv in groups": conv([2, 4, 4, 3], [4, 2, 2, 2], { group: 2 }),
  "Conv of each channel by itself": conv([1, 3, 4, 4], [3, 1, 3, 3], { group: 3, pads: [1, 1, 1, 1] }),
  "MaxPool side by side": pool("MaxPool", [2, 2, 4, 4], { kernel_shape: [2, 2], strides: [2, 2] }),
  "MaxPool that overlaps": pool("MaxPool", [1, 1, 5, 6], {
    kernel_shape: [3, 2],
    strides: [2, 1],
    pads: [1, 0, 1, 1],
  }),
  AveragePool: pool("AveragePool", [1, 2, 4, 4], { kernel_shape: [2, 2], strides: [2, 2] }),
  GlobalAveragePool: pool("GlobalAveragePool", [2, 2, 3, 3], {}),
}

const DIFFERENCE = 2 ** -7
const TOLERANCE = 2e-3

/** Operators of the steps that were checked. */
const covered = new Set<string>()

for (const [name, { parameters, place, of }] of Object.entries(CASES))
  test(`behavior: the gradient of ${name} is what finite differences say`, async () => {
    const g = createGraph()
    let seed = 1
    for (const [parameter, dims] of Object.entries(parameters)) {
      const values = floatsOf(spread(dims, seed++))
      g.parameter(parameter, floatTensor(dims, place ? values.map(place) : values))
    }
    const y = of(g)
    // Weights of a size that depends on the element: a gradient at the wrong place is a wrong one.
    const flat = g.node("Reshape", [y, ints(g, [-1])])
    const waves = g.node("Mul", [flat, g.node("Add", [g.node("Mul", [flat, scalar(g, 0.3)]), scalar(g, 1)])])
    const loss = g.node("ReduceMean", [waves], { keepdims: 0 })
    const model = g.build([{ name: "x", dtype: "float32", dims: [2, 3] }], [{ name: loss, dtype: "float32", dims: [] }])
    const step = buildStep({
      model,
      loss: { kind: "tensor", name: loss },
      data: { x: spread([2, 3], 9) },
      batch: 2,
      optimizer: { kind: "sgd" },
      parameters: Object.keys(parameters),
    })
    for (const { node } of compileProgram(step.bytes).wires) if (node) covered.add(node.op)
    const run = await segmentRunner(runner, step)
    const start = initialState(step, model)
    const gradient = floatsOf((await run(start, [0])).state[1]!)
    const p = floatsOf(start[0]!)
    const largest = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
    assert.ok(largest > 0, "no gradient at all")
    for (let i = 0; i < p.length; i++) {
      const at = async (value: number): Promise<number> => {
        const moved = Float32Array.from(p)
        moved[i] = value
        const { losses } = await run([floatTensor([p.length], moved), ...start.slice(1)], [0])
        return losses[0]!
      }
      const slope = ((await at(p[i]! + DIFFERENCE)) - (await at(p[i]! - DIFFERENCE))) / (2 * DIFFERENCE)
      assert.ok(
        Math.abs(slope - gradient[i]!) <= TOLERANCE * largest + 2e-5,
        `element ${i}: gradient ${gradient[i]}, finite difference ${slope}`,
      )
    }
  })

test("behavior: every primitive that has a derivative stands in one of these steps", () => {
  // Where these have a derivative it is 0.
  const steps = ["Floor", "Ceil", "Round"]
  assert.deepEqual(
    Object.keys(DERIVATIVES).filter((op) => !covered.has(op) && !steps.includes(op)),
    [],
  )
})
