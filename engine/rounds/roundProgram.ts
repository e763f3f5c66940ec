import type { Dtype, Tensor } from "#protocol"
import { readModelInterface } from "../model/modelInterface.ts"
import { readModel } from "../onnx/readModel.ts"
import { type NodeSpec, type ValueSpec, writeModel } from "../onnx/writeModel.ts"
import { nodeSpecs } from "../program/compileProgram.ts"
import { elementsOf, floats, int64s, newElements, tensorOf } from "../program/elements.ts"
import type { Segment } from "../train/buildStep.ts"
import { type Feed, isFedName } from "../train/dataShards.ts"
import { aggregate, type OuterOptimizer } from "./aggregate.ts"
import { CHUNK, type Compression, codeShapes, compress, decompress } from "./compression.ts"
import { createNodes, type Nodes } from "./nodes.ts"
import { inputsOf, nextOf, type RoundPorts, type RoundState, type Tensors } from "./roundState.ts"

export type RoundProgramParams = {
  readonly segment: Pick<Segment, "bytes" | "steps" | "state" | "fed">
  /** Where the segment is fed its data. */
  readonly feed?: Feed
  /** What training begins with: float32 [P]. */
  readonly begin: Tensor
  /** How many take part in a round; at most 64, for a round is one batch (R5). */
  readonly slots: number
  readonly compression: Compression
  readonly outer: OuterOptimizer
}

export type RoundProgram = {
  /** A slot's task of one round, as an ONNX model. */
  readonly model: Uint8Array
  /** What every slot's task begins with, alone: the shared tensors of the next round. */
  readonly closing: Uint8Array
  readonly ports: RoundPorts
  readonly genesis: RoundState
  readonly slots: number
  readonly steps: number
  /** P. */
  readonly parameters: number
  /** What a slot's next steps learn from, where that is no part of the program. */
  readonly feed?: Feed
}

const SHARED = ["parameters", "momentum"]
const GATHERED = ["codes", "scales"]
const SCHEDULED = ["weights", "slot", "rates"]

/** Of a round's program, by its inputs. */
export function roundPorts(model: Uint8Array): RoundPorts {
  const { inputs } = readModelInterface(model)
  const others = new Set([...SHARED, ...GATHERED, ...SCHEDULED])
  return {
    shared: SHARED,
    gathered: GATHERED,
    own: inputs.map(({ name }) => name).filter((name) => !others.has(name) && !isFedName(name)),
  }
}

/**
 * A round of training as one program, the same for every slot, so that it is posted, audited and judged like any other
 * model. It takes in what all slots sent in the round before, makes the next parameters of them (so every worker, and
 * every audit, checks the aggregation), takes its steps from there, and puts out what it came away by, compressed.
 *
 * Shared tensors and the rest are float32 [chunks, 128]: P parameters and zeros.
 */
export function buildRoundProgram(params: RoundProgramParams): RoundProgram {
  const { segment, slots, compression, begin } = params
  const size = begin.dims[0]!
  const chunks = Math.ceil(size / CHUNK)
  const g = createNodes("round")
  // A slot's own: the rest of error feedback, moments, and its place in the data; p is made of what is shared.
  const carried = segment.state.filter(({ name }) => name !== "p" && name !== "slot")

  const shared = nextShared(g, params, chunks)
  const p = g.slice(g.reshape(shared.parameters, [chunks * CHUNK]), { axis: 0, from: 0, to: size })
  const through = [...carried, ...segment.fed].map(({ name }) => name)
  const same = Object.fromEntries([...through, "slot", "rates"].map((name) => [name, name]))
  const inner = inline(segment.bytes, "segment", { ...same, p })
  const ended = padded(g, inner.outputs[nextOf("p")]!, { size, chunks })

  const moved = g.op("Sub", [shared.parameters, ended])
  const update = g.op("Add", [moved, "residual"])
  const { codes, scales } = compress(g, compression, update)
  const residual = g.op("Sub", [update, decompress(g, compression, codes, scales)])

  const results = {
    parameters: shared.parameters,
    momentum: shared.momentum,
    codes,
    scales,
    residual,
    ...Object.fromEntries(carried.map(({ name }) => [name, inner.outputs[nextOf(name)]!])),
  }
  for (const [name, value] of Object.entries(results)) g.name(value, nextOf(name))
  g.name(inner.outputs.losses!, "losses")

  const sent = codeShapes(compression, chunks)
  const square = (name: string): ValueSpec => ({ name, dtype: "float32", dims: [chunks, CHUNK] })
  const steps: ValueSpec = { name: "losses", dtype: "float32", dims: [segment.steps] }
  const model = writeModel({
    name: "round",
    nodes: inOrder([...g.nodes, ...inner.nodes]),
    initializers: { ...g.initializers, ...inner.initializers },
    inputs: [
      ...sharedInputs(params, chunks),
      square("residual"),
      ...carried,
      { name: "slot", dtype: "int64", dims: [1] },
      { ...steps, name: "rates" },
      ...segment.fed,
    ],
    outputs: [
      square(nextOf("parameters")),
      square(nextOf("momentum")),
      { name: nextOf("codes"), dtype: "uint8", dims: sent.codes },
      { name: nextOf("scales"), dtype: "float32", dims: sent.scales },
      square(nextOf("residual")),
      ...carried.map((value) => ({ ...value, name: nextOf(value.name) })),
      steps,
    ],
  })
  return {
    model,
    closing: closingProgram(params, chunks),
    ports: roundPorts(model),
    genesis: genesis(params, { chunks, carried }),
    slots,
    steps: segment.steps,
    parameters: size,
    ...(params.feed ? { feed: params.feed } : {}),
  }
}

export type SlotGiven = { readonly slot: number; readonly rates: readonly number[] }

/** A slot's inputs of a round: its state, what the round's schedule gives it, and its next samples. */
export async function slotInputs(
  { steps, feed }: RoundProgram,
  state: RoundState,
  { slot, rates }: SlotGiven,
): Promise<Tensors> {
  const own = inputsOf(state, slot)
  const samples = feed && (await feed({ slot, cursor: (elementsOf(own.cursor!) as BigInt64Array)[0]! }))
  return { ...own, slot: int64s([slot]), rates: floats([steps], rates), ...samples }
}

/** Every slot's inputs of a round: what its job is posted with, and what verifying it expects. */
export function roundTasks(program: RoundProgram, state: RoundState, rates: readonly number[]): Promise<Tensors[]> {
  return Promise.all(state.own.map((_, slot) => slotInputs(program, state, { slot, rates })))
}

/** The parameters alone, without the zeros that fill the last chunk: float32 [P]. */
export function parametersOf({ parameters }: Pick<RoundProgram, "parameters">, shared: Tensors): Tensor {
  return tensorOf("float32", [parameters], shared.parameters!.data.slice(0, 4 * parameters))
}

function nextShared(g: Nodes, { slots, compression, outer }: RoundProgramParams, chunks: number) {
  const { codes, scales } = codeShapes(compression, chunks)
  const of = (input: string, slot: number, dims: readonly number[]) =>
    g.reshape(g.slice(input, { axis: 0, from: slot, to: slot + 1 }), dims)
  const all = Array.from({ length: slots }, (_, slot) => slot)
  return aggregate(g, {
    parameters: "parameters",
    momentum: "momentum",
    updates: all.map((slot) => decompress(g, compression, of("codes", slot, codes), of("scales", slot, scales))),
    weights: all.map((slot) => g.slice("weights", { axis: 0, from: slot, to: slot + 1 })),
    dims: [chunks, CHUNK],
    outer,
  })
}

function sharedInputs({ slots, compression }: RoundProgramParams, chunks: number): ValueSpec[] {
  const { codes, scales } = codeShapes(compression, chunks)
  return [
    { name: "parameters", dtype: "float32", dims: [chunks, CHUNK] },
    { name: "momentum", dtype: "float32", dims: [chunks, CHUNK] },
    { name: "codes", dtype: "uint8", dims: [slots, ...codes] },
    { name: "scales", dtype: "float32", dims: [slots, ...scales] },
    { name: "weights", dtype: "float32", dims: [slots] },
  ]
}

function closingProgram(params: RoundProgramParams, chunks: number): Uint8Array {
  const g = createNodes("round")
  const { parameters, momentum } = nextShared(g, params, chunks)
  g.name(parameters, nextOf("parameters"))
  g.name(momentum, nextOf("momentum"))
  const square = (name: string): ValueSpec => ({ name: nextOf(name), dtype: "float32", dims: [chunks, CHUNK] })
  return writeModel({
    name: "closing",
    nodes: g.nodes,
    initializers: g.initializers,
    inputs: sharedInputs(params, chunks),
    outputs: [square("parameters"), square("momentum")],
  })
}

/** Nothing has been sent yet: codes of zeros with scales of 0 are updates of nothing. */
function genesis(
  { begin, slots, compression }: RoundProgramParams,
  { chunks, carried }: { chunks: number; carried: readonly ValueSpec[] },
): RoundState {
  const { codes, scales } = codeShapes(compression, chunks)
  const zeros = (dtype: Dtype, dims: readonly number[]): Tensor => tensorOf(dtype, dims, newElements(dtype, dims))
  const parameters = zeros("float32", [chunks, CHUNK])
  parameters.data.set(begin.data)
  return {
    round: 0,
    shared: { parameters, momentum: zeros("float32", [chunks, CHUNK]) },
    gathered: { codes: zeros("uint8", [slots, ...codes]), scales: zeros("float32", [slots, ...scales]) },
    included: Array.from({ length: slots }, () => true),
    own: Array.from({ length: slots }, () => ({
      residual: zeros("float32", [chunks, CHUNK]),
      ...Object.fromEntries(carried.map(({ name, dtype, dims }) => [name, zeros(dtype, dims as number[])])),
    })),
  }
}

function padded(g: Nodes, value: string, { size, chunks }: { size: number; chunks: number }): string {
  const fill = chunks * CHUNK - size
  const flat =
    fill === 0 ? value : g.op("Concat", [value, g.constant(floats([fill], new Float32Array(fill)))], { axis: 0 })
  return g.reshape(flat, [chunks, CHUNK])
}

/** A model's nodes for use in another: inputs stand for values of that one, everything else is renamed. */
function inline(bytes: Uint8Array, prefix: string, inputs: Readonly<Record<string, string>>) {
  const { graph } = readModel(bytes)
  const rename = (name: string): string => (name === "" ? "" : (inputs[name] ?? `${prefix}.${name}`))
  const nodes = nodeSpecs(graph).map(
    (node): NodeSpec => ({
      ...node,
      name: `${prefix}.${node.name}`,
      inputs: node.inputs.map(rename),
      outputs: node.outputs.map(rename),
    }),
  )
  const initializers = Object.fromEntries(graph.initializers.map((tensor) => [rename(tensor.name), tensor.read()]))
  return { nodes, initializers, outputs: Object.fromEntries(graph.outputs.map(({ name }) => [name, rename(name)])) }
}

/** ONNX wants a value made before it is used; graphs that were joined are in no such order. */
function inOrder(nodes: readonly NodeSpec[]): NodeSpec[] {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node])))
  const done = new Set<NodeSpec>()
  const ordered: NodeSpec[] = []
  const stack = nodes.toReversed()
  for (let node = stack.at(-1); node; node = stack.at(-1)) {
    const missing = node.inputs.map((name) => makers.get(name)).filter((maker) => maker && !done.has(maker))
    if (done.has(node) || missing.length === 0) {
      stack.pop()
      if (!done.has(node)) ordered.push(node)
      done.add(node)
    } else stack.push(...(missing as NodeSpec[]))
  }
  return ordered
}
