import { type BatchData, BatchDataSchema, formatBatchId } from "#protocol"
import type { Coordinator } from "../http/coordinator.ts"

export type FetchBatchDataParams = { url: string; batchId: bigint; signal: AbortSignal | undefined }

/** From the committer's own URL where it committed for itself (R18), from the coordinator otherwise. */
export async function fetchBatchData(
  coordinator: Coordinator,
  { url, batchId, signal }: FetchBatchDataParams,
): Promise<BatchData> {
  const path = `/v1/batches/${formatBatchId(batchId)}/data`
  if (!url) return coordinator.get(path, BatchDataSchema, { signal })
  return coordinator.at(url).get(path, BatchDataSchema, { signal })
}
