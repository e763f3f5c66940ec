import { type Address, isAddressEqual, zeroAddress } from "viem"
import type { ShardResult } from "#engine"
import {
  type Attestation,
  type AuditBundle,
  type Batch,
  type BatchData,
  buildVerdictTree,
  copiedOpening,
  type DigestList,
  type DigestOpening,
  digestBytes,
  digestList,
  parseVerifiers,
  placeOf,
  SILENT_VERDICT,
  type SignedVerdict,
  type Terms,
  treePath,
  type Verdict,
  verdictHash,
} from "#protocol"
import { isTransient } from "../api/peer.ts"
import { getBatchData, submitVerdicts } from "../api/routes.ts"
import { jobOfBatch } from "../chain/batches.ts"
import { refusedWith } from "../chain/sender.ts"
import { codeOf, textOf, workerError } from "../errors.ts"
import { retry } from "../support/retry.ts"
import { checkProgram, checkSample, checkTaskInput } from "./checkAudit.ts"
import { type AuditDeps, computeVerdicts } from "./computeVerdicts.ts"
import { postMismatch } from "./defendVerdicts.ts"
import { type Draw, readDraw } from "./draw.ts"
import { roundSeed, secondDraw } from "./secondDraw.ts"

/** What a second audit has found against the first verdict, or against the leaf. */
type Finding =
  | { kind: "copied"; first: SignedVerdict; list: DigestList; opening: DigestOpening }
  | { kind: "madeUp"; first: SignedVerdict; list: DigestList; tensors: ReturnType<typeof digestBytes> }
  | { kind: "differs"; sample: number }

/** All bytes of a list go into one transaction: more than this does not fit beside its price. */
const MOST_PROOF_BYTES = 128 * 1024

/** What the second audit of a batch is held against: the chain's word, and what its roots commit to. */
type Attested = {
  batch: Batch
  terms: Terms
  attestation: Attestation
  data: BatchData
  draw: Draw
  verdicts: ReturnType<typeof buildVerdictTree>
}

/**
 * R22: gives verdicts that a second seed drew a second time, and looks at the first ones: a copied or made-up keyed
 * digest, or a leaf that nobody should have vouched for, goes on chain by this verifier itself, who is paid for it.
 */
export async function giveSecondVerdicts(
  deps: AuditDeps,
  bundle: AuditBundle,
  { round, signal }: { round: number; signal: AbortSignal },
): Promise<SignedVerdict[]> {
  const { peer, events } = deps
  const { batchId } = bundle
  const startedAt = performance.now()
  const attested = await checkSecond(deps, bundle, round, signal)
  const findings: Promise<Finding | undefined>[] = []
  const verdicts = await computeVerdicts(deps, bundle, signal, (index, result, verdict) => {
    const looking = look(deps, bundle, { attested, index, result, verdict })
    looking.catch(() => undefined) // thrown again below
    findings[index] = looking
  })
  const answer = await retry(() => submitVerdicts(peer, { batchId, verdicts, signal }), {
    signal,
    attempts: 6,
    baseMs: 300,
    maxMs: 5000,
    retryable: isTransient,
  })
  events.emit({ kind: "audited", batchId, samples: answer.stored, ms: performance.now() - startedAt, round })
  for (const { sample, code } of answer.refused) {
    events.emit({ kind: "refused", code, text: `the second verdict on sample ${sample} was refused` })
  }
  for (const [index, finding] of (await Promise.all(findings)).entries()) {
    if (!finding) continue
    // Each stands alone: one that somebody else was quicker with keeps no other from the chain.
    await bring(deps, bundle, { attested, round, finding, signed: verdicts[index]! }).catch((error: unknown) => {
      events.wait("reaudit", "refused", codeOf(error), `a second audit: ${textOf(error)}`)
    })
  }
  return verdicts
}

/**
 * Nothing here is the coordinator's word: batch, terms and attestation are events of the chain, the draws follow from
 * its seeds, and leaves and verdicts from their roots. The window may be over by now: a false digest still costs.
 */
async function checkSecond(
  deps: AuditDeps,
  bundle: AuditBundle,
  round: number,
  signal: AbortSignal,
): Promise<Attested> {
  const { chain, account, peer, batches } = deps
  const { batchId, spec, samples } = bundle
  const [attestation, committed, terms] = await Promise.all([
    batches.attestation(batchId),
    batches.batch(batchId),
    batches.terms(jobOfBatch(batchId)),
  ])
  if (!attestation || !committed || !terms) throw refuse("no such batch is attested on the chain")
  checkProgram(spec, terms)
  const { batch } = committed
  const { seed } = attestation
  const [draw, secondSeed, data] = await Promise.all([
    readDraw(chain, { batch, terms, seed }),
    roundSeed(chain, round),
    getBatchData(peer, batchId, signal),
  ])
  if (!secondSeed) throw refuse(`round ${round} has no seed`)
  const firsts = [...data.verdicts].sort((one, other) => one.sample - other.sample)
  const verdicts = buildVerdictTree(
    firsts.map(({ verdict }) => (verdict ? { ...verdict, verdictHash: verdictHash(verdict) } : SILENT_VERDICT)),
  )
  if (firsts.length !== draw.positions.length || verdicts.root !== attestation.verdictRoot) {
    throw refuse("the verdicts are not those that were attested (R24)")
  }
  const again = secondDraw(chain, { batch, terms, draw }, secondSeed)
  for (const given of samples) {
    checkSample(draw, given)
    checkTaskInput(terms, given)
    const { sample } = given
    const first = firsts[sample]?.verdict
    const auditors = first ? await again.auditorsOf(sample, first.verifier) : []
    if (!auditors.some((one) => isAddressEqual(one, account))) {
      throw refuse(`round ${round} did not draw this account for sample ${sample} (R22)`)
    }
  }
  return { batch, terms, attestation, data: { ...data, verdicts: firsts }, draw, verdicts }
}

type LookParams = { attested: Attested; index: number; result: ShardResult; verdict: Verdict }

async function look(deps: AuditDeps, bundle: AuditBundle, params: LookParams): Promise<Finding | undefined> {
  const { attested, index, result, verdict } = params
  const { hasher } = deps
  const { sample, position, salt } = bundle.samples[index]!
  const leaf = leafAt(attested, position)
  if (leaf.outputCommitment !== verdict.outputCommitment) return { kind: "differs", sample }
  const { verdict: given, signature } = attested.data.verdicts[sample]!
  // Another answer than the leaf's is a mismatch, which goes its own way (R20).
  if (!given || !signature || given.outputCommitment !== verdict.outputCommitment) return undefined
  const task = { outputs: result.outputs, digests: result.digest }
  const keyed = async (verifier: Address) => {
    const key = { verifier, batchId: bundle.batchId, position }
    return (await hasher.run("verdict", { salt, result: task, key })).keyedDigest
  }
  if ((await keyed(given.verifier)) === given.keyedDigest) return undefined
  const first = { verdict: given, signature }
  const list = digestList(salt, task)
  for (const author of await possibleAuthors(attested, sample)) {
    if ((await keyed(author)) !== given.keyedDigest) continue
    const opening = copiedOpening(task, { verifier: author, batchId: bundle.batchId, position })
    if (opening) return { kind: "copied", first, list, opening }
  }
  const tensors = digestBytes(task)
  const bytes = tensors.reduce((sum, { data }) => sum + data.length / 2, 0)
  if (bytes > MOST_PROOF_BYTES) {
    const text = `sample ${sample}: a keyed digest is made up, and its ${bytes} bytes do not fit a transaction`
    deps.events.emit({ kind: "refused", code: "E_PROOF_TOO_LARGE", text })
    return undefined
  }
  return { kind: "madeUp", first, list: { ...list, roots: [] }, tensors }
}

/** Whose digest somebody may have copied: whoever was asked about the sample, or audited anything of the batch. */
async function possibleAuthors({ attestation, draw }: Attested, sample: number): Promise<Address[]> {
  const asked = await draw.candidatesOf(sample)
  const paid = parseVerifiers(attestation.verifiers).map(({ verifier }) => verifier)
  return [...new Set([...asked, ...paid].map((one) => one.toLowerCase() as Address))]
}

function leafAt({ data, draw }: Attested, position: number) {
  const { ordinal, offset } = placeOf(draw.layout, position)
  return data.shards[ordinal]!.leaves[offset]!
}

type BringParams = { attested: Attested; round: number; finding: Finding; signed: SignedVerdict }

async function bring(deps: AuditDeps, bundle: AuditBundle, params: BringParams): Promise<void> {
  const { chain, sender, events, account } = deps
  const { attested, finding, signed } = params
  const { batchId } = bundle
  const { batch, terms, attestation, data, draw } = attested
  const { sample, position } = signed.verdict
  const seated = await takeSeat(deps, params)
  if (finding.kind === "differs") {
    if (!seated) throw workerError("E_VERDICT_LATE", "the window is over: nobody judges this leaf any more")
    const { ordinal, offset } = placeOf(draw.layout, position)
    return await postMismatch({ chain, sender }, { batch, terms, attestation, data, signed, ordinal, offset })
  }
  const { jury } = chain
  const { first, list } = finding
  // Only a seated re-auditor is paid; a proof that comes after the window still costs the seat.
  const finder: Address = seated ? account : zeroAddress
  const about = [terms, batch, attestation, first.verdict, first.signature, list] as const
  const at = { address: jury.address, abi: jury.abi } as const
  const { transactionHash: tx } =
    finding.kind === "copied"
      ? await sender.send({ ...at, functionName: "proveCopied", args: [...about, finding.opening, finder] })
      : await sender.send({ ...at, functionName: "proveMadeUp", args: [...about, finding.tensors, finder] })
  events.emit({ kind: "proved", batchId, sample, verifier: first.verdict.verifier, fault: finding.kind, tx })
}

/** Makes this account a candidate of the sample; false once the window is over. */
async function takeSeat(deps: AuditDeps, params: BringParams): Promise<boolean> {
  const { chain, sender, account } = deps
  const { attested, round, signed } = params
  const { jury } = chain
  const { sample } = signed.verdict
  const first = attested.data.verdicts[sample]!.verdict!
  const leaf = { verifier: first.verifier, units: first.units, verdictHash: verdictHash(first) }
  const proof = [...treePath(attested.verdicts, sample)]
  const { batch, terms, attestation } = attested
  try {
    await sender.send({
      address: jury.address,
      abi: jury.abi,
      functionName: "seatReauditor",
      args: [terms, batch, attestation, sample, BigInt(round), account, leaf, proof],
    })
    return true
  } catch (error) {
    if (refusedWith(error) === "DutyBatch" || refusedWith(error) === "BatchMismatch") return false
    throw error
  }
}

function refuse(message: string) {
  return workerError("E_AUDIT_REFUSED", message)
}
