import { type Address, isAddressEqual, type LocalAccount, zeroAddress } from "viem"
import { registryDomain, signMessage } from "#protocol"
import type { Chain } from "../chain/chain.ts"
import type { Sender } from "../chain/sender.ts"
import { workerError } from "../errors.ts"

/** R8: leases, receipts and verdicts are signed by a key that the chain knows; the key itself consents to its account. */
export async function registerSessionKey(
  { chain, sender }: { chain: Chain; sender: Sender },
  session: LocalAccount,
): Promise<void> {
  const { registry, deployment } = chain
  const [holder, , until] = await registry.read.keyOf([session.address])
  if (isAddressEqual(holder, zeroAddress)) {
    const domain = registryDomain({ chainId: deployment.chainId, registry: registry.address })
    const message: { account: Address; key: Address } = { account: sender.address, key: session.address }
    const signature = await signMessage(
      { address: session.address, sign: session.sign! },
      {
        domain,
        type: "RegisterKey",
        message,
      },
    )
    const call = { address: registry.address, abi: registry.abi, functionName: "registerKey" } as const
    await sender.send({ ...call, args: [session.address, signature] })
    return
  }
  if (!isAddressEqual(holder, sender.address)) {
    throw workerError("E_KEY_TAKEN", `the session key ${session.address} belongs to ${holder}`, {
      remedy: "rotate the session key: `assay keys rotate`",
    })
  }
  if (until !== 0n) {
    throw workerError("WORKER_KEY_UNREGISTERED", `the session key ${session.address} was revoked, for good (R8)`, {
      remedy: "rotate the session key: `assay keys rotate`",
    })
  }
}
