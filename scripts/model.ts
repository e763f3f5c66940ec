import { writeFile } from "node:fs/promises"
import type { Command } from "commander"
import { meanLoss, readManifest } from "#client"
import { formatJobId } from "#protocol"
import { action } from "./shared/action.ts"
import { readBaseline } from "./shared/baseline.ts"
import { plotLosses } from "./shared/plotLosses.ts"

type Options = { plot?: string; against?: string }

export function configure(command: Command): void {
  command
    .description("Where a trained model came from: its rounds, jobs, losses, and who is credited with which share.")
    .argument("<run>", "the run's folder")
    .option("--plot <file.svg>", "draw its losses, step by step")
    .option("--against <dir>", "in the same plot, what `assay train --alone` came to there")
    .action(
      action<Options>(async ({ out }, { plot, against }, [dir = ""]) => {
        const { title, program, rounds, played, contributors, sources } = await readManifest(dir)
        const steps = Object.values(contributors).reduce((sum, one) => sum + one, 0)
        const shares = Object.entries(contributors)
          .map(([account, own]) => ({ account, steps: own, share: own / steps }))
          .sort((a, b) => b.steps - a.steps)
        const curve = played.map((record) => ({
          round: record.round,
          jobId: formatJobId(record.jobId),
          final: record.final,
          loss: meanLoss(record),
        }))
        if (plot !== undefined) {
          const curves = [
            { name: `${title}, ${program.slots} slots on the market`, losses: stepLosses(played, program.steps) },
            ...(against === undefined ? [] : [await readBaseline(against)]),
          ]
          await writeFile(plot, plotLosses(curves))
          out.say(`${plot}: the losses of ${played.length * program.steps} steps`)
        }
        const trained = program.parameters.reduce((sum, { dims }) => sum + dims.reduce((a, b) => a * b, 1), 0)
        out.result({ title, parameters: trained, rounds, played: curve, shares, sources }, () =>
          [
            `${title}: ${trained} parameters, ${played.length} of ${rounds} rounds of ${program.slots} slots with ${program.steps} steps each`,
            ...Object.entries(sources).map(([name, hash]) => `from    ${name} ${hash}`),
            ...curve.map(
              (one) =>
                `round ${String(one.round).padStart(3)}  loss ${one.loss.toFixed(4)}  ${one.jobId}${one.final ? "" : "  not final"}`,
            ),
            ...shares.map(
              ({ account, steps: own, share }) => `share   ${account} ${(100 * share).toFixed(1)} % (${own} steps)`,
            ),
          ].join("\n"),
        )
      }),
    )
}

type Played = Awaited<ReturnType<typeof readManifest>>["played"]

/** Mean over the slots that are in, a number a step. */
function stepLosses(played: Played, steps: number): number[] {
  return played.flatMap(({ slots }) => {
    const used = slots.filter((slot) => slot !== null)
    return Array.from(
      { length: steps },
      (_, step) => used.reduce((sum, { losses }) => sum + losses[step]!, 0) / used.length,
    )
  })
}
