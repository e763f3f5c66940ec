import { attention } from "./attention.ts"
import { Einsum } from "./einsum.ts"
import { elementwise } from "./elementwise.ts"
import { images } from "./images.ts"
import { indexing } from "./indexing.ts"
import type { Lower } from "./lowering.ts"
import { products } from "./products.ts"
import { quantized } from "./quantized.ts"
import { recurrent } from "./recurrent.ts"
import { shapes } from "./shapes.ts"

/** By ONNX operator. What stands in none of these lists is refused by name. */
export const LOWERINGS: Readonly<Record<string, Lower>> = {
  ...elementwise,
  ...shapes,
  ...indexing,
  ...products,
  Einsum,
  ...attention,
  ...images,
  ...recurrent,
  ...quantized,
}
