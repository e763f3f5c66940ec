import type { Value } from "../builder.ts"
import type { Ops } from "../ops.ts"
import { constantInts, input, int, type Lower, type Lowering, refuse, text } from "./lowering.ts"

/** Recurrent networks with their steps written out: shapes are static, so is the number of steps. */

type State = { readonly h: Value; readonly c?: Value }
/** What one direction computes with, its weights transposed for products from the left. */
type Cell = {
  readonly o: Ops
  readonly hidden: number
  /** x W + the biases that may be added beforehand, for all steps: (steps, batch, gates * hidden). */
  readonly inputs: Value
  readonly recurrent: Value
  readonly recurrentBias?: Value
  readonly peephole?: Value
  readonly activations: readonly ((x: Value) => Value)[]
  readonly linearBeforeReset: boolean
}

export const recurrent: Readonly<Record<string, Lower>> = {
  LSTM: (l) => unroll(l, 4, ["Sigmoid", "Tanh", "Tanh"], lstmStep),
  GRU: (l) => unroll(l, 3, ["Sigmoid", "Tanh"], gruStep),
  RNN: (l) =>
    unroll(l, 1, ["Tanh"], (cell, x, { h }) => ({
      h: cell.activations[0]!(cell.o.add(x, cell.o.matMul(h, cell.recurrent))),
    })),
}

type Step = (cell: Cell, x: Value, state: State) => State

function unroll(l: Lowering, gates: number, defaults: readonly string[], step: Step): readonly Value[] {
  const { o, node } = l
  if (node.attributes.has("clip")) refuse("it clips its cell", "export without clip")
  if (int(l, "input_forget", 0) === 1) refuse("it couples input and forget gates", "export without input_forget")
  const layout = int(l, "layout", 0)
  const given = input(l, 0)
  const x = layout === 1 ? o.transpose(given, [1, 0, 2]) : given
  const [steps, batch, width] = x.dims as [number, number, number]
  const w = input(l, 1)
  const hidden = int(l, "hidden_size", w.dims[1]! / gates)
  const lengths = l.inputs[4]
  if (lengths && constantInts(lengths, "sequence lengths").some((length) => length !== steps))
    refuse("its sequences differ in length", "pad them all to one length and leave sequence_lens out")
  const direction = text(l, "direction", "forward")
  const count = w.dims[0]!
  const names = node.attributes.get("activations")
  if (names && names.floats.length > 0) refuse("its activations have parameters", "use the usual activations")
  const activations = activationsOf(l, defaults, count)

  const ends: State[] = []
  const outputs = Array.from({ length: count }, (_, d) => {
    const backward = direction === "reverse" || d === 1
    const part = (at: number): Value | undefined => {
      const value = l.inputs[at]
      return value && o.reshape(o.range(value, 0, d, d + 1), value.dims.slice(1))
    }
    const bias = part(3)
    const size = gates * hidden
    const [ofInput, ofState] = bias ? [o.range(bias, 0, 0, size), o.range(bias, 0, size, 2 * size)] : []
    const linearBeforeReset = node.op === "GRU" && int(l, "linear_before_reset", 0) === 1
    const product = o.matMul(o.reshape(x, [steps * batch, width]), o.transpose(part(1)!, [1, 0]))
    const before = ofInput && ofState ? (linearBeforeReset ? ofInput : o.add(ofInput, ofState)) : undefined
    const cell: Cell = {
      o,
      hidden,
      inputs: o.reshape(before ? o.add(product, before) : product, [steps, batch, size]),
      recurrent: o.transpose(part(2)!, [1, 0]),
      recurrentBias: linearBeforeReset ? ofState : undefined,
      peephole: part(7),
      activations: activations.slice(d * defaults.length, (d + 1) * defaults.length),
      linearBeforeReset,
    }
    const initial = (at: number): Value => {
      const value = l.inputs[at]
      const states = value && layout === 1 ? o.transpose(value, [1, 0, 2]) : value
      return states ? o.reshape(o.range(states, 0, d, d + 1), [batch, hidden]) : o.filled(0, [batch, hidden])
    }
    let state: State = node.op === "LSTM" ? { h: initial(5), c: initial(6) } : { h: initial(5) }
    const results = new Array<Value>(steps)
    for (let i = 0; i < steps; i++) {
      const t = backward ? steps - 1 - i : i
      state = step(cell, o.reshape(o.range(cell.inputs, 0, t, t + 1), [batch, size]), state)
      results[t] = state.h
    }
    ends.push(state)
    return o.concat(
      results.map((h) => o.reshape(h, [1, 1, batch, hidden])),
      0,
    )
  })
  const last = (value: (state: State) => Value) =>
    o.concat(
      ends.map((state) => o.reshape(value(state), [1, batch, hidden])),
      0,
    )
  const all = o.concat(outputs, 1)
  const [y, h] =
    layout === 1
      ? [
          o.transpose(all, [2, 0, 1, 3]),
          o.transpose(
            last(({ h }) => h),
            [1, 0, 2],
          ),
        ]
      : [all, last(({ h }) => h)]
  if (node.op !== "LSTM") return [y, h]
  const c = last((state) => state.c!)
  return [y, h, layout === 1 ? o.transpose(c, [1, 0, 2]) : c]
}

function activationsOf(l: Lowering, defaults: readonly string[], count: number): ((x: Value) => Value)[] {
  const { o, node } = l
  const known: Record<string, (x: Value) => Value> = { Sigmoid: o.sigmoid, Tanh: o.tanh, Relu: o.relu }
  const given = node.attributes.get("activations")?.strings ?? []
  const names = given.length > 0 ? given : Array.from({ length: count }, () => defaults).flat()
  return names.map((name) => known[name] ?? refuse(`its activation is ${name}`, "use Sigmoid, Tanh or Relu"))
}

/** Gates i, o, f, c; peepholes i, o, f. */
function lstmStep({ o, hidden, recurrent, peephole, activations }: Cell, x: Value, { h, c }: State): State {
  const [gate, candidate, squash] = activations as [(x: Value) => Value, (x: Value) => Value, (x: Value) => Value]
  const all = o.add(x, o.matMul(h, recurrent))
  const part = (value: Value, i: number, n = 1) => o.range(value, value.dims.length - 1, i * hidden, (i + n) * hidden)
  if (!peephole) {
    const gates = gate(part(all, 0, 3))
    const next = o.add(o.mul(part(gates, 2), c!), o.mul(part(gates, 0), candidate(part(all, 3))))
    return { h: o.mul(part(gates, 1), squash(next)), c: next }
  }
  const peek = (i: number, p: number, cell: Value) => gate(o.add(part(all, i), o.mul(part(peephole, p), cell)))
  const next = o.add(o.mul(peek(2, 2, c!), c!), o.mul(peek(0, 0, c!), candidate(part(all, 3))))
  return { h: o.mul(peek(1, 1, next), squash(next)), c: next }
}

/** Gates z, r, h. */
function gruStep(
  { o, hidden, recurrent, recurrentBias, activations, linearBeforeReset }: Cell,
  x: Value,
  { h }: State,
): State {
  const [gate, candidate] = activations as [(x: Value) => Value, (x: Value) => Value]
  const part = (value: Value, i: number, n = 1) => o.range(value, value.dims.length - 1, i * hidden, (i + n) * hidden)
  const withBias = (value: Value, bias: Value | undefined) => (bias ? o.add(value, bias) : value)
  const gates = gate(
    o.add(part(x, 0, 2), withBias(o.matMul(h, part(recurrent, 0, 2)), recurrentBias && part(recurrentBias, 0, 2))),
  )
  const [z, r] = [part(gates, 0), part(gates, 1)]
  const weights = part(recurrent, 2)
  const inner = linearBeforeReset
    ? o.mul(r, withBias(o.matMul(h, weights), recurrentBias && part(recurrentBias, 2)))
    : o.matMul(o.mul(r, h), weights)
  const fresh = candidate(o.add(part(x, 2), inner))
  // (1 - z) * fresh + z * h
  return { h: o.add(fresh, o.mul(z, o.sub(h, fresh))) }
}
