import { writeFile } from "node:fs/promises"
import type { Command } from "commander"
import { openRunFolder, trainedModel } from "#client"
import { createRunner } from "#engine"
import { action } from "./shared/action.ts"
import { usageError } from "./shared/errors.ts"

export function configure(command: Command): void {
  command
    .description("Write a run's model as it is now: also of a run that was stopped or cancelled.")
    .argument("<run>", "the run's folder")
    .option("--out <file>", "where to write it")
    .action(
      action<{ out?: string }>(async ({ out }, { out: path }, [dir = ""]) => {
        if (path === undefined) throw usageError("E_USAGE", "name the file with --out model.onnx")
        const { plan, run } = await openRunFolder(dir)
        const runner = createRunner()
        try {
          const bytes = await trainedModel({ runner }, plan, run)
          await writeFile(path, bytes)
          out.result(
            { file: path, bytes: bytes.byteLength, rounds: run.rounds.length },
            () => `${path}: ${bytes.byteLength} bytes, after ${run.rounds.length} of ${plan.rounds} rounds`,
          )
        } finally {
          await runner.close()
        }
      }),
    )
}
