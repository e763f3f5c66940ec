import type { Tensor } from "#protocol"

/**
 * What we read of an ONNX file, field numbers from https://github.com/onnx/onnx/blob/main/onnx/onnx.proto. Plain data,
 * views into the file where it is big. Nothing here has been judged: `marketRules.ts` does that.
 */

export type OnnxModel = {
  readonly irVersion: number
  readonly producer: string
  readonly opsets: readonly OnnxOpset[]
  readonly metadata: ReadonlyMap<string, string>
  /** Names of functions that the model defines for itself. */
  readonly functions: readonly string[]
  readonly graph: OnnxGraph
}

export type OnnxOpset = { readonly domain: string; readonly version: number }

export type OnnxGraph = {
  readonly name: string
  readonly nodes: readonly OnnxNode[]
  readonly initializers: readonly OnnxTensor[]
  /** Includes initializers in files of IR version 3. */
  readonly inputs: readonly OnnxValueInfo[]
  readonly outputs: readonly OnnxValueInfo[]
  readonly valueInfo: readonly OnnxValueInfo[]
  readonly sparseInitializers: number
}

export type OnnxValueInfo = {
  readonly name: string
  readonly kind: "tensor" | "sequence" | "map" | "sparse" | "optional" | "opaque" | "none"
  /** ONNX number of the element type, 0 if the file does not say. */
  readonly elementType: number
  /** Undefined where the file gives no shape; a string is a symbolic dimension, "" an unknown one. */
  readonly dims: readonly (number | string)[] | undefined
}

export type OnnxNode = {
  readonly name: string
  readonly op: string
  readonly domain: string
  /** "" stands for an optional input or output that is left out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: ReadonlyMap<string, OnnxAttribute>
}

export type OnnxAttribute = {
  readonly i?: number
  readonly f?: number
  readonly s?: string
  readonly strings: readonly string[]
  readonly ints: readonly number[]
  readonly floats: readonly number[]
  readonly tensors: readonly OnnxTensor[]
  readonly graphs: number
  readonly sparse: boolean
}

export type OnnxTensor = {
  readonly name: string
  readonly elementType: number
  readonly dims: readonly number[]
  /** The data live in another file. */
  readonly external: boolean
  /** Bytes of data in this file, as encoded. */
  readonly encodedBytes: number
  /** Decodes the data; throws for strings, external data, or data that do not fill the shape. */
  readonly read: () => Tensor
}
