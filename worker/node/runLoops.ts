import { join as joinPath } from "node:path"
import type { Hex, TypedDataDomain } from "viem"
import type { Runner } from "#engine"
import { EXACT_PROFILE } from "#engine"
import type { Signer, WorkerWelcome } from "#protocol"
import { createPeer } from "../api/peer.ts"
import { askForLease } from "../api/routes.ts"
import { auditLoop } from "../audits/loop.ts"
import { createBatchBook } from "../chain/batches.ts"
import type { Chain } from "../chain/chain.ts"
import type { Clock } from "../chain/clock.ts"
import type { Sender } from "../chain/sender.ts"
import { watchChain } from "../chain/watch.ts"
import { codeOf, textOf, workerError } from "../errors.ts"
import type { Events } from "../events.ts"
import type { Hasher } from "../hashing/hasher.ts"
import { keyHolder } from "../join/checkCoordinator.ts"
import { join } from "../join/join.ts"
import { runPipeline } from "../leases/pipeline.ts"
import { resendLoop, returnAbandoned } from "../leases/resend.ts"
import type { Backends } from "../models/backends.ts"
import type { ModelChecks } from "../models/checkModel.ts"
import type { WorkerConfig } from "../options.ts"
import { createAutoWithdraw } from "../settlement/autoWithdraw.ts"
import { settle } from "../settlement/settle.ts"
import { meetCoordinator } from "./coordinator.ts"
import { createCollateralCheck, createGate } from "./gate.ts"
import { helloLoop } from "./hello.ts"
import type { State } from "./state.ts"

/** Everything that runWorker has built. */
export type Parts = State & {
  config: WorkerConfig
  chain: Chain
  sender: Sender
  clock: Clock
  hasher: Hasher
  runner: Runner
  backends: Backends
  models: ModelChecks
  signer: Signer
  domain: TypedDataDomain
  capability: Hex
  stopping: AbortSignal
  events: Events
  isPaused: () => boolean
}
