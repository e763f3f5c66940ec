import { createHash } from "node:crypto"
import type { Dtype, Tensor } from "#protocol"
import { EngineError } from "../errors.ts"
import { chooseDigest } from "../model/chooseDigest.ts"
import { graphValues } from "../model/graphValues.ts"
import {
  assertFileSize,
  assertMarketModel,
  MODEL_LIMITS,
  type ModelLimits,
  nodeLabel,
  type Refusal,
  refusalError,
} from "../model/marketRules.ts"
import { DIGEST_METADATA_KEY, interfaceOf } from "../model/modelInterface.ts"
import { probeShapes } from "../model/probeShapes.ts"
import { readModel } from "../onnx/readModel.ts"
import type { OnnxModel, OnnxNode } from "../onnx/types.ts"
import { upgradeOpset } from "../onnx/upgradeOpset.ts"
import { type ValueSpec, writeModel } from "../onnx/writeModel.ts"
import type { Runner } from "../run/runner.ts"
import { type Builder, createBuilder, type Value } from "./builder.ts"
import { attributesOf, compileProgram, isProgram, PROGRAM_OPSET } from "./compileProgram.ts"
import { floatRemedy } from "./lower/elementwise.ts"
import { loweringOf } from "./lower/index.ts"
import { LowerRefusal } from "./lower/lowering.ts"
import { createOps } from "./ops.ts"
import { NotPrimitive, PROGRAM_TYPES } from "./primitive.ts"
import { simplify } from "./simplify.ts"
import { writeProgram } from "./writeProgram.ts"

export type NormalizeDeps = { readonly runner: Runner; readonly limits?: ModelLimits }

export type NormalizedModel = {
  /** The program: what a job of the exact class commits to, stores and runs. */
  readonly bytes: Uint8Array
  readonly digestTensors: readonly string[]
  readonly digestNote: string
}

/**
 * Turns a model into a program: the same inputs, outputs and digest tensors, every operator rewritten into primitives
 * of one meaning (`docs/primitives.md`). Throws the first thing that cannot be exact. A program comes back as it is.
 */
export async function normalizeModel(deps: NormalizeDeps, file: Uint8Array): Promise<NormalizedModel> {
  const { limits = MODEL_LIMITS } = deps
  assertFileSize(file.byteLength, limits)
  const known = readModel(file)
  if (known.metadata.has(DIGEST_METADATA_KEY) && isProgram(file)) {
    assertMarketModel(known, file.byteLength, limits)
    const digestTensors = interfaceOf(known).digestTensors.map(({ name }) => name)
    return { bytes: file, digestTensors, digestNote: "chosen when the model was normalized" }
  }
  const bytes = upgradeOpset(file)
  const model = readModel(bytes)
  assertMarketModel(model, bytes.byteLength, limits)
  const inner = await probeShapes(deps.runner, bytes, model)
  const marked = model.metadata.has(DIGEST_METADATA_KEY)
  const choice = marked
    ? { tensors: interfaceOf(model).digestTensors, note: "chosen when the model was prepared" }
    : chooseDigest(graphValues(model, inner))
  const digestTensors = choice.tensors.map(({ name }) => name)
  const { program, refused } = await rewrite(deps.runner, model, digestTensors)
  const [first] = refused
  if (first) throw refusalError(first)
  // The compiler is what every other party trusts: a program that it does not take is a fault here, found now.
  compileProgram(program!)
  return { bytes: program!, digestTensors, digestNote: choice.note }
}

/** What keeps a model that the market takes from being exact, in graph order; empty if nothing does. */
export async function exactRefusals(runner: Runner, bytes: Uint8Array, model: OnnxModel): Promise<readonly Refusal[]> {
  return isProgram(bytes) ? [] : (await rewrite(runner, model, [])).refused
}

type Rewritten = { readonly program: Uint8Array | undefined; readonly refused: readonly Refusal[] }

async function rewrite(runner: Runner, model: OnnxModel, digestTensors: readonly string[]): Promise<Rewritten> {
  const { graph } = model
  const builder = createBuilder()
  const o = createOps(builder)
  const opset = model.opsets.find(({ domain }) => domain === "")?.version ?? PROGRAM_OPSET
  const values = new Map<string, Value>()
  const refused: Refusal[] = []
  const { inputs, outputs } = interfaceOf(model)
  for (const { name, dtype, dims } of inputs) {
    if (!PROGRAM_TYPES.has(dtype)) refused.push(typeRefusal(name, dtype))
    else if (dims.some((dim) => dim === 0)) refused.push(emptyRefusal(name))
    else values.set(name, builder.input(name, dtype, dims))
  }
  const initializers = new Map(graph.initializers.map((initializer) => [initializer.name, initializer]))
  const lookUp = (name: string): Value | undefined => {
    const initializer = initializers.get(name)
    if (!values.has(name) && initializer) values.set(name, builder.constant(initializer.read()))
    return values.get(name)
  }

  for (const node of graph.nodes) {
    const named = node.inputs.filter((name) => name !== "")
    // What stands behind a refused node is not looked at: it would only repeat the reason.
    if (named.some((name) => lookUp(name) === undefined)) continue
    builder.label(nodeLabel(node))
    const given = node.inputs.map((name) => (name === "" ? undefined : lookUp(name)))
    try {
      const results = await lower({ runner, builder, o, opset }, node, given)
      node.outputs.forEach((name, i) => {
        const value = results[i]
        if (name !== "" && value) values.set(name, value)
      })
    } catch (error) {
      if (!(error instanceof LowerRefusal)) throw error
      refused.push({
        code: "E_MODEL_NOT_EXACT",
        node: nodeLabel(node),
        op: opName(node),
        why: error.message,
        remedy: error.remedy,
      })
    }
  }
  if (refused.length > 0) return { program: undefined, refused }

  const wanted = [...outputs.map(({ name }) => name), ...digestTensors]
  const results = wanted.map((name) => {
    const value = lookUp(name)
    if (!value) throw new EngineError({ code: "E_MODEL_INVALID", message: `nothing puts out "${name}"` })
    return [name, value] as const
  })
  const simple = simplify(
    builder,
    results.map(([, value]) => value),
  )
  const named = results.map(([name], i) => [name, simple.results[i]!] as const)
  return { program: writeProgram(simple.builder, inputs, named, digestTensors, graph.name), refused }
}

const CUT = "or cut the model there and do that part yourself, before or after the job"

type LowerDeps = {
  readonly runner: Runner
  readonly builder: Builder
  readonly o: ReturnType<typeof createOps>
  readonly opset: number
}

async function lower(
  { runner, o, opset }: LowerDeps,
  node: OnnxNode,
  inputs: readonly (Value | undefined)[],
): Promise<readonly Value[]> {
  const rule = loweringOf(node)
  const constant = inputs.every((input) => !input || input.constant)
  try {
    const wide = inputs.find((input) => input && !PROGRAM_TYPES.has(input.dtype))
    if (wide && node.op !== "Shape" && node.op !== "Size")
      throw new LowerRefusal(`it works on ${wide.dtype}`, floatRemedy(wide.dtype))
    if (!rule)
      throw new LowerRefusal(
        "it has no exact meaning yet",
        `replace it by simpler operators (docs/primitives.md lists what programs consist of), ${CUT}`,
      )
    return rule({ o, node, inputs, opset })
  } catch (error) {
    if (!(error instanceof LowerRefusal || error instanceof NotPrimitive)) throw error
    if (constant) return (await foldConstant(runner, node, inputs, opset)).map((tensor) => o.constant(tensor))
    if (error instanceof LowerRefusal) throw error
    throw new LowerRefusal(error.message, `simplify the model around it, ${CUT}`)
  }
}

/** A node of constants alone may be anything: onnxruntime says what comes out, once, and that is a constant. */
async function foldConstant(
  runner: Runner,
  node: OnnxNode,
  inputs: readonly (Value | undefined)[],
  opset: number,
): Promise<Tensor[]> {
  const names = node.outputs.filter((name) => name !== "")
  const spec = (outputs: readonly ValueSpec[]) => ({
    name: "fold",
    nodes: [
      {
        op: node.op,
        domain: node.domain,
        inputs: node.inputs.map((name, i) => (name === "" ? "" : `c${i}`)),
        outputs: node.outputs,
        attributes: attributesOf(node.attributes),
      },
    ],
    inputs: [],
    outputs,
    initializers: Object.fromEntries(
      inputs.flatMap((value, i) => (value?.constant ? [[`c${i}`, value.constant]] : [])),
    ),
    opset,
  })
  const untyped = writeModel(spec(names.map((name) => ({ name }) as ValueSpec)))
  const probed = await runner.probe(untyped)
  // Shapes that only a run can tell are no more static for being constant.
  const outputs = probed.map(({ name, type, dims }): ValueSpec => {
    if (!dims.every((dim) => typeof dim === "number" && dim >= 0))
      throw new LowerRefusal("the shape of its result depends on values", "export with static shapes")
    return { name, dtype: type as Dtype, dims }
  })
  const bytes = writeModel(spec(outputs))
  const sha256 = `0x${createHash("sha256").update(bytes).digest("hex")}` as const
  await runner.load(bytes, sha256)
  const results = await runner.run(sha256, [])
  return node.outputs.flatMap((name) => (name === "" ? [] : [results[names.indexOf(name)]!]))
}

function opName({ op, domain }: OnnxNode): string {
  return domain ? `${domain}.${op}` : op
}

function typeRefusal(name: string, dtype: Dtype): Refusal {
  return {
    code: "E_MODEL_NOT_EXACT",
    node: "",
    op: "",
    why: `the input "${name}" is ${dtype}`,
    remedy: floatRemedy(dtype),
  }
}

function emptyRefusal(name: string): Refusal {
  return {
    code: "E_MODEL_NOT_EXACT",
    node: "",
    op: "",
    why: `the input "${name}" has no elements`,
    remedy: "leave it out",
  }
}
