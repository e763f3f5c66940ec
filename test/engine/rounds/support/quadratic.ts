import { writeModel } from "../../../../engine/onnx/writeModel.ts"
import { floats } from "../../../../engine/program/elements.ts"
import { createNodes } from "../../../../engine/rounds/nodes.ts"
import type { RoundProgramParams } from "../../../../engine/rounds/roundProgram.ts"
import { nextOf } from "../../../../engine/rounds/roundState.ts"

/** Each slot has a point of its own that it wants p to be: descent on half the squared distance, so the optimum of all is the mean. */
export function quadraticSegment({
  points,
  steps,
  begin,
}: {
  points: readonly Float32Array[]
  steps: number
  begin: Float32Array
}): Pick<RoundProgramParams, "segment" | "begin"> {
  const size = begin.length
  const g = createNodes("q")
  const table = g.constant(
    floats(
      [points.length, size],
      points.flatMap((point) => [...point]),
    ),
  )
  const point = g.reshape(g.op("Gather", [table, "slot"], { axis: 0 }), [size])
  let p = "p"
  const losses: string[] = []
  for (let step = 0; step < steps; step++) {
    const away = g.op("Sub", [p, point])
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
  const bytes = writeModel({
    name: "quadratic",
    nodes: g.nodes,
    initializers: g.initializers,
    inputs: [...state, vector("rates", steps)],
    outputs: [...state.map((value) => ({ ...value, name: nextOf(value.name) })), vector("losses", steps)],
  })
  return { segment: { bytes, steps, state }, begin: floats([size], begin) }
}
