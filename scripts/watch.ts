import type { Command } from "commander"
import type { WatchEvent } from "#client"
import { formatBatchId } from "#protocol"
import { describeDispute, disputeJson } from "./dispute.ts"
import { action } from "./shared/action.ts"
import { openSpender } from "./shared/openClient.ts"
import { parsePercent } from "./shared/parse.ts"

type Options = { rate: number; once?: boolean }

export function configure(command: Command): void {
  command
    .description(
      "A watchtower: compute again a random sample of every batch of your jobs, and of public ones, while it can be disputed, and dispute what is wrong. Bonds come back; whoever refutes another's job gets a share of what is slashed, a requester its own money back (R12).",
    )
    .option("--rate <percent>", "share of tasks to compute again", parsePercent, 1_000)
    .option("--once", "look at what is open now, and stop")
    .action(
      action<Options>(async (context, { rate, once = false }) => {
        const { client } = await openSpender(context)
        const onEvent = (event: WatchEvent) => context.out.say(describeEvent(event))
        const watched = await client.watch({ rate: rate / 10_000, once, signal: context.signal, onEvent })
        const { batches, checked, wrong } = watched
        context.out.result({ batches, checked, wrong: wrong.map(disputeJson) }, () =>
          [
            `${checked} tasks of ${batches} batches computed again, ${wrong.length} wrong`,
            ...wrong.map(describeDispute),
          ].join("\n"),
        )
      }),
    )
}

function describeEvent(event: WatchEvent): string {
  const batch = formatBatchId(event.batchId)
  if (event.kind === "batch") return `batch ${batch}: ${event.sampled} of ${event.leaves} tasks to compute again`
  if (event.kind === "checked") return `batch ${batch}, task ${event.taskIndex}: ${describeDispute(event.result)}`
  if (event.kind === "demanded") return `batch ${batch}: leaf ${event.position} demanded on chain, for ${event.why}`
  return `batch ${batch}: ${event.text} (${event.code})`
}
