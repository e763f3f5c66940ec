import type { Dtype, Tensor } from "#protocol"
import { readModelInterface } from "../model/modelInterface.ts"
import { readModel } from "../onnx/readModel.ts"
import { type NodeSpec, type ValueSpec, writeModel } from "../onnx/writeModel.ts"
import { nodeSpecs } from "../program/compileProgram.ts"
import { elementsOf, floats, int64s, newElements, tensorOf } from "../program/elements.ts"
import type { Segment } from "../train/buildStep.ts"
import { type Feed, isFedName } from "../train/dataShards.ts"
import { aggregate, average, type OuterOptimizer } from "./aggregate.ts"
import { CHUNK, type Coding, type Compression, codeShapes, compress, decompress } from "./compression.ts"
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
  /** `kept` where it is left out. */
  readonly slotState?: SlotState
}

/**
 * What a slot has of its own from round to round besides its place in the data. `kept`: its moments and the rest of
 * error feedback, full numbers that travel with its task. `none`: what was not sent is lost; a slot begins with first
 * moments of 0 and with the mean of all slots' second moments, which are sent in few bits like updates.
 */
export const SLOT_STATES = ["kept", "none"] as const
export type SlotState = (typeof SLOT_STATES)[number]

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
const SCHEDULED = ["weights", "slot", "rates"]
/**
 * Moments of the optimizers (`engine/train/optimizers.ts`) that are sent where slots keep none, each with what codes it.
 * First moments begin anew: with their mean one seed of eight of the adder was ruined (`docs/decisions/0019`).
 */
const MOMENT_CODING: Readonly<Record<string, Coding>> = { v: "root4" }

/** Names of what is sent of an update, or of a moment. */
const sentNames = (moment?: string) =>
  moment === undefined ? { codes: "codes", scales: "scales" } : { codes: `${moment}.codes`, scales: `${moment}.scales` }
const GATHERED = [undefined, ...Object.keys(MOMENT_CODING)].flatMap((moment) => Object.values(sentNames(moment)))

/** Of a round's program, by its inputs. */
export function roundPorts(model: Uint8Array): RoundPorts {
  const names = readModelInterface(model).inputs.map(({ name }) => name)
  const others = new Set([...SHARED, ...GATHERED, ...SCHEDULED])
  return {
    shared: SHARED,
    gathered: names.filter((name) => GATHERED.includes(name)),
    own: names.filter((name) => !others.has(name) && !isFedName(name)),
  }
}

/** Bytes that a slot sends to all others in a round. */
export function sentBytes({ genesis, slots }: Pick<RoundProgram, "genesis" | "slots">): number {
  return Object.values(genesis.gathered).reduce((sum, { data }) => sum + data.length, 0) / slots
}

/**
 * A round of training as one program, the same for every slot, so that it is posted, audited and judged like any other
 * model. It takes in what all slots sent in the round before, makes the next parameters of them (so every worker, and
 * every audit, checks the aggregation), takes its steps from there, and puts out what it came away by, compressed.
 *
 * Shared tensors and the rest are float32 [chunks, 128]: P parameters and zeros.
 */
export function buildRoundProgram(params: RoundProgramParams): RoundProgram {
  const { segment, slots, compression, begin, slotState = "kept" } = params
  const size = begin.dims[0]!
  const chunks = Math.ceil(size / CHUNK)
  const g = createNodes("round")
  // What goes through a slot's steps beside p, which is made of what is shared: its moments and its place in the data.
  const carried = segment.state.filter(({ name }) => name !== "p" && name !== "slot")
  const moments = slotState === "none" ? carried.filter(({ dtype }) => dtype === "float32") : []
  const sent = moments.filter(({ name }) => name in MOMENT_CODING)
  const own = carried.filter((value) => !moments.includes(value))
  const whole = { size, chunks }

  const shared = nextShared(g, params, chunks)
  const p = flat(g, shared.parameters, whole)
  const begun = moments.map((moment) => {
    const { name } = moment
    // Zeros, without a constant of their size.
    if (!sent.includes(moment)) return [name, g.op("Sub", [p, p])]
    return [name, flat(g, meanMoment(g, params, { moment: name, chunks }), whole)]
  })
  const through = [...own, ...segment.fed].map(({ name }) => name)
  const same = Object.fromEntries([...through, "slot", "rates"].map((name) => [name, name]))
  const inner = inline(segment.bytes, "segment", { ...same, p, ...Object.fromEntries(begun) })
  const ended = padded(g, inner.outputs[nextOf("p")]!, whole)

  const moved = g.op("Sub", [shared.parameters, ended])
  const update = slotState === "kept" ? g.op("Add", [moved, "residual"]) : moved
  const { codes, scales } = compress(g, compression, update)
  const results: Record<string, string> = { ...shared, codes, scales }
  if (slotState === "kept") results.residual = g.op("Sub", [update, decompress(g, compression, codes, scales)])
  for (const { name } of own) results[name] = inner.outputs[nextOf(name)]!
  for (const { name } of sent) {
    const coded = compress(g, MOMENT_CODING[name]!, padded(g, inner.outputs[nextOf(name)]!, whole))
    const names = sentNames(name)
    Object.assign(results, { [names.codes]: coded.codes, [names.scales]: coded.scales })
  }
  for (const [name, value] of Object.entries(results)) g.name(value, nextOf(name))
  g.name(inner.outputs.losses!, "losses")

  const square = (name: string): ValueSpec => ({ name, dtype: "float32", dims: [chunks, CHUNK] })
  const steps: ValueSpec = { name: "losses", dtype: "float32", dims: [segment.steps] }
  const residual = slotState === "kept" ? [square("residual")] : []
  const sentMoments = sent.map(({ name }) => name)
  const model = writeModel({
    name: "round",
    nodes: inOrder([...g.nodes, ...inner.nodes]),
    initializers: { ...g.initializers, ...inner.initializers },
    inputs: [
      ...sharedInputs(params, chunks),
      ...gatheredMoments(sentMoments, chunks, [slots]),
      ...residual,
      ...own,
      { name: "slot", dtype: "int64", dims: [1] },
      { ...steps, name: "rates" },
      ...segment.fed,
    ],
    outputs: [
      ...[
        square("parameters"),
        square("momentum"),
        ...sentValues(compression, chunks, sentNames()),
        ...gatheredMoments(sentMoments, chunks),
        ...residual,
        ...own,
      ].map((value) => ({ ...value, name: nextOf(value.name) })),
      steps,
    ],
  })
  return {
    model,
    closing: closingProgram(params, chunks),
    ports: roundPorts(model),
    genesis: genesis(params, { chunks, moments: sentMoments, own: [...residual, ...own] }),
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
  return aggregate(g, {
    parameters: "parameters",
    momentum: "momentum",
    updates: received(g, compression, { names: sentNames(), slots, chunks }),
    weights: weightsOf(g, slots),
    dims: [chunks, CHUNK],
    outer,
  })
}

/** What a slot begins with that keeps no moments of its own: float32 [chunks, 128]. */
function meanMoment(
  g: Nodes,
  { slots, outer }: RoundProgramParams,
  { moment, chunks }: { moment: string; chunks: number },
): string {
  const values = received(g, MOMENT_CODING[moment]!, { names: sentNames(moment), slots, chunks })
  return average(g, { values, weights: weightsOf(g, slots), dims: [chunks, CHUNK], outer })
}

type Received = { readonly names: ReturnType<typeof sentNames>; readonly slots: number; readonly chunks: number }

/** Each slot's, float32 [chunks, 128]. */
function received(g: Nodes, coding: Coding, { names, slots, chunks }: Received): string[] {
  const { codes, scales } = codeShapes(coding, chunks)
  const of = (input: string, slot: number, dims: readonly number[]) =>
    g.reshape(g.slice(input, { axis: 0, from: slot, to: slot + 1 }), dims)
  return Array.from({ length: slots }, (_, slot) =>
    decompress(g, coding, of(names.codes, slot, codes), of(names.scales, slot, scales)),
  )
}

function weightsOf(g: Nodes, slots: number): string[] {
  return Array.from({ length: slots }, (_, slot) => g.slice("weights", { axis: 0, from: slot, to: slot + 1 }))
}

/** What is sent, `front` dims of it. */
function sentValues(
  coding: Coding,
  chunks: number,
  names: ReturnType<typeof sentNames>,
  front: readonly number[] = [],
): ValueSpec[] {
  const { codes, scales } = codeShapes(coding, chunks)
  return [
    { name: names.codes, dtype: "uint8", dims: [...front, ...codes] },
    { name: names.scales, dtype: "float32", dims: [...front, ...scales] },
  ]
}

function gatheredMoments(moments: readonly string[], chunks: number, front: readonly number[] = []): ValueSpec[] {
  return moments.flatMap((moment) => sentValues(MOMENT_CODING[moment]!, chunks, sentNames(moment), front))
}

function sharedInputs({ slots, compression }: RoundProgramParams, chunks: number): ValueSpec[] {
  return [
    { name: "parameters", dtype: "float32", dims: [chunks, CHUNK] },
    { name: "momentum", dtype: "float32", dims: [chunks, CHUNK] },
    ...sentValues(compression, chunks, sentNames(), [slots]),
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

/** Nothing has been sent yet: codes of zeros with scales of 0 are updates, and moments, of nothing. */
function genesis(
  { begin, slots, compression }: RoundProgramParams,
  { chunks, moments, own }: { chunks: number; moments: readonly string[]; own: readonly ValueSpec[] },
): RoundState {
  const zeros = (values: readonly ValueSpec[]): Tensors =>
    Object.fromEntries(values.map(({ name, dtype, dims }) => [name, zeroTensor(dtype, dims as number[])]))
  const parameters = zeroTensor("float32", [chunks, CHUNK])
  parameters.data.set(begin.data)
  return {
    round: 0,
    shared: { parameters, momentum: zeroTensor("float32", [chunks, CHUNK]) },
    gathered: zeros([
      ...sentValues(compression, chunks, sentNames(), [slots]),
      ...gatheredMoments(moments, chunks, [slots]),
    ]),
    included: Array.from({ length: slots }, () => true),
    own: Array.from({ length: slots }, () => zeros(own)),
  }
}

function zeroTensor(dtype: Dtype, dims: readonly number[]): Tensor {
  return tensorOf(dtype, dims, newElements(dtype, dims))
}

type Whole = { readonly size: number; readonly chunks: number }

/** Without the zeros that fill the last chunk. */
function flat(g: Nodes, value: string, { size, chunks }: Whole): string {
  return g.slice(g.reshape(value, [chunks * CHUNK]), { axis: 0, from: 0, to: size })
}

function padded(g: Nodes, value: string, { size, chunks }: Whole): string {
  const fill = chunks * CHUNK - size
  const filled =
    fill === 0 ? value : g.op("Concat", [value, g.constant(floats([fill], new Float32Array(fill)))], { axis: 0 })
  return g.reshape(filled, [chunks, CHUNK])
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
