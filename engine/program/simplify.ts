import { elementCount, type Tensor } from "#protocol"
import { type Builder, createBuilder, type Value } from "./builder.ts"
import { elementsOf, floats } from "./elements.ts"
import { createOps, type Ops } from "./ops.ts"
import { NotPrimitive } from "./primitive.ts"

/**
 * The same program with fewer passes over memory: factors and offsets of constants go into the weights of a product
 * next to them. Rounding moves by a few units in the last place, which a program may choose as it is normalized; from
 * then on it is fixed like everything else.
 */
export type Simplified = { readonly builder: Builder; readonly results: readonly Value[] }

export function simplify(builder: Builder, results: readonly Value[]): Simplified {
  try {
    return rebuild(results)
  } catch (error) {
    // What an operation needs to know of its operand may not follow any more (facts.ts): then the program stays.
    if (!(error instanceof NotPrimitive)) throw error
    return { builder, results }
  }
}

function rebuild(results: readonly Value[]): Simplified {
  const builder = createBuilder()
  const o = createOps(builder)
  const sorted = inOrder(results)
  const readers = new Map<Value, Value[]>()
  for (const value of sorted)
    for (const read of value.node?.inputs ?? []) {
      const list = readers.get(read)
      if (list) list.push(value)
      else readers.set(read, [value])
    }
  const kept = new Set(results)
  const fresh = new Map<Value, Value>()
  const now = (value: Value): Value => fresh.get(value)!
  const single = (value: Value): boolean => readers.get(value)?.length === 1 && !kept.has(value)
  const context: Context = { o, now, single, readers, kept }
  for (const value of sorted) {
    if (value.node) builder.label(value.node.label)
    fresh.set(value, remake(context, value))
  }
  return { builder, results: results.map(now) }
}

type Context = {
  readonly o: Ops
  /** What an old value has become. */
  readonly now: (value: Value) => Value
  /** Whether one node alone reads it, and nobody outside. */
  readonly single: (value: Value) => boolean
  readonly readers: ReadonlyMap<Value, readonly Value[]>
  readonly kept: ReadonlySet<Value>
}

function remake(context: Context, value: Value): Value {
  const { o, now } = context
  if (value.input !== undefined) return o.builder.input(value.input, value.dtype, value.dims)
  if (value.constant) return o.constant(value.constant, value.facts)
  if (value.node!.op === "MatMul" && value.node!.inputs[1]!.constant) return product(context, value)
  return (
    scaledProduct(context, value) ??
    sharedFactor(context, value) ??
    laterQuotient(context, value) ??
    joinedSum(context, value) ??
    o.emit(value.node!.op, value.node!.inputs.map(now), value.node!.attributes)
  )
}

/** c * x, or x / c, where x is made of a product: the factor goes into its weights. */
function scaledProduct(context: Context, value: Value): Value | undefined {
  const scale = factorOf(value)
  const number = scale && elementCount(scale.by.dims) === 1 && scale.of.dims.length === value.dims.length
  return number ? scaled(context, scale.of, scale.factor) : undefined
}

/** The value times a number without a pass of its own, or undefined where that is not to be had. */
function scaled(context: Context, value: Value, factor: number): Value | undefined {
  return context.single(value) ? scaledAnew(context, value, factor) : undefined
}

/** The same, whoever else may read the value as it was. */
function scaledAnew(context: Context, value: Value, factor: number): Value | undefined {
  const { o, now } = context
  const { node } = value
  const [a, b] = (node?.inputs ?? []) as [Value, Value]
  switch (node?.op) {
    case "MatMul": {
      if (b.constant) return product(context, value, factor)
      // Of two computed factors the first takes it.
      const rest = scaled(context, a, factor)
      return rest && o.emit("MatMul", [rest, now(b)])
    }
    case "Add": {
      const rest = b.constant && scaled(context, a, factor)
      return rest && offsetBy(o, rest, o.constant(times(b.constant!, factor)))
    }
    case "Reshape":
    case "Transpose":
    case "Slice": {
      const rest = scaled(context, a, factor)
      return rest && o.emit(node.op, [rest, ...node.inputs.slice(1).map(now)], node.attributes)
    }
    default:
      return undefined
  }
}

/**
 * A product with constants, times a number. (x * g + b) W is x (g W) + b W: where products alone read the left side, it
 * needs no passes.
 */
function product(context: Context, value: Value, factor = 1): Value {
  const { o, now } = context
  const [a, w] = value.node!.inputs as [Value, Value]
  const weights = times(w.constant!, factor)
  const plain = (left: Value) => (w.dims.length === 2 ? peeled(o, left, weights) : o.matMul(left, o.constant(weights)))
  if (w.dims.length !== 2 || !a.node || !onlyProducts(context, a)) return plain(now(a))
  const width = w.dims[0]!
  const offset = a.node.op === "Add" && alongLast(a.node.inputs[1]!, a, width) ? a.node.inputs[1]! : undefined
  const inner = offset ? a.node.inputs[0]! : a
  const scale = factorOf(inner)
  const usable =
    scale &&
    (!offset || context.single(inner)) &&
    alongLast(scale.by, inner, width) &&
    scale.of.dims.length === a.dims.length &&
    scale.of.dims.at(-1) === width
  if (!usable) return plain(now(a))
  const by = scale.inverse ? inverted(scale.by.constant!) : scale.by.constant!
  const result = peeled(o, now(scale.of), weighted(weights, by))
  return offset ? o.add(result, o.constant(applied(offset.constant!, weights))) : result
}

/** A number that the left side is multiplied by goes into the weights too. */
function peeled(o: Ops, left: Value, weights: Tensor): Value {
  const scale = factorOf(left)
  if (!scale || elementCount(scale.by.dims) !== 1 || scale.of.dims.length !== left.dims.length)
    return o.matMul(left, o.constant(weights))
  return o.matMul(scale.of, o.constant(times(weights, scale.factor)))
}

/** x (erf(c x) + 1) is t (erf(t) + 1) / c with t = c x, which the weights before it give for nothing. */
function sharedFactor(context: Context, value: Value): Value | undefined {
  const { o, now, single, readers, kept } = context
  if (value.node?.op !== "Mul") return undefined
  const [x, sum] = value.node.inputs[1]!.node?.op === "Add" ? value.node.inputs : [...value.node.inputs].reverse()
  const [erf, one] = sum!.node?.op === "Add" && single(sum!) ? sum!.node.inputs : []
  const inner = erf?.node?.op === "Erf" && single(erf) ? erf.node.inputs[0]! : undefined
  const scale = inner && single(inner) ? factorOf(inner) : undefined
  if (!one?.constant || scale?.of !== x || elementCount(scale!.by.dims) !== 1) return undefined
  if (kept.has(x!) || readers.get(x!)?.length !== 2) return undefined
  const t = scaledAnew(context, x!, scale!.factor)
  return t && o.mul(o.mul(t, o.add(o.erf(t), now(one))), o.scalar(1 / scale!.factor))
}

/** (x / s) V is (x V) / s where s has one number a row: the quotient of the narrower side. */
function laterQuotient({ o, now, single }: Context, value: Value): Value | undefined {
  if (value.node?.op !== "MatMul") return undefined
  const [a, b] = value.node.inputs as [Value, Value]
  if (a.node?.op !== "Div" || !single(a) || b.constant) return undefined
  const [x, s] = a.node.inputs as [Value, Value]
  if (s.constant || s.dims.at(-1) !== 1 || s.dims.length !== a.dims.length || x.dims.length !== a.dims.length)
    return undefined
  if (value.dims.length !== a.dims.length || value.dims.at(-1)! > a.dims.at(-1)!) return undefined
  return o.div(o.emit("MatMul", [now(x), now(b)]), now(s))
}

function joinedSum({ o, now, single }: Context, value: Value): Value | undefined {
  if (value.node?.op !== "Add" || value.dtype !== "float32") return undefined
  const [a, d] = value.node.inputs as [Value, Value]
  return d.constant && single(a) ? offsetBy(o, now(a), now(d)) : undefined
}

/** (x + c) + d is x + (c + d). */
function offsetBy(o: Ops, value: Value, d: Value): Value {
  const [x, c] = value.node?.op === "Add" ? value.node.inputs : []
  return x && c?.constant && c.dims.length <= 1 && d.dims.length <= 1 ? o.add(x, o.add(c, d)) : o.add(value, d)
}

type Factor = { readonly of: Value; readonly by: Value; readonly factor: number; readonly inverse: boolean }

/** What a value multiplies, or divides by, a constant. */
function factorOf({ node, dtype }: Value): Factor | undefined {
  if (dtype !== "float32" || (node?.op !== "Mul" && node?.op !== "Div")) return undefined
  const [a, b] = node.inputs as [Value, Value]
  const inverse = node.op === "Div"
  const [of, by] = b.constant ? [a, b] : a.constant && !inverse ? [b, a] : []
  if (!of || !by?.constant) return undefined
  const number = elementsOf(by.constant)[0] as number
  const factor = inverse ? 1 / number : number
  return Number.isFinite(factor) && factor !== 0 ? { of, by, factor, inverse } : undefined
}

/** One number for all, or one for each place of the last axis. */
function alongLast(constant: Value, whole: Value, width: number): boolean {
  if (!constant.constant || constant.dtype !== "float32" || constant.dims.length > whole.dims.length) return false
  const count = elementCount(constant.dims)
  return count === 1 || (count === width && constant.dims.at(-1) === width)
}

function onlyProducts({ readers, kept }: Context, value: Value): boolean {
  return (
    !kept.has(value) &&
    (readers.get(value) ?? []).every(
      ({ node }) =>
        node?.op === "MatMul" &&
        node.inputs[0] === value &&
        node.inputs[1]!.constant !== undefined &&
        node.inputs[1]!.dims.length === 2,
    )
  )
}

// --- constants, in doubles and rounded once ---

function times(tensor: Tensor, factor: number): Tensor {
  if (factor === 1) return tensor
  return floats(
    tensor.dims,
    (elementsOf(tensor) as Float32Array).map((value) => value * factor),
  )
}

function inverted(tensor: Tensor): Float64Array {
  return Float64Array.from(elementsOf(tensor) as Float32Array, (value) => 1 / value)
}

/** Row k of the weights times number k. */
function weighted(weights: Tensor, by: Tensor | Float64Array): Tensor {
  const numbers = by instanceof Float64Array ? by : (elementsOf(by) as Float32Array)
  const columns = weights.dims[1]!
  const values = elementsOf(weights) as Float32Array
  return floats(
    weights.dims,
    values.map((value, i) => value * numbers[numbers.length === 1 ? 0 : Math.floor(i / columns)]!),
  )
}

function applied(offset: Tensor, weights: Tensor): Tensor {
  const [rows, columns] = weights.dims as [number, number]
  const numbers = elementsOf(offset) as Float32Array
  const values = elementsOf(weights) as Float32Array
  const sums = new Float64Array(columns)
  for (let k = 0; k < rows; k++) {
    const number = numbers[numbers.length === 1 ? 0 : k]!
    for (let n = 0; n < columns; n++) sums[n]! += number * values[k * columns + n]!
  }
  return floats([columns], sums)
}

/** Every value after what it reads. */
export function inOrder(roots: readonly Value[]): Value[] {
  const seen = new Set<Value>()
  const sorted: Value[] = []
  const stack: [Value, boolean][] = [...roots].reverse().map((value) => [value, false])
  for (let top = stack.pop(); top; top = stack.pop()) {
    const [value, done] = top
    if (done) {
      sorted.push(value)
      continue
    }
    if (seen.has(value)) continue
    seen.add(value)
    stack.push([value, true])
    for (const read of [...(value.node?.inputs ?? [])].reverse()) if (!seen.has(read)) stack.push([read, false])
  }
  return sorted
}
