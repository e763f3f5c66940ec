import type { Command } from "commander"
import pc from "picocolors"
import type { DisputeResult } from "#client"
import { action } from "./shared/action.ts"
import { openSpender } from "./shared/openClient.ts"
import { parseTask } from "./shared/parse.ts"

export function configure(command: Command): void {
  command
    .description(
      "Compute a task again and compare it with the result that its worker committed to. Where that is wrong, open a dispute and play it to its end: a contract computes the first wrong element itself. Costs gas and locks a bond, which comes back if the result is wrong. For the job's requester, who has input and salt.",
    )
    .argument("<task>", "ID/INDEX: the job's id and the task's number")
    .action(
      action(async (context, _options, [subject = ""]) => {
        const { jobId, index } = parseTask(subject)
        const { client } = await openSpender(context)
        const onStep = (text: string) => context.out.say(text)
        const result = await client.dispute({ jobId, taskIndex: index, signal: context.signal, onStep })
        context.out.result(disputeJson(result), () => describeDispute(result))
        if (result.outcome === "upheld" || result.outcome === "conceded") process.exitCode = 1
      }),
    )
}

export function disputeJson({ disputeId, gas, ...result }: DisputeResult) {
  return {
    disputeId: `0x${disputeId.toString(16).padStart(64, "0")}`,
    outcome: result.outcome,
    reason: result.reason ?? null,
    element: result.element ?? null,
    claimed: result.claimed ?? null,
    computed: result.computed ?? null,
    operation: result.operation ?? null,
    gas: String(gas),
    transactions: result.transactions,
  }
}

export function describeDispute(result: DisputeResult): string {
  const { outcome, reason, operation, element, claimed, computed, gas, transactions } = result
  if (outcome === "agrees") return `${pc.green("right")}: the result is the one that was committed to`
  const cost = `${transactions.length} transactions, ${gas} gas`
  if (outcome === "refuted" && operation) {
    const where = `element ${element} of operation ${operation.index} (${operation.name})`
    return `${pc.red("wrong")}: ${where} was given as ${claimed}, and is ${computed}. The worker has lost; ${cost}`
  }
  if (outcome === "refuted") return `${pc.red("wrong")}: the worker has lost (${reason}); ${cost}`
  if (outcome === "void") return `the program cannot be judged: the range is void, nobody is slashed; ${cost}`
  return `the worker's trace is right where it was looked at: the dispute is lost with its bond; ${cost}`
}
