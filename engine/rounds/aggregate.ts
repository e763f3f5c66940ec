import type { Nodes } from "./nodes.ts"

/** Of the outer optimizer: https://arxiv.org/abs/2311.08105, 3.1. */
export type OuterOptimizer = {
  readonly rate: number
  /** Nesterov's. */
  readonly momentum: number
}

export type AggregateParams = {
  /** What all workers' updates are added to, float32 of any one shape, as is all else here. */
  readonly parameters: string
  readonly momentum: string
  /** What each worker came away from the parameters: before less after. */
  readonly updates: readonly string[]
  /** float32 [1] each: 1 where the update is in, 0 where it is not. */
  readonly weights: readonly string[]
  readonly outer: OuterOptimizer
}

/**
 * The next state: d = mean of the updates that are in, u' = momentum u + d, p' = p - rate (d + momentum u'). Sums go in
 * the order of the workers, so that every machine has the same bits; where no update is in, nothing changes but u.
 */
export function aggregate(g: Nodes, params: AggregateParams): { parameters: string; momentum: string } {
  const { outer, updates, weights } = params
  const total = sum(g, weights)
  const count = g.op("Where", [g.op("Equal", [total, g.number(0)]), g.number(1), total])
  // Not by the product alone: what is left out may hold a NaN, and 0 times NaN is one.
  const weighted = updates.map((update, i) => {
    const isIn = g.op("Greater", [weights[i]!, g.number(0)])
    return g.op("Where", [isIn, g.op("Mul", [update, weights[i]!]), g.number(0)])
  })
  const mean = g.op("Div", [sum(g, weighted), count])
  const momentum = g.op("Add", [g.op("Mul", [params.momentum, g.number(outer.momentum)]), mean])
  const step = g.op("Add", [mean, g.op("Mul", [momentum, g.number(outer.momentum)])])
  const parameters = g.op("Sub", [params.parameters, g.op("Mul", [step, g.number(outer.rate)])])
  return { parameters, momentum }
}

function sum(g: Nodes, values: readonly string[]): string {
  return values.reduce((total, value) => g.op("Add", [total, value]))
}
