export type { Backend, ModelArtifact, RunShardOptions, ShardResult, ShardTask, ValueInfo } from "./backend.ts"
export { EngineError, type EngineErrorCode, type EngineErrorDetail } from "./errors.ts"
export { arrangeInputs, checkInput } from "./inputs/checkInput.ts"
export { INPUT_EXTENSIONS, readInputFile } from "./inputs/readTensorFile.ts"
export { type InputFlags, loadInputs, openTaskSource, parseInputFlag, type TaskSource } from "./inputs/taskSource.ts"
export { MEMORY_TIERS_GIB, type MemoryTierGiB, memoryTierFor } from "./model/cost.ts"
export { type InspectedValue, type Inspection, inspectModel } from "./model/inspectModel.ts"
export { DIGEST_LIMITS, MODEL_LIMITS, type ModelLimits, type Refusal } from "./model/marketRules.ts"
export { type ModelInterface, readModelInterface } from "./model/modelInterface.ts"
export { exposeDigest, modelArtifact, type PreparedModel, prepareModel } from "./model/prepareModel.ts"
export { readModel } from "./onnx/readModel.ts"
export { readTensorProto, writeTensorProto } from "./onnx/tensorProto.ts"
export { type AttributeSpec, type ModelSpec, type NodeSpec, type ValueSpec, writeModel } from "./onnx/writeModel.ts"
export { canonicalNaN } from "./program/canonicalNaN.ts"
export { type CompiledProgram, compileProgram, isProgram, type Wire } from "./program/compileProgram.ts"
export { elementsOf } from "./program/elements.ts"
export { type NormalizedModel, normalizeModel } from "./program/normalizeModel.ts"
export { evaluatePrimitive } from "./program/reference.ts"
export { traceProgram } from "./program/trace.ts"
export { measureSpeed } from "./quantize/measureSpeed.ts"
export {
  HOLD_BACK,
  LEAST_ACCURACY,
  type QuantizeResult,
  quantizeModel,
} from "./quantize/quantizeModel.ts"
export type { OuterOptimizer } from "./rounds/aggregate.ts"
export { COMPRESSIONS, type Compression } from "./rounds/compression.ts"
export { closeRun, createRoundRuntime, playRound, type RoundRuntime } from "./rounds/playRound.ts"
export {
  buildRoundProgram,
  parametersOf,
  type RoundProgram,
  type RoundProgramParams,
  roundPorts,
  roundTasks,
  SLOT_STATES,
  type SlotState,
  sentBytes,
} from "./rounds/roundProgram.ts"
export { checkSlot, inputsOf, nextState, type RoundState, type Tensors } from "./rounds/roundState.ts"
export { checkFirstInput } from "./run/checkFirstInput.ts"
export {
  type Device,
  EXACT_PROFILE,
  type ExecutionProfile,
  exactProfile,
  type NumericClass,
  sessionOptions,
  TOLERANT_PROFILE,
  tolerantProfile,
} from "./run/profile.ts"
export { createRunner, type LoadedModel, type Runner, type RunnerOptions } from "./run/runner.ts"
export { createOnnxBackend, createRunnerBackend, splitResults } from "./run/runnerBackend.ts"
export { createRunnerPool, type RunnerPoolOptions } from "./run/runnerPool.ts"
export { DEVICES, type DeviceChoice, type DeviceProbe, probeDevice, selectDevice } from "./run/selectDevice.ts"
export {
  assertSelfTest,
  RECORDED_VECTORS,
  recordVectors,
  runSelfTest,
  type SelfTestFailure,
  type SelfTestResult,
  SelfTestVectors,
} from "./selfTest/selfTest.ts"
export { bundleName, decodeBundle, encodeBundle, type NamedTensor, parseBundleName } from "./tensor/bundle.ts"
export { decodeElements, encodeElements } from "./tensor/elements.ts"
export { fromNestedArrays, toNestedArrays } from "./tensor/nestedArrays.ts"
export { decodeNpy, encodeNpy } from "./tensor/npy.ts"
export { decodeNpz, encodeNpz } from "./tensor/npz.ts"
export {
  createPieceBook,
  type FilePart,
  type Piece,
  partsOf,
  piecesOf,
  readPieces,
} from "./tensor/pieces.ts"
export { type AdaptedModel, type AdapterOptions, addAdapters, mergeAdapters } from "./train/adapters.ts"
export { buildSegment, buildStep, type FedTraining, type Segment, type Training } from "./train/buildStep.ts"
export { assertShard, createFeed, type DataShards, type Feed, isFedName } from "./train/dataShards.ts"
export { createInitializer, type Initializer } from "./train/initialize.ts"
export type { Loss } from "./train/losses.ts"
export type { Optimizer } from "./train/optimizers.ts"
export { type Parameter, parameterCount, trainableParameters, unpackTensors } from "./train/parameters.ts"
export { createSampleOrder, type SampleOrder, samplesOf } from "./train/sampleOrder.ts"
export { cosineRates, type Schedule } from "./train/schedule.ts"
export { initialState, stateCommitment, type TrainingState, withParameters } from "./train/state.ts"
export { trainAlone } from "./train/trainAlone.ts"
