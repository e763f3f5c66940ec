import type { Hex } from "viem"
import { z } from "zod"
import { workerError } from "../errors.ts"
import { openLog } from "./log.ts"

export type ReceiptClaim = { leaseHash: Hex; shardRoot: Hex; units: bigint; expiry: bigint }
export type ReleaseClaim = { leaseHash: Hex; at: bigint; expiry: bigint }
export type VerdictClaim = { batchId: bigint; sample: number; hash: Hex; at: bigint }
export type VoteClaim = { disputeId: bigint; output: Hex; salt: Hex; at: bigint }

/**
 * What this key has signed, written down before it signs (R8: one signature a lease). A second, different signature
 * would be evidence against its own signer; after a crash the worker must therefore know what it may have signed.
 * The same content may be signed again: an EIP-712 digest has one deterministic signature.
 */
export type Journal = {
  /** Rejects with E_SIGNED_ALREADY if this lease was given back or has another receipt. */
  claimReceipt(claim: ReceiptClaim): Promise<void>
  /** A repeated release gets back the first one's time. Rejects with E_SIGNED_ALREADY after a receipt. */
  claimRelease(claim: ReleaseClaim): Promise<ReleaseClaim>
  /** Rejects with E_SIGNED_ALREADY if this sample has another verdict of ours. */
  claimVerdict(claim: VerdictClaim): Promise<void>
  /** The first call for a dispute decides answer and salt; a later one gets those back, whatever it asked for. */
  claimVote(claim: VoteClaim): Promise<VoteClaim>
  receiptOf(leaseHash: Hex): ReceiptClaim | undefined
  releaseOf(leaseHash: Hex): ReleaseClaim | undefined
  voteOf(disputeId: bigint): VoteClaim | undefined
  votes(): VoteClaim[]
  close(): Promise<void>
}

/** Chain time after which an entry can matter no more: no lease, batch or dispute lives that long. */
const KEEP_SECONDS = 60n * 24n * 3600n

const uint = z.string().regex(/^[0-9]+$/)
const hex = z.templateLiteral(["0x", z.string().regex(/^[0-9a-f]+$/)])
const Entry = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("receipt"), leaseHash: hex, shardRoot: hex, units: uint, at: uint }),
  z.object({ kind: z.literal("release"), leaseHash: hex, time: uint, at: uint }),
  z.object({ kind: z.literal("verdict"), batchId: uint, sample: z.number().int(), hash: hex, at: uint }),
  z.object({ kind: z.literal("vote"), disputeId: uint, output: hex, salt: hex, at: uint }),
])
type Entry = z.infer<typeof Entry>

/** `now` is chain time in seconds. */
export async function openJournal({ path, now }: { path: string; now: bigint }): Promise<Journal> {
  const log = await openLog({ path, schema: Entry, keep: (entry) => BigInt(entry.at) + KEEP_SECONDS > now })
  const receipts = new Map<Hex, ReceiptClaim>()
  const releases = new Map<Hex, ReleaseClaim>()
  const verdicts = new Map<string, Hex>()
  const votes = new Map<bigint, VoteClaim>()
  for (const entry of log.entries) remember(entry)

  function remember(entry: Entry): void {
    const at = BigInt(entry.at)
    if (entry.kind === "receipt") {
      const { leaseHash, shardRoot, units } = entry
      receipts.set(leaseHash, { leaseHash, shardRoot, units: BigInt(units), expiry: at })
    } else if (entry.kind === "release") {
      releases.set(entry.leaseHash, { leaseHash: entry.leaseHash, at: BigInt(entry.time), expiry: at })
    } else if (entry.kind === "verdict") {
      verdicts.set(verdictKey(BigInt(entry.batchId), entry.sample), entry.hash)
    } else {
      const disputeId = BigInt(entry.disputeId)
      votes.set(disputeId, { disputeId, output: entry.output, salt: entry.salt, at })
    }
  }

  /**
   * Remembered before it is written: a second claim that comes while the first is being flushed must see it, and wait
   * for that flush. After a failed write memory and disk differ, so nothing is claimed any more.
   */
  let flushed: Promise<void> = Promise.resolve()
  async function add(entry: Entry): Promise<void> {
    remember(entry)
    const write = log.append(entry)
    flushed = Promise.all([flushed, write]).then(() => undefined)
    flushed.catch(() => undefined)
    await flushed
  }

  return {
    async claimReceipt({ leaseHash, shardRoot, units, expiry }) {
      const before = receipts.get(leaseHash)
      if (releases.has(leaseHash)) throw signedAlready(`lease ${leaseHash} was given back`)
      if (before && (before.shardRoot !== shardRoot || before.units !== units)) {
        throw signedAlready(`lease ${leaseHash} has a receipt for ${before.shardRoot}, not for ${shardRoot}`)
      }
      if (before) return await flushed
      await add({ kind: "receipt", leaseHash, shardRoot, units: String(units), at: String(expiry) })
    },
    async claimRelease(claim) {
      if (receipts.has(claim.leaseHash)) throw signedAlready(`lease ${claim.leaseHash} has a receipt`)
      const before = releases.get(claim.leaseHash)
      if (before) return await flushed.then(() => before)
      const { leaseHash, at, expiry } = claim
      await add({ kind: "release", leaseHash, time: String(at), at: String(expiry) })
      return claim
    },
    async claimVerdict({ batchId, sample, hash, at }) {
      const before = verdicts.get(verdictKey(batchId, sample))
      if (before && before !== hash) throw signedAlready(`sample ${sample} of batch ${batchId} has another verdict`)
      if (before) return await flushed
      await add({ kind: "verdict", batchId: String(batchId), sample, hash, at: String(at) })
    },
    async claimVote(claim) {
      const before = votes.get(claim.disputeId)
      if (before) return await flushed.then(() => before)
      const { disputeId, output, salt, at } = claim
      await add({ kind: "vote", disputeId: String(disputeId), output, salt, at: String(at) })
      return claim
    },
    receiptOf: (leaseHash) => receipts.get(leaseHash),
    releaseOf: (leaseHash) => releases.get(leaseHash),
    voteOf: (disputeId) => votes.get(disputeId),
    votes: () => [...votes.values()],
    close: () => log.close(),
  }
}

function verdictKey(batchId: bigint, sample: number): string {
  return `${batchId}/${sample}`
}

function signedAlready(why: string) {
  return workerError("E_SIGNED_ALREADY", `${why}; a key signs one thing a lease, sample or dispute (R8)`)
}
