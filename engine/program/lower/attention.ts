import type { Value } from "../builder.ts"
import type { Ops } from "../ops.ts"
import { float, input, int, isLeftOut, type Lower, type Lowering, refuse } from "./lowering.ts"
import { softmax, swapped } from "./products.ts"

/** Attention whole, and the positions that it turns its heads by: https://onnx.ai/onnx/operators/onnx__Attention.html */

export const attention: Readonly<Record<string, Lower>> = {
  Attention: (l) => {
    const { o, node } = l
    onlyOnnx(l)
    if (!isLeftOut(node, 3)) refuse("it puts out its scores", "export the model with its attention written out")
    const [q, newK, newV] = [
      heads(l, input(l, 0), "q_num_heads"),
      heads(l, input(l, 1), "kv_num_heads"),
      heads(l, input(l, 2), "kv_num_heads"),
    ]
    const [k, v] = [after(o, l.inputs[4], newK), after(o, l.inputs[5], newV)]
    const depth = q.dims.at(-1)!
    // The root of the scale on both sides, as the definition has it.
    const root = o.scalar(Math.sqrt(float(l, "scale", 1 / Math.sqrt(depth))))
    const groups = q.dims[1]! / k.dims[1]!
    const scores = o.matMul(o.mul(q, root), swapped(o, repeated(o, o.mul(k, root), groups)))
    const weights = softmax(o, masked(l, capped(l, scores)))
    const y = o.matMul(weights, repeated(o, v, groups))
    const [batch, count, length, width] = y.dims as [number, number, number, number]
    const joined =
      input(l, 0).dims.length === 4 ? y : o.reshape(o.transpose(y, [0, 2, 1, 3]), [batch, length, count * width])
    return [joined, k, v]
  },
  RotaryEmbedding: (l) => {
    const { o } = l
    onlyOnnx(l)
    const given = input(l, 0)
    const x = heads(l, given, "num_heads")
    const [batch, count, length, depth] = x.dims as [number, number, number, number]
    const turned = int(l, "rotary_embedding_dim", 0) || depth
    const half = turned / 2
    const positions = l.inputs[3]
    const angles = (cache: Value) => {
      const rows = positions ? o.gather(cache, positions, 0) : cache
      return o.reshape(rows, [rows.dims[0]!, 1, length, half])
    }
    const [cos, sin] = [angles(input(l, 1)), angles(input(l, 2))]
    const interleaved = int(l, "interleaved", 0) === 1
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
    const whole = turned === depth ? joined : o.concat([joined, o.range(x, 3, turned, depth)], 3)
    return [given.dims.length === 4 ? whole : o.reshape(o.transpose(whole, [0, 2, 1, 3]), given.dims)]
  },
}

/** onnxruntime has operators of these names with other inputs. */
function onlyOnnx({ node }: Lowering): void {
  if (node.domain !== "") refuse("it is onnxruntime's own, not ONNX's", "export the model before it is optimized")
}

/** (batch, length, heads * depth) as (batch, heads, length, depth); of rank 4 it is that already. */
function heads(l: Lowering, x: Value, name: string): Value {
  if (x.dims.length === 4) return x
  const [batch, length, width] = x.dims as [number, number, number]
  const count = int(l, name, 0)
  if (count === 0 || width % count !== 0) refuse(`its ${name} does not divide ${width}`, "export the model again")
  return l.o.transpose(l.o.reshape(x, [batch, length, count, width / count]), [0, 2, 1, 3])
}

const after = (o: Ops, past: Value | undefined, x: Value): Value => (past ? o.concat([past, x], 2) : x)

/** Where several heads ask one: each key and value as often. */
function repeated(o: Ops, x: Value, times: number): Value {
  if (times === 1) return x
  const [batch, count, length, depth] = x.dims as [number, number, number, number]
  const spread = o.expand(o.reshape(x, [batch, count, 1, length, depth]), [batch, count, times, length, depth])
  return o.reshape(spread, [batch, count * times, length, depth])
}

/** Before the mask, as onnxruntime has it: what is hidden stays so. */
function capped(l: Lowering, scores: Value): Value {
  const { o } = l
  const cap = float(l, "softcap", 0)
  return cap === 0 ? scores : o.mul(o.tanh(o.div(scores, o.scalar(cap))), o.scalar(cap))
}

function masked(l: Lowering, scores: Value): Value {
  const { o } = l
  const [rows, columns] = scores.dims.slice(-2) as [number, number]
  const mask = l.inputs[3]
  const hidden = o.scalar(Number.NEGATIVE_INFINITY)
  const open = mask?.dtype === "bool" ? o.where(mask, scores, hidden) : mask ? o.add(scores, mask) : scores
  if (int(l, "is_causal", 0) === 0) return open
  const past = l.inputs[4]?.dims[2] ?? 0
  const earlier = Float32Array.from({ length: rows * columns }, (_, e) =>
    e % columns <= Math.floor(e / columns) + past ? 1 : 0,
  )
  return o.where(o.cast(o.vector(earlier, [rows, columns]), "bool"), open, hidden)
}
