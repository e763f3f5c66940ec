import { type Address, type Hex, isAddressEqual, type TypedDataDomain, zeroHash } from "viem"
import {
  capabilityOf,
  ceilLog2,
  inputLeaf,
  JOB_CLASSES,
  JOB_KINDS,
  type LeaseBundle,
  PAIR_SCHEME,
  recoverSigner,
  rootFromMultiproof,
  shardCount,
  shardTasks,
  specHash,
  TERMS_VERSION,
  TreeError,
  termsHash,
} from "#protocol"
import { type WorkerError, workerError } from "../errors.ts"

/** What only the chain can answer. */
export type LeaseChain = {
  termsHashOf(jobId: bigint): Promise<Hex>
  /** Whose session key this is now, or the zero address. */
  accountOf(key: Address): Promise<Address>
}

export type CheckLeaseDeps = {
  chain: LeaseChain
  domain: TypedDataDomain
  account: Address
  coordinator: Address
  capability: Hex
  maxLeaseSeconds: bigint
  /** Chain time, seconds. */
  now: () => bigint
}

/** Clocks of two parties that follow the same chain differ by a block or two. */
const CLOCK_SLACK_SECONDS = 15n

/**
 * Everything about a lease that can be checked before anything is fetched. A worker that computes on a lease which does
 * not hold on chain works for nothing; one that signs a leaf with another input loses its collateral (R1, R14).
 */
export async function checkLease(deps: CheckLeaseDeps, bundle: LeaseBundle): Promise<void> {
  checkParties(deps, bundle)
  checkTimes(deps, bundle)
  checkTerms(deps, bundle)
  checkShard(bundle)
  checkSpec(bundle)
  checkInputProof(bundle)
  await checkSignature(deps, bundle)
  const { lease, terms } = bundle
  const stored = await deps.chain.termsHashOf(lease.jobId)
  if (stored === zeroHash) throw refuse("E_JOB_UNKNOWN", `job ${lease.jobId} is not on the chain`)
  if (stored !== termsHash(terms)) throw refuse("E_LEASE_TERMS", "the terms are not those that the chain holds (R1)")
}

function checkParties({ account, coordinator }: CheckLeaseDeps, { lease, terms }: LeaseBundle): void {
  if (!isAddressEqual(lease.worker, account)) {
    throw refuse("E_LEASE_WORKER", `the lease is for ${lease.worker}, not for this worker`)
  }
  if (!isAddressEqual(terms.coordinator, coordinator)) {
    throw refuse("E_LEASE_TERMS", `the job names ${terms.coordinator} as its coordinator, who did not sign this`)
  }
}

function checkTimes({ now, maxLeaseSeconds }: CheckLeaseDeps, { lease, terms }: LeaseBundle): void {
  const time = now()
  if (lease.expiry <= lease.start || lease.expiry - lease.start > maxLeaseSeconds) {
    throw refuse("E_LEASE_TIME", `a lease of ${lease.expiry - lease.start} s; the contract takes ${maxLeaseSeconds} s`)
  }
  if (lease.expiry <= time) throw refuse("E_LEASE_EXPIRED", `the lease ended ${time - lease.expiry} s ago`)
  if (lease.start > time + CLOCK_SLACK_SECONDS) {
    throw refuse("E_LEASE_TIME", `the lease begins ${lease.start - time} s from now`)
  }
  // A lease that starts after the deadline can never be committed (R18).
  if (lease.start > terms.deadline) throw refuse("E_LEASE_TIME", "the lease begins after the job's deadline")
}

function checkTerms({ capability }: CheckLeaseDeps, { terms }: LeaseBundle): void {
  if (terms.version !== TERMS_VERSION || terms.kind !== JOB_KINDS.batch || terms.class !== JOB_CLASSES.exact) {
    throw refuse("E_LEASE_UNSUPPORTED", `version ${terms.version}, kind ${terms.kind}, class ${terms.class}`)
  }
  if (terms.capability !== capability) throw refuse("E_LEASE_CAPABILITY", "the job asks for another capability")
  if (terms.maxUnits < 1) throw refuse("E_LEASE_TERMS", "the job pays for no unit at all")
}

function checkShard({ lease, terms, firstTask, count, salts, inputCommitments }: LeaseBundle): void {
  if (lease.shard >= shardCount(terms)) {
    throw refuse("E_LEASE_SHARD", `shard ${lease.shard} of a job that has ${shardCount(terms)}`)
  }
  const shard = shardTasks(terms, lease.shard)
  const fits = firstTask === shard.first && count === shard.count
  if (!fits || salts.length !== count || inputCommitments.length !== count) {
    throw refuse("E_LEASE_SHARD", `shard ${lease.shard} has tasks ${shard.first} to ${shard.first + shard.count - 1}`)
  }
}

function checkSpec({ lease, terms, spec, inputs }: LeaseBundle): void {
  if (specHash(spec) !== terms.specHash) throw refuse("E_LEASE_SPEC", "the spec is not the one in the terms")
  if (capabilityOf(spec.capability.profile, spec.capability.memoryGiB) !== terms.capability) {
    throw refuse("E_LEASE_SPEC", "the spec's capability is not the one in the terms")
  }
  if (spec.shards.length !== shardCount(terms) || spec.shards[lease.shard]?.inputs !== inputs) {
    throw refuse("E_LEASE_SPEC", `the inputs of shard ${lease.shard} are not those of the spec`)
  }
}

/** *Right program on a wrong input: the referee would acquit the cheat*, and the worker would be the one to pay. */
function checkInputProof({ terms, firstTask, inputCommitments, inputProof }: LeaseBundle): void {
  const entries = inputCommitments.map((commitment, i) => ({
    position: firstTask + i,
    leaf: inputLeaf(firstTask + i, commitment),
  }))
  try {
    const root = rootFromMultiproof(PAIR_SCHEME, { entries, depth: ceilLog2(terms.tasks), proof: inputProof })
    if (root === terms.inputs) return
  } catch (error) {
    if (!(error instanceof TreeError)) throw error
  }
  throw refuse("E_LEASE_INPUT", "the input commitments are not those of the job (R1)")
}

async function checkSignature({ chain, domain, coordinator }: CheckLeaseDeps, { lease, signature }: LeaseBundle) {
  const signer = await recoverSigner({ domain, type: "Lease", message: lease, signature })
  const owner = signer && (await chain.accountOf(signer))
  if (!owner || !isAddressEqual(owner, coordinator)) {
    throw refuse("E_LEASE_SIGNATURE", "the lease is not signed by a session key of the coordinator (R8)")
  }
}

function refuse(code: string, message: string): WorkerError {
  return workerError(code, message)
}
