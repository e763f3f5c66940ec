import type { Command } from "commander"
import { formatEther, type Hex } from "viem"
import { isLocal, openKey } from "./shared/accounts.ts"
import { action, type Context } from "./shared/action.ts"
import { ensureCompiled } from "./shared/compile.ts"
import {
  deploymentPath,
  forgetLocal,
  genesisHash,
  publicClient,
  readDeployment,
  writeDeployment,
} from "./shared/deployment.ts"
import { usageError } from "./shared/errors.ts"
import { toJson } from "./shared/output.ts"
import { parseAddress } from "./shared/parse.ts"
import { confirm } from "./shared/prompt.ts"
import { ROOT } from "./shared/version.ts"

type Options = { dryRun?: boolean; beacon?: string }

export function configure(command: Command): void {
  command
    .description(
      "Deploy the contracts by Hardhat Ignition: on the local chain with nothing given, elsewhere after asking. Every parameter is an immutable.",
    )
    .option("--dry-run", "only print parameters and cost")
    .option("--beacon <address>", "the randomness to draw by, on any chain but the local one")
    .action(action<Options>(run))
}

async function run(context: Context, { dryRun = false, beacon }: Options): Promise<void> {
  const { out, network } = context
  // Hardhat looks for its configuration from the working directory up.
  process.chdir(ROOT)
  await ensureCompiled(out.say)
  if (dryRun) return printDryRun(context)
  if (!isLocal(context) && !context.named.rpc) throw usageError("E_USAGE", `name the RPC of '${network}' with --rpc`)
  const chain = publicClient(context.rpcUrl)
  const genesis = await genesisHash(chain)
  if (isLocal(context)) forgetStale(context, genesis)
  let deployerKey: Hex | undefined
  if (!isLocal(context)) {
    if (beacon === undefined) {
      throw usageError(
        "E_BEACON_NEEDED",
        "block hashes are a beacon on the local chain only (R31): name one with --beacon; `--dry-run` needs none",
      )
    }
    const { key, account } = await openKey(context, "deployer")
    const balance = await chain.getBalance({ address: account.address })
    await confirm(
      `Deploy six contracts from ${account.address}, which has ${formatEther(balance)} native coin?`,
      context,
    )
    deployerKey = key
  }
  const { deployAssay } = await import("../ignition/deploy.ts")
  const deployment = await deployAssay({
    network,
    rpcUrl: context.rpcUrl,
    ...(deployerKey === undefined ? {} : { deployerKey }),
    ...(beacon === undefined ? {} : { beacon: parseAddress(beacon) }),
  })
  const path = writeDeployment(context, deployment)
  const { contracts, chainId, deployedBlock } = deployment
  out.result({ event: "ready", network, chainId, rpc: context.rpcUrl, contracts, deployedBlock, path }, () =>
    [...Object.entries(contracts).map(([name, address]) => `${name.padEnd(11)} ${address}`), `kept in ${path}`].join(
      "\n",
    ),
  )
}

/** What was kept of a local chain that is gone goes before anything of the new one is written. */
function forgetStale(context: Context, genesis: Hex): void {
  const before = readDeployment(deploymentPath(context))
  if (before === undefined || before.genesisHash === genesis) return
  forgetLocal(context)
  context.out.say("the local chain of last time is gone, and what was kept of it with it: starting afresh")
}

async function printDryRun(context: Context): Promise<void> {
  const { dryRun } = await import("../ignition/deploy.ts")
  const { parameters, gas, transactions } = await dryRun(context.network)
  const price = context.named.rpc ? await publicClient(context.rpcUrl).getGasPrice() : undefined
  const cost = price === undefined ? null : gas * price
  context.out.result(
    {
      network: context.network,
      parameters: JSON.parse(toJson(parameters)),
      gas: gas.toString(),
      transactions,
      gasPrice: price?.toString() ?? null,
      cost: cost?.toString() ?? null,
    },
    () =>
      [
        ...Object.entries(parameters).map(([name, value]) => `${name.padEnd(15)} ${value}`),
        `${transactions} transactions, ${gas} gas`,
        cost === null
          ? "give --rpc to see what that costs there"
          : `at ${price} wei a gas: ${formatEther(cost)} native coin`,
        "nothing was sent",
      ].join("\n"),
  )
}
