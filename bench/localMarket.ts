import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { LocalAccount, PublicClient } from "viem"
import { type Client, createClient } from "#client"
import type { Deployment } from "#protocol"
import { openKey } from "../scripts/shared/accounts.ts"
import { contextOf } from "../scripts/shared/action.ts"
import { publicClient } from "../scripts/shared/deployment.ts"
import { ensureNative, ensureTokens } from "../scripts/shared/funds.ts"
import { openHome } from "../scripts/shared/home.ts"
import { freePort } from "../scripts/shared/ports.ts"
import { createStack, type Stack } from "../scripts/shared/stack.ts"

/** A chain and a coordinator of its own, as processes, and a requester who has money when it is needed. */
export type LocalMarket = {
  readonly stack: Stack
  readonly coordinatorUrl: string
  readonly chain: PublicClient
  readonly deployment: Deployment
  /** The requester's client; it has coins for gas once it was asked for. */
  client(): Promise<Client>
  fund(escrow: bigint): Promise<unknown>
  close(): Promise<void>
}

export async function openLocalMarket(name: string, env: Record<string, string>): Promise<LocalMarket> {
  const dir = await mkdtemp(join(tmpdir(), `assay-${name}-`))
  const stack = createStack({ home: openHome(dir), env, say: () => {} })
  const close = async () => {
    await stack.stop()
    await rm(dir, { recursive: true, force: true })
  }
  try {
    const { url: rpcUrl } = await stack.startChain(await freePort())
    const deployment = await stack.deploy()
    const { url: coordinatorUrl } = await stack.startCoordinator(await freePort())
    const context = contextOf({ home: dir, json: true, rpc: rpcUrl, coordinator: coordinatorUrl })
    const chain = publicClient(rpcUrl)
    const deps = { context, chain, rpcUrl, deployment }
    let account: LocalAccount | undefined
    const requester = async () => {
      account ??= (await openKey(context, "requester")).account
      return account
    }
    return {
      stack,
      coordinatorUrl,
      chain,
      deployment,
      close,
      async client() {
        await ensureNative(deps, (await requester()).address)
        return createClient({ rpcUrl, coordinatorUrl, deployment, account: await requester() })
      },
      fund: async (escrow) => ensureTokens(deps, await requester(), escrow),
    }
  } catch (error) {
    await close()
    throw error
  }
}
