import { elementCount } from "#protocol"
import type { Value } from "../builder.ts"
import { numbersOf } from "../elements.ts"
import type { Ops } from "../ops.ts"
import { gelu, geluTanh } from "./elementwise.ts"
import { fusedAttention } from "./fusedAttention.ts"
import { constantOf, float, input, int, isLeftOut, type Lower, type Lowering, refuse } from "./lowering.ts"
import { affine, normalizeLast, rootMeanSquareLast, scaled, swapped } from "./products.ts"
import { quantized } from "./quantized.ts"

/**
 * onnxruntime's own operators, as its optimizer and its quantizer write them into models:
 * https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
 */
export const fused: Readonly<Record<string, Lower>> = {
  ...fusedAttention,
  BiasGelu: (l) => [gelu(l.o, biased(l.o, input(l, 0), l.inputs[1]))],
  FastGelu: (l) => [geluTanh(l.o, biased(l.o, input(l, 0), l.inputs[1]))],
  QuickGelu: (l) => {
    const { o } = l
    const x = input(l, 0)
    return [o.mul(x, o.sigmoid(scaled(o, x, float(l, "alpha", 1.702))))]
  },
  FusedMatMul: (l) => {
    const { o } = l
    const flip = (x: Value, name: string) => (int(l, name, 0) === 1 ? swapped(o, x) : x)
    return [o.matMul(flip(input(l, 0), "transA"), scaled(o, flip(input(l, 1), "transB"), float(l, "alpha", 1)))]
  },
  MatMulNBits: (l) => {
    const { o } = l
    return [biased(o, o.matMul(input(l, 0), unpacked(l)), l.inputs[5])]
  },
  SkipLayerNormalization: (l) => {
    const { o } = l
    const sum = biased(o, o.add(input(l, 0), input(l, 1)), l.inputs[4])
    return withSum(l, sum, affine(o, normalizeLast(o, sum, float(l, "epsilon", 1e-12)), l.inputs[2], l.inputs[3]))
  },
  SkipSimplifiedLayerNormalization: (l) => {
    const { o } = l
    const sum = biased(o, o.add(input(l, 0), input(l, 1)), l.inputs[3])
    return withSum(l, sum, affine(o, rootMeanSquareLast(o, sum, float(l, "epsilon", 1e-12)), l.inputs[2], undefined))
  },
  EmbedLayerNormalization: (l) => {
    const { o } = l
    const ids = input(l, 0)
    const [batch, length] = ids.dims as [number, number]
    const positions =
      l.inputs[8] ??
      o.cast(
        o.vector(
          Float32Array.from({ length }, (_, i) => i),
          [length],
        ),
        "int64",
      )
    const words = o.gather(input(l, 2), ids, 0)
    const placed = o.add(words, o.gather(input(l, 3), positions, 0))
    const sum = l.inputs[1] && l.inputs[4] ? o.add(placed, o.gather(l.inputs[4], l.inputs[1], 0)) : placed
    const normal = affine(o, normalizeLast(o, sum, float(l, "epsilon", 1e-12)), l.inputs[5], l.inputs[6])
    const mask = l.inputs[7]
    const lengths = mask
      ? o.cast(o.reshape(o.sumLast(o.cast(mask, "float32")), [batch]), "int32")
      : o.cast(o.vector(new Float32Array(batch), [batch]), "int32")
    return [normal, lengths, sum]
  },
  DynamicQuantizeMatMul: (l) => {
    const [bytes, scale, zero] = quantized.DynamicQuantizeLinear!({ ...l, inputs: [input(l, 0)] })
    const { inputs } = l
    return productOfBytes(l, [bytes, inputs[1], scale, inputs[2], zero, inputs[3], inputs[4]])
  },
  MatMulIntegerToFloat: (l) => productOfBytes(l, l.inputs),
  QLinearAdd: (l) => overNumbers(l, 2, (o, [a, b]) => o.add(a!, b!)),
  QLinearMul: (l) => overNumbers(l, 2, (o, [a, b]) => o.mul(a!, b!)),
  QLinearSigmoid: (l) => overNumbers(l, 1, (o, [x]) => o.sigmoid(x!)),
  QLinearLeakyRelu: (l) =>
    overNumbers(l, 1, (o, [x]) =>
      o.where(o.compare("Greater", x!, o.scalar(0)), x!, o.mul(x!, o.scalar(float(l, "alpha", 0.01)))),
    ),
  QLinearGlobalAveragePool: (l) => {
    const last = int(l, "channels_last", 0) === 1
    return overNumbers(l, 1, (o, [x]) => {
      const { dims } = x!
      const space = [...dims.keys()].slice(last ? 1 : 2, last ? -1 : undefined)
      const kept = [...dims.keys()].filter((axis) => !space.includes(axis))
      const rows = o.reshape(o.transpose(x!, [...kept, ...space]), [
        ...kept.map((axis) => dims[axis]!),
        elementCount(space.map((axis) => dims[axis]!)),
      ])
      return o.reshape(
        o.meanLast(rows),
        dims.map((dim, axis) => (space.includes(axis) ? 1 : dim)),
      )
    })
  },
  QLinearConcat: (l) => {
    const parts = l.inputs.slice(2)
    const numbers = Array.from({ length: parts.length / 3 }, (_, i) =>
      quantized.DequantizeLinear!({ ...l, inputs: parts.slice(3 * i, 3 * i + 3) }),
    )
    const joined = l.o.concat(
      numbers.map(([part]) => part!),
      int(l, "axis", 0),
    )
    return quantized.QuantizeLinear!({ ...l, inputs: [joined, input(l, 0), input(l, 1)] })
  },
}

function biased(o: Ops, x: Value, bias: Value | undefined): Value {
  return bias ? o.add(x, bias) : x
}

/** The fourth output is what was normalized; the second and third are for training. */
function withSum({ node }: Lowering, sum: Value, normal: Value): readonly Value[] {
  if (!isLeftOut({ ...node, outputs: node.outputs.slice(0, 3) }, 1))
    refuse("it puts out its mean or deviation", "export it for inference")
  return [normal, sum, sum, sum]
}

/** Bytes as numbers, a rule for numbers, and bytes again: `count` triples of bytes, scale and zero point, then a pair. */
function overNumbers(l: Lowering, count: number, rule: (o: Ops, numbers: readonly Value[]) => Value): readonly Value[] {
  const numbers = Array.from({ length: count }, (_, i) => {
    const [number] = quantized.DequantizeLinear!({ ...l, inputs: l.inputs.slice(3 * i, 3 * i + 3) })
    return number!
  })
  const [scale, zero] = l.inputs.slice(3 * count)
  return quantized.QuantizeLinear!({ ...l, inputs: [rule(l.o, numbers), scale, zero] })
}

/** A, B, scale of A, scale of B, zero point of A, zero point of B, bias. */
function productOfBytes(l: Lowering, inputs: readonly (Value | undefined)[]): readonly Value[] {
  const { o } = l
  const [a, b, scaleA, scaleB, zeroA, zeroB, bias] = inputs
  const [sums] = quantized.MatMulInteger!({ ...l, inputs: [a, b, zeroA, zeroB] })
  return [biased(o, o.mul(o.cast(sums!, "float32"), o.mul(scaleA!, scaleB!)), bias)]
}

/**
 * The weights (K, N) of MatMulNBits as numbers. They are packed by column, in blocks along K that share a scale and a
 * zero point, the first of a byte in its low bits.
 */
function unpacked(l: Lowering): Value {
  const { o } = l
  const [k, n] = [int(l, "K", 0), int(l, "N", 0)]
  const [bits, block] = [int(l, "bits", 4), int(l, "block_size", 0)]
  if (![2, 4, 8].includes(bits) || block < 1) refuse(`it packs ${bits} bits in blocks of ${block}`, "pack 4 or 8 bits")
  const packed = constantOf(input(l, 1), "weights").data
  const scales = numbersOf(constantOf(input(l, 2), "scales"))
  if (l.inputs[4]) refuse("its groups have an order of their own (g_idx)", "quantize without reordering")
  const perByte = 8 / bits
  const blocks = Math.ceil(k / block)
  const at = (bytes: Uint8Array, index: number) =>
    (bytes[Math.floor(index / perByte)]! >> ((index % perByte) * bits)) & (2 ** bits - 1)
  const zeros = l.inputs[3] && constantOf(l.inputs[3], "zero points")
  const zeroNumbers = zeros && zeros.dtype !== "uint8" ? numbersOf(zeros) : undefined
  const zeroOf = (column: number, group: number): number => {
    if (zeroNumbers) return zeroNumbers[column * blocks + group]!
    if (!zeros) return 2 ** (bits - 1)
    return at(zeros.data, column * Math.ceil(blocks / perByte) * perByte + group)
  }
  const rowBytes = (blocks * block * bits) / 8
  const values = new Float32Array(k * n)
  for (let column = 0; column < n; column++) {
    const row = packed.subarray(column * rowBytes, (column + 1) * rowBytes)
    for (let i = 0; i < k; i++) {
      const group = Math.floor(i / block)
      values[i * n + column] = (at(row, i) - zeroOf(column, group)) * scales[column * blocks + group]!
    }
  }
  return o.vector(values, [k, n])
}
