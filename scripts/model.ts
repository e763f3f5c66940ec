import type { Command } from "commander"
import { readManifest } from "#client"
import { formatJobId } from "#protocol"
import { action } from "./shared/action.ts"

export function configure(command: Command): void {
  command
    .description("Where a trained model came from: its rounds, jobs, losses, and who is credited with which share.")
    .argument("<run>", "the run's folder")
    .action(
      action(async ({ out }, _options, [dir = ""]) => {
        const { title, program, rounds, played, contributors, sources } = await readManifest(dir)
        const steps = Object.values(contributors).reduce((sum, one) => sum + one, 0)
        const shares = Object.entries(contributors)
          .map(([account, own]) => ({ account, steps: own, share: own / steps }))
          .sort((a, b) => b.steps - a.steps)
        const curve = played.map(({ round, jobId, final, slots }) => {
          const losses = slots.flatMap((slot) => slot.losses)
          return {
            round,
            jobId: formatJobId(jobId),
            final,
            loss: losses.reduce((sum, one) => sum + one, 0) / losses.length,
          }
        })
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
