import { randomBytes } from "node:crypto"
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs"
import { basename, join } from "node:path"
import { type Address, getAddress, type Hex } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { CliError } from "./errors.ts"

/** Keys of a chain that forgets protect nothing, and a demo opens a dozen of them: a light scrypt, a known password. */
export const THROWAWAY_PASSWORD = "local"
const THROWAWAY_SCRYPT = { N: 1 << 10, r: 8, p: 1 }
/** ethers' own strength, as in every wallet. */
const FULL_SCRYPT = { N: 1 << 17, r: 8, p: 1 }

export type StoredKey = { name: string; address: Address; path: string }

export type KeyStrength = "throwaway" | "full"

export function keyPath(dir: string, name: string): string {
  if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(name)) {
    throw new CliError("E_BAD_KEY_NAME", `'${name}' is no key name: use small letters, digits and dashes`, {
      usage: true,
    })
  }
  return join(dir, `${name}.json`)
}

export function listKeys(dir: string): StoredKey[] {
  return readdirSync(dir)
    .filter((file) => file.endsWith(".json"))
    .sort()
    .map((file) => {
      const path = join(dir, file)
      return { name: basename(file, ".json"), address: addressIn(path), path }
    })
}

function addressIn(path: string): Address {
  const { address } = JSON.parse(readFileSync(path, "utf8")) as { address: string }
  return getAddress(address.startsWith("0x") ? address : `0x${address}`)
}

export function randomKey(): Hex {
  return `0x${randomBytes(32).toString("hex")}`
}

export type WriteKeyParams = { dir: string; name: string; key: Hex; password: string; strength: KeyStrength }

/** Never overwrites: a key that is lost is money that is lost. */
export async function writeKey({ dir, name, key, password, strength }: WriteKeyParams): Promise<StoredKey> {
  const path = keyPath(dir, name)
  const taken = () => new CliError("E_KEY_EXISTS", `${path} exists: choose another name, or move that file away`)
  if (existsSync(path)) throw taken()
  const { encryptKeystoreJson } = await import("ethers")
  const address = privateKeyToAccount(key).address
  const scrypt = strength === "throwaway" ? THROWAWAY_SCRYPT : FULL_SCRYPT
  const json = await encryptKeystoreJson({ address, privateKey: key }, password, { scrypt })
  const draft = `${path}.${randomBytes(4).toString("hex")}.part`
  const file = openSync(draft, "wx", 0o600)
  try {
    writeSync(file, json)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  try {
    // Unlike a rename it fails if another process made the key meanwhile.
    linkSync(draft, path)
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === "EEXIST" ? taken() : error
  } finally {
    rmSync(draft)
  }
  return { name, address, path }
}

export async function readKey(path: string, password: string): Promise<Hex> {
  const { decryptKeystoreJson } = await import("ethers")
  let text: string
  try {
    text = readFileSync(path, "utf8")
  } catch (cause) {
    throw new CliError("E_KEY_UNKNOWN", `there is no key at ${path}: \`assay keys list\` shows those there are`, {
      cause,
    })
  }
  try {
    return (await decryptKeystoreJson(text, password)).privateKey as Hex
  } catch (cause) {
    throw new CliError("E_KEY_PASSWORD", `${path} does not open with this password, or is no keystore`, { cause })
  }
}

/** Only for a session key that was revoked on chain: it can sign nothing any more. */
export function removeKey(path: string): void {
  rmSync(path)
}
