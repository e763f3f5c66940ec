import type { Hex } from "viem"
import type { ModelArtifact, ShardTask } from "#engine"
import { type LeaseBundle, leaseHash } from "#protocol"
import type { Peer } from "../api/peer.ts"
import type { ArtifactCache } from "../artifacts/cache.ts"
import { fetchTaskFiles } from "../artifacts/fetchTaskFiles.ts"
import { workerError } from "../errors.ts"
import type { Hasher } from "../hashing/hasher.ts"
import type { Journal } from "../journal/journal.ts"
import type { ModelChecks } from "../models/checkModel.ts"
import type { LeaseRecord } from "../records/record.ts"
import type { RecordStore } from "../records/store.ts"
import { type CheckLeaseDeps, checkLease } from "./checkLease.ts"
import { readInputs } from "./readInputs.ts"

export type PrepareLeaseDeps = {
  check: CheckLeaseDeps
  journal: Journal
  records: RecordStore
  cache: ArtifactCache
  peer: Peer
  hasher: Hasher
  models: ModelChecks
  /** Whether free collateral covers a range of this job (R13). */
  checkCollateral: (bundle: LeaseBundle) => Promise<void>
}

/** A lease whose inputs and model are here and are what the chain committed to. */
export type PreparedLease = {
  leaseHash: Hex
  record: LeaseRecord
  model: ModelArtifact
  tasks: ShardTask[]
}

/** Throws before anything is noted down if the lease is not worth having; what fails afterwards must be given back. */
export async function acceptLease(
  { check, journal, records, checkCollateral }: PrepareLeaseDeps,
  bundle: LeaseBundle,
): Promise<LeaseRecord> {
  await checkLease(check, bundle)
  const hash = leaseHash(bundle.lease)
  if (journal.receiptOf(hash) || journal.releaseOf(hash) || records.get(hash)) {
    throw workerError("E_SIGNED_ALREADY", `lease ${hash} was handed out before (R8)`)
  }
  await checkCollateral(bundle)
  const record: LeaseRecord = { state: "leased", bundle, changedAt: Number(check.now()) }
  await records.put(record)
  return record
}

export async function prepareLease(
  deps: PrepareLeaseDeps,
  record: LeaseRecord,
  signal: AbortSignal,
): Promise<PreparedLease> {
  const { bundle } = record
  const { spec, terms, lease, salts, inputCommitments, firstTask, inputs } = bundle
  const inputBytes = spec.shards[lease.shard]!.bytes
  const files = await fetchTaskFiles(deps, { spec, inputs, inputBytes, signal })
  const tasks = await readInputs(deps, {
    bundle: files.bundle,
    ports: spec.model.inputs,
    tasks: salts.map((salt, i) => ({ index: firstTask + i, salt, inputCommitment: inputCommitments[i]! })),
  })
  await deps.models.check({ model: files.model, spec, programRoot: terms.programRoot, task: tasks[0]! })
  return { leaseHash: leaseHash(lease), record, model: files.model, tasks }
}
