import assert from "node:assert/strict"
import { canonicalNaN, compileProgram, normalizeModel, type Runner, traceProgram } from "#engine"
import { buildTrace, bytesPerElement, elementCount, type PrimitiveName, primitiveName, type Tensor } from "#protocol"
import { CHUNK_BYTES } from "#protocol/commitments/shaTree.ts"
import { elementProof, findElement } from "#protocol/disputes/elementProof.ts"
import { buildTensorTree, chunkAt } from "#protocol/disputes/tensorTree.ts"
import { type Trace, withTensors } from "#protocol/disputes/trace.ts"
import type { OpenProgram } from "#protocol/disputes/types.ts"
import { treePath } from "#protocol/trees/positional.ts"
import { sha256 } from "./graphs.ts"
import type { Judge } from "./judge.ts"
import { bitsOf, type Dice } from "./operations.ts"

export type Judgements = {
  /** Elements that the referee confirmed as onnxruntime gave them. */
  readonly right: number
  /** The same elements, corrupted, that the referee refuted. */
  readonly wrong: number
  readonly primitives: readonly PrimitiveName[]
}

export type JudgeModelDeps = { readonly runner: Runner; readonly judge: Judge; readonly dice: Dice }

export type JudgeModelParams = {
  readonly model: Uint8Array
  readonly inputs: readonly Tensor[]
  readonly elements: number
}

/**
 * Runs a model as a program and has the referee judge `elements` random elements of random operations of its trace, in
 * the way a dispute does: a trace in which one element is corrupted is searched for it, and what decides that element,
 * and no other byte, is opened. Operations differ while there are enough. Fails, naming the node, where the referee
 * refutes what onnxruntime gave or confirms what was corrupted; throws E_MODEL_NOT_EXACT for what is no program.
 */
export async function judgeModel(
  { runner, judge, dice }: JudgeModelDeps,
  { model, inputs, elements }: JudgeModelParams,
): Promise<Judgements> {
  const { bytes } = await normalizeModel({ runner }, model)
  const compiled = compileProgram(bytes)
  const own = buildTrace(await traceProgram({ runner }, bytes, inputs, compiled))
  // What a worker delivers is the fast run's, not the trace's.
  await runner.load(bytes, sha256(bytes))
  const delivered = (await runner.run(sha256(bytes), inputs)).map(canonicalNaN)
  const { program, operations, wires } = compiled
  const results = [...program.outputs, ...program.digests]
  results.forEach((wire, i) => {
    assert.equal(Buffer.compare(own.tensors[wire]!.data, delivered[i]!.data), 0, `${wires[wire]!.name} differs`)
  })

  const primitives = new Set<PrimitiveName>()
  let [right, wrong] = [0, 0]
  for (const index of drawOperations(dice, operations.length, elements)) {
    const wire = program.inputs.length + index
    const tensor = own.tensors[wire]!
    const element = dice.below(elementCount(tensor.dims))
    const corrupted = corruptElement(dice, tensor, element)
    const verdict = await judgeCorrupted(judge, compiled, own, wire, corrupted)
    const where = `element ${element} of ${wires[wire]!.node!.name} (${wires[wire]!.node!.op})`
    assert.equal(verdict.element, element, `${where}: another one was found`)
    const honest = bitsOf(tensor, bytesPerElement(tensor.dtype), element)
    assert.ok(verdict.defined, `${where}: the referee knows no value`)
    assert.equal(hex(verdict.bits), hex(honest), `${where}: the referee against onnxruntime`)
    right++
    assert.notEqual(hex(verdict.bits), hex(verdict.claimed), `${where}: the referee confirms what was corrupted`)
    wrong++
    primitives.add(primitiveName(operations[index]!.code)!)
  }
  return { right, wrong, primitives: [...primitives] }
}

function drawOperations(dice: Dice, count: number, elements: number): number[] {
  const drawn: number[] = []
  let left: number[] = []
  while (drawn.length < elements) {
    if (left.length === 0) left = Array.from({ length: count }, (_, i) => i)
    drawn.push(...left.splice(dice.below(left.length), 1))
  }
  return drawn
}

/** The tensor with one bit of one element turned, or with another value there; a truth value stays one. */
function corruptElement(dice: Dice, tensor: Tensor, element: number): Tensor {
  const width = bytesPerElement(tensor.dtype)
  const data = Uint8Array.from(tensor.data)
  const at = element * width + dice.below(width)
  if (tensor.dtype === "bool") data[at]! ^= 1
  else if (dice.below(2) === 0) data[at]! ^= 1 << dice.below(8)
  else data[at] = (data[at]! + dice.between(1, 255)) % 256
  return { ...tensor, data }
}

/**
 * What a challenger that knows the trace `own` opens, against one in which a wire's tensor is `corrupted`, and what the
 * referee says of it: at once, or a long chain part by part, as the dispute's contract asks.
 */
async function judgeCorrupted(
  judge: Judge,
  program: OpenProgram,
  own: Trace,
  wire: number,
  corrupted: Tensor,
): Promise<{ readonly element: number; readonly claimed: bigint; readonly bits: bigint; readonly defined: boolean }> {
  const published = withTensors(own, new Map([[wire, corrupted]]))
  const chunk = Math.floor(corrupted.data.findIndex((byte, i) => byte !== own.tensors[wire]!.data[i]) / CHUNK_BYTES)
  const bytes = chunkAt(corrupted, chunk)
  const finding = findElement({ program, own, wire, chunk, claimed: bytes })!
  const { element, claimed, operation: index } = finding
  const prove = (upTo: number) =>
    elementProof({
      program,
      own,
      trace: published.tree,
      finding,
      chunk: `0x${Buffer.from(bytes).toString("hex")}`,
      chunkPath: treePath(buildTensorTree(corrupted).tree, chunk),
      chains: upTo > 0 ? [{ operation: index, element, upTo }] : [],
    })
  let proof = prove(0)
  if (proof.upTo === 0n) {
    const [bits, defined] = (await judge.call("evaluate", [proof.operation, proof.element, proof.opened])) as [
      bigint,
      boolean,
    ]
    return { element, claimed, bits, defined }
  }
  let state = 0n
  for (;;) {
    const args = [proof.operation, proof.element, proof.opened, state, proof.upTo]
    const [next, done, bits] = (await judge.call("extend", args)) as [bigint, boolean, bigint]
    if (done) return { element, claimed, bits, defined: true }
    state = next
    proof = prove(Number(proof.upTo))
  }
}

function hex(bits: bigint): string {
  return `0x${bits.toString(16)}`
}
