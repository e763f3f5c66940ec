import {
  type Attestation,
  buildVerdictTree,
  packVerifiers,
  parseRanges,
  SILENT_VERDICT,
  type SignedVerdict,
  verdictHash,
} from "#protocol"
import type { Draw } from "../audits/draw.ts"
import { NO_ATTESTATION, STATE } from "../audits/draw.ts"
import type { Sender } from "../chain/sender.ts"
import { drawOf, type OwnAuditDeps, recordsOf } from "./audit.ts"
import type { OwnBatch } from "./ownBatches.ts"

export type ConcludeDeps = OwnAuditDeps & { sender: Sender }

/** Waits no longer than this before the attest limit: a batch that is not attested in time is forfeited. */
const ATTEST_MARGIN_SECONDS = 12n
/** Block hashes reach back 256 blocks; by half of that somebody should have kept the seed (R19). */
const DRAW_AFTER_BLOCKS = 128n

/** What is due in a batch of our own: keep its seed, attest, finalize. */
export async function conclude(deps: ConcludeDeps, own: OwnBatch, head: { number: bigint; timestamp: bigint }) {
  const { state, clock, count } = await deps.chain.market.read.batchOf([own.batchId])
  if (state === STATE.committed || state === STATE.drawn) {
    const draw = await drawOf(deps, own)
    if (!draw) return
    if (state === STATE.committed && head.number > own.batch.commitBlock + DRAW_AFTER_BLOCKS) await keepSeed(deps, own)
    const missing = draw.positions.length - own.verdicts.length
    const late = head.timestamp + ATTEST_MARGIN_SECONDS >= BigInt(clock)
    if (missing === 0 || late) await attest(deps, { own, draw, drawn: state === STATE.drawn })
    return
  }
  if (state === STATE.attested) {
    if (head.timestamp > BigInt(clock) && Number(count) === 0) await finalize(deps, own)
    return
  }
  // Final, withdrawn or forfeited: settle has moved the leases on.
  if (recordsOf(deps, own.batchId).length === 0) await deps.own.remove(own.batchId)
}

async function keepSeed(deps: ConcludeDeps, own: OwnBatch): Promise<void> {
  const { market } = deps.chain
  await deps.sender.send({ address: market.address, abi: market.abi, functionName: "draw", args: [own.batch] })
}

type AttestParams = { own: OwnBatch; draw: Draw; drawn: boolean }

async function attest(deps: ConcludeDeps, { own, draw, drawn }: AttestParams): Promise<void> {
  const { chain, sender, own: batches } = deps
  const { terms } = recordsOf(deps, own.batchId)[0]!.bundle
  const { verdictRoot, verifiers, silentRanges } = attestationOf(own, draw)
  const { market } = chain
  const seed = drawn ? draw.seed : NO_ATTESTATION.seed
  await sender.send({
    address: market.address,
    abi: market.abi,
    functionName: "attest",
    args: [terms, own.batch, seed, verdictRoot, verifiers, silentRanges],
  })
  const attestation = { seed: draw.seed, verdictRoot, verifiers: [...verifiers], silentRanges }
  // With the verdicts that it counted: one that came meanwhile is not in it.
  await batches.put({ ...own, attestation })
}

/** R24: one leaf a sample in order, SILENT where no candidate answered, which then costs this range its pay. */
export function attestationOf({ batch, verdicts }: OwnBatch, draw: Draw): Attestation {
  const bySample = new Map<number, SignedVerdict>(verdicts.map((signed) => [signed.verdict.sample, signed]))
  const leaves = draw.positions.map((_, sample) => {
    const given = bySample.get(sample)?.verdict
    return given ? { verifier: given.verifier, units: given.units, verdictHash: verdictHash(given) } : SILENT_VERDICT
  })
  const silent = leaves.some((leaf) => leaf === SILENT_VERDICT)
  return {
    seed: draw.seed,
    verdictRoot: buildVerdictTree(leaves).root,
    verifiers: packVerifiers(verdicts.map(({ verdict }) => verdict)),
    // There is one range, ours.
    silentRanges: silent ? (1n << BigInt(parseRanges(batch.ranges).length)) - 1n : 0n,
  }
}

async function finalize(deps: ConcludeDeps, own: OwnBatch): Promise<void> {
  const { chain, sender, batches } = deps
  const { market } = chain
  const { terms } = recordsOf(deps, own.batchId)[0]!.bundle
  // A crash right after the attestation may have kept it from the disk; the chain has it.
  const attestation = own.attestation ?? (await batches.attestation(own.batchId))
  if (!attestation) return
  await sender.send({
    address: market.address,
    abi: market.abi,
    functionName: "finalize",
    args: [terms, own.batch, attestation],
  })
}
