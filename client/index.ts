export type { EventNamed, History } from "./chain/readHistory.ts"
export { eventsNamed, readHistory } from "./chain/readHistory.ts"
export type { Client, ClientParams, JobRequest, Prepared, WhySubject } from "./createClient.ts"
export { createClient } from "./createClient.ts"
export type { DisputeResult } from "./disputes/disputeLeaf.ts"
export type { WatchEvent } from "./disputes/watchJobs.ts"
export { ClientError, type ClientErrorDetail } from "./errors.ts"
export type { TaskOutput } from "./jobs/fetchResults.ts"
export type { JobProgress } from "./jobs/followJob.ts"
export type { TaskInputs } from "./jobs/planJob.ts"
export type { PostJobResult } from "./jobs/postJob.ts"
export type { Quote } from "./jobs/quoteJob.ts"
export type { ModelPlan, Models, RegisteredModel } from "./models/models.ts"
export type { Conservation } from "./payouts/conservation.ts"
export { readConservation } from "./payouts/conservation.ts"
export type { LedgerEntry } from "./payouts/ledger.ts"
export { buildLedger } from "./payouts/ledger.ts"
export type { Payout } from "./payouts/readPayouts.ts"
export { replayRun } from "./training/replayRun.ts"
export { feedOf, type RunData } from "./training/runData.ts"
export {
  createRunFolder,
  openRunFolder,
  type RunFolder,
  type RunPlan,
  readManifest,
  type SavedModel,
} from "./training/runFolder.ts"
export { type TrainEvent, type TrainParams, train } from "./training/train.ts"
export { trainedModel } from "./training/trainedModel.ts"
export {
  beginRun,
  contributions,
  meanLoss,
  type RoundRecord,
  type SlotRecord,
  type TrainingRun,
} from "./training/trainingRun.ts"
export { verifyRun } from "./training/verifyRun.ts"
export type { Check } from "./verify/check.ts"
export type { VerifyJobResult } from "./verify/verifyJob.ts"
