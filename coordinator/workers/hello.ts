import { eq } from "drizzle-orm"
import type { Address } from "viem"
import type { Params, WorkerHello, WorkerWelcome } from "#protocol"
import type { Db } from "../store/database.ts"
import { workers } from "../store/schema.ts"
import type { ChainView } from "./chainView.ts"
import { capabilitiesOf, refused, refuseWorker, tooLittle, type WorkerRow } from "./eligibility.ts"
import type { WorkerBook } from "./workerBook.ts"

export type HelloDeps = { db: Db; view: ChainView; book: WorkerBook; params: Params }

/** A worker says what it is; it hears whether it will get work, and why not. */
export async function welcomeWorker(deps: HelloDeps, account: Address, hello: WorkerHello): Promise<WorkerWelcome> {
  const { db, book } = deps
  const row = {
    sessionKey: hello.sessionKey,
    version: hello.version,
    profiles: hello.profiles,
    threads: hello.threads,
    device: hello.device,
    verifyOnly: hello.verifyOnly,
    publicUrl: hello.publicUrl ?? null,
    lastSeen: new Date(),
  }
  await db
    .insert(workers)
    .values({ account, ...row })
    .onConflictDoUpdate({ target: workers.account, set: row })
  book.forget(account)
  const [worker] = await db.select().from(workers).where(eq(workers.account, account))
  const reasons = worker ? await whyRefused(deps, worker) : []
  book.note(account, reasons)
  return {
    account,
    ready: reasons.length === 0,
    refused: reasons,
    collateralPerRange: deps.params.minCollateral,
  }
}

/** What keeps a worker from any lease at all. */
export async function whyRefused({ view, params }: Pick<HelloDeps, "view" | "params">, worker: WorkerRow) {
  const { account } = worker
  const [pair, owner] = await Promise.all([view.pairOf(account), view.accountOf(worker.sessionKey)])
  const capability = capabilitiesOf(worker.profiles)[0]
  if (!capability) return [refused("WORKER_SELF_TEST")]
  const reason = refuseWorker({ worker, capability, keyRegistered: owner === account, pair, at: new Date() })
  if (reason) return [reason]
  // Below the least that any range locks no lease can come; above it, the job decides.
  if (pair.free < params.minCollateral) return [tooLittle(pair.free, params.minCollateral)]
  return []
}
