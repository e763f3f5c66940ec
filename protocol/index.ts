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
export { buildInputTree, inputLeaf, inputPath, inputsRoot, verifyInputPath } from "./commitments/inputs.ts"
export { PROGRAM_VERSION, programRoot } from "./commitments/program.ts"
export { digestSalt, outputSalt, taskSalt } from "./commitments/salts.ts"
export { CHUNK_BYTES, chunkCount, chunkDepth } from "./commitments/shaTree.ts"
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
export { createPermutation, feistelWidth } from "./draw/feistel.ts"
export type { Juror } from "./draw/jury.ts"
export { JURY_QUORUM, JURY_SEATS, jurors, jurySeat, jurySeats } from "./draw/jury.ts"
export type { CandidatesParams } from "./draw/panel.ts"
export {
  CANDIDATES,
  candidateOwners,
  candidatePlaces,
  PANEL_EXTRA,
  PANEL_SIZE,
  panelSeat,
  panelSeats,
} from "./draw/panel.ts"
export type { SamplesParams } from "./draw/samples.ts"
export { sampleCount, samplePositions } from "./draw/samples.ts"
export { drawSeed } from "./draw/seed.ts"
export { CodedError, isCodedError } from "./errors/codedError.ts"
export { bytesOf, hexOf } from "./hashing/hex.ts"
export { TAGS } from "./hashing/tags.ts"
export { checkUint, UintError } from "./hashing/uint.ts"
export type { Word } from "./hashing/words.ts"
export { encodeWords, hashWords, keccakHex, WordError } from "./hashing/words.ts"
export type { MemoryTier, Profile } from "./jobs/capability.ts"
export { capabilityOf, describeCapability, MEMORY_TIERS, PROFILES } from "./jobs/capability.ts"
export type { JobIdParams } from "./jobs/ids.ts"
export {
  batchIdOf,
  demandIdOf,
  disputeIdOf,
  formatBatchId,
  formatJobId,
  jobIdOf,
  splitBatchId,
  voteHash,
} from "./jobs/ids.ts"
export type { ShardPlan } from "./jobs/shards.ts"
export { shardCount, shardOfTask, shardTasks } from "./jobs/shards.ts"
export type { JobClass, Terms } from "./jobs/terms.ts"
export { JOB_CLASSES, JOB_KINDS, MAX_BATCH_SHARDS, MAX_SHARD_SIZE, TERMS_VERSION, termsHash } from "./jobs/terms.ts"
export { leaseHash, messageDigest, structHash, verdictHash } from "./signing/digest.ts"
export { marketDomain, registryDomain } from "./signing/domains.ts"
export { requestBodyHash } from "./signing/request.ts"
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
