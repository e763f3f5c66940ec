import type { Hex } from "viem"
import { z } from "zod"
import type { Piece } from "#engine"
import {
  ArtifactPiecesSchema,
  type AuditBundle,
  AuditBundleSchema,
  AuditRequestSchema,
  type BatchData,
  BatchDataSchema,
  type DisputeBundle,
  DisputeBundleSchema,
  formatBatchId,
  type Info,
  InfoSchema,
  type LeaseBundle,
  LeaseBundleSchema,
  LeaseRequestSchema,
  ReceiptStoredSchema,
  type ReceiptSubmission,
  ReceiptSubmissionSchema,
  ReleasedSchema,
  type ReleaseSubmission,
  ReleaseSubmissionSchema,
  type SignedVerdict,
  VerdictSubmissionSchema,
  type VerdictsStored,
  VerdictsStoredSchema,
  type WorkerHello,
  WorkerHelloSchema,
  type WorkerWelcome,
  WorkerWelcomeSchema,
} from "#protocol"
import { WorkerError, workerError } from "../errors.ts"
import type { Peer } from "./peer.ts"

/** The messages of the protocol, sent to whoever answers them: functions of a peer, one a route. */

type Waited = { wait: number; cachedModels: Hex[]; signal: AbortSignal }

/** A long poll is silent for as long as it was asked to wait. */
const pollTimeout = (wait: number) => (wait + 15) * 1000

export async function getInfo(peer: Peer, signal: AbortSignal): Promise<Info> {
  return need(await peer.ask({ method: "GET", path: "/v1/info", schema: InfoSchema, signal }))
}

export async function sayHello(peer: Peer, hello: WorkerHello, signal: AbortSignal): Promise<WorkerWelcome> {
  const body = z.encode(WorkerHelloSchema, hello)
  return need(await peer.ask({ method: "POST", path: "/v1/workers/hello", body, schema: WorkerWelcomeSchema, signal }))
}

export function askForLease(
  peer: Peer,
  { wait, capability, cachedModels, signal }: Waited & { capability: Hex },
): Promise<LeaseBundle | undefined> {
  const body = z.encode(LeaseRequestSchema, { wait, capability, cachedModels })
  const timeoutMs = pollTimeout(wait)
  return peer.ask({ method: "POST", path: "/v1/leases", body, schema: LeaseBundleSchema, signal, timeoutMs })
}

export async function submitReceipt(
  peer: Peer,
  { leaseHash, signal, ...submission }: ReceiptSubmission & { leaseHash: Hex; signal: AbortSignal },
): Promise<void> {
  const body = z.encode(ReceiptSubmissionSchema, submission)
  const path = `/v1/leases/${leaseHash}/receipt`
  need(await peer.ask({ method: "POST", path, body, schema: ReceiptStoredSchema, signal }))
}

export async function submitRelease(
  peer: Peer,
  { leaseHash, signal, ...submission }: ReleaseSubmission & { leaseHash: Hex; signal: AbortSignal },
): Promise<void> {
  const body = z.encode(ReleaseSubmissionSchema, submission)
  const path = `/v1/leases/${leaseHash}/release`
  need(await peer.ask({ method: "POST", path, body, schema: ReleasedSchema, signal }))
}

export function askForAudit(peer: Peer, { wait, cachedModels, signal }: Waited): Promise<AuditBundle | undefined> {
  const body = z.encode(AuditRequestSchema, { wait, cachedModels })
  const timeoutMs = pollTimeout(wait)
  return peer.ask({ method: "POST", path: "/v1/audits", body, schema: AuditBundleSchema, signal, timeoutMs })
}

export async function submitVerdicts(
  peer: Peer,
  { batchId, verdicts, signal }: { batchId: bigint; verdicts: SignedVerdict[]; signal: AbortSignal },
): Promise<VerdictsStored> {
  const body = z.encode(VerdictSubmissionSchema, { verdicts })
  const path = `/v1/audits/${formatBatchId(batchId)}/verdicts`
  return need(await peer.ask({ method: "POST", path, body, schema: VerdictsStoredSchema, signal }))
}

export async function getDispute(peer: Peer, disputeId: bigint, signal: AbortSignal): Promise<DisputeBundle> {
  const path = `/v1/disputes/0x${disputeId.toString(16).padStart(64, "0")}`
  return need(await peer.ask({ method: "GET", path, schema: DisputeBundleSchema, signal }))
}

export async function getBatchData(peer: Peer, batchId: bigint, signal: AbortSignal): Promise<BatchData> {
  const path = `/v1/batches/${formatBatchId(batchId)}/data`
  return need(await peer.ask({ method: "GET", path, schema: BatchDataSchema, signal }))
}

/** Undefined where the peer has no answer: a worker that committed for itself serves artifacts whole. */
export async function getPieces(peer: Peer, sha256: Hex, signal: AbortSignal): Promise<readonly Piece[] | undefined> {
  const path = `/v1/artifacts/${sha256}/pieces`
  try {
    return need(await peer.ask({ method: "GET", path, schema: ArtifactPiecesSchema, signal })).pieces
  } catch (error) {
    if (error instanceof WorkerError && error.detail.facts?.status === 404) return undefined
    throw error
  }
}

function need<T>(answer: T | undefined): T {
  if (answer === undefined) throw workerError("E_PEER_MESSAGE", "a peer answered with nothing where something was due")
  return answer
}
