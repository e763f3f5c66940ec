import { type Hex, keccak256, type LocalAccount, type PublicClient } from "viem"
import { type Deployment, formatJobId, marketAbi, marketDomain, type Terms } from "#protocol"
import { clientError } from "../errors.ts"

/**
 * The job's secret (R6) as a signature over its nonce: whoever has the account's key can make it again, so a lost disk
 * loses no results. Signatures of local accounts are deterministic (RFC 6979).
 */
export async function deriveJobSalt(account: LocalAccount, deployment: Deployment, nonce: bigint): Promise<Hex> {
  const signature = await account.signTypedData({
    domain: { ...marketDomain({ chainId: deployment.chainId, market: deployment.contracts.market }) },
    primaryType: "JobSalt",
    types: { JobSalt: [{ name: "nonce", type: "uint64" }] },
    message: { nonce },
  })
  return keccak256(signature)
}

export type PostedJob = { readonly terms: Terms; readonly nonce: bigint; readonly tx: Hex; readonly block: bigint }

/** The job as the chain has it. @throws E_JOB_UNKNOWN */
export async function readPostedJob(chain: PublicClient, deployment: Deployment, jobId: bigint): Promise<PostedJob> {
  const job = await findPostedJob(chain, deployment, jobId)
  if (job) return job
  const message = `no job ${formatJobId(jobId)} was ever posted to the Market at ${deployment.contracts.market}`
  throw clientError("E_JOB_UNKNOWN", message)
}

export async function findPostedJob(
  chain: PublicClient,
  deployment: Deployment,
  jobId: bigint,
): Promise<PostedJob | undefined> {
  const [log] = await chain.getContractEvents({
    address: deployment.contracts.market,
    abi: marketAbi,
    eventName: "JobPosted",
    args: { jobId },
    fromBlock: BigInt(deployment.deployedBlock),
    strict: true,
  })
  if (!log) return undefined
  const { terms, nonce } = log.args
  return { terms, nonce, tx: log.transactionHash, block: log.blockNumber }
}
