export type { BackendModule, CreateBackendDeps } from "./models/backends.ts"
export type { WorkerOptions } from "./options.ts"
export { type StartWorkerParams, startWorker, type WorkerHandle } from "./startWorker.ts"
