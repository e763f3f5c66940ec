import assert from "node:assert/strict"
import {
  canonicalNaN,
  compileProgram,
  decodeElements,
  evaluatePrimitive,
  normalizeModel,
  type Runner,
  traceProgram,
} from "#engine"
import { elementCount, type Tensor } from "#protocol"
import { sha256 } from "./graphs.ts"

/** PyTorch's recordings are held to 1e-3 relative, 1e-7 absolute. */
export const TOLERANCE = { relative: 1e-3, absolute: 1e-7 }

/** The largest error, 1 being the tolerance; fails on another type or shape. */
export function distance(got: Tensor, want: Tensor, what: string): number {
  assert.deepEqual([got.dtype, [...got.dims]], [want.dtype, [...want.dims]], what)
  const [actual, expected] = [decodeElements(got).map(Number), decodeElements(want).map(Number)]
  let worst = 0
  actual.forEach((value, i) => {
    const other = expected[i]!
    if (Object.is(value, other) || value === other) return
    const error = Math.abs(value - other) / (TOLERANCE.absolute + TOLERANCE.relative * Math.abs(other))
    if (!(error <= worst)) worst = error
  })
  return worst
}

export type Conformance = { readonly operations: number; readonly worst: number; readonly judged: number }

/** Products beyond this many terms are left to the other tests: plain TypeScript needs a second for 10^7. */
const JUDGED_TERMS = 5e6

/**
 * What must hold of every program: normalizing it changes nothing; it gives what the model gave, within tolerance;
 * traced and fast runs give the same bits; and every element of every wire is what the reference computes from the
 * wires before it.
 */
export async function assertConforms(
  runner: Runner,
  file: Uint8Array,
  inputs: readonly Tensor[],
  expected: readonly Tensor[],
): Promise<Conformance> {
  const { bytes } = await normalizeModel({ runner }, file)
  const again = await normalizeModel({ runner }, bytes)
  assert.equal(Buffer.compare(again.bytes, bytes), 0, "normalizing a program changes it")
  const compiled = compileProgram(bytes)

  await runner.load(bytes, sha256(bytes))
  const fast = (await runner.run(sha256(bytes), inputs)).map(canonicalNaN)
  const worst = Math.max(...expected.map((want, i) => distance(fast[i]!, want, `output ${i}`)))
  assert.ok(worst <= 1, `${worst} times the tolerance away from the model`)

  const trace = await traceProgram({ runner }, bytes, inputs, compiled)
  const { program, operations, constants, wires } = compiled
  for (const [i, wire] of [...program.outputs, ...program.digests].entries())
    assert.equal(Buffer.compare(trace[wire]!.data, fast[i]!.data), 0, `output ${i} differs between trace and fast run`)

  let judged = 0
  operations.forEach((operation, i) => {
    const at = program.inputs.length + i
    const { dtype, dims, node } = wires[at]!
    const operands = operation.inputs.map(({ wire, root }) =>
      BigInt(root) === 0n ? trace[wire]! : constants.get(root)!,
    )
    if (operation.code >= 60 && elementCount(dims) * elementCount(operands[1]!.dims.slice(-1)) > JUDGED_TERMS) return
    const right = evaluatePrimitive({ code: operation.code, attributes: operation.attributes, operands, dtype, dims })
    if (Buffer.compare(right.data, trace[at]!.data) !== 0) {
      const [want, got] = [decodeElements(right), decodeElements(trace[at]!)]
      const e = want.findIndex((value, place) => !Object.is(value, got[place]))
      assert.fail(`${node?.name} (${node?.op}) element ${e} is ${got[e]}, the reference says ${want[e]}`)
    }
    judged++
  })
  return { operations: operations.length, worst, judged }
}

/** What the model itself gives under the exact profile. */
export async function runModel(runner: Runner, file: Uint8Array, inputs: readonly Tensor[]): Promise<Tensor[]> {
  await runner.load(file, sha256(file))
  return await runner.run(sha256(file), inputs)
}
