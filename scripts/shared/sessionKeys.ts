import type { Hex, LocalAccount } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { registryAbi, registryDomain, signMessage } from "#protocol"
import { isLocal, keyName, newPassword, passwordFor } from "./accounts.ts"
import type { Context } from "./action.ts"
import { openDeployment } from "./deployment.ts"
import { listKeys, randomKey, readKey, removeKey, type StoredKey, writeKey } from "./keystore.ts"
import { transact } from "./transact.ts"

export function sessionRole(role: string): string {
  return `${role}-session`
}

/** The key by which a process signs receipts and verdicts (R8); it holds no money, so a leak costs a rotation only. */
export async function openSessionKey(context: Context, role: string): Promise<Hex> {
  const name = keyName(context, sessionRole(role))
  const existing = listKeys(context.home.keys).find((key) => key.name === name)
  if (existing) return readKey(existing.path, await passwordFor(context, name))
  const key = randomKey()
  await writeSessionKey(context, name, key)
  return key
}

type RotateParams = { role: string; owner: LocalAccount; newKey: Hex }

/** Registers the new key first, so that there is no block without one, then revokes the old. */
export async function rotateSessionKey(
  context: Context,
  params: RotateParams,
): Promise<{ stored: StoredKey; tx: Hex }> {
  const { role, owner, newKey } = params
  const { deployment, chain, rpcUrl } = await openDeployment(context)
  const { registry } = deployment.contracts
  const key = privateKeyToAccount(newKey)
  const signature = await signMessage(key, {
    domain: registryDomain({ chainId: deployment.chainId, registry }),
    type: "RegisterKey",
    message: { account: owner.address, key: key.address },
  })
  const deps = { chain, rpcUrl, account: owner }
  const tx = await transact(deps, {
    address: registry,
    abi: registryAbi,
    functionName: "registerKey",
    args: [key.address, signature],
  })
  const name = keyName(context, sessionRole(role))
  const old = listKeys(context.home.keys).find((each) => each.name === name)
  if (old) {
    const [account, , until] = await chain.readContract({
      address: registry,
      abi: registryAbi,
      functionName: "keyOf",
      args: [old.address],
    })
    if (account === owner.address && until === 0n) {
      await transact(deps, { address: registry, abi: registryAbi, functionName: "revokeKey", args: [old.address] })
    }
    removeKey(old.path)
  }
  return { stored: await writeSessionKey(context, name, newKey), tx }
}

async function writeSessionKey(context: Context, name: string, key: Hex): Promise<StoredKey> {
  const strength = isLocal(context) ? "throwaway" : "full"
  return writeKey({ dir: context.home.keys, name, key, password: await newPassword(context, name), strength })
}
