import { pathToFileURL } from "node:url"
import { type Backend, createRunnerBackend, type Runner } from "#engine"
import { workerError } from "../errors.ts"

export type CreateBackendDeps = { runner: Runner }
/** What a backend module exports. `createAuditBackend` is optional: without it audits and votes run honestly. */
export type BackendModule = {
  createBackend(deps: CreateBackendDeps): Backend | Promise<Backend>
  createAuditBackend?(deps: CreateBackendDeps): Backend | Promise<Backend>
}

/** `work` computes leases, `audit` verdicts and votes. */
export type Backends = { work: Backend; audit: Backend; close(): Promise<void> }

/** What a backend module replaces is the work on leases: audits and votes stay honest unless it says otherwise. */
export async function createBackends({ runner }: CreateBackendDeps, path: string | undefined): Promise<Backends> {
  const honest = createRunnerBackend(runner)
  if (!path) return { work: honest, audit: honest, close: () => honest.close() }
  const module = await loadModule(path)
  const work = await module.createBackend({ runner })
  const audit = module.createAuditBackend ? await module.createAuditBackend({ runner }) : honest
  const close = async () => {
    for (const backend of [work, audit, honest]) await backend.close()
  }
  return { work, audit, close }
}

async function loadModule(path: string): Promise<BackendModule> {
  const module = (await import(pathToFileURL(path).href).catch((cause: unknown) => {
    throw workerError("E_BACKEND", `the backend ${path} cannot be loaded`, { cause })
  })) as Partial<BackendModule>
  if (typeof module.createBackend !== "function") {
    throw workerError("E_BACKEND", `${path} does not export createBackend({ runner })`)
  }
  return module as BackendModule
}
