import type { Address, Hex, TypedDataDomain } from "viem"
import type { Runner } from "#engine"
import type { Signer } from "#protocol"
import type { Peer } from "../api/peer.ts"
import type { Calls } from "../audits/calls.ts"
import type { VerdictDefence } from "../audits/defendVerdicts.ts"
import type { BatchBook } from "../chain/batches.ts"
import type { Chain } from "../chain/chain.ts"
import type { Clock } from "../chain/clock.ts"
import type { Sender } from "../chain/sender.ts"
import type { VerdictStand } from "../disputes/standByVerdicts.ts"
import type { Events } from "../events.ts"
import type { Hasher } from "../hashing/hasher.ts"
import type { Backends } from "../models/backends.ts"
import type { ModelChecks } from "../models/checkModel.ts"
import type { WorkerConfig } from "../options.ts"
import type { State } from "./state.ts"

/** Everything that runWorker has built. */
export type Parts = State & {
  config: WorkerConfig
  account: Address
  chain: Chain
  sender: Sender
  clock: Clock
  /** Chain time, seconds. */
  now: () => bigint
  batches: BatchBook
  peer: Peer
  /** Whoever serves a batch: the coordinator where the event names no URL. */
  peerOf: (url: string) => Peer | undefined
  hasher: Hasher
  runner: Runner
  backends: Backends
  /** What verdicts and votes are computed with. */
  auditBackend: Backends["audit"]
  models: ModelChecks
  defence: VerdictDefence
  calls: Calls
  verdictStand: VerdictStand
  signer: Signer
  domain: TypedDataDomain
  capability: Hex
  stopping: AbortSignal
  events: Events
  isPaused: () => boolean
}
