import { join } from "node:path"
import type { Address } from "viem"
import { type Deployment, deploymentFolder } from "#protocol"
import { type ArtifactCache, openArtifactCache } from "../artifacts/cache.ts"
import { type Journal, openJournal } from "../journal/journal.ts"
import { hasEnded, isSigned, type LeaseRecord } from "../records/record.ts"
import { openRecords, type RecordStore } from "../records/store.ts"

/** Where one account's state of one deployment lies: nothing of an old chain meets a new one. */
export function stateFolder(home: string, deployment: Deployment, account: Address): string {
  const { network, chainId, contracts } = deployment
  const folder = deploymentFolder({ network, chainId, market: contracts.market })
  return join(home, "networks", folder, `worker-${account.toLowerCase()}`)
}

export type State = { folder: string; journal: Journal; records: RecordStore; cache: ArtifactCache }

export type OpenStateParams = { folder: string; cacheBytes: number; now: bigint }

export async function openState({ folder, cacheBytes, now }: OpenStateParams): Promise<State> {
  const journal = await openJournal({ path: join(folder, "journal.jsonl"), now })
  const records = await openRecords(join(folder, "leases"))
  const cache = await openArtifactCache({ root: join(folder, "artifacts"), limitBytes: cacheBytes })
  for (const record of records.all()) changePins(cache, record, undefined)
  records.onChange((record, before) => changePins(cache, record, before))
  return { folder, journal, records, cache }
}

/** What a lease still needs stays on disk: model and inputs to serve verifiers (R18), outputs to deliver them. */
function changePins(cache: ArtifactCache, record: LeaseRecord, before: LeaseRecord | undefined): void {
  const needed = hasEnded(record) ? [] : filesOf(record)
  const held = before ? filesOf(before) : []
  for (const sha256 of needed) cache.pin(sha256)
  for (const sha256 of held) cache.unpin(sha256)
}

function filesOf(record: LeaseRecord) {
  const { spec, inputs } = record.bundle
  return isSigned(record) ? [spec.model.sha256, inputs, record.result.outputs] : [spec.model.sha256, inputs]
}
