import { type Address, isAddressEqual } from "viem"
import {
  type AuditBundle,
  type AuditSample,
  batchIdOf,
  placeOf,
  type Spec,
  specHash,
  type Terms,
  verifyInputPath,
} from "#protocol"
import type { Chain } from "../chain/chain.ts"
import { workerError } from "../errors.ts"
import { checkDraw, type Draw, readDraw } from "./draw.ts"

/**
 * An audit bundle is a peer's word: batch, seed and candidacy come from the chain, task and input from the job's roots.
 * A verdict on anything else would be signed for nothing, or prove false.
 */
export async function checkAudit(
  { chain, account }: { chain: Chain; account: Address },
  { batchId, batch, seed, terms, spec, samples }: AuditBundle,
): Promise<Draw> {
  if (batchIdOf(batch.jobId, batch.number) !== batchId) throw refuse("the batch has another id")
  await checkDraw(chain, { batch, terms, seed })
  checkProgram(spec, terms)
  const draw = await readDraw(chain, { batch, terms, seed })
  for (const sample of samples) {
    checkSample(draw, sample)
    await checkCandidate({ chain, account, draw }, { batch, terms, seed, sample: sample.sample })
    checkTaskInput(terms, sample)
  }
  return draw
}

/** That its model is the program in the terms is checked on the file (R2), by `ModelChecks`. */
export function checkProgram(spec: Spec, terms: Terms): void {
  if (specHash(spec) !== terms.specHash) throw refuse("the spec is not the one in the terms")
}

/** The sample's place follows from the seed (R19). */
export function checkSample(draw: Draw, given: AuditSample): void {
  const { sample, position, taskIndex } = given
  if (draw.positions[sample] !== position || placeOf(draw.layout, position).taskIndex !== taskIndex) {
    throw refuse(`sample ${sample} is not task ${taskIndex} at position ${position} (R19)`)
  }
}

type CandidateDeps = { chain: Chain; account: Address; draw: Draw }
type CandidateParams = Pick<AuditBundle, "batch" | "terms" | "seed"> & { sample: number }

/** One of the three, or one that was called on chain since (R20). */
async function checkCandidate({ chain, account, draw }: CandidateDeps, params: CandidateParams): Promise<void> {
  const { batch, terms, seed, sample } = params
  const candidates = await draw.candidatesOf(sample)
  if (candidates.some((candidate) => isAddressEqual(candidate, account))) return
  const executor = draw.rangeOf(sample).worker
  const asked = [terms.capability, batch.commitBlock, seed, sample, executor, account] as const
  if (await chain.jury.read.isCandidate(asked)) return
  throw refuse(`this account is no candidate of sample ${sample} (R20)`)
}

export type TaskInput = Pick<AuditSample, "taskIndex" | "inputCommitment" | "inputProof">

export function checkTaskInput(terms: Terms, { taskIndex, inputCommitment, inputProof }: TaskInput): void {
  const proved = verifyInputPath({
    root: terms.inputs,
    tasks: terms.tasks,
    taskIndex,
    commitment: inputCommitment,
    path: inputProof,
  })
  if (!proved) throw refuse(`the input of task ${taskIndex} is not the job's (R1)`)
}

function refuse(message: string) {
  return workerError("E_AUDIT_REFUSED", message)
}
