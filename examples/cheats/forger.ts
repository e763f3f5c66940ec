import { type Backend, compileProgram, createRunnerBackend, type Runner, traceProgram } from "#engine"
import type { Tensor } from "#protocol"

/**
 * The most careful liar: it computes honestly, then changes one number of the work digest (the logits) and the answer
 * that follows from it, and if somebody disputes the leaf it publishes a trace in which just that number is false.
 * `createAuditBackend` makes friends who, drawn as verifiers, swear to the same lie.
 */
export function createBackend({ runner }: { runner: Runner }): Backend {
  const honest = createRunnerBackend(runner)
  return {
    ...honest,
    async *runShard(model, tasks, options) {
      for await (const result of honest.runShard(model, tasks, options)) yield { ...result, ...forge(result) }
    },
    async trace(program, inputs) {
      const { program: header, wires } = compileProgram(program)
      const tensors = await traceProgram({ runner }, program, inputs, { wires })
      const at = (wiresOf: readonly number[]) => wiresOf.map((wire) => tensors[wire]!)
      const lie = forge({ outputs: at(header.outputs), digest: at(header.digests) })
      const forged = new Map<number, Tensor>([
        ...header.outputs.map((wire, i) => [wire, lie.outputs[i]!] as const),
        ...header.digests.map((wire, i) => [wire, lie.digest[i]!] as const),
      ])
      return tensors.map((tensor, wire) => forged.get(wire) ?? tensor)
    },
  }
}

/** Drawn as a verifier, a friend finds what the forger said. */
export function createAuditBackend(deps: { runner: Runner }): Backend {
  return createBackend(deps)
}

/** The class after the right one, and a logit that makes it look right. */
function forge({ outputs, digest }: { outputs: readonly Tensor[]; digest: readonly Tensor[] }) {
  const [label, ...others] = outputs
  const [logits, ...more] = digest
  if (label?.dtype !== "int64" || logits?.dtype !== "float32") throw new RangeError("this liar knows classifiers alone")
  const scores = new Float32Array(logits.data.slice().buffer)
  const right = new BigInt64Array(label.data.slice().buffer)
  const wrong = right.map((value) => (value + 1n) % BigInt(scores.length))
  scores[Number(wrong[0])] = Math.max(...scores) + 1
  return {
    outputs: [{ ...label, data: new Uint8Array(wrong.buffer) }, ...others],
    digest: [{ ...logits, data: new Uint8Array(scores.buffer) }, ...more],
  }
}
