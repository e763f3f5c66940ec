import type { Tensor } from "#protocol"
import type { ValueInfo } from "../backend.ts"
import { engineError } from "../errors.ts"
import { decodeElements, encodeElements, fits } from "./elements.ts"

/** Stand-ins for what JSON cannot write. */
const SPECIAL: Record<string, number> = {
  NaN: Number.NaN,
  Infinity: Number.POSITIVE_INFINITY,
  "-Infinity": Number.NEGATIVE_INFINITY,
}

/** Nested JSON arrays as the tensor that the model wants; integers beyond 2^53 may be decimal strings. */
export function fromNestedArrays(value: unknown, want: ValueInfo): Tensor {
  const elements: (number | bigint)[] = []
  const collect = (part: unknown, depth: number): void => {
    if (depth === want.dims.length) {
      elements.push(toElement(part, want))
      return
    }
    if (!Array.isArray(part) || part.length !== want.dims[depth]) throw wrongShape(value, want)
    for (const item of part) collect(item, depth + 1)
  }
  collect(value, 0)
  return { dtype: want.dtype, dims: [...want.dims], data: encodeElements(want.dtype, elements) }
}

/** The inverse, for showing results: 64-bit integers beyond 2^53 and special floats become strings. */
export function toNestedArrays(tensor: Tensor): unknown {
  const elements = decodeElements(tensor).map((element) => {
    if (typeof element === "bigint") return Number.isSafeInteger(Number(element)) ? Number(element) : String(element)
    return Number.isFinite(element) ? element : String(element)
  })
  let at = 0
  const nest = (depth: number): unknown =>
    depth === tensor.dims.length ? elements[at++] : Array.from({ length: tensor.dims[depth]! }, () => nest(depth + 1))
  return nest(0)
}

function toElement(value: unknown, want: ValueInfo): number | bigint {
  const element = parseElement(value)
  if (element === undefined) {
    if (Array.isArray(value)) throw wrongShape(undefined, want)
    throw engineError("E_INPUT_FORMAT", `input "${want.name}" holds ${show(value)}, which is not a number`, {
      input: want.name,
    })
  }
  if (!fits(want.dtype, element))
    throw engineError("E_INPUT_DTYPE", `input "${want.name}" holds ${show(value)}, which is no ${want.dtype}`, {
      remedy: `give numbers that ${want.dtype} can hold, as the model wants`,
      input: want.name,
    })
  return element
}

function parseElement(value: unknown): number | bigint | undefined {
  if (typeof value === "number") return value
  if (typeof value === "boolean") return value ? 1 : 0
  if (typeof value !== "string") return undefined
  return SPECIAL[value] ?? (/^-?\d{1,20}$/.test(value) ? BigInt(value) : undefined)
}

function wrongShape(value: unknown, want: ValueInfo) {
  const is = value === undefined ? "is nested too deep" : `has the shape [${shapeOf(value)}]`
  return engineError("E_INPUT_SHAPE", `input "${want.name}" ${is}; the model wants [${want.dims}]`, {
    remedy: "nest the arrays by the model's shape, every row of the same length",
    input: want.name,
  })
}

/** The shape along the first elements: where rows differ in length, the first one speaks for all. */
function shapeOf(value: unknown): number[] {
  return Array.isArray(value) ? [value.length, ...shapeOf(value[0])] : []
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, 40)
}
