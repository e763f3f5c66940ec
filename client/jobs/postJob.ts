import { type Hex, type LocalAccount, type PublicClient, parseSignature } from "viem"
import { z } from "zod"
import {
  assayTokenAbi,
  type Deployment,
  escrow as escrowOf,
  formatAmount,
  formatJobId,
  JobSubmissionSchema,
  JobSubmittedSchema,
  marketAbi,
} from "#protocol"
import { chainTimeOf } from "../chain/connectChain.ts"
import { sendCall } from "../chain/sendCall.ts"
import { clientError } from "../errors.ts"
import type { Coordinator } from "../http/coordinator.ts"
import type { JobPlan } from "./planJob.ts"

/** The nonce is part of the job's id, and its salt was made from it. */
export type PostJobParams = { readonly jobId: bigint; readonly plan: JobPlan; readonly nonce: bigint }

export type PostJobDeps = {
  chain: PublicClient
  coordinator: Coordinator
  account: LocalAccount
  deployment: Deployment
}
export type PostJobResult = { jobId: bigint; tx: Hex; escrow: bigint }

const UPLOADS_AT_ONCE = 4
const PERMIT_SECONDS = 600n

/**
 * Stores the artifacts with the coordinator, lets it check them, and only then locks the escrow: what it refuses costs
 * nothing. One signature, one transaction.
 */
export async function postJob(
  deps: PostJobDeps,
  { jobId, plan, nonce }: PostJobParams,
  signal?: AbortSignal,
): Promise<PostJobResult> {
  const { chain, coordinator, account, deployment } = deps
  const { market, registry, token } = deployment.contracts
  const escrow = escrowOf(plan.terms)
  const balance = await chain.readContract({
    address: token,
    abi: assayTokenAbi,
    functionName: "balanceOf",
    args: [account.address],
  })
  if (balance < escrow) {
    const message = `the escrow is ${formatAmount(escrow)} and ${account.address} has ${formatAmount(balance)}: get tokens, or lower the fee or the audit rate`
    throw clientError("E_BALANCE", message)
  }

  await uploadAll(coordinator, [...plan.artifacts.values()], signal)
  const { terms, spec, jobSalt, expected } = plan
  const job = { terms, nonce, spec, jobSalt, ...(expected ? { expected } : {}) }
  const submission = z.encode(JobSubmissionSchema, job)
  const stored = await coordinator.post("/v1/jobs", JobSubmittedSchema, submission, { signal })
  if (stored.jobId !== jobId) {
    const message = `the coordinator stored job ${formatJobId(stored.jobId)} where ${formatJobId(jobId)} was submitted`
    throw clientError("E_COORDINATOR_ANSWER", message)
  }

  const permit = await signPermit(deps, { spender: registry, value: escrow })
  const tx = await sendCall(chain, account, {
    address: market,
    abi: marketAbi,
    functionName: "postWithPermit",
    args: [plan.terms, nonce, permit.deadline, permit.v, permit.r, permit.s],
  })
  return { jobId, tx, escrow }
}

/** Model and first inputs go ahead: what the others share with those they need not send. */
async function uploadAll(coordinator: Coordinator, artifacts: Uint8Array[], signal?: AbortSignal): Promise<void> {
  const [model, first, ...queue] = artifacts
  for (const one of [model, first]) if (one) await coordinator.putArtifact(one, { signal })
  const lane = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await coordinator.putArtifact(next, { signal })
  }
  await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, lane))
}

/** ERC-2612: https://eips.ethereum.org/EIPS/eip-2612 */
async function signPermit(
  { chain, account, deployment }: PostJobDeps,
  { spender, value }: { spender: Hex; value: bigint },
) {
  const { token } = deployment.contracts
  const read = { address: token, abi: assayTokenAbi } as const
  const [nonce, domain, now] = await Promise.all([
    chain.readContract({ ...read, functionName: "nonces", args: [account.address] }),
    chain.readContract({ ...read, functionName: "eip712Domain" }),
    chainTimeOf(chain),
  ])
  const deadline = now + PERMIT_SECONDS
  const [, name, version] = domain
  const signature = await account.signTypedData({
    domain: { name, version, chainId: deployment.chainId, verifyingContract: token },
    primaryType: "Permit",
    types: {
      Permit: [
        { name: "owner", type: "address" },
        { name: "spender", type: "address" },
        { name: "value", type: "uint256" },
        { name: "nonce", type: "uint256" },
        { name: "deadline", type: "uint256" },
      ],
    },
    message: { owner: account.address, spender, value, nonce, deadline },
  })
  const { r, s, yParity } = parseSignature(signature)
  return { deadline, v: 27 + yParity, r, s }
}
