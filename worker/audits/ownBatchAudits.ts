import { type Address, type Hex, hexToNumber, isAddressEqual, keccak256, slice } from "viem"
import type { Peer } from "../api/peer.ts"
import { askForAudit, getBatchData } from "../api/routes.ts"
import type { BatchBook, CommittedBatch } from "../chain/batches.ts"
import { jobOfBatch } from "../chain/batches.ts"
import { refusedWith } from "../chain/sender.ts"
import type { ChainEvent } from "../chain/watch.ts"
import { codeOf, textOf } from "../errors.ts"
import { pause } from "../support/sleep.ts"
import type { AuditDeps } from "./computeVerdicts.ts"
import { readDraw, readSeed, STATE } from "./draw.ts"
import { giveVerdicts } from "./giveVerdicts.ts"
import { attestedAt, roundAfter, roundSeed, secondDraw } from "./secondDraw.ts"

export type OwnBatchAuditsDeps = Omit<AuditDeps, "peer"> & {
  batches: BatchBook
  peerOf: (url: string) => Peer | undefined
}

type Deps = OwnBatchAuditsDeps & { peer: Peer }

const RETRY_MS = 2_000
/** A second seed is waited for, and called for, within parts of the window as long as this. */
const WINDOW_PARTS = 16
const MOST_PAUSE_MS = 60_000

/**
 * Audits of batches that workers committed for themselves (R18): nobody calls this verifier, so it reads the draws off
 * the chain and asks at the URL of the event where it is a candidate, or is to give a verdict again (R22).
 */
export function createOwnBatchAudits(deps: OwnBatchAuditsDeps, signal: AbortSignal) {
  const following = new Set<bigint>()
  return {
    note(event: ChainEvent): void {
      if (event.eventName !== "BatchCommitted") return
      const { batchId, batch, url } = event.args
      if (url === "" || isAddressEqual(batch.committer, deps.account) || following.has(batchId)) return
      following.add(batchId)
      follow(deps, batchId, signal)
        .catch((error: unknown) => {
          if (!signal.aborted) deps.events.wait("audit", "refused", codeOf(error), `an audit: ${textOf(error)}`)
        })
        .finally(() => following.delete(batchId))
    },
  }
}

async function follow(deps: OwnBatchAuditsDeps, batchId: bigint, signal: AbortSignal): Promise<void> {
  const committed = await deps.batches.batch(batchId)
  const peer = committed && deps.peerOf(committed.url)
  if (!committed || !peer) return
  let asked: boolean | undefined
  while (!signal.aborted) {
    const state = await stateOf(deps, batchId)
    if (state === STATE.attested) return await giveAgain({ ...deps, peer }, { committed, asked }, signal)
    if (state !== STATE.committed && state !== STATE.drawn) return
    asked ??= await isCandidate(deps, committed)
    if (asked) await auditOnce({ ...deps, peer }, signal)
    await pause(RETRY_MS, signal)
  }
}

/** Undefined while there is no seed. */
async function isCandidate(deps: OwnBatchAuditsDeps, committed: CommittedBatch): Promise<boolean | undefined> {
  const draw = (await drawOf(deps, committed))?.draw
  if (!draw) return undefined
  for (const sample of draw.positions.keys()) {
    if (isAmong(await draw.candidatesOf(sample), deps.account)) return true
  }
  return false
}

async function drawOf({ chain, batches }: OwnBatchAuditsDeps, { batchId, batch }: CommittedBatch) {
  const terms = await batches.terms(jobOfBatch(batchId))
  const seed = (await readSeed(chain, batch)) ?? (await batches.seed(batchId))
  return terms && seed ? { terms, draw: await readDraw(chain, { batch, terms, seed }) } : undefined
}

/** The committer may be slow, restarting, or done with our samples: it is asked again until the batch moves on. */
async function auditOnce(deps: Deps, signal: AbortSignal): Promise<boolean> {
  const given = await attempt(deps, signal, async () => {
    const bundle = await askForAudit(deps.peer, { wait: 0, cachedModels: [], signal })
    if (bundle) await giveVerdicts(deps, bundle, signal)
    return bundle !== undefined
  })
  return given === true
}

/** Undefined where it fails, which is told. */
async function attempt<T>({ events, peer }: Deps, signal: AbortSignal, ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (!signal.aborted) events.wait("audit", "refused", codeOf(error), `an audit at ${peer.url}: ${textOf(error)}`)
    return undefined
  }
}

type GiveAgainParams = { committed: CommittedBatch; asked: boolean | undefined }

/** R22: the committer has no use for a second seed, so those whom the first one asked see to it. */
async function giveAgain(deps: Deps, { committed, asked }: GiveAgainParams, signal: AbortSignal): Promise<void> {
  const { batchId } = committed
  const { window } = deps.chain.deployment.params
  const paceMs = Math.min(MOST_PAUSE_MS, (window * 1000) / WINDOW_PARTS)
  const attested = await attestedAt(deps.chain, batchId)
  if (!attested) return
  const startAt = attested.time + ((1 + shareOf(deps.account, batchId)) * window) / WINDOW_PARTS
  let again: boolean | undefined
  while (!signal.aborted && (await stateOf(deps, batchId)) === STATE.attested) {
    const round = await roundAfter(deps.chain, attested.block)
    if (round === undefined && asked && Number(deps.now()) >= startAt) await startRound(deps)
    const seed = round === undefined ? undefined : await roundSeed(deps.chain, round)
    if (round !== undefined && seed) {
      again ??= await attempt(deps, signal, () => isDrawnAgain(deps, committed, { seed, signal }))
      if (again === false || (again && (await auditOnce(deps, signal)))) return
    }
    await pause(paceMs, signal)
  }
}

async function startRound({ chain: { jury }, sender }: Deps): Promise<void> {
  const call = { address: jury.address, abi: jury.abi, functionName: "startRound", args: [] } as const
  await sender.send(call).catch((error: unknown) => {
    if (refusedWith(error) !== "RoundExists") throw error
  })
}

/** By the verdicts that the committer shows; one that shows false ones is found out when ours is compared with them. */
async function isDrawnAgain(
  deps: Deps,
  committed: CommittedBatch,
  { seed, signal }: { seed: Hex; signal: AbortSignal },
): Promise<boolean> {
  const { batchId, batch } = committed
  const known = await drawOf(deps, committed)
  if (!known) return false
  const { verdicts } = await getBatchData(deps.peer, batchId, signal)
  const again = secondDraw(deps.chain, { batch, ...known }, seed)
  for (const { sample, verdict } of verdicts) {
    if (verdict && isAmong(await again.auditorsOf(sample, verdict.verifier), deps.account)) return true
  }
  return false
}

async function stateOf({ chain }: OwnBatchAuditsDeps, batchId: bigint): Promise<number> {
  return (await chain.market.read.batchOf([batchId])).state
}

/** From 0 to 1, another for each account and batch: not all start a round at once. */
function shareOf(account: Address, batchId: bigint): number {
  const mixed: Hex = keccak256(`${account}${batchId.toString(16).padStart(64, "0")}`)
  return hexToNumber(slice(mixed, 0, 4)) / 2 ** 32
}

const isAmong = (accounts: readonly Address[], account: Address) => accounts.some((one) => isAddressEqual(one, account))
