import { type Address, type Hex, isAddressEqual, type TypedDataDomain } from "viem"
import { decodeBundle, encodeBundle, parseBundleName } from "#engine"
import { type AuditBundle, type AuditSample, placeOf, recoverSigner, type SignedVerdict, type Verdict } from "#protocol"
import type { ArtifactCache } from "../artifacts/cache.ts"
import { type Draw, readDraw, readSeed } from "../audits/draw.ts"
import { attestedAt, roundAfter, roundSeed, type SecondDraw, secondDraw } from "../audits/secondDraw.ts"
import type { BatchBook } from "../chain/batches.ts"
import type { Chain } from "../chain/chain.ts"
import { workerError } from "../errors.ts"
import { isSigned, type SignedRecord } from "../records/record.ts"
import type { RecordStore } from "../records/store.ts"
import type { OwnBatch, OwnBatches } from "./ownBatches.ts"
import { taskPaths } from "./taskPaths.ts"

export type OwnAuditDeps = {
  chain: Chain
  domain: TypedDataDomain
  cache: ArtifactCache
  records: RecordStore
  own: OwnBatches
  batches: BatchBook
  /** Who may fetch which bundle, besides those whom a batch concerns anyhow. */
  grants: Grants
  /** Remembers draws: the panel of a batch never changes. */
  draws: Map<bigint, Draw>
  /** Who is to give verdicts again (R22), by batch. */
  secondDraws: Map<bigint, { round: number; draw: SecondDraw }>
  /** Second verdicts that came, of no use to this committer: its verifiers are paid by the first. */
  givenAgain: Set<string>
  now: () => bigint
}

/** Which account was given which artifact: inputs are shown to drawn verifiers and jurors alone. */
export type Grants = { give(sha256: Hex, account: Address): void; has(sha256: Hex, account: Address): boolean }

export function createGrants(): Grants {
  const given = new Set<string>()
  const keyOf = (sha256: Hex, account: Address) => `${sha256} ${account.toLowerCase()}`
  return {
    give: (sha256, account) => {
      given.add(keyOf(sha256, account))
    },
    has: (sha256, account) => given.has(keyOf(sha256, account)),
  }
}

/** The leases that a batch of ours was made of. */
export function recordsOf({ records }: Pick<OwnAuditDeps, "records">, batchId: bigint): SignedRecord[] {
  const group = records.all().filter((record) => record.batchId === batchId && isSigned(record)) as SignedRecord[]
  return group.sort((a, b) => a.bundle.lease.shard - b.bundle.lease.shard)
}

/** The draw, as soon as the beacon has a seed; undefined until then. */
export async function drawOf(deps: OwnAuditDeps, { batchId, batch }: OwnBatch): Promise<Draw | undefined> {
  const known = deps.draws.get(batchId)
  if (known) return known
  const found = (await readSeed(deps.chain, batch)) ?? (await deps.batches.seed(batchId))
  const terms = recordsOf(deps, batchId)[0]?.bundle.terms
  if (!found || !terms) return undefined
  const draw = await readDraw(deps.chain, { batch, terms, seed: found })
  deps.draws.set(batchId, draw)
  return draw
}

/** What a drawn verifier is asked: its samples that have no verdict yet, or are due a second one, without our answers (R21). */
export async function nextOwnAudit(deps: OwnAuditDeps, account: Address): Promise<AuditBundle | undefined> {
  for (const own of deps.own.all()) {
    const draw = await drawOf(deps, own)
    if (!draw) continue
    if (own.attestation) {
      const again = await samplesAgain(deps, { own, draw, account })
      if (again)
        return { ...(await auditBundle(deps, { own, draw, account, samples: again.samples })), round: again.round }
      continue
    }
    const open = await openSamples(draw, own, account)
    if (open.length > 0) return await auditBundle(deps, { own, draw, samples: open, account })
  }
  return undefined
}

type AgainParams = { own: OwnBatch; draw: Draw; account: Address }

/** R22: the verdicts of an attested batch that a second seed wants from this account as well. */
async function samplesAgain(
  deps: OwnAuditDeps,
  { own, draw, account }: AgainParams,
): Promise<{ round: number; samples: number[] } | undefined> {
  const again = await secondDrawOf(deps, own, draw)
  if (!again) return undefined
  const samples: number[] = []
  for (const { verdict } of own.verdicts) {
    const { sample } = verdict
    if (deps.givenAgain.has(againKey(own.batchId, sample, account))) continue
    if (await isAuditorAgain(again.draw, verdict, account)) samples.push(sample)
  }
  return samples.length > 0 ? { round: again.round, samples: samples.sort((a, b) => a - b) } : undefined
}

async function isAuditorAgain(draw: SecondDraw, { sample, verifier }: Verdict, account: Address): Promise<boolean> {
  return (await draw.auditorsOf(sample, verifier)).some((one) => isAddressEqual(one, account))
}

/** Undefined while no round has a seed. */
async function secondDrawOf(deps: OwnAuditDeps, { batchId, batch }: OwnBatch, draw: Draw) {
  const known = deps.secondDraws.get(batchId)
  if (known) return known
  const { chain } = deps
  const attested = await attestedAt(chain, batchId)
  const round = attested && (await roundAfter(chain, attested.block))
  const seed = round === undefined ? undefined : await roundSeed(chain, round)
  const terms = recordsOf(deps, batchId)[0]?.bundle.terms
  if (round === undefined || !seed || !terms) return undefined
  const found = { round, draw: secondDraw(chain, { batch, terms, draw }, seed) }
  deps.secondDraws.set(batchId, found)
  return found
}

const againKey = (batchId: bigint, sample: number, account: Address) => `${batchId} ${sample} ${account.toLowerCase()}`

async function openSamples(draw: Draw, { verdicts }: OwnBatch, account: Address): Promise<number[]> {
  const answered = new Set(verdicts.map(({ verdict }) => verdict.sample))
  const open: number[] = []
  for (const sample of draw.positions.keys()) {
    if (answered.has(sample)) continue
    if ((await draw.candidatesOf(sample)).some((owner) => isAddressEqual(owner, account))) open.push(sample)
  }
  return open
}

type BundleParams = { own: OwnBatch; draw: Draw; samples: number[]; account: Address }

async function auditBundle(deps: OwnAuditDeps, params: BundleParams): Promise<AuditBundle> {
  const { own, draw, samples, account } = params
  const found = samples.map((sample) => sampleOf(deps, { own, draw, sample }))
  const inputs = await bundleOf(deps, found)
  deps.grants.give(inputs, account)
  const { terms, spec } = found[0]!.record.bundle
  const { clock } = await deps.chain.market.read.batchOf([own.batchId])
  return {
    batchId: own.batchId,
    batch: own.batch,
    seed: draw.seed,
    terms,
    spec,
    deadline: Number(clock),
    samples: found.map(({ task }) => task),
    inputs,
  }
}

export type SampleParams = { own: OwnBatch; draw: Draw; sample: number }
type FoundSample = { record: SignedRecord; task: AuditSample }

export function sampleOf(deps: OwnAuditDeps, { own, draw, sample }: SampleParams): FoundSample {
  const position = draw.positions[sample]!
  const { shard, offset, taskIndex } = placeOf(draw.layout, position)
  const record = recordsOf(deps, own.batchId).find(({ bundle }) => bundle.lease.shard === shard)
  if (!record) throw workerError("E_BATCH_UNKNOWN", `shard ${shard} of our batch is not here any more`)
  const { salts, inputCommitments } = record.bundle
  const task = {
    sample,
    position,
    taskIndex,
    salt: salts[offset]!,
    inputCommitment: inputCommitments[offset]!,
    inputProof: taskPaths(record.bundle)[offset]!,
  }
  return { record, task }
}

/** A bundle with these tasks only: nobody gets more of a requester's inputs than the draw gave them. */
export async function bundleOf({ cache }: OwnAuditDeps, found: readonly FoundSample[]): Promise<Hex> {
  const wanted = new Set(found.map(({ task }) => task.taskIndex))
  const shards = new Set(found.map(({ record }) => record.bundle.inputs))
  const entries = []
  for (const sha256 of shards) {
    const bytes = await cache.read(sha256)
    if (!bytes) throw workerError("E_ARTIFACT_HASH", `the inputs ${sha256} are damaged on this disk`)
    const kept = decodeBundle(bytes).filter(({ name }) => wanted.has(parseBundleName(name)?.taskIndex ?? -1))
    entries.push(...kept)
  }
  return await cache.store(encodeBundle(entries))
}

/** Keeps what a candidate signed. Returns why not, in a code, where it cannot be used. */
export async function keepVerdict(
  deps: OwnAuditDeps,
  { batchId, signed, account }: { batchId: bigint; signed: SignedVerdict; account: Address },
): Promise<string | undefined> {
  const { chain, domain, own: batches } = deps
  const own = batches.get(batchId)
  const draw = own && (await drawOf(deps, own))
  if (!own || !draw) return "E_BATCH_UNKNOWN"
  const { verdict, signature } = signed
  if (own.attestation) {
    const key = againKey(batchId, verdict.sample, account)
    const again = deps.givenAgain.has(key) ? undefined : await secondDrawOf(deps, own, draw)
    const first = own.verdicts.find((kept) => kept.verdict.sample === verdict.sample)?.verdict
    if (!again || !first || !(await isAuditorAgain(again.draw, first, account))) return "E_VERDICT_LATE"
    deps.givenAgain.add(key)
    return undefined
  }
  const { sample, position, verifier, units } = verdict
  if (verdict.batchId !== batchId || draw.positions[sample] !== position) return "E_VERDICT_POSITION"
  const candidates = await draw.candidatesOf(sample)
  if (!isAddressEqual(verifier, account) || !candidates.some((owner) => isAddressEqual(owner, verifier))) {
    return "E_VERDICT_NOT_DRAWN"
  }
  const { terms } = recordsOf(deps, batchId)[0]!.bundle
  if (units < 1 || units > terms.maxUnits) return "E_VERDICT_UNITS"
  const signer = await recoverSigner({ domain, type: "Verdict", message: verdict, signature })
  // R8: the commit block decides whose key it is.
  const holder = signer && (await chain.registry.read.accountOf([signer, own.batch.commitBlock]))
  if (!holder || !isAddressEqual(holder, verifier)) return "E_VERDICT_SIGNATURE"
  const latest = batches.get(batchId)!
  const before = latest.verdicts.find((kept) => kept.verdict.sample === sample)
  if (before) return isAddressEqual(before.verdict.verifier, verifier) ? undefined : "E_VERDICT_LATE"
  await batches.put({ ...latest, verdicts: [...latest.verdicts, signed] })
  return undefined
}
