import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestContext } from "node:test"
import { isAddressEqual, zeroAddress } from "viem"
import { type Backend, createRunner, createRunnerBackend } from "#engine"
import { termsHash, type WorkerEvent } from "#protocol"
import { createEvents } from "../../../worker/events.ts"
import { createHasher } from "../../../worker/hashing/hasher.ts"
import type { PipelineDeps } from "../../../worker/leases/pipeline.ts"
import { createModelChecks } from "../../../worker/models/checkModel.ts"
import { openState } from "../../../worker/node/state.ts"
import type { FakeCoordinator } from "./fakeCoordinator.ts"
import {
  CAPABILITY,
  COORDINATOR,
  COORDINATOR_SESSION,
  DOMAIN,
  lower,
  NOW,
  SESSION,
  type TestJob,
  WORKER,
} from "./job.ts"

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "assay-worker-"))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export type Harness = { deps: PipelineDeps; events: WorkerEvent[] }
export type HarnessParams = {
  job: TestJob
  fake: FakeCoordinator
  folder?: string
  backend?: (honest: Backend) => Backend
  now?: () => bigint
}

/** The real stages of a worker, with everything real but the coordinator and the chain behind `checkLease`. */
export async function buildHarness(t: TestContext, params: HarnessParams): Promise<Harness> {
  const { job, fake, now = () => NOW } = params
  const folder = params.folder ?? (await temporaryFolder(t))
  const state = await openState({ folder, cacheBytes: 1e8, now: now() })
  const runner = createRunner()
  const hasher = createHasher()
  t.after(async () => {
    await runner.close()
    await hasher.close()
    await state.journal.close()
  })
  const events: WorkerEvent[] = []
  const honest = createRunnerBackend(runner)
  const deps: PipelineDeps = {
    ...state,
    hasher,
    models: createModelChecks({ runner }),
    backend: params.backend?.(honest) ?? honest,
    peer: fake.peer,
    signer: SESSION,
    domain: DOMAIN,
    now,
    events: createEvents((event) => events.push(event)),
    gate: async () => undefined,
    askForLease: fake.askForLease,
    checkCollateral: async () => {},
    check: {
      chain: {
        termsHashOf: async () => termsHash(job.terms),
        accountOf: async (key) =>
          isAddressEqual(key, COORDINATOR_SESSION.address) ? COORDINATOR.address : zeroAddress,
      },
      domain: DOMAIN,
      account: WORKER.address,
      coordinator: lower(COORDINATOR.address),
      capability: CAPABILITY,
      maxLeaseSeconds: 60n,
      now,
    },
  }
  return { deps, events }
}
