import Table from "cli-table3"
import pc from "picocolors"
import { formatEther } from "viem"
import { z } from "zod"
import { formatAmount, formatBatchId, formatCount, formatJobId, type WorkerEvent, WorkerEventSchema } from "#protocol"
import { type Output, shortHex } from "./output.ts"

export type WorkerTotals = {
  running: Map<string, { job: bigint; shard: number; tasks: number; since: number }>
  waiting: Map<string, { job: bigint; shard: number; units: number }>
  computed: number
  audited: number
  paid: bigint
  slashed: bigint
  withdrawn: bigint
  refused: Map<string, string>
  note: string
}

export function emptyTotals(): WorkerTotals {
  return {
    running: new Map(),
    waiting: new Map(),
    computed: 0,
    audited: 0,
    paid: 0n,
    slashed: 0n,
    withdrawn: 0n,
    refused: new Map(),
    note: "starting",
  }
}

/** One event more. Pure but for `totals`, so that the table can be tested without a worker. */
export function count(totals: WorkerTotals, event: WorkerEvent): void {
  switch (event.kind) {
    case "leased":
      totals.running.set(`${event.jobId}/${event.shard}`, {
        job: event.jobId,
        shard: event.shard,
        tasks: event.tasks,
        since: Date.now(),
      })
      break
    case "computed":
      totals.computed += event.tasks
      break
    case "receipt":
      totals.running.delete(`${event.jobId}/${event.shard}`)
      totals.waiting.set(`${event.jobId}/${event.shard}`, { job: event.jobId, shard: event.shard, units: event.units })
      break
    case "audited":
      totals.audited += event.samples
      break
    case "paid":
      totals.paid += event.amount
      // Pay comes by batch: what waited for this job's settlement and is paid waits no more.
      for (const [key, shard] of totals.waiting)
        if (event.role === "worker" && shard.job === event.batchId >> 32n) totals.waiting.delete(key)
      break
    case "slashed":
      totals.slashed += event.amount
      break
    case "withdrawn":
      totals.withdrawn += event.amount
      break
    case "refused":
      totals.refused.set(event.code, event.text)
      break
    case "idle":
    case "error":
      totals.note = `${event.code}: ${event.text}`
      return
  }
  totals.note = describeWorkerEvent(event)
}

export function describeWorkerEvent(event: WorkerEvent): string {
  switch (event.kind) {
    case "selfTest":
      return event.ok
        ? `self-test of ${event.profile} passed`
        : `self-test of ${event.profile} FAILED: ${event.text ?? "no exact work for this machine"}`
    case "staked":
      return `staked ${formatAmount(event.amount)} for ${formatCount(event.seats, "seat")}`
    case "leased":
      return `leased shard ${event.shard} of ${shortHex(formatJobId(event.jobId))}: ${formatCount(event.tasks, "task")}`
    case "computed":
      return `computed shard ${event.shard}: ${formatCount(event.tasks, "task")} in ${event.ms.toFixed(0)} ms`
    case "receipt":
      return `signed a receipt for shard ${event.shard}: ${formatCount(event.units, "unit")}`
    case "audited":
      return `audited ${event.samples} samples ${event.round === undefined ? "" : "again "}of ${shortHex(formatBatchId(event.batchId))} in ${event.ms.toFixed(0)} ms`
    case "voted":
      return `juror: ${event.phase}`
    case "proved":
      return `proved on chain that ${event.verifier} ${event.fault === "copied" ? "copied" : "made up"} its verdict on sample ${event.sample}`
    case "disputed":
      return event.text
    case "committed":
      return `committed in batch ${shortHex(formatBatchId(event.batchId))} by ${event.by === "self" ? "itself" : "the coordinator"}`
    case "paid":
      return `paid ${formatAmount(event.amount)} as ${event.role}`
    case "refused":
      return `refused, ${event.code}: ${event.text}`
    case "slashed":
      return `SLASHED ${formatAmount(event.amount)}, ${event.code}: ${event.text}`
    case "withdrawn":
      return `withdrew ${formatAmount(event.amount)}`
    case "coins":
      return `fetched ${formatEther(event.amount)} of native coin that disputes and demands left to it`
    case "idle":
    case "error":
      return `${event.kind}, ${event.code}: ${event.text}`
  }
}

export type WorkerView = { show(event: WorkerEvent): void; stop(): void }

const REDRAW_MS = 500

/** A table that redraws on a terminal; a line an event otherwise, of JSON with `--json`. */
export function createWorkerView(out: Output, { account, role }: { account: string; role: string }): WorkerView {
  const totals = emptyTotals()
  let drawn = 0
  const draw = () => {
    const text = renderTotals(totals, { account, role })
    if (drawn > 0) process.stdout.write(`\u001b[${drawn}A\u001b[0J`)
    process.stdout.write(`${text}\n`)
    drawn = text.split("\n").length
  }
  const timer = out.terminal ? setInterval(draw, REDRAW_MS) : undefined
  return {
    show(event) {
      count(totals, event)
      // Seats are the last thing that a worker needs before it asks for work.
      if (event.kind === "staked" && !out.terminal) {
        out.event({ event: "ready", account, role, pid: process.pid }, () => `ready ${account}`)
      }
      if (!out.terminal)
        out.event(z.encode(WorkerEventSchema, event), () => `${event.at} ${describeWorkerEvent(event)}`)
    },
    stop() {
      if (timer) clearInterval(timer)
      if (out.terminal) draw()
      out.event(
        { event: "stopped", account, role },
        () => "stopped; what is computed and not yet paid settles without this worker",
      )
    },
  }
}

export function renderTotals(totals: WorkerTotals, { account, role }: { account: string; role: string }): string {
  const table = new Table({ style: { head: [], border: [] }, colWidths: [24, 64], wordWrap: true })
  const shards = [...totals.running.values()].map(
    ({ job, shard, tasks }) => `${shortHex(formatJobId(job))} shard ${shard} (${formatCount(tasks, "task")})`,
  )
  table.push(
    [role, account],
    ["running", shards.length > 0 ? shards.join("\n") : "nothing"],
    ["waiting for settlement", formatCount(totals.waiting.size, "shard")],
    ["computed, audited", `${formatCount(totals.computed, "task")}, ${formatCount(totals.audited, "sample")}`],
    ["paid (from the chain)", pc.green(formatAmount(totals.paid))],
    ["withdrawn", formatAmount(totals.withdrawn)],
    ["slashed", totals.slashed > 0n ? pc.red(formatAmount(totals.slashed)) : "nothing"],
    [
      "refused and why",
      totals.refused.size > 0 ? [...totals.refused].map(([code, text]) => `${code}: ${text}`).join("\n") : "nothing",
    ],
    ["last", totals.note],
  )
  return table.toString()
}
