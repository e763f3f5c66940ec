import { eq, gt } from "drizzle-orm"
import type { Logger } from "pino"
import { encodeFunctionData } from "viem"
import { juryAbi } from "#protocol"
import type { Chain } from "../chain/client.ts"
import { runLoop } from "../chain/loop.ts"
import type { Outbox } from "../chain/outbox/outbox.ts"
import type { Wake } from "../chain/wake.ts"
import type { Db } from "../store/database.ts"
import { equivocations, leases } from "../store/schema.ts"

export type LeaseDefenderDeps = { db: Db; chain: Chain; outbox: Outbox; wake: Wake; log: Logger }

export type LeaseDefender = { step(): Promise<void>; start(signal: AbortSignal): Promise<void> }

/** Answers claims that one shard was leased to two workers at once, with the release that ended the first lease (R14). */
export function createLeaseDefender({ db, chain, outbox, wake, log }: LeaseDefenderDeps): LeaseDefender {
  const { jury } = chain.deployment.contracts

  async function step(): Promise<void> {
    const rows = await db
      .select({ claim: equivocations, lease: leases })
      .from(equivocations)
      .leftJoin(leases, eq(leases.leaseHash, equivocations.firstHash))
      .where(gt(equivocations.until, chain.now()))
    for (const { claim, lease } of rows) {
      if (!lease?.releaseSignature) {
        log.error({ claimId: claim.claimId, jobId: claim.jobId, shard: claim.shard }, "no release answers this claim")
        continue
      }
      // Releases of before this column were not cut, or their leases are long over.
      const at = lease.releaseAt ?? lease.endAt
      const data = encodeFunctionData({
        abi: juryAbi,
        functionName: "answerEquivocation",
        args: [claim.claimId, { leaseHash: lease.leaseHash, at: BigInt(at) }, lease.releaseSignature],
      })
      const key = `equivocation:${claim.claimId}`
      if (await outbox.enqueue(db, { key, kind: "equivocation", to: jury, data })) wake.notify("outbox")
    }
  }

  return {
    step,
    start: (signal) =>
      runLoop({ wake, log }, { name: "leaseDefender", topics: ["tick"], everyMs: 1_000, signal, step }),
  }
}
