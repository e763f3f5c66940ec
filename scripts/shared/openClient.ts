import type { LocalAccount } from "viem"
import type { Client } from "#client"
import { keyName, openKey } from "./accounts.ts"
import type { Context } from "./action.ts"
import { type OpenDeployment, openDeployment } from "./deployment.ts"
import { ensureNative } from "./funds.ts"
import { listKeys } from "./keystore.ts"

export type OpenClient = OpenDeployment & { client: Client; account: LocalAccount | undefined }

/** Who asks; reading works without a key, so none is made for it. */
export async function openReader(context: Context, role = "requester"): Promise<OpenClient> {
  const exists = listKeys(context.home.keys).some((key) => key.name === keyName(context, role))
  const account = exists ? (await openKey(context, role)).account : undefined
  return open(context, account)
}

/** Who pays: the key is made if missing, and on the local network has the coin for its gas. */
export async function openSpender(
  context: Context,
  role = "requester",
): Promise<OpenClient & { account: LocalAccount }> {
  const { account } = await openKey(context, role)
  const opened = await open(context, account)
  await ensureNative({ ...opened, context }, account.address)
  return { ...opened, account }
}

async function open(context: Context, account: LocalAccount | undefined): Promise<OpenClient> {
  const { createClient } = await import("#client")
  const opened = await openDeployment(context)
  const { deployment, rpcUrl } = opened
  const client = await createClient({
    deployment,
    rpcUrl,
    coordinatorUrl: context.coordinatorUrl,
    ...(account === undefined ? {} : { account }),
  })
  return { ...opened, client, account }
}
