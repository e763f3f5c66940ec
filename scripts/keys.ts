import { readFileSync } from "node:fs"
import type { Command } from "commander"
import { type Hex, isHex } from "viem"
import { isLocal, keyName, newPassword, openKey, passwordFor } from "./shared/accounts.ts"
import { action, type Context } from "./shared/action.ts"
import { CliError, usageError } from "./shared/errors.ts"
import { keyPath, listKeys, randomKey, readKey, type StoredKey, writeKey } from "./shared/keystore.ts"
import { ask } from "./shared/prompt.ts"

type Options = { role?: string; keyFile?: string }

export function configure(command: Command): void {
  command.usage("<list|import|export|rotate> [options]")
  command.helpCommand(false)
  command
    .command("list")
    .description("list the keystores of this home, with the addresses they hold")
    .action(action(async (context) => printKeys(context, describeAll(context))))
  command
    .command("import")
    .description("keep a private key that you have, encrypted; the key is read from --key-file or asked for")
    .option("--role <role>", "requester, worker or coordinator", "requester")
    .option("--key-file <path>", "file that holds the private key in hex")
    .action(action<Options>(importKey))
  command
    .command("export")
    .description("print a private key")
    .option("--role <role>", "requester, worker, coordinator or one of their session keys", "requester")
    .action(action<Options>(exportKey))
  command
    .command("rotate")
    .description("make a new session key for a worker or coordinator and revoke the old one on chain")
    .option("--role <role>", "worker or coordinator", "worker")
    .action(action<Options>(rotateKey))
}

type Described = { address: string; role: string; network: string; path: string }

function describeAll(context: Context): Described[] {
  return listKeys(context.home.keys).map(describe)
}

function describe({ name, address, path }: StoredKey): Described {
  const dash = name.indexOf("-")
  return { address, role: name.slice(dash + 1), network: name.slice(0, dash), path }
}

function printKeys(context: Context, keys: Described[]): void {
  context.out.result(keys, () =>
    keys.length === 0
      ? `no keys in ${context.home.keys}: they are made when they are first needed`
      : keys.map((key) => `${key.address}  ${key.network.padEnd(8)} ${key.role.padEnd(20)} ${key.path}`).join("\n"),
  )
}

async function importKey(context: Context, { role = "requester", keyFile }: Options): Promise<void> {
  const name = keyName(context, role)
  const text = keyFile
    ? readFileSync(keyFile, "utf8")
    : await ask("Private key (hex, not shown): ", { hidden: true, instead: "give --key-file" })
  const key = toKey(text.trim())
  const stored = await writeKey({
    dir: context.home.keys,
    name,
    key,
    password: await newPassword(context, name),
    strength: isLocal(context) ? "throwaway" : "full",
  })
  printKeys(context, [describe(stored)])
}

function toKey(text: string): Hex {
  const key = (text.startsWith("0x") ? text : `0x${text}`) as Hex
  if (!isHex(key) || key.length !== 66) throw usageError("E_BAD_KEY", "a private key is 32 bytes in hex: this is not")
  return key
}

async function exportKey(context: Context, { role = "requester" }: Options): Promise<void> {
  const name = keyName(context, role)
  const key = await readKey(keyPath(context.home.keys, name), await passwordFor(context, name))
  const stored = listKeys(context.home.keys).find((each) => each.name === name)
  if (!stored) throw new CliError("E_KEY_UNKNOWN", `there is no key '${name}'`)
  context.out.say("whoever reads this key can spend what it holds")
  context.out.result({ ...describe(stored), key }, () => key)
}

async function rotateKey(context: Context, { role = "worker" }: Options): Promise<void> {
  const { rotateSessionKey } = await import("./shared/sessionKeys.ts")
  const owner = await openKey(context, role)
  const { stored, tx } = await rotateSessionKey(context, { role, owner: owner.account, newKey: randomKey() })
  context.out.result(
    [{ ...describe(stored), tx }],
    () => `new session key ${stored.address} in ${stored.path}; restart the ${role} to use it`,
  )
}
