import type { Hex } from "viem"
import { compileProgram, type Runner, traceProgram } from "#engine"
import {
  buildTrace,
  commitRoots,
  digestSalt,
  joinOutput,
  type Links,
  linksOf,
  type OpenProgram,
  outputSalt,
  type Tensor,
  type Trace,
} from "#protocol"
import { clientError } from "../errors.ts"

export type Recomputed = {
  readonly program: OpenProgram
  readonly trace: Trace
  readonly links: Links
  readonly inputCommitment: Hex
  readonly outputCommitment: Hex
}

export type RecomputeParams = {
  readonly programRoot: Hex
  readonly program: Uint8Array
  readonly inputs: readonly Tensor[]
  readonly salt: Hex
}

/** A task computed again with every intermediate tensor, and the commitments that an honest leaf has. */
export async function recompute({ runner }: { runner: Runner }, params: RecomputeParams): Promise<Recomputed> {
  const { salt } = params
  const program = compileProgram(params.program)
  if (program.root !== params.programRoot) {
    const message = `the model file is a program with root ${program.root}, and the job names ${params.programRoot}`
    throw clientError("E_PROGRAM_MISMATCH", message)
  }
  const trace = buildTrace(await traceProgram({ runner }, params.program, params.inputs, program))
  const links = linksOf(salt, trace.roots, program)
  return {
    program,
    trace,
    links,
    inputCommitment: commitRoots(salt, links.inputs),
    outputCommitment: joinOutput(
      commitRoots(outputSalt(salt), links.outputs),
      commitRoots(digestSalt(salt), links.digests),
    ),
  }
}
