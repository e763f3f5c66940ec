import type { Value } from "../builder.ts"
import type { Ops } from "../ops.ts"
import { float, input, int, isLeftOut, type Lower, product, refuse } from "./lowering.ts"
import { softmax, swapped } from "./products.ts"

/** Attention whole, and the positions that it turns its heads by: https://onnx.ai/onnx/operators/onnx__Attention.html */

export const attention: Readonly<Record<string, Lower>> = {
  Attention: (l) => {
    const { o, node } = l
    if (!isLeftOut(node, 3)) refuse("it puts out its scores", "export the model with its attention written out")
    const q = splitHeads(o, input(l, 0), int(l, "q_num_heads", 0))
    const [newK, newV] = [1, 2].map((at) => splitHeads(o, input(l, at), int(l, "kv_num_heads", 0))) as [Value, Value]
    const [k, v] = [after(o, l.inputs[4], newK), after(o, l.inputs[5], newV)]
    const past = int(l, "is_causal", 0) === 1 ? (l.inputs[4]?.dims[2] ?? 0) : undefined
    const y = attend(o, {
      q,
      k,
      v,
      scale: float(l, "scale", 0),
      softcap: float(l, "softcap", 0),
      mask: (scores) => causal(o, opened(o, scores, l.inputs[3]), past),
    })
    return [input(l, 0).dims.length === 4 ? y : joinHeads(o, y), k, v]
  },
  RotaryEmbedding: (l) => {
    const { o } = l
    const given = input(l, 0)
    const x = splitHeads(o, given, int(l, "num_heads", 0))
    const rows = (cache: Value) => (l.inputs[3] ? o.gather(cache, l.inputs[3], 0) : cache)
    const turned = turn(o, x, {
      cos: rows(input(l, 1)),
      sin: rows(input(l, 2)),
      width: int(l, "rotary_embedding_dim", 0),
      interleaved: int(l, "interleaved", 0) === 1,
    })
    return [given.dims.length === 4 ? turned : joinHeads(o, turned)]
  },
}

export type AttendParams = {
  /** (batch, heads, length, depth); of keys and values there may be fewer heads, each of which serves several. */
  readonly q: Value
  readonly k: Value
  readonly v: Value
  /** 0 for one over the root of the depth. */
  readonly scale: number
  /** 0 for none. */
  readonly softcap?: number
  readonly mask: (scores: Value) => Value
}

/** softmax(mask(scale q k^T)) v, of the dims of q but for the depth, which is that of v. */
export function attend(o: Ops, { q, k, v, scale, softcap = 0, mask }: AttendParams): Value {
  // The root of the scale on both sides, as the definition has it.
  const root = o.scalar(Math.sqrt(scale === 0 ? 1 / Math.sqrt(q.dims.at(-1)!) : scale))
  const groups = q.dims[1]! / k.dims[1]!
  const scores = o.matMul(o.mul(q, root), swapped(o, repeated(o, o.mul(k, root), groups)))
  return o.matMul(softmax(o, mask(capped(o, scores, softcap))), repeated(o, v, groups))
}

export type TurnParams = {
  /** A row of angles a position, the same for all batches or one for each. */
  readonly cos: Value
  readonly sin: Value
  /** How much of the depth is turned; 0 for all of it. */
  readonly width: number
  /** Whether the pairs that are turned are neighbours. */
  readonly interleaved: boolean
}

/** Turns pairs of numbers of x (batch, heads, length, depth) by the angles of their positions. */
export function turn(o: Ops, x: Value, { cos: cosines, sin: sines, width, interleaved }: TurnParams): Value {
  const [batch, count, length, depth] = x.dims as [number, number, number, number]
  const turned = width || depth
  const half = turned / 2
  const angles = (rows: Value) => o.reshape(rows, [product(rows.dims) / (length * half), 1, length, half])
  const [cos, sin] = [angles(cosines), angles(sines)]
  const part = (from: number) =>
    interleaved
      ? o.slice(x, [{ axis: 3, start: from, end: turned, step: 2 }])
      : o.range(x, 3, from * half, (from + 1) * half)
  const [a, b] = [part(0), part(1)]
  const real = o.sub(o.mul(cos, a), o.mul(sin, b))
  const imaginary = o.add(o.mul(sin, a), o.mul(cos, b))
  const apart = (value: Value) => o.reshape(value, [batch, count, length, half, 1])
  const joined = interleaved
    ? o.reshape(o.concat([apart(real), apart(imaginary)], 4), [batch, count, length, turned])
    : o.concat([real, imaginary], 3)
  return turned === depth ? joined : o.concat([joined, o.range(x, 3, turned, depth)], 3)
}

/** (batch, length, heads * depth) as (batch, heads, length, depth); of rank 4 it is that already. */
export function splitHeads(o: Ops, x: Value, count: number): Value {
  if (x.dims.length === 4) return x
  const [batch, length, width] = x.dims as [number, number, number]
  if (count === 0 || width % count !== 0) refuse(`${count} heads do not divide ${width}`, "export the model again")
  return o.transpose(o.reshape(x, [batch, length, count, width / count]), [0, 2, 1, 3])
}

export function joinHeads(o: Ops, x: Value): Value {
  const [batch, count, length, depth] = x.dims as [number, number, number, number]
  return o.reshape(o.transpose(x, [0, 2, 1, 3]), [batch, length, count * depth])
}

export function after(o: Ops, past: Value | undefined, x: Value): Value {
  return past ? o.concat([past, x], 2) : x
}

/** Where several heads ask one: each key and value as often. */
function repeated(o: Ops, x: Value, times: number): Value {
  if (times === 1) return x
  const [batch, count, length, depth] = x.dims as [number, number, number, number]
  const spread = o.expand(o.reshape(x, [batch, count, 1, length, depth]), [batch, count, times, length, depth])
  return o.reshape(spread, [batch, count * times, length, depth])
}

/** Before the mask, as onnxruntime has it: what is hidden stays so. */
function capped(o: Ops, scores: Value, cap: number): Value {
  return cap === 0 ? scores : o.mul(o.tanh(o.div(scores, o.scalar(cap))), o.scalar(cap))
}

/** What a mask opens: bools say which, numbers are added. */
function opened(o: Ops, scores: Value, mask: Value | undefined): Value {
  if (mask?.dtype === "bool") return o.where(mask, scores, o.scalar(Number.NEGATIVE_INFINITY))
  return mask ? o.add(scores, mask) : scores
}

/** Hides what comes later, `past` being how many keys came before the first query; undefined hides nothing. */
export function causal(o: Ops, scores: Value, past: number | undefined): Value {
  if (past === undefined) return scores
  const [rows, columns] = scores.dims.slice(-2) as [number, number]
  const earlier = Float32Array.from({ length: rows * columns }, (_, e) =>
    e % columns <= Math.floor(e / columns) + past ? 1 : 0,
  )
  return o.where(o.cast(o.vector(earlier, [rows, columns]), "bool"), scores, o.scalar(Number.NEGATIVE_INFINITY))
}
