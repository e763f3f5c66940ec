import type { PublicClient } from "viem"
import type { Deployment } from "#protocol"
import { openKey } from "../shared/accounts.ts"
import type { Context } from "../shared/action.ts"
import { pairOf, send } from "../shared/money.ts"

export type WithdrawAllParams = {
  context: Context
  deployment: Deployment
  chain: PublicClient
  rpcUrl: string
  roles: readonly string[]
  coordinator: `0x${string}`
}

/** Pay is pulled, never pushed (R10): each account takes its own. */
export async function withdrawAll({
  context,
  deployment,
  chain,
  rpcUrl,
  roles,
  coordinator,
}: WithdrawAllParams): Promise<void> {
  const { registry, token } = deployment.contracts
  for (const role of roles) {
    const { account } = await openKey(context, role)
    const wallet = { context, deployment, chain, rpcUrl, account, registry, token }
    if ((await pairOf(wallet, coordinator)).owed > 0n) await send(wallet, "withdraw", [[coordinator]])
  }
}
