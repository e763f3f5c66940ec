import type { Address, Hex } from "viem"
import { type Attestation, type Batch, marketAbi, splitBatchId, type Terms } from "#protocol"
import type { Chain } from "./chain.ts"
import type { ChainEvent } from "./watch.ts"

export type CommittedBatch = { batchId: bigint; batch: Batch; url: string; dataHash: Hex }

/** What the chain said about jobs and batches, from its events: kept as they pass, looked up when they are missed. */
export type BatchBook = {
  note(event: ChainEvent): void
  terms(jobId: bigint): Promise<Terms | undefined>
  batch(batchId: bigint): Promise<CommittedBatch | undefined>
  attestation(batchId: bigint): Promise<Attestation | undefined>
  /** The seed that a draw stored; the beacon forgets its own after 256 blocks. */
  seed(batchId: bigint): Promise<Hex | undefined>
}

/** Beyond this the oldest is forgotten: it can be looked up again. */
const KEEP = 5000

export function createBatchBook({ client, deployment }: Chain): BatchBook {
  const { contracts, deployedBlock } = deployment
  const terms = createMemory<Terms>()
  const batches = createMemory<CommittedBatch>()
  const attestations = createMemory<Attestation>()
  const seeds = createMemory<Hex>()
  const where = { address: contracts.market, fromBlock: BigInt(deployedBlock), strict: true } as const

  return {
    note({ eventName, args }) {
      if (eventName === "JobPosted") terms.set(args.jobId, lowerTerms(args.terms))
      if (eventName === "BatchCommitted") batches.set(args.batchId, committedBatch(args))
      if (eventName === "BatchDrawn") seeds.set(args.batchId, args.seed)
      if (eventName === "BatchAttested") attestations.set(args.batchId, plainAttestation(args.attestation))
    },
    terms: (jobId) =>
      terms.get(jobId, async () => {
        const filter = { ...where, abi: marketAbi, eventName: "JobPosted", args: { jobId } } as const
        const [log] = await client.getContractEvents(filter)
        return log && lowerTerms(log.args.terms)
      }),
    batch: (batchId) =>
      batches.get(batchId, async () => {
        const filter = { ...where, abi: marketAbi, eventName: "BatchCommitted", args: { batchId } } as const
        const [log] = await client.getContractEvents(filter)
        return log && committedBatch(log.args)
      }),
    attestation: (batchId) =>
      attestations.get(batchId, async () => {
        const filter = { ...where, abi: marketAbi, eventName: "BatchAttested", args: { batchId } } as const
        const [log] = await client.getContractEvents(filter)
        return log && plainAttestation(log.args.attestation)
      }),
    seed: (batchId) =>
      seeds.get(batchId, async () => {
        const filter = { ...where, abi: marketAbi, eventName: "BatchDrawn", args: { batchId } } as const
        const [log] = await client.getContractEvents(filter)
        return log?.args.seed
      }),
  }
}

export const jobOfBatch = (batchId: bigint): bigint => splitBatchId(batchId).jobId

type CommittedArgs = {
  batchId: bigint
  batch: Omit<Batch, "ranges"> & { ranges: readonly bigint[] }
  dataHash: Hex
  url: string
}

function committedBatch({ batchId, batch, url, dataHash }: CommittedArgs): CommittedBatch {
  const { committer, backer, ranges, ...rest } = batch
  return {
    batchId,
    batch: { ...rest, committer: lower(committer), backer: lower(backer), ranges: [...ranges] },
    url,
    dataHash,
  }
}

function plainAttestation(attestation: Omit<Attestation, "verifiers"> & { verifiers: readonly bigint[] }): Attestation {
  return { ...attestation, verifiers: [...attestation.verifiers] }
}

/** Messages carry lower-case addresses, events checksummed ones; the hashes are the same. */
function lowerTerms(terms: Terms): Terms {
  return { ...terms, requester: lower(terms.requester), coordinator: lower(terms.coordinator) }
}

const lower = (address: Address) => address.toLowerCase() as Address

function createMemory<T>() {
  const values = new Map<bigint, T>()
  const set = (id: bigint, value: T) => {
    values.set(id, value)
    if (values.size > KEEP) values.delete(values.keys().next().value!)
  }
  return {
    set,
    async get(id: bigint, look: () => Promise<T | undefined>): Promise<T | undefined> {
      const known = values.get(id)
      if (known !== undefined) return known
      const found = await look()
      if (found !== undefined) set(id, found)
      return found
    },
  }
}
