import { type Address, isAddressEqual } from "viem"
import {
  type AuditBundle,
  type AuditSample,
  batchIdOf,
  placeOf,
  programRoot,
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
  for (const sample of samples) await checkSample({ draw, terms, account }, sample)
  return draw
}

export function checkProgram(spec: Spec, terms: Terms): void {
  if (specHash(spec) !== terms.specHash) throw refuse("the spec is not the one in the terms")
  const { sha256: modelSha256, digestTensors } = spec.model
  if (programRoot({ modelSha256, digestTensors }) !== terms.programRoot) {
    throw refuse("the spec's model is not the program in the terms (R2)")
  }
}

type CheckSampleDeps = { draw: Draw; terms: Terms; account: Address }

async function checkSample({ draw, terms, account }: CheckSampleDeps, given: AuditSample): Promise<void> {
  const { sample, position, taskIndex } = given
  if (draw.positions[sample] !== position || placeOf(draw.layout, position).taskIndex !== taskIndex) {
    throw refuse(`sample ${sample} is not task ${taskIndex} at position ${position} (R19)`)
  }
  const candidates = await draw.candidatesOf(sample)
  if (!candidates.some((candidate) => isAddressEqual(candidate, account))) {
    throw refuse(`this account is no candidate of sample ${sample} (R20)`)
  }
  checkTaskInput(terms, given)
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
