import { join } from "node:path"
import { isAddressEqual } from "viem"
import { createOwnBatchAudits } from "../audits/ownBatchAudits.ts"
import { refusedWith } from "../chain/sender.ts"
import { type ChainEvent, type Head, watchChain } from "../chain/watch.ts"
import { createLeafDefence } from "../disputes/defendLeaves.ts"
import { codeOf, textOf } from "../errors.ts"
import { createJuror } from "../jury/juror.ts"
import { createLeaseWatch } from "../leases/equivocation.ts"
import { answerDemand, type Demand } from "../selfCommit/answer.ts"
import { createGrants } from "../selfCommit/audit.ts"
import { selfCommitDue } from "../selfCommit/commit.ts"
import { type ConcludeDeps, conclude } from "../selfCommit/conclude.ts"
import { openOwnBatches } from "../selfCommit/ownBatches.ts"
import { serveOwnBatches } from "../selfCommit/serve.ts"
import { withdrawWhenDue } from "../settlement/autoWithdraw.ts"
import { createEndAbandoned } from "../settlement/endAbandoned.ts"
import { createCoinFetch } from "../settlement/fetchCoins.ts"
import { settle } from "../settlement/settle.ts"
import { createSingle } from "../support/single.ts"
import { rememberedCoordinator } from "./coordinator.ts"
import type { Parts } from "./parts.ts"

/** What follows from the chain alone: pay and losses, votes, and the batches that this worker commits for itself. */
export async function watchLoop(parts: Parts, signal: AbortSignal): Promise<void> {
  const { chain, events, clock, folder, batches, account, config } = parts
  const own = await openOwnBatches(join(folder, "self"))
  const memories = { draws: new Map(), secondDraws: new Map(), givenAgain: new Set<string>() }
  const deps: ConcludeDeps & Parts = { ...parts, ...memories, own, grants: createGrants() }
  const server = config.publicUrl ? await serveOwnBatches(deps, listenAt(config.publicUrl, config.listen)) : undefined
  const juror = createJuror({ ...deps, signal })
  const audits = createOwnBatchAudits(deps, signal)
  const leaseWatch = createLeaseWatch({ ...deps, signal })
  const disputes = createLeafDefence({ ...deps, signal })
  const chores = createChores(deps, events.fail)

  /** Beside the events that follow: a demand has a clock, and its answer a transaction to wait for. */
  function answer(demand: Demand): void {
    const mine = own.get(demand.batchId)
    if (!mine) return
    answerDemand(deps, mine, demand).catch((error: unknown) => {
      if (refusedWith(error) !== "DemandNotOpen") events.fail(error)
    })
  }

  async function onEvent(event: ChainEvent): Promise<void> {
    batches.note(event)
    if (event.eventName === "BatchCommitted" && isAddressEqual(event.args.batch.committer, account)) {
      const committed = await batches.batch(event.args.batchId)
      if (committed && !own.get(committed.batchId)) await own.put({ ...committed, verdicts: [] })
    }
    if (event.eventName === "DemandOpened") answer(event.args)
    await settle({ ...deps, emit: events.emit }, event)
    juror.note(event)
    audits.note(event)
    deps.defence.note(event)
    deps.calls.note(event)
    deps.verdictStand.note(event)
    leaseWatch.note(event)
    disputes.note(event)
  }

  async function onHead(head: Head): Promise<void> {
    clock.observe(head.timestamp)
    events.resume("chain")
    await disputes.onHead()
    await deps.verdictStand.onHead()
    juror.onHead(head)
    deps.calls.onHead(head)
    leaseWatch.onHead(head)
    chores(head)
  }

  try {
    await watchChain(chain, {
      cursorPath: join(folder, "cursor"),
      signal,
      onEvent,
      onHead,
      onError: (error) => events.wait("chain", "refused", codeOf(error), `following the chain: ${textOf(error)}`),
    })
  } finally {
    await server?.close()
    const open = own.all().length
    if (open > 0) {
      const text = `${open} batches of our own are not final; start again soon, or they are forfeited with their collateral`
      events.emit({ kind: "refused", code: "WORKER_OWN_BATCHES", text })
    }
  }
}

/** Done after each block, one after the other, and never twice at once. */
function createChores(deps: ConcludeDeps & Parts, onError: (error: unknown) => void): (head: Head) => void {
  const { config, folder, own } = deps
  const margin = BigInt(config.selfCommitMargin ?? Math.floor(config.deployment.params.claimPeriod / 2))
  const endAbandoned = createEndAbandoned(deps, { graceSeconds: BigInt(config.deployment.params.clock) })
  const fetchCoins = createCoinFetch(deps)
  let head: Head
  const run = createSingle(async () => {
    await selfCommitDue(deps, { margin, url: config.publicUrl })
    for (const batch of own.all()) await conclude(deps, batch, head)
    await endAbandoned(head.timestamp)
    await fetchCoins()
    const coordinator = await rememberedCoordinator(folder)
    if (config.withdrawAt !== undefined && coordinator) {
      await withdrawWhenDue(deps, { withdrawAt: config.withdrawAt, coordinators: [coordinator] })
    }
  }, onError)
  return (next) => {
    head = next
    run()
  }
}

function listenAt(publicUrl: string, listen: { host: string; port: number } | undefined) {
  if (listen) return listen
  const { hostname, port, protocol } = new URL(publicUrl)
  const loopback = hostname === "127.0.0.1" || hostname === "localhost"
  // Another name is this machine's name to others, often not one of its own interfaces.
  return { host: loopback ? "127.0.0.1" : "0.0.0.0", port: Number(port) || (protocol === "https:" ? 443 : 80) }
}
