import type { Value } from "../builder.ts"
import type { Ops } from "../ops.ts"
import { after, attend, causal, joinHeads, splitHeads, turn } from "./attention.ts"
import { constantInts, float, input, int, ints, isLeftOut, type Lower, type Lowering, refuse } from "./lowering.ts"

/** onnxruntime's forms of attention: how heads, masks, pasts and positions come in; what is done with them is one. */

export const fusedAttention: Readonly<Record<string, Lower>> = {
  Attention: (l) => {
    const { o, node } = l
    if (int(l, "do_rotary", 0) === 1) refuse("it turns its heads itself", TURNED)
    const x = input(l, 0)
    const weights = input(l, 1)
    const heads = int(l, "num_heads", 0)
    const third = weights.dims[1]! / 3
    const sizes = ints(l, "qkv_hidden_sizes") ?? [third, third, third]
    const all = o.matMul(x, weights)
    const [q, newK, newV] = parts(o, l.inputs[2] ? o.add(all, l.inputs[2]) : all, sizes).map((part) =>
      splitHeads(o, part, heads),
    ) as [Value, Value, Value]
    const past = l.inputs[4]
    const earlier = (at: number) => past && o.reshape(o.range(past, 0, at, at + 1), past.dims.slice(1))
    const [k, v] = [after(o, earlier(0), newK), after(o, earlier(1), newV)]
    const y = attend(o, {
      q,
      k,
      v,
      scale: float(l, "scale", 0),
      mask: masked(l, { keys: 3, bias: 5, past: past?.dims[3] }),
    })
    if (isLeftOut(node, 1)) return [joinHeads(o, y)]
    const present = [k, v].map((each) => o.reshape(each, [1, ...each.dims]))
    return [joinHeads(o, y), o.concat(present, 0)]
  },
  MultiHeadAttention: (l) => {
    const { o } = l
    const heads = int(l, "num_heads", 0)
    const query = input(l, 0)
    if (query.dims.length !== 3 || !l.inputs[1] || !l.inputs[2])
      refuse("its queries, keys and values come packed into one", "export the model before it is optimized")
    const bias = l.inputs[3]
    const given = [query, input(l, 1), input(l, 2)]
    const biases =
      bias &&
      parts(
        o,
        bias,
        given.map((x) => x.dims.at(-1)!),
      )
    const [q, newK, newV] = given.map((x, i) =>
      splitHeads(o, biases && x.dims.length === 3 ? o.add(x, biases[i]!) : x, heads),
    ) as [Value, Value, Value]
    const past = l.inputs[6]
    const [k, v] = [after(o, past, newK), after(o, l.inputs[7], newV)]
    const y = attend(o, {
      q,
      k,
      v,
      scale: float(l, "scale", 0),
      mask: masked(l, { keys: 4, bias: 5, past: past?.dims[2] }),
    })
    return [joinHeads(o, y), k, v]
  },
  GroupQueryAttention: (l) => {
    const { o } = l
    const [heads, shared] = [int(l, "num_heads", 0), int(l, "kv_num_heads", 0)]
    if (int(l, "smooth_softmax", 0) === 1 || l.inputs[11]) refuse("its softmax has a sink", WRITTEN_OUT)
    if (int(l, "local_window_size", -1) > 0) refuse("it looks back only so far", WRITTEN_OUT)
    const whole = input(l, 0)
    const depth = whole.dims[2]! / (l.inputs[1] ? heads : heads + 2 * shared)
    const given = l.inputs[1]
      ? [whole, l.inputs[1], input(l, 2)]
      : parts(
          o,
          whole,
          [heads, shared, shared].map((count) => count * depth),
        )
    const [q, k, v] = given.map((x, i) => splitHeads(o, x, i === 0 ? heads : shared)) as [Value, Value, Value]
    const before = pastLength(l, q.dims[2]!)
    const turned = int(l, "do_rotary", 0) === 1 ? rotary(l, { before, length: q.dims[2]! }) : (x: Value) => x
    const [keys, values] = [after(o, l.inputs[3], turned(k)), after(o, l.inputs[4], v)]
    const bias = l.inputs[10]
    const y = attend(o, {
      q: turned(q),
      k: keys,
      v: values,
      scale: float(l, "scale", 0),
      softcap: float(l, "softcap", 0),
      mask: (scores) => causal(o, bias ? o.add(scores, bias) : scores, before),
    })
    return [joinHeads(o, y), keys, values]
  },
  RotaryEmbedding: (l) => {
    const { o } = l
    if (int(l, "is_packed_batching", 0) === 1) refuse("its batch is packed", "export the model with a batch dim")
    const given = input(l, 0)
    const [positions, cos, sin] = [input(l, 1), input(l, 2), input(l, 3)]
    const depth = int(l, "rotary_embedding_dim", 0) > 0 ? 0 : 2 * cos.dims[1]!
    const heads = int(l, "num_heads", 0) || (depth > 0 ? given.dims[2]! / depth : 0)
    const x = splitHeads(o, given, heads)
    const places = positions.dims.length === 2 ? positions : o.add(positions, range(o, 0, x.dims[2]!))
    const turned = turn(o, x, {
      cos: o.gather(cos, places, 0),
      sin: o.gather(sin, places, 0),
      width: int(l, "rotary_embedding_dim", 0),
      interleaved: int(l, "interleaved", 0) === 1,
    })
    return [given.dims.length === 4 ? turned : joinHeads(o, turned)]
  },
}

const WRITTEN_OUT = "export the model with its attention written out"
const TURNED = "export the model before it is optimized"

function range(o: Ops, from: number, length: number): Value {
  return o.cast(
    o.vector(
      Float32Array.from({ length }, (_, i) => from + i),
      [length],
    ),
    "int64",
  )
}

/** Consecutive stretches of the last dim. */
function parts(o: Ops, x: Value, sizes: readonly number[]): Value[] {
  let from = 0
  return sizes.map((size) => {
    const part = o.range(x, x.dims.length - 1, from, from + size)
    from += size
    return part
  })
}

type Masks = {
  /** Which input says which keys there are: 0 hides one, per batch and key, or per batch, query and key; or counts. */
  readonly keys: number
  /** Which input is added to the scores. */
  readonly bias: number
  readonly past: number | undefined
}

function masked(l: Lowering, { keys, bias, past }: Masks): (scores: Value) => Value {
  const { o } = l
  const mask = l.inputs[keys]
  const added = l.inputs[bias]
  const isCausal = int(l, "unidirectional", 0) === 1
  return (scores) => {
    const total = scores.dims[3]!
    const hidden =
      mask && o.mul(o.sub(o.scalar(1), visible(o, mask, total)), o.scalar(float(l, "mask_filter_value", -10_000)))
    const open = causal(o, hidden ? o.add(scores, hidden) : scores, isCausal ? (past ?? 0) : undefined)
    return added ? o.add(open, added) : open
  }
}

/** 1 for keys that may be seen, 0 for others, of dims that spread over (batch, heads, queries, keys). */
function visible(o: Ops, mask: Value, total: number): Value {
  const [batch, rows] = mask.dims as [number, number]
  const numbers = o.cast(mask, "float32")
  const isOne = (x: Value) => o.cast(o.compare("Greater", x, o.scalar(0)), "float32")
  if (mask.dims.length === 3) return o.reshape(isOne(numbers), [batch, 1, rows, total])
  if (mask.dims.length === 2) return o.reshape(isOne(numbers), [batch, 1, 1, total])
  if (mask.dims.length !== 1) return refuse("its mask has an unknown form", WRITTEN_OUT)
  const places = o.reshape(o.cast(range(o, 0, total), "float32"), [1, 1, 1, total])
  return o.cast(o.compare("Greater", o.reshape(numbers, [batch, 1, 1, 1]), places), "float32")
}

/** How many keys came before. Where there are any, each batch's count must be a constant, and be all that there are. */
function pastLength(l: Lowering, length: number): number {
  const past = l.inputs[3]?.dims[2] ?? 0
  if (past === 0) return 0
  const last = constantInts(input(l, 5), "lengths of the past")
  if (last.some((index) => index !== past + length - 1))
    refuse("its past is a buffer that is not full", "export it with a past of the length that is used")
  return past
}

function rotary(l: Lowering, { before, length }: { before: number; length: number }): (x: Value) => Value {
  const { o } = l
  const places = l.inputs[9] ?? range(o, before, length)
  const rows = (cache: Value) => o.gather(cache, places, 0)
  const [cos, sin] = [rows(input(l, 7)), rows(input(l, 8))]
  const interleaved = int(l, "rotary_interleaved", 0) === 1
  const half = cos.dims.at(-1)!
  return (x) => turn(o, x, { cos, sin, width: 2 * half === x.dims[3] ? 0 : 2 * half, interleaved })
}
