import { readFileSync } from "node:fs"
import type { Hex, LocalAccount } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import type { Context } from "./action.ts"
import { CliError } from "./errors.ts"
import { keyPath, listKeys, randomKey, readKey, type StoredKey, THROWAWAY_PASSWORD, writeKey } from "./keystore.ts"
import { ask } from "./prompt.ts"

/** Who signs: `requester`, `worker`, `worker-2`, `coordinator`, and `worker-session` for what signs receipts. */
export type Role = string

export type OpenKey = { stored: StoredKey; key: Hex; account: LocalAccount; made: boolean }

/** A key of one network never signs on another by accident: the network is part of its name. */
export function keyName(context: Pick<Context, "network">, role: Role): string {
  return `${context.network}-${role}`
}

export function isLocal(context: Pick<Context, "network">): boolean {
  return context.network === "local"
}

/** Opens the role's keystore, and makes it first if there is none: without asking on the local network only. */
export async function openKey(context: Context, role: Role): Promise<OpenKey> {
  const name = keyName(context, role)
  const existing = listKeys(context.home.keys).find((key) => key.name === name)
  if (existing) {
    const key = await readKey(existing.path, await passwordFor(context, name))
    return { stored: existing, key, account: privateKeyToAccount(key), made: false }
  }
  const key = randomKey()
  const password = await newPassword(context, name)
  const strength = isLocal(context) ? "throwaway" : "full"
  const stored = await writeKey({ dir: context.home.keys, name, key, password, strength }).catch((error) => {
    // Two that were started at once have one key between them.
    if (error instanceof CliError && error.code === "E_KEY_EXISTS") return undefined
    throw error
  })
  if (!stored) return openKey(context, role)
  if (!isLocal(context)) context.out.say(`made a new key for ${role}: ${stored.address}, kept in ${stored.path}`)
  return { stored, key, account: privateKeyToAccount(key), made: true }
}

export async function passwordFor(context: Context, name: string): Promise<string> {
  return (
    givenPassword(context) ??
    ask(`Password of ${keyPath(context.home.keys, name)}: `, { hidden: true, instead: passwordHint })
  )
}

export async function newPassword(context: Context, name: string): Promise<string> {
  const given = givenPassword(context)
  if (given !== undefined) return given
  const first = await ask(`Choose a password for the new key ${name}: `, { hidden: true, instead: passwordHint })
  const second = await ask("The same again: ", { hidden: true, instead: passwordHint })
  if (first !== second)
    throw new CliError("E_KEY_PASSWORD", "the two passwords differ: nothing was made", { usage: true })
  if (first === "")
    throw new CliError("E_KEY_PASSWORD", "an empty password protects nothing: nothing was made", { usage: true })
  return first
}

const passwordHint = "set ASSAY_PASSWORD, or ASSAY_PASSWORD_FILE to a file that holds it"

/** A password is no flag: flags show in the process list. */
function givenPassword(context: Pick<Context, "network">): string | undefined {
  if (isLocal(context)) return THROWAWAY_PASSWORD
  const file = process.env.ASSAY_PASSWORD_FILE
  if (file) return readFileSync(file, "utf8").replace(/\r?\n$/, "")
  return process.env.ASSAY_PASSWORD
}
