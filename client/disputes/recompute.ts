import { createHash } from "node:crypto"
import type { Hex } from "viem"
import { compileProgram, type Runner, readModelInterface, traceProgram } from "#engine"
import {
  buildTrace,
  inputCommitment,
  type Links,
  linksOf,
  type OpenProgram,
  outputCommitment,
  type Tensor,
  type Trace,
} from "#protocol"
import { clientError } from "../errors.ts"

/** A task computed again, and the commitments that an honest leaf has. */
export type Recomputed = {
  readonly program: OpenProgram
  readonly inputCommitment: Hex
  readonly outputCommitment: Hex
  /** With every intermediate tensor: many times the work, and wanted only where something is disputed. */
  trace(): Promise<Traced>
}

export type Traced = { readonly program: OpenProgram; readonly trace: Trace; readonly links: Links }

export type RecomputeParams = {
  readonly programRoot: Hex
  readonly program: Uint8Array
  readonly inputs: readonly Tensor[]
  readonly salt: Hex
}

/** @throws E_PROGRAM_MISMATCH where the file is not the program that the job names */
export async function recompute({ runner }: { runner: Runner }, params: RecomputeParams): Promise<Recomputed> {
  const { salt, inputs } = params
  const program = compileProgram(params.program)
  if (program.root !== params.programRoot) {
    const message = `the model file is a program with root ${program.root}, and the job names ${params.programRoot}`
    throw clientError("E_PROGRAM_MISMATCH", message)
  }
  const sha256 = `0x${createHash("sha256").update(params.program).digest("hex")}` as const
  await runner.load(params.program, sha256)
  const results = await runner.run(sha256, inputs)
  const { outputs } = readModelInterface(params.program)
  return {
    program,
    inputCommitment: inputCommitment(salt, inputs),
    outputCommitment: outputCommitment(salt, {
      outputs: results.slice(0, outputs.length),
      digests: results.slice(outputs.length),
    }),
    async trace() {
      const trace = buildTrace(await traceProgram({ runner }, params.program, inputs, program))
      return { program, trace, links: linksOf(salt, trace.roots, program) }
    },
  }
}
