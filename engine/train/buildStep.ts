import { type Dtype, dtypeOfOnnxNumber, type Tensor } from "#protocol"
import { engineError } from "../errors.ts"
import { requiredInputs } from "../model/modelInterface.ts"
import { readModel } from "../onnx/readModel.ts"
import type { OnnxModel } from "../onnx/types.ts"
import { upgradeOpset } from "../onnx/upgradeOpset.ts"
import type { ValueSpec } from "../onnx/writeModel.ts"
import { createBuilder, type Value } from "../program/builder.ts"
import { createOps, type Ops } from "../program/ops.ts"
import { PROGRAM_TYPES } from "../program/primitive.ts"
import { sameDims } from "../program/values.ts"
import { writeProgram } from "../program/writeProgram.ts"
import { fedName } from "./dataShards.ts"
import { differentiate } from "./differentiate.ts"
import { type Loss, lossOf, namesOf } from "./losses.ts"
import { lowerForward } from "./lowerForward.ts"
import { clipped, type Moments, momentNames, type Optimizer, update } from "./optimizers.ts"
import { layOut, type Parameter, parameterCount, partsOf, trainableParameters } from "./parameters.ts"
import { createSampleOrder, sampleIndices } from "./sampleOrder.ts"

export type Training = {
  /** The forward graph, its inputs with the batch as their first dim; a symbolic first dim becomes the batch. */
  readonly model: Uint8Array
  readonly loss: Loss
  /** The data set, part of the program: a column (samples, ...) for each input of the model and name of the loss. */
  readonly data: Readonly<Record<string, Tensor>>
  readonly batch: number
  readonly optimizer: Optimizer
  /** Initializers to be learned; what `trainableParameters` finds, as far as the loss depends on it, if left out. */
  readonly parameters?: readonly string[]
  /** The longest gradient, over all parameters; not clipped if left out. */
  readonly clipNorm?: number
  /** Of the order of samples. */
  readonly seed?: number
}

/** Data that are no part of the program, which takes a segment's samples in their order as inputs (`createFeed`). */
export type FedTraining = Omit<Training, "data" | "seed"> & {
  /** For each input of the model and name of the loss, what a sample is. */
  readonly fed: Readonly<Record<string, { readonly dtype: Dtype; readonly dims: readonly number[] }>>
}

export type Segment = {
  /** The program (R2, version 1): a pure function of tensors. */
  readonly bytes: Uint8Array
  readonly steps: number
  readonly parameters: readonly Parameter[]
  /** Inputs and outputs alike: p, the moments, cursor, slot. Inputs have `rates` [steps] behind them, outputs `losses`. */
  readonly state: readonly ValueSpec[]
  /** Inputs behind `rates`: (steps * batch, ...) of each column that is fed. */
  readonly fed: readonly ValueSpec[]
}

/** One training step as a program: forward, backward, clipping, update. Errors: `buildSegment`. */
export function buildStep(training: Training): Segment {
  return buildSegment(training, 1)
}

/**
 * K training steps as one program, bit for bit what K programs of one step give. Inputs: the state, then the learning
 * rates of the steps, float32 [K]. Outputs: the state after them, then their losses, float32 [K].
 *
 * Throws E_TRAIN_LOSS_NOT_SCALAR; E_TRAIN_NO_GRADIENT for a named parameter that the loss does not depend on;
 * E_TRAIN_NO_DERIVATIVE and E_TRAIN_NOT_EXACT with the node; E_TRAIN_SHAPE, E_TRAIN_NAME and E_TRAIN_OPTION for data,
 * names and numbers that do not fit together.
 */
export function buildSegment(training: Training | FedTraining, steps: number): Segment {
  if (!(Number.isInteger(steps) && steps >= 1)) throw option(`a segment has one step or more, not ${steps}`)
  const model = readModel(upgradeOpset(training.model))
  const { batch, optimizer } = training
  if (!(Number.isInteger(batch) && batch >= 1)) throw option(`a batch is one sample or more, not ${batch}`)
  const fed = "fed" in training ? fedInputs(training, steps) : []
  const parameters = layOut(model, learned(training, model))
  const vector = [parameterCount(parameters)]
  const state: ValueSpec[] = [
    ...["p", ...momentNames(optimizer)].map((name) => ({ name, dtype: "float32" as const, dims: vector })),
    { name: "cursor", dtype: "int64", dims: [1] },
    { name: "slot", dtype: "int64", dims: [1] },
  ]
  const inputs: ValueSpec[] = [...state, { name: "rates", dtype: "float32", dims: [steps] }, ...fed]

  const builder = createBuilder()
  const o = createOps(builder)
  const given = new Map(inputs.map(({ name, dtype, dims }) => [name, builder.input(name, dtype, dims as number[])]))
  const [slot, rates] = [given.get("slot")!, given.get("rates")!]
  const pick = "fed" in training ? fromInputs(o, training, given) : fromConstants(o, training, slot)
  let p = given.get("p")!
  let cursor = given.get("cursor")!
  let moments: Moments = Object.fromEntries(momentNames(optimizer).map((name) => [name, given.get(name)!]))
  const losses: Value[] = []
  for (let k = 0; k < steps; k++) {
    builder.label("batch")
    const columns = typed(o, { model, batch, rows: pick(k, cursor) })
    builder.label("parameters")
    const leaves = partsOf(o, p, parameters)
    const { gradient, loss } = gradientOf(o, training, model, parameters, columns, leaves)
    losses.push(loss)
    const g = training.clipNorm === undefined ? gradient : clipped(o, gradient, training.clipNorm)
    const rate = o.range(rates, 0, k, k + 1)
    ;({ p, moments } = update(o, optimizer, { p, g, moments, rate, cursor }))
    builder.label("cursor")
    cursor = o.add(cursor, o.number("int64", 1))
  }
  const results = new Map<string, Value>([["p", p], ...Object.entries(moments), ["cursor", cursor], ["slot", slot]])
  const named = [
    ...state.map(({ name }) => [`${name}_next`, results.get(name)!] as const),
    ["losses", o.concat(losses, 0)] as const,
  ]
  return { bytes: writeProgram(builder, inputs, named, [], "training"), steps, parameters, state, fed }
}

/** A step's samples, column by column. */
type Picked = (step: number, cursor: Value) => ReadonlyMap<string, Value>

function fromConstants(o: Ops, { data, batch, seed = 0 }: Training, slot: Value): Picked {
  const columns = Object.entries(data)
  const order = createSampleOrder(sampleCount(columns), seed)
  // Once for all steps: large constants are not shared by content.
  const samples = columns.map(([name, column]) => [name, o.constant(column)] as const)
  return (_, cursor) => {
    const indices = sampleIndices(o, order, slot, cursor, batch)
    return new Map(samples.map(([name, column]) => [name, o.gather(column, indices, 0)]))
  }
}

function fromInputs(o: Ops, { fed, batch }: FedTraining, given: ReadonlyMap<string, Value>): Picked {
  return (step) =>
    new Map(
      Object.keys(fed).map((name) => {
        const samples = given.get(fedName(name))!
        return [name, o.range(samples, 0, step * batch, (step + 1) * batch)]
      }),
    )
}

function fedInputs({ fed, batch }: FedTraining, steps: number): ValueSpec[] {
  const columns = Object.entries(fed)
  if (columns.length === 0) throw option("a data set has one column or more")
  return columns.map(([name, { dtype, dims }]) => ({ name: fedName(name), dtype, dims: [steps * batch, ...dims] }))
}

type Forward = Pick<Training, "loss" | "parameters">

/** Named parameters as they are; of all that could be learned, what the loss depends on. */
function learned(training: Forward, model: OnnxModel): readonly string[] {
  if (training.parameters) return training.parameters
  const found = trainableParameters(model)
  const reached = new Set(namesOf(training.loss))
  for (const { inputs, outputs } of [...model.graph.nodes].reverse())
    if (outputs.some((name) => reached.has(name))) for (const name of inputs) reached.add(name)
  return found.filter((name) => reached.has(name))
}

type TypedParams = {
  readonly model: OnnxModel
  readonly batch: number
  /** A step's samples, column by column. */
  readonly rows: ReadonlyMap<string, Value>
}

/** The batch in the types that the model takes. */
function typed(o: Ops, { model, batch, rows: columns }: TypedParams): Map<string, Value> {
  const inputs = new Map(requiredInputs(model).map((input) => [input.name, input]))
  for (const name of inputs.keys())
    if (!columns.has(name))
      throw engineError("E_TRAIN_NAME", `the data set has no column for the model's input "${name}"`, {
        remedy: "give a tensor of that name, samples along its first dim",
        input: name,
      })
  return new Map(
    [...columns].map(([name, rows]) => {
      const input = inputs.get(name)
      if (!input) return [name, rows]
      const [first, ...rest] = input.dims ?? []
      const fits = (first === batch || typeof first === "string") && sameDims(rest as number[], rows.dims.slice(1))
      const dtype = dtypeOfOnnxNumber(input.elementType)
      if (!fits || !dtype || !PROGRAM_TYPES.has(dtype))
        throw engineError(
          "E_TRAIN_SHAPE",
          `the input "${name}" is ${dtype} [${input.dims}]; a batch of ${batch} samples makes [${rows.dims}] of it`,
          { remedy: "export the model with the batch as its first dim, other dims as in the data", input: name },
        )
      return [name, o.cast(rows, dtype)]
    }),
  )
}

type Gradient = { readonly gradient: Value; readonly loss: Value }

/** The flat gradient and the loss of one batch. */
function gradientOf(
  o: Ops,
  training: Forward,
  model: OnnxModel,
  parameters: readonly Parameter[],
  columns: ReadonlyMap<string, Value>,
  leaves: readonly Value[],
): Gradient {
  const given = new Map([
    ...columns,
    ...parameters.map(({ name, dims }, i) => [name, o.reshape(leaves[i]!, dims)] as const),
  ])
  const values = lowerForward(o, model, given, namesOf(training.loss))
  const { loss, seed } = lossOf(o, training.loss, values)
  const parts = differentiate(o, [seed], leaves).map((part, i) => {
    const { name } = parameters[i]!
    if (!part)
      throw engineError("E_TRAIN_NO_GRADIENT", `the loss does not depend on the parameter "${name}"`, {
        remedy: "leave it out of the parameters",
        input: name,
      })
    return part
  })
  o.builder.label("gradient")
  return { gradient: o.concat(parts, 0), loss }
}

function sampleCount(columns: readonly (readonly [string, Tensor])[]): number {
  const count = columns[0]?.[1].dims[0]
  if (count === undefined) throw option("a data set has one column or more")
  for (const [name, { dims }] of columns)
    if (dims[0] !== count)
      throw engineError("E_TRAIN_SHAPE", `the column "${name}" has ${dims[0]} samples where the first has ${count}`, {
        remedy: "give every column the same samples along its first dim",
        input: name,
      })
  return count
}

function option(why: string) {
  return engineError("E_TRAIN_OPTION", why)
}
