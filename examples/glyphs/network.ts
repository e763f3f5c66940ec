import { SIZE } from "./drawGlyph.ts"
import type { Random } from "./random.ts"
import { ALPHABET } from "./strokes.ts"

/**
 * A small convolutional network, forward by hand, one glyph at a time:
 * conv 5x5 stride 2, ReLU, conv 3x3 stride 2, ReLU, linear.
 */

type Conv = {
  readonly inChannels: number
  readonly outChannels: number
  readonly kernel: number
  readonly inSize: number
  readonly outSize: number
  readonly pad: number
}

export const CONV1: Conv = { inChannels: 1, outChannels: 10, kernel: 5, inSize: SIZE, outSize: SIZE / 2, pad: 2 }
export const CONV2: Conv = { inChannels: 10, outChannels: 20, kernel: 3, inSize: SIZE / 2, outSize: SIZE / 4, pad: 1 }
export const STRIDE = 2
export const FEATURES = CONV2.outChannels * CONV2.outSize ** 2
export const CLASSES = ALPHABET.length

export type Weights = {
  readonly w1: Float32Array // (out, in, kernel, kernel)
  readonly b1: Float32Array
  readonly w2: Float32Array
  readonly b2: Float32Array
  readonly w3: Float32Array // (features, classes)
  readonly b3: Float32Array
}
export const WEIGHT_NAMES = ["w1", "b1", "w2", "b2", "w3", "b3"] as const

export function zeroWeights(): Weights {
  const filters = (conv: Conv) => new Float32Array(conv.outChannels * conv.inChannels * conv.kernel ** 2)
  return {
    w1: filters(CONV1),
    b1: new Float32Array(CONV1.outChannels),
    w2: filters(CONV2),
    b2: new Float32Array(CONV2.outChannels),
    w3: new Float32Array(FEATURES * CLASSES),
    b3: new Float32Array(CLASSES),
  }
}

/** He initialization: the deviation keeps the size of activations from layer to layer. */
export function randomWeights(random: Random): Weights {
  const weights = zeroWeights()
  const fill = (array: Float32Array, fanIn: number) => {
    for (let i = 0; i < array.length; i++) array[i] = random.normal() * Math.sqrt(2 / fanIn)
  }
  fill(weights.w1, CONV1.inChannels * CONV1.kernel ** 2)
  fill(weights.w2, CONV2.inChannels * CONV2.kernel ** 2)
  fill(weights.w3, FEATURES)
  return weights
}

/** What forward works on. */
export type Activations = {
  readonly x: Float32Array
  readonly h1: Float32Array
  readonly h2: Float32Array
  readonly logits: Float32Array
}

export function createActivations(): Activations {
  return {
    x: new Float32Array(SIZE * SIZE),
    h1: new Float32Array(CONV1.outChannels * CONV1.outSize ** 2),
    h2: new Float32Array(FEATURES),
    logits: new Float32Array(CLASSES),
  }
}

export function forward(weights: Weights, pixels: Uint8Array, activations: Activations): void {
  const { x, h1, h2, logits } = activations
  for (let i = 0; i < x.length; i++) x[i] = pixels[i]! / 255
  convolve(CONV1, x, weights.w1, weights.b1, h1)
  convolve(CONV2, h1, weights.w2, weights.b2, h2)
  logits.set(weights.b3)
  for (let i = 0; i < FEATURES; i++) {
    const value = h2[i]!
    if (value === 0) continue
    for (let c = 0; c < CLASSES; c++) logits[c]! += value * weights.w3[i * CLASSES + c]!
  }
}

/**
 * Convolution and ReLU, as dot products of each filter with each patch: patches are copied out first, so that the
 * inner loops run over contiguous memory.
 */
function convolve(
  conv: Conv,
  input: Float32Array,
  weights: Float32Array,
  bias: Float32Array,
  output: Float32Array,
): void {
  const { width, patches } = gather(conv, input)
  const area = conv.outSize ** 2
  for (let o = 0; o < conv.outChannels; o++)
    for (let p = 0; p < area; p++) {
      let sum = bias[o]!
      for (let i = 0, w = o * width, x = p * width; i < width; i++) sum += weights[w + i]! * patches[x + i]!
      output[o * area + p] = Math.max(0, sum)
    }
}

/** For each output pixel, what its filters see of the input; outside the image there are zeros. */
function gather(conv: Conv, input: Float32Array): { width: number; patches: Float32Array; sources: Int32Array } {
  const sources = patchSources(conv)
  const patches = new Float32Array(sources.length)
  for (let i = 0; i < sources.length; i++) if (sources[i]! >= 0) patches[i] = input[sources[i]!]!
  return { width: conv.inChannels * conv.kernel ** 2, patches, sources }
}

const sourcesByConv = new Map<Conv, Int32Array>()

/** Where in the input each element of each patch comes from; -1 is outside. */
function patchSources(conv: Conv): Int32Array {
  const known = sourcesByConv.get(conv)
  if (known) return known
  const { inChannels, kernel, inSize, outSize, pad } = conv
  const sources = new Int32Array(outSize ** 2 * inChannels * kernel ** 2)
  let at = 0
  for (let oy = 0; oy < outSize; oy++)
    for (let ox = 0; ox < outSize; ox++)
      for (let c = 0; c < inChannels; c++)
        for (let ky = 0; ky < kernel; ky++)
          for (let kx = 0; kx < kernel; kx++) {
            const [y, x] = [oy * STRIDE - pad + ky, ox * STRIDE - pad + kx]
            const inside = y >= 0 && y < inSize && x >= 0 && x < inSize
            sources[at++] = inside ? (c * inSize + y) * inSize + x : -1
          }
  sourcesByConv.set(conv, sources)
  return sources
}
