import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createPublicClient, type Hex, http, type PublicClient } from "viem"
import { z } from "zod"
import { type Deployment, DeploymentSchema, deploymentFolder, InfoSchema, LOCAL_CHAIN_ID } from "#protocol"
import type { Context } from "./action.ts"
import { CliError } from "./errors.ts"
import { ROOT } from "./version.ts"

type Place = Pick<Context, "home" | "network">

/** What `assay deploy` writes and every process reads: where the contracts are, and on which chain exactly. */
export function deploymentPath({ home, network }: Place): string {
  return join(home.networks, `${network}.json`)
}

/** A public deployment is part of the repository; a local one is of the home that made it. */
function publicPath(network: string): string {
  return join(ROOT, "ignition", "networks", `${network}.json`)
}

export function readDeployment(path: string): Deployment | undefined {
  if (!existsSync(path)) return undefined
  try {
    return DeploymentSchema.parse(JSON.parse(readFileSync(path, "utf8")))
  } catch (cause) {
    throw new CliError("E_DEPLOYMENT_INVALID", `${path} is no deployment file: remove it and run \`assay deploy\``, {
      cause,
    })
  }
}

export function writeDeployment(place: Place, deployment: Deployment): string {
  const path = deploymentPath(place)
  writeFileSync(`${path}.part`, `${JSON.stringify(z.encode(DeploymentSchema, deployment), null, 2)}\n`)
  renameSync(`${path}.part`, path)
  return path
}

export function publicClient(rpcUrl: string): PublicClient {
  return createPublicClient({ transport: http(rpcUrl, { retryCount: 1, timeout: 10_000 }), pollingInterval: 250 })
}

export type OpenDeployment = { deployment: Deployment; chain: PublicClient; rpcUrl: string }

/**
 * The contracts that this command line talks to: the network's file, else what the coordinator says. Either is
 * checked against the chain itself, for a local chain forgets when it stops and a new one may answer at its port.
 */
export async function openDeployment(context: Context): Promise<OpenDeployment> {
  const stored = readDeployment(deploymentPath(context)) ?? readDeployment(publicPath(context.network))
  const told = stored && !context.named.coordinator ? undefined : await askCoordinator(context)
  if (stored && told && (stored.contracts.market !== told.contracts.market || stored.chainId !== told.chainId)) {
    context.out.detail(
      `${context.coordinatorUrl} serves other contracts than ${deploymentPath(context)}: using its own`,
    )
  }
  const deployment = told ?? stored
  if (!deployment) {
    throw new CliError(
      "E_NOT_DEPLOYED",
      `nothing is deployed on '${context.network}' as far as ${context.home.path} knows: run \`assay up\` (or \`assay deploy\`), or name a coordinator with --coordinator`,
    )
  }
  const rpcUrl = context.named.rpc ? context.rpcUrl : deployment.rpcUrl
  const chain = publicClient(rpcUrl)
  await checkChain(chain, deployment, rpcUrl)
  if (deployment.chainId === LOCAL_CHAIN_ID) forgetOther(context, deployment)
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

async function askCoordinator(context: Context): Promise<Deployment | undefined> {
  let info: z.output<typeof InfoSchema>
  try {
    const response = await fetch(`${context.coordinatorUrl}/v1/info`, { signal: AbortSignal.timeout(5000) })
    info = InfoSchema.parse(await response.json())
  } catch (cause) {
    if (!context.named.coordinator) return undefined
    throw new CliError(
      "E_COORDINATOR_DOWN",
      `${context.coordinatorUrl} does not answer as a coordinator: is it running, and is the URL right?`,
      { cause },
    )
  }
  const { network, chainId, contracts, deployedBlock, params } = info
  const genesis = await genesisHash(publicClient(context.rpcUrl))
  return { network, chainId, contracts, deployedBlock, params, rpcUrl: context.rpcUrl, genesisHash: genesis }
}

/** What belongs to local chains that are gone. Nothing of an old chain may meet a new one. */
export function forgetLocal(place: Place): string[] {
  const prefix = `${place.network}-${LOCAL_CHAIN_ID}-`
  const stale = readdirSync(place.home.networks).filter((name) => name.startsWith(prefix))
  for (const name of stale) rmSync(join(place.home.networks, name), { recursive: true, force: true })
  rmSync(deploymentPath(place), { force: true })
  return stale
}

/**
 * On local chains the same contracts stand at the same addresses every time, and so in the same folder: its chain is
 * told by its genesis. State of another one is of a chain that is gone.
 */
function forgetOther(context: Context, deployment: Deployment): void {
  const dir = networkDir(context, deployment)
  const marker = join(dir, "genesis")
  if (existsSync(dir) && (!existsSync(marker) || readFileSync(marker, "utf8") !== deployment.genesisHash)) {
    context.out.say("the local chain of last time is gone, and what was kept of it with it: starting afresh")
    rmSync(dir, { recursive: true, force: true })
  }
  if (!existsSync(dir)) makeMarked(dir, deployment.genesisHash)
}

/** Folder and marker appear as one, for several processes start at once and each looks for both. */
function makeMarked(dir: string, genesis: Hex): void {
  const draft = `${dir}.${process.pid}.part`
  mkdirSync(draft, { recursive: true, mode: 0o700 })
  writeFileSync(join(draft, "genesis"), genesis)
  try {
    renameSync(draft, dir)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    if (!existsSync(dir)) throw error
  }
}

/** Where a process keeps what belongs to this chain and these contracts only. */
export function networkDir({ home }: Pick<Context, "home">, { network, chainId, contracts }: Deployment): string {
  return join(home.networks, deploymentFolder({ network, chainId, market: contracts.market }))
}
