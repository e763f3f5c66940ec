import type { Hex, PublicClient } from "viem"
import { createRunner } from "#engine"
import { type Deployment, hexOf, marketAbi, type Spec, sha256, specHash, type Terms, termsHash } from "#protocol"
import type { Coordinator } from "../http/coordinator.ts"
import { type Check, check } from "./check.ts"

export type CheckTermsDeps = { chain: PublicClient; coordinator: Coordinator; deployment: Deployment }
export type CheckTermsParams = { jobId: bigint; terms: Terms; spec: Spec; signal?: AbortSignal }

/** What was agreed is what the chain holds, and the model is the one that was agreed on (R1, R2). */
export async function checkTerms(
  deps: CheckTermsDeps,
  { jobId, terms, spec, signal }: CheckTermsParams,
): Promise<Check[]> {
  const stored = await deps.chain.readContract({
    address: deps.deployment.contracts.market,
    abi: marketAbi,
    functionName: "termsHashOf",
    args: [jobId],
  })
  const model = await deps.coordinator.getArtifact(spec.model.sha256, { signal })
  const root = await rootOf(model)
  return [
    check("terms", termsHash(terms) === stored, `the Market stores ${stored}`),
    check("model file", hexOf(sha256(model)) === spec.model.sha256, `the spec names ${spec.model.sha256}`),
    check("spec", specHash(spec) === terms.specHash, `the terms name ${terms.specHash}`),
    check("model", root === terms.programRoot, `${model.byteLength} bytes make the program root ${root}`),
  ]
}

/** A stranger's file is read where every stranger's file is: in a child process. */
async function rootOf(model: Uint8Array): Promise<Hex> {
  const runner = createRunner()
  try {
    const hash = hexOf(sha256(model))
    await runner.load(model, hash)
    return await runner.programRoot(hash)
  } finally {
    await runner.close()
  }
}
