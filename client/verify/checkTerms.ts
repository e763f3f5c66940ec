import type { PublicClient } from "viem"
import {
  type Deployment,
  hexOf,
  marketAbi,
  programRoot,
  type Spec,
  sha256,
  specHash,
  type Terms,
  termsHash,
} from "#protocol"
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
  const root = programRoot({ modelSha256: hexOf(sha256(model)), digestTensors: spec.model.digestTensors })
  return [
    check("terms", termsHash(terms) === stored, `the Market stores ${stored}`),
    check("spec", specHash(spec) === terms.specHash, `the terms name ${terms.specHash}`),
    check("model", root === terms.programRoot, `${model.byteLength} bytes make the program root ${root}`),
  ]
}
