import { fileURLToPath } from "node:url"
import { encodeElements, type NodeSpec, writeModel } from "#engine"
import type { Tensor } from "#protocol"
import { SIZE } from "./drawGlyph.ts"
import { CLASSES, CONV1, CONV2, FEATURES, STRIDE, type Weights } from "./network.ts"

export const MODEL_PATH = fileURLToPath(new URL("./glyphs.onnx", import.meta.url))
/** Of the run that trained it. */
export const MANIFEST_PATH = fileURLToPath(new URL("./run/manifest.json", import.meta.url))
/** Under this key the file states the accuracy that it was measured to have. */
export const ACCURACY_KEY = "accuracy"

/** The trained network as ONNX: a scan in, the number of the character out. */
export function glyphModel(weights: Weights, accuracy: number): Uint8Array {
  return writeModel({
    name: "glyphs",
    nodes: [
      ...toLogits(),
      { op: "ArgMax", name: "decide", inputs: ["logits"], outputs: ["label"], attributes: { axis: 1, keepdims: 0 } },
    ],
    inputs: [{ name: "scan", dtype: "uint8", dims: [1, 1, SIZE, SIZE] }],
    outputs: [{ name: "label", dtype: "int64", dims: [1] }],
    initializers: initializersOf(weights),
    metadata: { [ACCURACY_KEY]: accuracy.toFixed(4) },
  })
}

/** The same network as training takes it: a batch of scans in, logits [batch, 36] out. */
export function glyphForward(weights: Weights, batch: number): Uint8Array {
  return writeModel({
    name: "glyphs",
    nodes: toLogits(),
    inputs: [{ name: "scan", dtype: "uint8", dims: [batch, 1, SIZE, SIZE] }],
    outputs: [{ name: "logits", dtype: "float32", dims: [batch, CLASSES] }],
    initializers: initializersOf(weights),
  })
}

function toLogits(): NodeSpec[] {
  const conv = ({ pad, kernel }: typeof CONV1) => ({
    kernel_shape: [kernel, kernel],
    strides: [STRIDE, STRIDE],
    // One pixel less at the end: with stride 2 an even size leaves the last column of the full padding unused.
    pads: [pad, pad, pad - 1, pad - 1],
  })
  return [
    { op: "Cast", name: "to_float", inputs: ["scan"], outputs: ["scan_float"], attributes: { to: 1 } },
    { op: "Mul", name: "scale", inputs: ["scan_float", "one_255th"], outputs: ["scaled"] },
    { op: "Conv", name: "strokes", inputs: ["scaled", "w1", "b1"], outputs: ["strokes_raw"], attributes: conv(CONV1) },
    { op: "Relu", name: "strokes_relu", inputs: ["strokes_raw"], outputs: ["strokes"] },
    { op: "Conv", name: "shapes", inputs: ["strokes", "w2", "b2"], outputs: ["shapes_raw"], attributes: conv(CONV2) },
    { op: "Relu", name: "shapes_relu", inputs: ["shapes_raw"], outputs: ["shapes"] },
    { op: "Flatten", name: "flatten", inputs: ["shapes"], outputs: ["features"], attributes: { axis: 1 } },
    { op: "Gemm", name: "read", inputs: ["features", "w3", "b3"], outputs: ["logits"] },
  ]
}

function initializersOf(weights: Weights): Record<string, Tensor> {
  return {
    one_255th: float([], [1 / 255]),
    w1: float([CONV1.outChannels, CONV1.inChannels, CONV1.kernel, CONV1.kernel], weights.w1),
    b1: float([CONV1.outChannels], weights.b1),
    w2: float([CONV2.outChannels, CONV2.inChannels, CONV2.kernel, CONV2.kernel], weights.w2),
    b2: float([CONV2.outChannels], weights.b2),
    w3: float([FEATURES, CLASSES], weights.w3),
    b3: float([CLASSES], weights.b3),
  }
}

function float(dims: readonly number[], values: ArrayLike<number>): Tensor {
  return { dtype: "float32", dims, data: encodeElements("float32", Array.from(values)) }
}
