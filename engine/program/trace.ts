import { createHash } from "node:crypto"
import { type Tensor, tensorByteLength } from "#protocol"
import { readModelInterface } from "../model/modelInterface.ts"
import { extendModel } from "../onnx/extendModel.ts"
import type { Runner } from "../run/runner.ts"
import { canonicalNaN } from "./canonicalNaN.ts"
import { type CompiledProgram, compileProgram, type Wire } from "./compileProgram.ts"

export type TraceDeps = { readonly runner: Runner }

/** What one run puts out besides the program's own outputs: less than what a runner takes. Each part is a load of its own. */
const AT_ONCE = { wires: 2_048, bytes: 64 * 1024 ** 2 }

/**
 * Every wire's tensor, in wire order: the inputs, then what each operation puts out, NaN canonical. The program runs
 * with its inner tensors exposed, a few at a time; without graph optimizations this changes no bit, which tests hold.
 */
export async function traceProgram(
  { runner }: TraceDeps,
  program: Uint8Array,
  inputs: readonly Tensor[],
  compiled: Pick<CompiledProgram, "wires"> = compileProgram(program),
): Promise<Tensor[]> {
  const { outputs, digestTensors } = readModelInterface(program)
  const exposed = new Set([...outputs, ...digestTensors].map(({ name }) => name))
  const tensors = new Map<string, Tensor>()
  const inner = compiled.wires.slice(inputs.length).filter(({ name }) => !exposed.has(name))
  for (const part of partsOf(inner)) {
    const bytes = part.length > 0 ? extendModel(program, { outputs: part }) : program
    const sha256 = `0x${createHash("sha256").update(bytes).digest("hex")}` as const
    const loaded = await runner.load(bytes, sha256)
    const results = await runner.run(sha256, inputs)
    loaded.outputs.forEach(({ name }, i) => {
      tensors.set(name, canonicalNaN(results[i]!))
    })
  }
  return compiled.wires.map(({ name }, wire) => (wire < inputs.length ? inputs[wire]! : tensors.get(name)!))
}

/** At least one part: where every wire is an output already, the program runs as it is. */
function partsOf(wires: readonly Wire[]): Wire[][] {
  const parts: Wire[][] = [[]]
  let bytes = 0
  for (const wire of wires) {
    bytes += tensorByteLength(wire)
    if (parts.at(-1)!.length > 0 && (parts.at(-1)!.length === AT_ONCE.wires || bytes > AT_ONCE.bytes)) {
      parts.push([])
      bytes = tensorByteLength(wire)
    }
    parts.at(-1)!.push(wire)
  }
  return parts
}
