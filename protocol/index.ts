export { assayTokenAbi } from "./abi/assayToken.ts"
export { beaconAbi } from "./abi/beacon.ts"
export { challengesAbi } from "./abi/challenges.ts"
export { disputeGameAbi } from "./abi/disputeGame.ts"
export { juryAbi } from "./abi/jury.ts"
export { marketAbi } from "./abi/market.ts"
export { modelRegistryAbi } from "./abi/modelRegistry.ts"
export { registryAbi } from "./abi/registry.ts"
export type { AttestationStruct, BatchStruct } from "./batches/digests.ts"
export { attestedDigest, batchHash, committedDigest, drawnDigest } from "./batches/digests.ts"
export type { BatchLayout, BatchLayoutParams, Place } from "./batches/layout.ts"
export { batchLayout, LayoutError, placeOf, positionOf, shardLengths } from "./batches/layout.ts"
export type { Leaf } from "./batches/leaf.ts"
export { leafHash } from "./batches/leaf.ts"
export { bitsOf, maskOf, popCount } from "./batches/mask.ts"
export type { GivenVerdict, Range, VerifierTotal, WorkedShard } from "./batches/packed.ts"
export {
  PackedError,
  packRange,
  packRanges,
  packVerifier,
  packVerifiers,
  parseRanges,
  parseVerifiers,
  unpackRange,
  unpackVerifier,
} from "./batches/packed.ts"
export type { LeafPathParams, VerifyLeafParams } from "./batches/path.ts"
export { leafPath, verifyLeaf } from "./batches/path.ts"
export type { ShardTreeParams, SumNode } from "./batches/sumTree.ts"
export { buildShardTree, buildTopTree, committedRoot, leafNode, SUM_PAD, SUM_SCHEME } from "./batches/sumTree.ts"
export type { VerdictLeaf } from "./batches/verdictTree.ts"
export { buildVerdictTree, SILENT_VERDICT, verdictLeafHash } from "./batches/verdictTree.ts"
export type { Contracts, Deployment } from "./chain/deployment.ts"
export { ContractsSchema, DeploymentSchema } from "./chain/deployment.ts"
export type { NetworkName } from "./chain/networks.ts"
export { deploymentFolder, LOCAL_CHAIN_ID, NETWORKS } from "./chain/networks.ts"
export type { Params } from "./chain/params.ts"
export { ParamsSchema } from "./chain/params.ts"
export type { DigestList, DigestOpening } from "./commitments/digestProof.ts"
export { copiedOpening, digestBytes, digestList } from "./commitments/digestProof.ts"
export { buildInputTree, inputLeaf, inputPath, inputsRoot, verifyInputPath } from "./commitments/inputs.ts"
export { PROGRAM_VERSION, programRoot } from "./commitments/program.ts"
export { digestSalt, outputSalt, taskSalt } from "./commitments/salts.ts"
export { CHUNK_BYTES, chunkCount, chunkDepth, sha256 } from "./commitments/shaTree.ts"
export type { TaskResult } from "./commitments/task.ts"
export {
  commitRoots,
  commitTensors,
  digestPart,
  inputCommitment,
  joinOutput,
  keyedDigest,
  outputCommitment,
  outputPart,
} from "./commitments/task.ts"
export type { Dtype, Tensor } from "./commitments/tensor.ts"
export {
  bytesPerElement,
  DTYPES,
  dtypeOfOnnxNumber,
  elementCount,
  isDtype,
  onnxNumberOf,
  tensorByteLength,
} from "./commitments/tensor.ts"
export type { ChunkOpening, DigestKey } from "./commitments/tensorRoot.ts"
export { keyedTensorRoot, openChunk, rootFromChunk, TensorError, tensorRoot } from "./commitments/tensorRoot.ts"
export {
  challengerCall,
  defendantCall,
  type GameCall,
  isChallengersTurn,
  linksOf,
  timeoutCall,
} from "./disputes/calls.ts"
export { nextChallengerMove } from "./disputes/challenger.ts"
export { nextDefendantMove } from "./disputes/defendant.ts"
export { describeBits } from "./disputes/elementProof.ts"
export { findHash, gameIdOf } from "./disputes/ids.ts"
export type { GameCase, GameRecord } from "./disputes/record.ts"
export { foldGame, kindOf } from "./disputes/record.ts"
export type { Trace } from "./disputes/trace.ts"
export { buildTrace, withTensors } from "./disputes/trace.ts"
export type { Finding, GameOutcome, Links, OpenProgram } from "./disputes/types.ts"
export { createPermutation, feistelWidth } from "./draw/feistel.ts"
export type { Juror } from "./draw/jury.ts"
export { JURY_QUORUM, JURY_SEATS, jurors, jurySeat, jurySeats } from "./draw/jury.ts"
export type { CandidatesParams } from "./draw/panel.ts"
export {
  CALLED,
  CANDIDATES,
  candidateOwners,
  candidatePlaces,
  PANEL_EXTRA,
  PANEL_SIZE,
  panelSeat,
  panelSeats,
} from "./draw/panel.ts"
export type { ReauditorsParams, ReauditParams } from "./draw/reaudit.ts"
export { isReaudited, reauditors, reauditSeats } from "./draw/reaudit.ts"
export type { SamplesParams } from "./draw/samples.ts"
export { sampleCount, samplePositions } from "./draw/samples.ts"
export { drawSeed } from "./draw/seed.ts"
export { CodedError, isCodedError } from "./errors/codedError.ts"
export { bytesOf, hexOf } from "./hashing/hex.ts"
export { keccakBytes, keccakHex } from "./hashing/keccak.ts"
export { TAGS } from "./hashing/tags.ts"
export { checkUint, UintError } from "./hashing/uint.ts"
export type { Word } from "./hashing/words.ts"
export { encodeWords, hashWords, WordError } from "./hashing/words.ts"
export type { BatchEvent, BatchStatus, BatchTimes } from "./jobs/batch.ts"
export { PLANNED_BATCH, paidRanges, refuseBatch, stepBatch } from "./jobs/batch.ts"
export type { MemoryTier, Profile } from "./jobs/capability.ts"
export { capabilityOf, describeCapability, MEMORY_TIERS, PROFILES } from "./jobs/capability.ts"
export type { CheckTermsParams, TermsProblem, TermsProblemCode } from "./jobs/checkTerms.ts"
export { checkTerms } from "./jobs/checkTerms.ts"
export type { JobIdParams } from "./jobs/ids.ts"
export {
  batchIdOf,
  demandIdOf,
  disputeIdOf,
  formatBatchId,
  formatJobId,
  jobIdOf,
  modelIdOf,
  runNonce,
  splitBatchId,
  splitRunNonce,
  voteHash,
} from "./jobs/ids.ts"
export type { JobEvent, JobStatus, JobTimes } from "./jobs/job.ts"
export { leasesEndAt, refundableFrom, refuseJob, stepJob, submittedJob } from "./jobs/job.ts"
export type { CommittedBy, ShardEvent, ShardStatus, ShardTimes, VoidCause } from "./jobs/shard.ts"
export { QUEUED_SHARD, refuseShard, stepShard } from "./jobs/shard.ts"
export type { ShardPlan } from "./jobs/shards.ts"
export { shardCount, shardOfTask, shardTasks } from "./jobs/shards.ts"
export type { Refusal } from "./jobs/stateError.ts"
export { StateError } from "./jobs/stateError.ts"
export type { BatchState, JobState, ShardState } from "./jobs/states.ts"
export { BATCH_STATE_BY_NUMBER, BATCH_STATES, JOB_STATES, SHARD_STATES } from "./jobs/states.ts"
export type { JobClass, Terms } from "./jobs/terms.ts"
export {
  JOB_CLASSES,
  JOB_KINDS,
  MAX_BATCH_SHARDS,
  MAX_JOB_SHARDS,
  MAX_SHARD_SIZE,
  TERMS_VERSION,
  termsHash,
} from "./jobs/terms.ts"
export {
  type ArtifactPatch,
  ArtifactPatchSchema,
  type ArtifactPieces,
  ArtifactPiecesSchema,
  encodePatch,
} from "./messages/artifacts.ts"
export type {
  AuditBundle,
  AuditRequest,
  AuditSample,
  DisputeBundle,
  SignedVerdict,
  VerdictSubmission,
  VerdictsStored,
} from "./messages/audits.ts"
export {
  AuditBundleSchema,
  AuditRequestSchema,
  AuditSampleSchema,
  DisputeBundleSchema,
  SignedVerdictSchema,
  VerdictSubmissionSchema,
  VerdictsStoredSchema,
} from "./messages/audits.ts"
export type {
  Attestation,
  Batch,
  BatchData,
  BatchShard,
  BatchShards,
  BatchVerdict,
  BatchView,
} from "./messages/batches.ts"
export {
  AttestationSchema,
  BatchDataSchema,
  BatchSchema,
  BatchShardSchema,
  BatchShardsSchema,
  BatchVerdictSchema,
  BatchViewSchema,
  batchDataHash,
  encodeBatchShards,
  RangeSchema,
  VerifierTotalSchema,
} from "./messages/batches.ts"
export { CanonicalError, canonicalJson, canonicalSha256 } from "./messages/canonicalJson.ts"
export type { ErrorBody, Reason } from "./messages/errors.ts"
export { ErrorBodySchema, ReasonSchema } from "./messages/errors.ts"
export {
  AddressSchema,
  BatchIdSchema,
  Bytes32Schema,
  CodeSchema,
  DisputeIdSchema,
  DtypeSchema,
  JobIdSchema,
  plainText,
  Sha256Schema,
  SignatureSchema,
  TimeSchema,
  Uint8Schema,
  Uint16Schema,
  Uint32Schema,
  Uint40Schema,
  Uint64Schema,
  Uint96Schema,
  Uint256Schema,
  UrlSchema,
} from "./messages/fields.ts"
export type { CapabilityInfo, Info } from "./messages/info.ts"
export { CapabilityInfoSchema, InfoSchema } from "./messages/info.ts"
export type {
  JobList,
  JobQuery,
  JobResults,
  JobSubmission,
  JobSubmitted,
  JobSummary,
  JobView,
  ShardCounts,
  ShardResult,
} from "./messages/jobs.ts"
export {
  JobListSchema,
  JobQuerySchema,
  JobResultsSchema,
  JobSubmissionSchema,
  JobSubmittedSchema,
  JobSummarySchema,
  JobViewSchema,
  ShardCountsSchema,
  ShardResultSchema,
  TaskSaltSchema,
} from "./messages/jobs.ts"
export type {
  LeaseBundle,
  LeaseRequest,
  ReceiptStored,
  ReceiptSubmission,
  Released,
  ReleaseSubmission,
} from "./messages/leases.ts"
export {
  CachedModelsSchema,
  LeaseBundleSchema,
  LeaseRequestSchema,
  ReceiptStoredSchema,
  ReceiptSubmissionSchema,
  ReleasedSchema,
  ReleaseSubmissionSchema,
  WaitSchema,
} from "./messages/leases.ts"
export type { WireLeaf } from "./messages/leaves.ts"
export { WireLeafSchema, WireLeavesSchema } from "./messages/leaves.ts"
export { LeaseSchema, ReceiptSchema, ReleaseSchema, VerdictSchema } from "./messages/signed.ts"
export type { Port, Spec } from "./messages/spec.ts"
export {
  bundleName,
  CapabilityFieldsSchema,
  encodeSpec,
  MemorySchema,
  PortSchema,
  ProfileSchema,
  parseSpec,
  SpecError,
  SpecSchema,
  specHash,
} from "./messages/spec.ts"
export { TermsSchema } from "./messages/terms.ts"
export { type TrainingManifest, TrainingManifestSchema } from "./messages/training.ts"
export type { Why, WhyEvent } from "./messages/why.ts"
export { WhyEventSchema, WhySchema } from "./messages/why.ts"
export type { WorkerEvent } from "./messages/workerEvents.ts"
export { WorkerEventSchema } from "./messages/workerEvents.ts"
export type { WorkerHello, WorkerList, WorkerProfile, WorkerView, WorkerWelcome } from "./messages/workers.ts"
export {
  WorkerHelloSchema,
  WorkerListSchema,
  WorkerProfileSchema,
  WorkerViewSchema,
  WorkerWelcomeSchema,
} from "./messages/workers.ts"
export { formatAmount } from "./money/amount.ts"
export type { AuditTerms, BudgetTerms } from "./money/audit.ts"
export { auditFee, auditPay, auditReserve, auditUnitRateUp, minAuditBudget } from "./money/audit.ts"
export type { CollateralTerms, PriceParams } from "./money/collateral.ts"
export { collateralUp, detectionBpsDown, verdictCollateralUp } from "./money/collateral.ts"
export { MoneyError } from "./money/errors.ts"
export type { EscrowTerms } from "./money/escrow.ts"
export { escrow, feeEscrow } from "./money/escrow.ts"
export { BPS, divUp } from "./money/rounding.ts"
export type { Pay, Settlement, SettleParams } from "./money/settlement.ts"
export { settle } from "./money/settlement.ts"
export { splitSlash } from "./money/slash.ts"
export type { PrimitiveCode, PrimitiveName } from "./programs/primitives.ts"
export { PRIMITIVES, primitiveName } from "./programs/primitives.ts"
export { buildOperationTree, operationLeaf, PROGRAM_VERSION_1, programRootV1 } from "./programs/roots.ts"
export type { Header, Operand, Operation, Program } from "./programs/types.ts"
export { formatCount } from "./reasons/count.ts"
export type { ErrorEntry, HttpErrorCode } from "./reasons/errors.ts"
export { HTTP_ERRORS, httpStatusOf, isHttpErrorCode } from "./reasons/errors.ts"
export type { EventCode, EventEntry } from "./reasons/events.ts"
export { EVENTS, isEventCode } from "./reasons/events.ts"
export type { ReasonCode, ReasonEntry } from "./reasons/reasons.ts"
export { isReasonCode, REASONS, reasonOf } from "./reasons/reasons.ts"
export { leaseHash, messageDigest, structHash, verdictHash } from "./signing/digest.ts"
export { marketDomain, registryDomain } from "./signing/domains.ts"
export type {
  RecoveredRequest,
  RecoverRequestParams,
  RequestHeaders,
  RequestParts,
  SignRequestParams,
} from "./signing/request.ts"
export {
  MAX_REQUEST_SECONDS,
  REQUEST_HEADERS,
  RequestHeadersSchema,
  recoverRequest,
  requestBodyHash,
  signRequest,
} from "./signing/request.ts"
export type { RecoverParams, Signer, SignParams, VerifySignedParams } from "./signing/sign.ts"
export { isCanonicalSignature, isSignedBy, recoverSigner, signMessage } from "./signing/sign.ts"
export type {
  Lease,
  MessageName,
  MessageOf,
  Receipt,
  RegisterKey,
  Release,
  SignedRequest,
  Verdict,
} from "./signing/types.ts"
export { EIP712_TYPES } from "./signing/types.ts"
export { ceilLog2 } from "./trees/depth.ts"
export type { PairPathParams } from "./trees/pairTree.ts"
export { buildPairTree, PAIR_SCHEME, verifyPairPath } from "./trees/pairTree.ts"
export type { Tree, TreeScheme } from "./trees/positional.ts"
export { buildTree, rootFromMultiproof, rootFromPath, TreeError, treeMultiproof, treePath } from "./trees/positional.ts"
