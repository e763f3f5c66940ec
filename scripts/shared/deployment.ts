import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createPublicClient, getAddress, type Hex, http, type PublicClient } from "viem"
import { z } from "zod"
import type { Context } from "./action.ts"
import { CliError } from "./errors.ts"
import { LOCAL_CHAIN_ID } from "./localChain.ts"
import { ROOT } from "./version.ts"

const address = z
  .string()
  .regex(/^0x[0-9a-fA-F]{40}$/)
  .transform((text) => getAddress(text))
const hash = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/)
  .transform((text) => text as Hex)

/** What `assay deploy` writes and every process reads: where the contracts are, and on which chain exactly. */
export const Deployment = z.object({
  network: z.string(),
  chainId: z.number().int(),
  rpcUrl: z.string(),
  contracts: z.object({
    token: address,
    registry: address,
    market: address,
    challenges: address,
    jury: address,
    beacon: address,
  }),
  deployedBlock: z.coerce.number().int(),
  genesisHash: hash,
  params: z.record(z.string(), z.unknown()),
})
export type Deployment = z.infer<typeof Deployment>

export function deploymentPath(context: Pick<Context, "home" | "network">): string {
  return join(context.home.networks, `${context.network}.json`)
}

/** A public deployment is part of the repository; a local one is of the home that made it. */
function publicPath(network: string): string {
  return join(ROOT, "ignition", "networks", `${network}.json`)
}

export function readDeployment(path: string): Deployment | undefined {
  if (!existsSync(path)) return undefined
  try {
    return Deployment.parse(JSON.parse(readFileSync(path, "utf8")))
  } catch (cause) {
    throw new CliError("E_DEPLOYMENT_INVALID", `${path} is no deployment file: remove it and run \`assay deploy\``, {
      cause,
    })
  }
}

export function writeDeployment(context: Pick<Context, "home" | "network">, deployment: Deployment): string {
  const path = deploymentPath(context)
  writeFileSync(
    `${path}.part`,
    `${JSON.stringify(deployment, (_key, item) => (typeof item === "bigint" ? item.toString() : item), 2)}\n`,
  )
  renameSync(`${path}.part`, path)
  return path
}

export function publicClient(rpcUrl: string): PublicClient {
  return createPublicClient({ transport: http(rpcUrl, { retryCount: 1, timeout: 10_000 }) })
}

/**
 * The contracts that this command line talks to: the network's file, else what the coordinator says. Either is
 * checked against the chain itself, for a local chain forgets when it stops and a new one may answer at its port.
 */
export async function openDeployment(
  context: Context,
): Promise<{ deployment: Deployment; chain: PublicClient; rpcUrl: string }> {
  const stored = readDeployment(deploymentPath(context)) ?? readDeployment(publicPath(context.network))
  const deployment = context.named.coordinator || !stored ? ((await askCoordinator(context, stored)) ?? stored) : stored
  if (!deployment) {
    throw new CliError(
      "E_NOT_DEPLOYED",
      `nothing is deployed on '${context.network}' as far as ${context.home.path} knows: run \`assay up\` (or \`assay deploy\`), or name a coordinator with --coordinator`,
    )
  }
  const rpcUrl = context.named.rpc ? context.rpcUrl : deployment.rpcUrl
  const chain = publicClient(rpcUrl)
  await checkChain(chain, deployment, rpcUrl)
  return { deployment: { ...deployment, rpcUrl }, chain, rpcUrl }
}

export async function checkChain(chain: PublicClient, deployment: Deployment, rpcUrl: string): Promise<void> {
  const chainId = await chain.getChainId()
  if (chainId !== deployment.chainId) {
    throw new CliError(
      "E_WRONG_CHAIN",
      `${rpcUrl} is chain ${chainId}, but '${deployment.network}' is chain ${deployment.chainId}: give the right --rpc or --network`,
    )
  }
  const genesis = await genesisHash(chain)
  const code = await chain.getCode({ address: deployment.contracts.market })
  if (genesis !== deployment.genesisHash || code === undefined) {
    const remedy =
      chainId === LOCAL_CHAIN_ID
        ? "the local chain forgets when it stops, so run `assay up` (or `assay deploy`) for a new one"
        : "check --rpc"
    throw new CliError("E_WRONG_CHAIN", `the chain at ${rpcUrl} is not the one that Assay was deployed to: ${remedy}`)
  }
}

export async function genesisHash(chain: PublicClient): Promise<Hex> {
  return (await chain.getBlock({ blockNumber: 0n })).hash as Hex
}

const Info = z.object({
  network: z.string(),
  chainId: z.number().int(),
  contracts: Deployment.shape.contracts,
  deployedBlock: z.coerce.number().int(),
  params: z.record(z.string(), z.unknown()),
})

async function askCoordinator(context: Context, stored: Deployment | undefined): Promise<Deployment | undefined> {
  let info: z.infer<typeof Info>
  try {
    const response = await fetch(`${context.coordinatorUrl}/v1/info`, { signal: AbortSignal.timeout(5000) })
    info = Info.parse(await response.json())
  } catch (cause) {
    if (!context.named.coordinator) return undefined
    throw new CliError(
      "E_COORDINATOR_DOWN",
      `${context.coordinatorUrl} does not answer as a coordinator: is it running, and is the URL right?`,
      { cause },
    )
  }
  if (stored && stored.contracts.market === info.contracts.market && stored.chainId === info.chainId) return stored
  const rpcUrl = context.rpcUrl
  return { ...info, rpcUrl, genesisHash: await genesisHash(publicClient(rpcUrl)) }
}

/** What belongs to local chains that are gone. Nothing of an old chain may meet a new one. */
export function forgetLocal(context: Pick<Context, "home" | "network">): string[] {
  const stale = readdirSync(context.home.networks).filter((name) =>
    name.startsWith(`${context.network}-${LOCAL_CHAIN_ID}-`),
  )
  for (const name of stale) rmSync(join(context.home.networks, name), { recursive: true, force: true })
  rmSync(deploymentPath(context), { force: true })
  return stale
}

/** Where a process keeps what belongs to this chain and these contracts only. */
export function networkDir(context: Pick<Context, "home">, deployment: Deployment): string {
  return join(
    context.home.networks,
    `${deployment.network}-${deployment.chainId}-${deployment.contracts.market.slice(2, 10).toLowerCase()}`,
  )
}
