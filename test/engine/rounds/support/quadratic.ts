import { writeModel } from "../../../../engine/onnx/writeModel.ts"
import { floats } from "../../../../engine/program/elements.ts"
import { createNodes, type Nodes } from "../../../../engine/rounds/nodes.ts"
import type { RoundProgramParams } from "../../../../engine/rounds/roundProgram.ts"
import { nextOf } from "../../../../engine/rounds/roundState.ts"
import { fedName } from "../../../../engine/train/dataShards.ts"

type QuadraticParams = {
  /** One a slot; where they are left out each step is fed a point. */
  readonly points?: readonly Float32Array[]
  readonly steps: number
  readonly begin: Float32Array
}

/** Descent on half the squared distance to a point: where each slot has one of its own, the optimum of all is the mean. */
export function quadraticSegment({
  points,
  steps,
  begin,
}: QuadraticParams): Pick<RoundProgramParams, "segment" | "begin"> {
  const size = begin.length
  const g = createNodes("q")
  const pointOf = points ? ownPoint(g, points, size) : (step: number) => fedPoint(g, step, size)
  let p = "p"
  const losses: string[] = []
  for (let step = 0; step < steps; step++) {
    const away = g.op("Sub", [p, pointOf(step)])
    losses.push(g.op("ReduceMax", [g.op("Abs", [away])], { axes: [0], keepdims: 1 }))
    p = g.op("Sub", [p, g.op("Mul", [away, g.slice("rates", { axis: 0, from: step, to: step + 1 })])])
  }
  g.name(p, nextOf("p"))
  g.name("m", nextOf("m"))
  g.name("v", nextOf("v"))
  const int = (name: string) => ({ name, dtype: "int64" as const, dims: [1] })
  const vector = (name: string, length = size) => ({ name, dtype: "float32" as const, dims: [length] })
  g.name(g.op("Add", ["cursor", g.ints([steps])]), nextOf("cursor"))
  g.name(g.op("Concat", losses, { axis: 0 }), "losses")
  const state = [vector("p"), vector("m"), vector("v"), int("cursor"), int("slot")]
  g.name("slot", nextOf("slot"))
  const fed = points ? [] : [{ name: fedName("point"), dtype: "float32" as const, dims: [steps, size] }]
  const bytes = writeModel({
    name: "quadratic",
    nodes: g.nodes,
    initializers: g.initializers,
    inputs: [...state, vector("rates", steps), ...fed],
    outputs: [...state.map((value) => ({ ...value, name: nextOf(value.name) })), vector("losses", steps)],
  })
  return { segment: { bytes, steps, state, fed }, begin: floats([size], begin) }
}

function ownPoint(g: Nodes, points: readonly Float32Array[], size: number): () => string {
  const table = g.constant(
    floats(
      [points.length, size],
      points.flatMap((point) => [...point]),
    ),
  )
  const point = g.reshape(g.op("Gather", [table, "slot"], { axis: 0 }), [size])
  return () => point
}

function fedPoint(g: Nodes, step: number, size: number): string {
  return g.reshape(g.slice(fedName("point"), { axis: 0, from: step, to: step + 1 }), [size])
}
