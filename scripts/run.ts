import { spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import type { Command } from "commander"
import { action } from "./shared/action.ts"
import { usageError } from "./shared/errors.ts"

/** What follows the file is the file's own, flags too. */
export function configure(command: Command): void {
  command
    .description(
      "Run a TypeScript file, of examples/ or your own in this clone, with the Node that assay itself runs on.",
    )
    .argument("<file>", "the file")
    .argument("[args...]", "what it is given")
    .allowUnknownOption()
    .action(
      action(async (_context, _options, [file = ""]) => {
        if (!existsSync(file)) throw usageError("E_FILE_MISSING", `there is no file ${file}`)
        const own = process.argv.slice(process.argv.indexOf(file, process.argv.indexOf("run")) + 1)
        const { status, error } = spawnSync(process.execPath, [...process.execArgv, file, ...own], { stdio: "inherit" })
        if (error) throw error
        process.exitCode = status ?? 1
      }),
    )
}
