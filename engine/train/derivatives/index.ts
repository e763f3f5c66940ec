import type { Derivative } from "./derivative.ts"
import { elementwise } from "./elementwise.ts"
import { images } from "./images.ts"
import { products } from "./products.ts"
import { views } from "./views.ts"

/** By the ONNX operator that runs a primitive. What puts out float32 and stands in none of these has no derivative. */
export const DERIVATIVES: Readonly<Record<string, Derivative>> = { ...elementwise, ...views, ...products, ...images }
