import { and, asc, eq } from "drizzle-orm"
import type { Logger } from "pino"
import { encodeFunctionData, type Hex } from "viem"
import { challengesAbi, type Terms, treePath } from "#protocol"
import { verdictOf } from "../audits/storeVerdicts.ts"
import { verdictSet } from "../audits/verdictSet.ts"
import { attestationStruct, type BatchRow, batchStruct, parseTerms } from "../batches/batchRow.ts"
import { openBatch } from "../batches/openBatch.ts"
import { type Chain, lower } from "../chain/client.ts"
import { runLoop } from "../chain/loop.ts"
import type { Outbox } from "../chain/outbox/outbox.ts"
import type { Wake } from "../chain/wake.ts"
import type { Db } from "../store/database.ts"
import { batches, demands, jobs, samples, verdicts } from "../store/schema.ts"

export type ResponderDeps = { db: Db; chain: Chain; outbox: Outbox; wake: Wake; log: Logger }

export type Responder = { step(): Promise<void>; start(signal: AbortSignal): Promise<void> }

type DemandRow = typeof demands.$inferSelect

/** Answers demands about our batches by itself: an unanswered one costs the range and its share of the bond (R26). */
export function createResponder({ db, chain, outbox, wake, log }: ResponderDeps): Responder {
  const { deployment } = chain
  const coordinator = lower(chain.account.address)

  async function step(): Promise<void> {
    const rows = await db
      .select({ demand: demands, batch: batches, terms: jobs.terms })
      .from(demands)
      .innerJoin(batches, eq(batches.batchId, demands.batchId))
      .innerJoin(jobs, eq(jobs.jobId, batches.jobId))
      .where(and(eq(demands.state, "open"), eq(batches.committer, coordinator)))
      .orderBy(asc(demands.deadline))
    for (const { demand, batch, terms } of rows) {
      if (chain.now() > demand.deadline) continue
      const data = await answer(demand, batch, parseTerms(terms))
      if (!data) {
        log.error({ batchId: demand.batchId, kind: demand.kind, position: demand.position }, "no answer to a demand")
        continue
      }
      const key = `answer:${demand.demandId}`
      const call = { key, kind: "answer", to: deployment.contracts.challenges, data }
      if (!(await outbox.enqueue(db, call))) continue
      log.info({ batchId: demand.batchId, kind: demand.kind, position: demand.position }, "demand answered")
      wake.notify("outbox")
    }
  }

  async function answer(demand: DemandRow, batch: BatchRow, terms: Terms): Promise<Hex | undefined> {
    const struct = batchStruct(batch)
    const open = await openBatch(db, batch, terms)
    if (!open) return undefined
    const { position } = demand
    switch (demand.kind) {
      case "leaf":
        return encodeFunctionData({
          abi: challengesAbi,
          functionName: "answerLeaf",
          args: [terms, struct, position, open.leafAt(position), open.pathOf(position)],
        })
      case "shards":
        return encodeFunctionData({
          abi: challengesAbi,
          functionName: "answerShards",
          args: [terms, struct, open.row],
        })
      case "signature": {
        const { lease, leaseSignature, receipt, receiptSignature } = open.signedShard(position)
        return encodeFunctionData({
          abi: challengesAbi,
          functionName: "answerSignature",
          args: [terms, struct, position, lease, leaseSignature, receipt, receiptSignature, open.topPath(position)],
        })
      }
      case "verdict":
        return answerVerdict(batch, terms, position)
    }
  }

  async function answerVerdict(batch: BatchRow, terms: Terms, sample: number): Promise<Hex | undefined> {
    const drawn = await db.select().from(samples).where(eq(samples.batchId, batch.batchId))
    const stored = await db
      .select()
      .from(verdicts)
      .where(and(eq(verdicts.batchId, batch.batchId), eq(verdicts.used, true)))
    const set = verdictSet(drawn, stored)
    const verdict = set.used[sample]
    // A SILENT leaf has no answer; its range is named in the attestation, so no demand for it is accepted.
    if (!verdict || set.tree.root !== batch.verdictRoot) return undefined
    return encodeFunctionData({
      abi: challengesAbi,
      functionName: "answerVerdict",
      args: [
        terms,
        batchStruct(batch),
        attestationStruct(batch),
        sample,
        verdictOf(verdict),
        verdict.signature,
        treePath(set.tree, sample),
      ],
    })
  }

  return {
    step,
    start: (signal) => runLoop({ wake, log }, { name: "responder", topics: ["tick"], everyMs: 1_000, signal, step }),
  }
}
