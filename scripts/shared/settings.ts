import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { Command, Option } from "commander"
import { z } from "zod"
import { CliError } from "./errors.ts"
import { homeOf } from "./home.ts"

const FileConfig = z.record(
  z.string(),
  z.union([z.string(), z.number(), z.boolean(), z.array(z.string()), z.record(z.string(), z.unknown())]),
)

/** `--home` is ASSAY_HOME, `--public-url` is ASSAY_PUBLIC_URL. */
export function environmentName(flag: string): string {
  return `ASSAY_${flag
    .replace(/^--(no-)?/, "")
    .replaceAll("-", "_")
    .toUpperCase()}`
}

/** Gives each flag that was not typed its value from the environment, else from HOME/config.json. */
export function applySettings(command: Command, env: NodeJS.ProcessEnv = process.env): void {
  const chain = [command, ...ancestors(command)]
  // --home says where the file is, so it is settled first and cannot itself come from the file.
  for (const owner of chain) for (const option of owner.options) applyEnvironment(owner, option, env)
  const file = readConfigFile(homeOf(command.optsWithGlobals().home))
  for (const owner of chain) for (const option of owner.options) applyFile(owner, option, file)
}

function ancestors(command: Command): Command[] {
  return command.parent ? [command.parent, ...ancestors(command.parent)] : []
}

function isOpen(owner: Command, option: Option): boolean {
  const source = owner.getOptionValueSource(option.attributeName())
  return source === undefined || source === "default"
}

function applyEnvironment(owner: Command, option: Option, env: NodeJS.ProcessEnv): void {
  if (!option.long || option.long === "--version" || !isOpen(owner, option)) return
  const text = env[environmentName(option.long)]
  if (text === undefined || text === "") return
  set(owner, option, text, "env")
}

function applyFile(owner: Command, option: Option, file: Record<string, unknown>): void {
  if (!option.long || option.long === "--version" || !isOpen(owner, option)) return
  const value = file[option.long.replace(/^--(no-)?/, "")]
  if (value !== undefined) set(owner, option, value, "config")
}

function set(owner: Command, option: Option, value: unknown, source: string): void {
  const text = typeof value === "number" ? String(value) : value
  if (option.isBoolean()) {
    const on = text === true || text === "1" || text === "true" || text === "yes"
    owner.setOptionValueWithSource(option.attributeName(), on, source)
    return
  }
  const items = option.variadic && !Array.isArray(text) ? [text] : text
  const parsed = typeof items === "string" && option.parseArg ? option.parseArg(items, undefined as never) : items
  owner.setOptionValueWithSource(option.attributeName(), parsed, source)
}

export function readConfigFile(home: string): Record<string, unknown> {
  const path = join(home, "config.json")
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {}
    throw new CliError("E_CONFIG_UNREADABLE", `${path} cannot be read: check its permissions`, { cause: error })
  }
  try {
    return FileConfig.parse(JSON.parse(text))
  } catch (cause) {
    throw new CliError("E_CONFIG_INVALID", `${path} is not a JSON object of flags and values: correct or remove it`, {
      cause,
      usage: true,
    })
  }
}
