import { type AttributeSpec, createInitializer, encodeElements, type NodeSpec, writeModel } from "#engine"
import type { Tensor } from "#protocol"
import { ANSWER, LENGTH, VOCABULARY } from "./sums.ts"

/** A decoder-only transformer of one layer: RMS norms, learned positions, no biases, GELU. */
export type AdderSize = { readonly width: number; readonly heads: number; readonly hidden: number }
export const ADDER: AdderSize = { width: 64, heads: 4, hidden: 256 }

export const LOGITS = "logits"

/** Everything that is learned: the initializers that are weights. */
export const PARAMETERS = [
  "embedding",
  "positions",
  "norm_attention",
  "queries",
  "keys",
  "values",
  "mix",
  "norm_hidden",
  "up",
  "down",
  "norm_out",
  "out",
] as const

/** The untrained network for a batch; one row of logits for each digit of the answer. */
export function adderModel(batch: number, seed = 1, size: AdderSize = ADDER): Uint8Array {
  return decoderModel(
    { name: "adder", vocabulary: VOCABULARY.length, length: LENGTH, answer: ANSWER, ...size },
    batch,
    seed,
  )
}

/** `length` tokens are read; what comes next is said at the last `answer` of them. */
export type DecoderShape = AdderSize & {
  readonly name: string
  readonly vocabulary: number
  readonly length: number
  readonly answer: number
}

/**
 * `tokens` uint8 [batch, length] in, `logits` float32 [batch, answer, vocabulary] out. The same seed gives the same
 * weights.
 */
export function decoderModel(shape: DecoderShape, batch: number, seed: number): Uint8Array {
  const { name: title, vocabulary, length, answer, width, heads, hidden } = shape
  const draw = createInitializer(seed)
  const nodes: NodeSpec[] = []
  const matrix = (from: number, to: number): Tensor => draw.normal([from, to], 1 / Math.sqrt(from))
  const gain = (): Tensor => draw.filled([width], 1)
  const initializers: Record<string, Tensor> = {
    embedding: draw.normal([vocabulary, width], 0.5),
    positions: draw.normal([length, width], 0.5),
    norm_attention: gain(),
    queries: matrix(width, width),
    keys: matrix(width, width),
    values: matrix(width, width),
    mix: matrix(width, width),
    norm_hidden: gain(),
    up: matrix(width, hidden),
    down: matrix(hidden, width),
    norm_out: gain(),
    out: matrix(width, vocabulary),
  }
  const constant = (tensor: Tensor): string => {
    const name = `c${Object.keys(initializers).length}`
    initializers[name] = tensor
    return name
  }
  const floats = (dims: readonly number[], values: readonly number[]) =>
    constant({ dtype: "float32", dims, data: encodeElements("float32", values) })
  const ints = (...values: number[]) =>
    constant({ dtype: "int64", dims: [values.length], data: encodeElements("int64", values) })
  const node = (
    op: string,
    inputs: readonly string[],
    attributes: Record<string, AttributeSpec> = {},
    name = `n${nodes.length}`,
  ): string => {
    nodes.push({ op, name: `${op}_${nodes.length}`, inputs, outputs: [name], attributes })
    return name
  }
  const norm = (x: string, gain: string): string => {
    const square = node("ReduceMean", [node("Mul", [x, x])], { axes: [-1], keepdims: 1 })
    const root = node("Sqrt", [node("Add", [square, floats([], [1e-6])])])
    return node("Mul", [node("Div", [x, root]), gain])
  }
  const head = width / heads
  const split = (x: string, perm: readonly number[]): string =>
    node("Transpose", [node("Reshape", [x, ints(batch, length, heads, head)])], { perm })

  const indices = node("Cast", ["tokens"], { to: 7 })
  const embedded = node("Add", [node("Gather", ["embedding", indices], { axis: 0 }), "positions"]) // (batch, length, width)
  const first = norm(embedded, "norm_attention")
  const queries = split(node("MatMul", [first, "queries"]), [0, 2, 1, 3])
  const keys = split(node("MatMul", [first, "keys"]), [0, 2, 3, 1])
  const scores = node("Mul", [node("MatMul", [queries, keys]), floats([], [1 / Math.sqrt(head)])]) // (batch, heads, length, length)
  const later = Array.from({ length: length ** 2 }, (_, e) =>
    e % length > Math.floor(e / length) ? Number.NEGATIVE_INFINITY : 0,
  )
  const shares = node("Softmax", [node("Add", [scores, floats([length, length], later)])], { axis: -1 })
  const read = node("MatMul", [shares, split(node("MatMul", [first, "values"]), [0, 2, 1, 3])])
  const mixed = node("Reshape", [node("Transpose", [read], { perm: [0, 2, 1, 3] }), ints(batch, length, width)])
  const attended = node("Add", [embedded, node("MatMul", [mixed, "mix"])])
  // From here on only the places that answer matter.
  const answering = node("Slice", [attended, ints(length - answer), ints(length), ints(1)]) // (batch, answer, width)
  const wide = node("MatMul", [norm(answering, "norm_hidden"), "up"])
  const erf = node("Erf", [node("Mul", [wide, floats([], [Math.SQRT1_2])])])
  const gelu = node("Mul", [node("Mul", [wide, node("Add", [erf, floats([], [1])])]), floats([], [0.5])])
  const result = node("Add", [answering, node("MatMul", [gelu, "down"])])
  node("MatMul", [norm(result, "norm_out"), "out"], {}, LOGITS)
  return writeModel({
    name: title,
    nodes,
    inputs: [{ name: "tokens", dtype: "uint8", dims: [batch, length] }],
    outputs: [{ name: LOGITS, dtype: "float32", dims: [batch, answer, vocabulary] }],
    initializers,
  })
}
