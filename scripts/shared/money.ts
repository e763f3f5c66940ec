import type { Address, Hex, LocalAccount, PublicClient } from "viem"
import { assayTokenAbi, capabilityOf, type Deployment, type MemoryTier, registryAbi } from "#protocol"
import { openKey } from "./accounts.ts"
import type { Context } from "./action.ts"
import { openDeployment } from "./deployment.ts"
import { ensureNative } from "./funds.ts"
import { transact } from "./transact.ts"

/** The seats that our workers take: the one exact profile there is. */
export const SEAT_PROFILE = "exact-cpu-1"

export type Wallet = {
  context: Context
  deployment: Deployment
  chain: PublicClient
  rpcUrl: string
  account: LocalAccount
  registry: Address
  token: Address
}

/** An account that can pay for its gas, on a chain that is the right one. */
export async function openWallet(context: Context, role: string): Promise<Wallet> {
  const { deployment, chain, rpcUrl } = await openDeployment(context)
  const { account } = await openKey(context, role)
  await ensureNative({ context, chain, rpcUrl, deployment }, account.address)
  const { registry, token } = deployment.contracts
  return { context, deployment, chain, rpcUrl, account, registry, token }
}

export function send(wallet: Wallet, functionName: string, args: readonly unknown[] = []): Promise<Hex> {
  return transact(wallet, { address: wallet.registry, abi: registryAbi, functionName, args })
}

/** The Registry pulls what it is allowed to, and is allowed exactly what it pulls. */
export async function approve(wallet: Wallet, amount: bigint): Promise<void> {
  const { chain, token, account, registry } = wallet
  const allowance = await chain.readContract({
    address: token,
    abi: assayTokenAbi,
    functionName: "allowance",
    args: [account.address, registry],
  })
  if (allowance >= amount) return
  await transact(wallet, { address: token, abi: assayTokenAbi, functionName: "approve", args: [registry, amount] })
}

export function balanceOf({ chain, token, account }: Wallet): Promise<bigint> {
  return chain.readContract({ address: token, abi: assayTokenAbi, functionName: "balanceOf", args: [account.address] })
}

export async function stakeOf({
  chain,
  registry,
  account,
}: Wallet): Promise<{ staked: bigint; unbonding: bigint; unbondAt: bigint; seats: bigint }> {
  const [staked, unbonding, unbondAt, seats] = await chain.readContract({
    address: registry,
    abi: registryAbi,
    functionName: "stakerOf",
    args: [account.address],
  })
  return { staked, unbonding, unbondAt, seats }
}

export async function pairOf(
  { chain, registry, account }: Wallet,
  coordinator: Address,
): Promise<{ free: bigint; owed: bigint; noticeAt: bigint }> {
  const [free, owed, noticeAt] = await chain.readContract({
    address: registry,
    abi: registryAbi,
    functionName: "pairOf",
    args: [account.address, coordinator],
  })
  return { free, owed, noticeAt }
}

/** Coordinators with which an account ever had collateral or pay. Pay alone leaves no event of its own. */
export async function coordinatorsOf(wallet: Wallet, known: readonly Address[]): Promise<Address[]> {
  const { chain, registry, account, deployment } = wallet
  const logs = await chain.getContractEvents({
    address: registry,
    abi: registryAbi,
    eventName: "Allowed",
    args: { account: account.address },
    fromBlock: BigInt(deployment.deployedBlock),
  })
  const found = logs.map((log) => log.args.coordinator).filter((each): each is Address => each !== undefined)
  const unique = new Map([...found, ...known, account.address].map((each) => [each.toLowerCase(), each]))
  return [...unique.values()]
}

export function seatCapability(memoryGiB: MemoryTier): Hex {
  return capabilityOf(SEAT_PROFILE, memoryGiB)
}
