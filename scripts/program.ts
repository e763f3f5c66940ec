import { Command, CommanderError, Option } from "commander"
import { type CommandEntry, type CommandModule, commands } from "./commands.ts"
import { describeError, isUsageError, oneLine } from "./shared/errors.ts"
import { applySettings } from "./shared/settings.ts"
import { VERSION } from "./shared/version.ts"

/**
 * Runs one command line and returns the exit status: 0 done, 1 the thing asked for failed, 2 wrong usage or bad input.
 */
export async function runProgram(
  argv: readonly string[],
  entries: readonly CommandEntry[] = commands,
): Promise<number> {
  const json = argv.includes("--json")
  const verbose = argv.includes("--verbose") || Boolean(process.env.ASSAY_VERBOSE)
  try {
    const program = createProgram(entries)
    if (argv.length === 0) program.help()
    // A command's flags are known once its file is loaded, which parsing it does and `help` does not.
    const asked = argv[0] === "help" ? argv[1] : undefined
    const known = entries.some((entry) => entry.name === asked)
    const words = asked === undefined ? [...argv] : known ? [asked, ...argv.slice(2), "--help"] : [asked]
    await program.parseAsync(words, { from: "user" })
    return typeof process.exitCode === "number" ? process.exitCode : 0
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0 || error.code === "commander.help") return 0
      return fail({ code: "E_USAGE", message: oneLine(error.message.replace(/^error: /, "")) }, { json, status: 2 })
    }
    const { code, message, causes } = describeError(error)
    const status = fail({ code, message }, { json, status: isUsageError(error) ? 2 : 1 })
    if (verbose) for (const cause of causes) process.stderr.write(`${cause}\n`)
    return status
  }
}

function fail(error: { code: string; message: string }, { json, status }: { json: boolean; status: number }): number {
  if (json) process.stdout.write(`${JSON.stringify({ error })}\n`)
  process.stderr.write(`error ${error.code}: ${error.message}\n`)
  return status
}

export function createProgram(entries: readonly CommandEntry[]): Command {
  const program = new Command("assay")
    .description("A compute marketplace whose results are tested before they are paid.")
    .version(VERSION, "--version", "print the version")
    .usage("<command> [options]")
    .helpCommand("help [command]", "show a command's flags and an example")
    .configureHelp({ showGlobalOptions: true, visibleGlobalOptions: globalsOf })
    .configureOutput({ outputError: () => {} })
    .addHelpText(
      "after",
      "\nExample:\n  assay demo\n\nEvery flag is also an environment variable (--home: ASSAY_HOME) and a line in HOME/config.json.",
    )
    .exitOverride()
  for (const option of globalOptions()) program.addOption(option)

  const loaders = new Map<string, () => Promise<CommandModule>>()
  for (const entry of entries) {
    program
      .command(entry.name)
      .summary(entry.summary)
      .description(`${entry.summary[0]?.toUpperCase()}${entry.summary.slice(1)}.`)
      .helpGroup(entry.group)
      .addHelpText("after", `\nExample:\n  ${entry.example}`)
    loaders.set(entry.name, entry.load)
  }
  program.hook("preSubcommand", async (_, command) => {
    const load = loaders.get(command.name())
    if (load) (await load()).configure(command)
  })
  program.hook("preAction", (_, command) => applySettings(command))
  return program
}

/** Flags that every command has. They may stand before or after the command's name. */
function globalOptions(): Option[] {
  return [
    new Option("--json", "one JSON document on stdout, progress on stderr"),
    new Option("--home <dir>", "where keys, caches and databases live (default ~/.assay)"),
    new Option("--network <name>", "which network (default local)"),
    new Option("--rpc <url>", "the chain's RPC"),
    new Option("--coordinator <url>", "the coordinator's API"),
    new Option("--yes", "do not ask before spending"),
    new Option("--verbose", "say more, and print the causes of an error"),
  ]
}

function globalsOf(command: Command): Option[] {
  const root = command.parent?.parent ?? command.parent
  return root ? root.options.filter((option) => option.long !== "--version") : []
}
