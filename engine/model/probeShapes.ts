import { type Dtype, isDtype } from "#protocol"
import { EngineError } from "../errors.ts"
import { extendModel } from "../onnx/extendModel.ts"
import type { OnnxModel } from "../onnx/types.ts"
import type { Runner } from "../run/runner.ts"
import { nodeLabel } from "./marketRules.ts"

/** Type and shape of an inner value; undefined where onnxruntime could not infer every dimension. */
export type InnerValue = { readonly dtype: Dtype | undefined; readonly dims: readonly number[] | undefined }
export type InnerValues = ReadonlyMap<string, InnerValue>

/**
 * Every value of the graph with its inferred type and shape. onnxruntime infers shapes while it loads a model but
 * tells only those of graph outputs: so a copy of the model is loaded that puts everything out. Throws an E_MODEL error
 * that names operator and node if onnxruntime cannot take the model.
 */
export async function probeShapes(runner: Runner, bytes: Uint8Array, model: OnnxModel): Promise<InnerValues> {
  const outputs = new Set(model.graph.outputs.map(({ name }) => name))
  const inner = new Set(
    model.graph.nodes.flatMap((node) => node.outputs).filter((name) => name !== "" && !outputs.has(name)),
  )
  const probed = await runner
    .probe(extendModel(bytes, { outputs: [...inner].map((name) => ({ name })) }))
    .catch((error) => {
      throw namingNode(error, model)
    })
  const values = new Map<string, InnerValue>()
  for (const { name, type, dims } of probed)
    values.set(name, {
      dtype: isDtype(type) ? type : undefined,
      dims: dims.every((dim) => typeof dim === "number" && dim >= 0) ? (dims as number[]) : undefined,
    })
  return values
}

/** Exporters leave nodes unnamed, and onnxruntime then names none: the first node of that operator is the one. */
function namingNode(error: unknown, model: OnnxModel): unknown {
  if (!(error instanceof EngineError) || !error.detail.op || error.detail.node) return error
  const node = model.graph.nodes.find(({ op }) => op === error.detail.op)
  return node ? new EngineError({ ...error.detail, node: nodeLabel(node) }, { cause: error }) : error
}
