import { createHash } from "node:crypto"
import type { Hex } from "viem"
import { encodeElements, type ModelSpec, writeModel } from "#engine"
import type { Dtype, Tensor } from "#protocol"

export function tensor(dtype: Dtype, dims: readonly number[], values: readonly (number | bigint)[]): Tensor {
  return { dtype, dims, data: encodeElements(dtype, values) }
}

/** Numbers of both signs that fill a shape, the same every time. */
export function ramp(dims: readonly number[], dtype: Dtype = "float32"): Tensor {
  const count = dims.reduce((product, dim) => product * dim, 1)
  const values = Array.from({ length: count }, (_, i) => Math.fround(Math.sin(i * 1.7) * 0.5))
  return tensor(dtype, dims, dtype === "float32" ? values : values.map((value) => Math.round(value * 100)))
}

export function sha256(bytes: Uint8Array): Hex {
  return `0x${createHash("sha256").update(bytes).digest("hex")}`
}

/** x [1,4] -> two layers -> logits [1,3] -> label. */
export function classifierSpec(overrides: Partial<ModelSpec> = {}): ModelSpec {
  return {
    name: "classifier",
    nodes: [
      { op: "MatMul", name: "first", inputs: ["x", "w1"], outputs: ["h"] },
      { op: "Relu", inputs: ["h"], outputs: ["r"] },
      { op: "MatMul", name: "second", inputs: ["r", "w2"], outputs: ["logits"] },
      { op: "ArgMax", name: "pick", inputs: ["logits"], outputs: ["label"], attributes: { axis: 1, keepdims: 0 } },
    ],
    inputs: [{ name: "x", dtype: "float32", dims: [1, 4] }],
    outputs: [{ name: "label", dtype: "int64", dims: [1] }],
    initializers: { w1: ramp([4, 8]), w2: ramp([8, 3]) },
    ...overrides,
  }
}

export function classifier(overrides: Partial<ModelSpec> = {}): Uint8Array {
  return writeModel(classifierSpec(overrides))
}

/** One node from float x [n] to y; for operators by themselves. */
export function oneNode(
  op: string,
  more: Partial<ModelSpec> & { attributes?: ModelSpec["nodes"][number]["attributes"] } = {},
): Uint8Array {
  const { attributes, ...overrides } = more
  return writeModel({
    name: op,
    nodes: [{ op, name: `the-${op}`, inputs: ["x"], outputs: ["y"], attributes }],
    inputs: [{ name: "x", dtype: "float32", dims: [4] }],
    outputs: [{ name: "y", dtype: "float32", dims: [4] }],
    ...overrides,
  })
}

/** A model that multiplies a square matrix with itself many times: work without much memory. */
export function busyModel(size: number, steps: number): Uint8Array {
  const nodes = Array.from({ length: steps }, (_, i) => ({
    op: "MatMul",
    inputs: [`x${i}`, "x0"],
    outputs: [`x${i + 1}`],
  }))
  return writeModel({
    name: "busy",
    nodes,
    inputs: [{ name: "x0", dtype: "float32", dims: [size, size] }],
    outputs: [{ name: `x${steps}`, dtype: "float32", dims: [size, size] }],
  })
}
