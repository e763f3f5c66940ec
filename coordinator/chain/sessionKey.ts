import { encodeFunctionData, type LocalAccount } from "viem"
import { registryAbi, registryDomain, signMessage } from "#protocol"
import type { Db } from "../store/database.ts"
import type { Chain } from "./client.ts"
import type { Outbox } from "./outbox/outbox.ts"
import type { Wake } from "./wake.ts"

export type SessionKeyDeps = { db: Db; chain: Chain; outbox: Outbox; wake: Wake }

/**
 * Registers the key that signs leases for the coordinator's account, if it is not yet (R8): a lease signed by a key
 * that was not registered before the commit counts for nothing. True once it counts.
 */
export async function ensureSessionKey(
  { db, chain, outbox, wake }: SessionKeyDeps,
  key: Pick<LocalAccount, "address"> & { sign: NonNullable<LocalAccount["sign"]> },
): Promise<boolean> {
  const { client, deployment, account } = chain
  const { registry } = deployment.contracts
  const head = await client.getBlockNumber()
  const owner = await client.readContract({
    address: registry,
    abi: registryAbi,
    functionName: "accountOf",
    args: [key.address, head + 1n],
  })
  if (owner.toLowerCase() === account.address.toLowerCase()) return true
  const signature = await signMessage(key, {
    domain: registryDomain({ chainId: deployment.chainId, registry }),
    type: "RegisterKey",
    message: { account: account.address, key: key.address },
  })
  const data = encodeFunctionData({ abi: registryAbi, functionName: "registerKey", args: [key.address, signature] })
  const queued = await outbox.enqueue(db, {
    key: `registerKey:${key.address}`,
    kind: "registerKey",
    to: registry,
    data,
  })
  if (queued) wake.notify("outbox")
  return false
}
