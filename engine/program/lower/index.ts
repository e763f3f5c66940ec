import { elementwise } from "./elementwise.ts"
import { images } from "./images.ts"
import type { Lower } from "./lowering.ts"
import { products } from "./products.ts"
import { quantized } from "./quantized.ts"
import { recurrent } from "./recurrent.ts"
import { shapes } from "./shapes.ts"

/** By ONNX operator. What stands in none of these lists is refused by name. */
export const LOWERINGS: Readonly<Record<string, Lower>> = {
  ...elementwise,
  ...shapes,
  ...products,
  ...images,
  ...recurrent,
  ...quantized,
}
