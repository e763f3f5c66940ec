import type { Logger } from "pino"
import type { LocalAccount } from "viem"
import type { ArtifactStore } from "./artifacts/artifactStore.ts"
import { type Attester, createAttester } from "./audits/attester.ts"
import { type Auditor, createAuditor } from "./audits/auditor.ts"
import { type Caller, createCaller } from "./audits/caller.ts"
import { createReauditor, type Reauditor } from "./audits/reauditor.ts"
import { type Batcher, createBatcher } from "./batches/batcher.ts"
import { createFinalizer, type Finalizer } from "./batches/finalizer.ts"
import { createFunds, type Funds } from "./batches/funds.ts"
import type { Chain } from "./chain/client.ts"
import { createFollower, type Follower } from "./chain/follower/follower.ts"
import { runLoop } from "./chain/loop.ts"
import { createOutbox, type Outbox } from "./chain/outbox/outbox.ts"
import { createOutboxChain } from "./chain/outbox/outboxChain.ts"
import { ensureSessionKey } from "./chain/sessionKey.ts"
import type { Wake } from "./chain/wake.ts"
import { type Accuser, createAccuser } from "./challenges/accuser.ts"
import { createJuryClerk, type JuryClerk } from "./challenges/juryClerk.ts"
import { createResponder, type Responder } from "./challenges/responder.ts"
import { createLeaseDefender, type LeaseDefender } from "./leases/leaseDefender.ts"
import type { Db } from "./store/database.ts"

export type ChainServicesDeps = {
  db: Db
  chain: Chain
  artifacts: Pick<ArtifactStore, "putBytes" | "read">
  wake: Wake
  log: Logger
}

export type ChainServicesOptions = {
  /** This process among the replicas. */
  holder: string
  /** Signs leases; registered for the coordinator's account if it is not. */
  sessionKey: Pick<LocalAccount, "address"> & { sign: NonNullable<LocalAccount["sign"]> }
  batchMaxShards: number
  batchMaxAgeSeconds: number
  /** A job's shards may wait for workers: it was posted, or some of them became free again. */
  onQueued?: (jobId: bigint) => void
  /** Shorter pauses for tests. */
  everyMs?: number
}

/** Everything of the coordinator that the chain drives: nothing here answers a request. */
export type ChainServices = {
  outbox: Outbox
  follower: Follower
  funds: Funds
  batcher: Batcher
  auditor: Auditor
  attester: Attester
  reauditor: Reauditor
  caller: Caller
  leaseDefender: LeaseDefender
  finalizer: Finalizer
  accuser: Accuser
  juryClerk: JuryClerk
  responder: Responder
  /** Runs all loops; resolves when all have stopped after the abort. */
  start(signal: AbortSignal): Promise<void>
}

/** Once both stand they are looked at now and then: a bond may be given notice by hand. */
const STANDING_MS = 60_000

export function createChainServices(deps: ChainServicesDeps, options: ChainServicesOptions): ChainServices {
  const { db, chain, artifacts, wake, log } = deps
  const every = options.everyMs === undefined ? {} : { everyMs: options.everyMs }
  const outboxChain = createOutboxChain(chain)
  const outbox = createOutbox(
    { db, chain: outboxChain, wake, log: log.child({ service: "outbox" }) },
    { holder: options.holder, ...every },
  )
  const at = (service: string) => ({ db, chain, outbox, wake, log: log.child({ service }) })
  const funds = createFunds(at("funds"))
  const follower = createFollower(
    {
      ...at("follower"),
      coordinator: chain.account.address,
      ...(options.onQueued ? { onQueued: options.onQueued } : {}),
    },
    every,
  )
  const batcher = createBatcher(
    { ...at("batcher"), artifacts, funds },
    { maxShards: options.batchMaxShards, maxAgeMs: options.batchMaxAgeSeconds * 1_000, ...every },
  )
  const auditor = createAuditor(at("auditor"))
  const attester = createAttester(at("attester"))
  const reauditor = createReauditor(at("reauditor"))
  const caller = createCaller(at("caller"))
  const leaseDefender = createLeaseDefender(at("leaseDefender"))
  const finalizer = createFinalizer(at("finalizer"))
  const accuser = createAccuser(at("accuser"))
  const juryClerk = createJuryClerk(at("juryClerk"))
  const responder = createResponder(at("responder"))

  /** What must stand before anybody leases: the session key, and the standing bond that workers look at (R8, R14). */
  let stoodAt = 0
  const standing = async (): Promise<void> => {
    if (Date.now() - stoodAt < STANDING_MS) return
    const registered = await ensureSessionKey(at("sessionKey"), options.sessionKey)
    const deposited = await funds.ensureStanding()
    if (registered && deposited) stoodAt = Date.now()
  }

  return {
    outbox,
    follower,
    funds,
    batcher,
    auditor,
    attester,
    reauditor,
    caller,
    leaseDefender,
    finalizer,
    accuser,
    juryClerk,
    responder,
    async start(signal) {
      const services = [
        ...[outbox, follower, batcher, auditor, attester, reauditor, caller, leaseDefender],
        ...[finalizer, accuser, juryClerk, responder],
      ]
      const setup = runLoop(
        { wake, log },
        { name: "standing", topics: ["outbox"], everyMs: options.everyMs ?? 1_000, signal, step: standing },
      )
      await Promise.all([setup, ...services.map((service) => service.start(signal))])
    },
  }
}
