import { FLOAT_MAX, floats, int64s } from "../program/elements.ts"
import type { Nodes } from "./nodes.ts"

/** How updates become the next state: https://arxiv.org/abs/2311.08105, 3.1. */
export type OuterOptimizer = {
  readonly rate: number
  /** Nesterov's. */
  readonly momentum: number
  /** An update longer than this is shortened to it; one whose length is no finite number is nothing. */
  readonly clipNorm?: number
  /**
   * Of each number, so many of the greatest and of the least among the updates that are in have no say, and NaN is the
   * greatest: with more than twice as many updates in, what is left of it lies between those of honest workers, though so
   * many be made up. https://arxiv.org/abs/1803.01498, definition 2.
   */
  readonly trim?: number
}

export type AggregateParams = {
  /** What all workers' updates are added to, float32 of these dims, as is all else here. */
  readonly parameters: string
  readonly momentum: string
  /** What each worker came away from the parameters: before less after. */
  readonly updates: readonly string[]
  /** float32 [1] each: 1 where the update is in, 0 where it is not. */
  readonly weights: readonly string[]
  readonly dims: readonly number[]
  readonly outer: OuterOptimizer
}

/**
 * Nodes in another order would be another program: runs of before name its bytes in their manifests.
 *
 * The next state: d = mean of the updates that are in, u' = momentum u + d, p' = p - rate (d + momentum u'). Sums go in
 * the order of the workers, so that every machine has the same bits; where no update is in, nothing changes but u.
 */
export function aggregate(g: Nodes, params: AggregateParams): { parameters: string; momentum: string } {
  const { outer } = params
  const { clipNorm } = outer
  const updates = clipNorm === undefined ? params.updates : params.updates.map((update) => clipped(g, update, clipNorm))
  const mean = average(g, { ...params, values: updates })
  const momentum = g.op("Add", [g.op("Mul", [params.momentum, g.number(outer.momentum)]), mean])
  const step = g.op("Add", [mean, g.op("Mul", [momentum, g.number(outer.momentum)])])
  const parameters = g.op("Sub", [params.parameters, g.op("Mul", [step, g.number(outer.rate)])])
  return { parameters, momentum }
}

export type AverageParams = Pick<AggregateParams, "weights" | "dims" | "outer"> & { readonly values: readonly string[] }

/** Of what the slots that are in have sent; zeros where none is. */
export function average(g: Nodes, { values, weights, dims, outer: { trim = 0 } }: AverageParams): string {
  return trim === 0 ? meanOf(g, values, weights) : g.reshape(trimmedMean(g, values, weights, trim), dims)
}

function meanOf(g: Nodes, updates: readonly string[], weights: readonly string[]): string {
  const count = atLeastOne(g, sum(g, weights))
  // Not by the product alone: what is left out may hold a NaN, and 0 times NaN is one.
  const weighted = updates.map((update, i) => {
    const isIn = g.op("Greater", [weights[i]!, g.number(0)])
    return g.op("Where", [isIn, g.op("Mul", [update, weights[i]!]), g.number(0)])
  })
  return g.op("Div", [sum(g, weighted), count])
}

function clipped(g: Nodes, update: string, norm: number): string {
  // Row by row, for a sum of all squares in one chain is long to judge.
  const rows = g.op("ReduceSumSquare", [update], { axes: [-1], keepdims: 1 })
  const length = g.op("Sqrt", [g.op("ReduceSum", [rows], { keepdims: 0 })])
  const factor = g.op("Div", [g.number(norm), g.op("Max", [length, g.number(norm)])])
  const measurable = g.op("Less", [length, g.number(FLOAT_MAX)])
  return g.op("Where", [measurable, g.op("Mul", [update, factor]), g.number(0)])
}

/** float32 [elements, 1]. With at most 2 * trim updates in, the mean of all that are. */
function trimmedMean(g: Nodes, updates: readonly string[], weights: readonly string[], trim: number): string {
  const count = updates.length
  const side = { axis: 1 }
  const values = g.op("Concat", [...updates.map((update) => g.reshape(update, [-1, 1]))], side)
  const isIn = g.op("Greater", [g.reshape(g.op("Concat", weights, { axis: 0 }), [1, count]), g.number(0)])
  const number = g.op("Where", [g.op("Equal", [values, values]), values, g.number(Number.POSITIVE_INFINITY)])
  const places = g.constant(int64s([...updates.keys()], [1, count]))
  const total = sum(g, weights)
  const enough = g.op("Greater", [total, g.number(2 * trim)])
  let kept = isIn
  for (let i = 0; i < trim; i++)
    for (const [op, out] of [
      ["ArgMax", Number.NEGATIVE_INFINITY],
      ["ArgMin", Number.POSITIVE_INFINITY],
    ] as const) {
      const taken = g.op(op, [g.op("Where", [kept, number, g.number(out)])], { axis: 1, keepdims: 1 })
      kept = g.op("And", [kept, g.op("Not", [g.op("Equal", [places, taken])])])
    }
  const counted = g.op("Or", [kept, g.op("And", [isIn, g.op("Not", [enough])])])
  const summed = g.op("Where", [counted, values, g.number(0)])
  const all = g.op("MatMul", [summed, g.constant(floats([count, 1], new Float32Array(count).fill(1)))])
  const of = g.op("Where", [enough, g.op("Sub", [total, g.number(2 * trim)]), total])
  return g.op("Div", [all, atLeastOne(g, of)])
}

const atLeastOne = (g: Nodes, count: string): string =>
  g.op("Where", [g.op("Equal", [count, g.number(0)]), g.number(1), count])

function sum(g: Nodes, values: readonly string[]): string {
  return values.reduce((total, value) => g.op("Add", [total, value]))
}
