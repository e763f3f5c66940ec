import { type AttributeSpec, encodeElements, type NodeSpec, type ValueSpec, writeModel } from "#engine"
import type { Tensor } from "#protocol"
import { xorshift } from "./xorshift.ts"

/** Networks of the size where a task takes tens of milliseconds, as exporters write them, with weights made by code. */
export type BenchNetwork = { readonly model: Uint8Array; readonly input: (seed: number) => Tensor[] }

export const TRANSFORMER = { length: 128, width: 512, heads: 8, layers: 3 }

/** An encoder's blocks: layer norms, attention, gelu. */
export function transformer({ length, width, heads, layers } = TRANSFORMER): BenchNetwork {
  const n = network("transformer")
  const head = width / heads
  const norm = (x: string) =>
    n.node("LayerNormalization", [x, n.weights([width], 0.1, 1), n.weights([width], 0.1)], {
      axis: -1,
      epsilon: { f: 1e-5 },
    })
  const linear = (x: string, from: number, to: number) =>
    n.node("Add", [n.node("MatMul", [x, n.weights([from, to], 1.7 / Math.sqrt(from))]), n.weights([to], 0.1)])
  let x = "x"
  for (let layer = 0; layer < layers; layer++) {
    const normal = norm(x)
    const split = (perm: readonly number[]) =>
      n.node("Transpose", [n.node("Reshape", [linear(normal, width, width), n.ints([1, length, heads, head])])], {
        perm,
      })
    const scores = n.node("MatMul", [split([0, 2, 1, 3]), split([0, 2, 3, 1])])
    const shares = n.node("Softmax", [n.node("Div", [scores, n.scalar(Math.sqrt(head))])], { axis: -1 })
    const mixed = n.node("Transpose", [n.node("MatMul", [shares, split([0, 2, 1, 3])])], { perm: [0, 2, 1, 3] })
    x = n.node("Add", [x, linear(n.node("Reshape", [mixed, n.ints([1, length, width])]), width, width)])
    const wide = linear(norm(x), width, 4 * width)
    const erf = n.node("Erf", [n.node("Div", [wide, n.scalar(Math.SQRT2)])])
    const gelu = n.node("Mul", [n.node("Mul", [wide, n.node("Add", [erf, n.scalar(1)])]), n.scalar(0.5)])
    x = n.node("Add", [x, linear(gelu, 4 * width, width)])
  }
  const dims = [1, length, width]
  const model = n.build({ name: "x", dtype: "float32", dims }, { name: "y", dtype: "float32", dims }, norm(x))
  return { model, input: (seed) => [noise(dims, seed)] }
}

export const CNN = { size: 56, width: 64, stages: 3 }

/** Residual blocks of 3 x 3 convolutions with batch norm, each stage half the size and twice the channels. */
export function cnn({ size, width, stages } = CNN): BenchNetwork {
  const n = network("cnn")
  const conv = (x: string, from: number, to: number, stride = 1) => {
    const sum = n.node("Conv", [x, n.weights([to, from, 3, 3], 2.4 / Math.sqrt(9 * from))], {
      kernel_shape: [3, 3],
      pads: [1, 1, 1, 1],
      strides: [stride, stride],
    })
    const channel = (around: number) => n.weights([to], 0.1, around)
    return n.node("BatchNormalization", [sum, channel(1), channel(0), channel(0), channel(1)], { epsilon: { f: 1e-5 } })
  }
  const relu = (x: string) => n.node("Relu", [x])
  let [x, channels] = [relu(conv("x", 3, width)), width]
  for (let stage = 0; stage < stages; stage++) {
    if (stage > 0) {
      x = relu(conv(x, channels, channels * 2, 2))
      channels *= 2
    }
    for (let block = 0; block < 2; block++)
      x = relu(n.node("Add", [x, conv(relu(conv(x, channels, channels)), channels, channels)]))
  }
  const features = n.node("Flatten", [n.node("GlobalAveragePool", [x])])
  const scores = n.node("Gemm", [features, n.weights([channels, 100], 1 / Math.sqrt(channels)), n.weights([100], 0.1)])
  const dims = [1, 3, size, size]
  const model = n.build({ name: "x", dtype: "float32", dims }, { name: "y", dtype: "float32", dims: [1, 100] }, scores)
  return { model, input: (seed) => [noise(dims, seed)] }
}

function network(name: string) {
  const nodes: NodeSpec[] = []
  const initializers: Record<string, Tensor> = {}
  const constant = (tensor: Tensor): string => {
    const id = `k${Object.keys(initializers).length}`
    initializers[id] = tensor
    return id
  }
  return {
    weights: (dims: readonly number[], scale: number, around = 0): string =>
      constant(noise(dims, Object.keys(initializers).length + 1, scale, around)),
    scalar: (value: number): string =>
      constant({ dtype: "float32", dims: [], data: encodeElements("float32", [value]) }),
    ints: (values: readonly number[]): string =>
      constant({ dtype: "int64", dims: [values.length], data: encodeElements("int64", values) }),
    node: (op: string, inputs: readonly string[], attributes: Record<string, AttributeSpec> = {}): string => {
      const output = `v${nodes.length}`
      nodes.push({ op, name: `${name}/${op}${nodes.length}`, inputs, outputs: [output], attributes })
      return output
    },
    build: (input: ValueSpec, output: ValueSpec, result: string): Uint8Array =>
      writeModel({
        name,
        nodes: [...nodes, { op: "Identity", inputs: [result], outputs: [output.name] }],
        inputs: [input],
        outputs: [output],
        initializers,
      }),
  }
}

/** A fixed sequence of numbers around one: timing does not depend on them, runs should not differ by them. */
function noise(dims: readonly number[], seed: number, scale = 1, around = 0): Tensor {
  const values = new Float32Array(dims.reduce((product, dim) => product * dim, 1))
  const next = xorshift(Math.imul(seed, 0x9e3779b1) | 1)
  for (let i = 0; i < values.length; i++) {
    values[i] = around + (next() / 2 ** 31) * scale
  }
  return { dtype: "float32", dims: [...dims], data: new Uint8Array(values.buffer) }
}
