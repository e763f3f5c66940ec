import type { Hex } from "viem"
import { MODEL_LIMITS, type ModelArtifact } from "#engine"
import type { Spec } from "#protocol"
import type { Peer } from "../api/peer.ts"
import { getPieces } from "../api/routes.ts"
import { workerError } from "../errors.ts"
import { modelArtifact } from "../models/checkModel.ts"
import type { ArtifactCache } from "./cache.ts"

export type FetchTaskFilesParams = { spec: Spec; inputs: Hex; inputBytes: number; signal: AbortSignal }
export type TaskFiles = { model: ModelArtifact; bundle: Buffer }

/** Model and inputs, from the cache or the peer. The caller has pinned both. */
export async function fetchTaskFiles(
  { cache, peer }: { cache: ArtifactCache; peer: Peer },
  { spec, inputs, inputBytes, signal }: FetchTaskFilesParams,
): Promise<TaskFiles> {
  const { sha256, bytes } = spec.model
  if (bytes > MODEL_LIMITS.fileBytes) {
    throw workerError("E_MODEL_TOO_LARGE", `the model has ${bytes} bytes; at most ${MODEL_LIMITS.fileBytes} are run`)
  }
  const download = peer.download
  const [path] = await Promise.all([
    cache.fetch({ sha256, maxBytes: bytes, download, signal }),
    cache.fetch({
      sha256: inputs,
      maxBytes: inputBytes,
      download,
      shared: { kind: sha256, piecesOf: (wanted, within) => getPieces(peer, wanted, within) },
      signal,
    }),
  ])
  const bundle = await cache.read(inputs)
  if (!bundle) throw workerError("E_ARTIFACT_HASH", `the inputs ${inputs} were damaged on this disk`)
  return { model: modelArtifact(spec, path), bundle }
}
