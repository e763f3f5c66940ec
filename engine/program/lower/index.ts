import type { OnnxNode } from "../../onnx/types.ts"
import { attention } from "./attention.ts"
import { classical } from "./classical.ts"
import { Einsum } from "./einsum.ts"
import { elementwise } from "./elementwise.ts"
import { fused } from "./fused.ts"
import { images } from "./images.ts"
import { indexing } from "./indexing.ts"
import type { Lower } from "./lowering.ts"
import { products } from "./products.ts"
import { quantized } from "./quantized.ts"
import { recurrent } from "./recurrent.ts"
import { shapes } from "./shapes.ts"
import { trigonometry } from "./trigonometry.ts"

/** By ONNX operator. */
const standard: Readonly<Record<string, Lower>> = {
  ...elementwise,
  ...trigonometry,
  ...shapes,
  ...indexing,
  ...products,
  Einsum,
  ...attention,
  ...images,
  ...recurrent,
  ...quantized,
}

/** By domain. onnxruntime's has older copies of some of ONNX's. What stands in none of these lists is refused by name. */
export const LOWERINGS: Readonly<Record<string, Readonly<Record<string, Lower>>>> = {
  "": standard,
  "com.microsoft": { ...standard, ...fused },
  "ai.onnx.ml": classical,
}

export function loweringOf({ domain, op }: OnnxNode): Lower | undefined {
  // The names are a stranger's: "constructor" is one too.
  const rules = Object.hasOwn(LOWERINGS, domain) ? LOWERINGS[domain]! : {}
  return Object.hasOwn(rules, op) ? rules[op] : undefined
}
