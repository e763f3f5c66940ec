export type { Backend, ModelArtifact, RunShardOptions, ShardResult, ShardTask, ValueInfo } from "./backend.ts"
export { EngineError, type EngineErrorCode, type EngineErrorDetail } from "./errors.ts"
export { bundleName, decodeBundle, encodeBundle, type NamedTensor, parseBundleName } from "./tensor/bundle.ts"
