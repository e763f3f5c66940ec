import { statfs } from "node:fs/promises"
import { createRequire } from "node:module"
import { availableParallelism, totalmem } from "node:os"
import { formatEther } from "viem"
import { z } from "zod"
import { keyName } from "./accounts.ts"
import { type Context, DEFAULT_COORDINATOR, DEFAULT_RPC } from "./action.ts"
import { checkChain, deploymentPath, publicClient, readDeployment } from "./deployment.ts"
import { describeError } from "./errors.ts"
import { listKeys } from "./keystore.ts"
import { isFree } from "./ports.ts"

/** `ok: null` says that a check does not apply here: the chain is not running, say. */
export type Finding = { check: string; ok: boolean | null; detail: string; remedy: string | null }

const GIB = 2 ** 30
/** The database, one model and a few hundred artifacts. */
const DISK_NEEDED_GIB = 2
/** Chain time stands in every signed message; windows are seconds on the local network, hours elsewhere. */
const CLOCK_SKEW_S = 120
/** Registering a key, staking, allowing collateral, then a withdrawal a day for a month: about 2.5 million gas. */
const WORKER_GAS = 2_500_000n

export async function findings(context: Context): Promise<Finding[]> {
  return [
    node(),
    ...(await nativeParts()),
    await providers(),
    memory(),
    await disk(context),
    ...(await ports()),
    ...(await chain(context)),
    await coordinator(context),
  ]
}

function good(check: string, detail: string): Finding {
  return { check, ok: true, detail, remedy: null }
}

function node(): Finding {
  const major = Number(process.versions.node.split(".")[0])
  const detail = `${process.versions.node} at ${process.execPath}`
  if (major >= 22) return good("node", detail)
  return { check: "node", ok: false, detail, remedy: "start by ./assay, which finds or fetches Node 22 or newer" }
}

async function nativeParts(): Promise<Finding[]> {
  const require = createRequire(import.meta.url)
  const parts: [string, () => Promise<unknown> | unknown][] = [
    ["onnxruntime-node", () => import("onnxruntime-node")],
    ["hardhat's EDR", () => createRequire(require.resolve("hardhat"))("@nomicfoundation/edr")],
    ["pglite", () => import("@electric-sql/pglite")],
  ]
  return Promise.all(
    parts.map(async ([check, load]): Promise<Finding> => {
      try {
        await load()
        return good(check, `loads on ${process.platform} ${process.arch}`)
      } catch (error) {
        return {
          check,
          ok: false,
          detail: describeError(error).message,
          remedy: "remove node_modules and run ./assay again; it installs with the Node that runs it",
        }
      }
    }),
  )
}

async function providers(): Promise<Finding> {
  try {
    const { listSupportedBackends } = (await import("onnxruntime-node")) as unknown as {
      listSupportedBackends: () => { name: string; bundled: boolean }[]
    }
    const names = listSupportedBackends().map((backend) => backend.name)
    return good("providers", `${names.join(", ")} (exact work runs on cpu)`)
  } catch (error) {
    return { check: "providers", ok: false, detail: describeError(error).message, remedy: "see onnxruntime-node above" }
  }
}

function memory(): Finding {
  const gib = totalmem() / GIB
  const detail = `${gib.toFixed(1)} GiB, ${availableParallelism()} cores`
  if (gib >= 1.8) return good("memory", detail)
  return { check: "memory", ok: false, detail, remedy: "a worker of the smallest tier needs 2 GiB" }
}

async function disk(context: Context): Promise<Finding> {
  const { bavail, bsize } = await statfs(context.home.path)
  const gib = (bavail * bsize) / GIB
  const detail = `${gib.toFixed(1)} GiB free at ${context.home.path}`
  if (gib >= DISK_NEEDED_GIB) return good("disk", detail)
  return {
    check: "disk",
    ok: false,
    detail,
    remedy: `free some space (${DISK_NEEDED_GIB} GiB are wanted), or choose another --home`,
  }
}

async function ports(): Promise<Finding[]> {
  const wanted = [
    [Number(new URL(DEFAULT_RPC).port), "chain", "--rpc-port"],
    [Number(new URL(DEFAULT_COORDINATOR).port), "coordinator", "--port"],
  ] as const
  return Promise.all(
    wanted.map(async ([port, who, flag]): Promise<Finding> => {
      if (await isFree(port)) return good(`port ${port}`, `free for the ${who}`)
      return {
        check: `port ${port}`,
        ok: null,
        detail: `in use, by our own ${who} or by something else`,
        remedy: `if it is something else, give \`assay up ${flag}\` another`,
      }
    }),
  )
}

async function chain(context: Context): Promise<Finding[]> {
  const deployment = readDeployment(deploymentPath(context))
  const rpcUrl = context.named.rpc ? context.rpcUrl : (deployment?.rpcUrl ?? context.rpcUrl)
  const client = publicClient(rpcUrl)
  let block: Awaited<ReturnType<typeof client.getBlock>>
  try {
    block = await client.getBlock()
  } catch {
    const detail = `no chain answers at ${rpcUrl}`
    return [
      {
        check: "chain",
        ok: context.named.rpc ? false : null,
        detail,
        remedy: "start one with `assay up`, or name one with --rpc",
      },
    ]
  }
  const found = [good("chain", `${rpcUrl}, chain ${await client.getChainId()}, block ${block.number}`)]
  const skew = Number(block.timestamp) - Math.floor(Date.now() / 1000)
  found.push(
    Math.abs(skew) <= CLOCK_SKEW_S
      ? good("clock", `${skew} s between the chain's last block and this machine`)
      : {
          check: "clock",
          ok: false,
          detail: `${skew} s between the chain's last block and this machine`,
          remedy: "set this machine's clock (NTP), or check that the RPC is in sync",
        },
  )
  if (!deployment)
    return [
      ...found,
      {
        check: "contracts",
        ok: null,
        detail: `none known on '${context.network}'`,
        remedy: "`assay deploy`, or --coordinator URL",
      },
    ]
  try {
    await checkChain(client, deployment, rpcUrl)
    found.push(good("contracts", `market ${deployment.contracts.market}`))
  } catch (error) {
    return [...found, { check: "contracts", ok: false, detail: describeError(error).message, remedy: "`assay up`" }]
  }
  const price = block.baseFeePerGas ?? 0n
  for (const key of listKeys(context.home.keys).filter(({ name }) => name === keyName(context, "worker"))) {
    const balance = await client.getBalance({ address: key.address })
    const needed = WORKER_GAS * price * 2n
    found.push(
      balance >= needed
        ? good("worker's gas", `${formatEther(balance)} native coin at ${key.address}`)
        : {
            check: "worker's gas",
            ok: false,
            detail: `${formatEther(balance)} native coin at ${key.address}, about ${formatEther(needed)} is needed`,
            remedy: "send it some: it pays for registering a key, staking, collateral and withdrawals",
          },
    )
  }
  return found
}

const Ready = z.object({ version: z.string() })

async function coordinator(context: Context): Promise<Finding> {
  try {
    const response = await fetch(`${context.coordinatorUrl}/v1/info`, { signal: AbortSignal.timeout(3000) })
    const { version } = Ready.parse(await response.json())
    return good("coordinator", `${context.coordinatorUrl}, version ${version}`)
  } catch {
    return {
      check: "coordinator",
      ok: context.named.coordinator ? false : null,
      detail: `none answers at ${context.coordinatorUrl}`,
      remedy: "start one with `assay up`, or name one with --coordinator",
    }
  }
}
