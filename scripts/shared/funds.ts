import { type Address, createWalletClient, http, type LocalAccount, type PublicClient, parseEther } from "viem"
import { assayTokenAbi, type Deployment, formatAmount } from "#protocol"
import { isLocal } from "./accounts.ts"
import type { Context } from "./action.ts"
import { CliError } from "./errors.ts"
import { transact } from "./transact.ts"

const NATIVE_LOW = parseEther("10")
const NATIVE_GIFT = parseEther("100")

export type FundDeps = { context: Context; chain: PublicClient; rpcUrl: string; deployment: Deployment }

/** On the local network: native coin from the node's first account, which the node itself signs for. */
export async function ensureNative({ context, chain, rpcUrl }: FundDeps, address: Address): Promise<void> {
  if (!isLocal(context) || (await chain.getBalance({ address })) >= NATIVE_LOW) return
  const wallet = createWalletClient({ transport: http(rpcUrl) })
  const [first] = await wallet.getAddresses()
  if (!first)
    throw new CliError("E_NO_GAS", `the chain at ${rpcUrl} has no account of its own: send native coin to ${address}`)
  const hash = await wallet.sendTransaction({ account: first, to: address, value: NATIVE_GIFT, chain: null })
  await chain.waitForTransactionReceipt({ hash })
}

/** Tokens from the faucet, as long as they are short and it gives. */
export async function ensureTokens(deps: FundDeps, account: LocalAccount, needed: bigint): Promise<bigint> {
  const { context, chain, deployment } = deps
  const { token } = deployment.contracts
  const balanceOf = () =>
    chain.readContract({ address: token, abi: assayTokenAbi, functionName: "balanceOf", args: [account.address] })
  let balance = await balanceOf()
  if (balance >= needed) return balance
  await ensureNative(deps, account.address)
  const available = await chain.readContract({
    address: token,
    abi: assayTokenAbi,
    functionName: "faucetAvailableAt",
    args: [account.address],
  })
  const { timestamp } = await chain.getBlock()
  if (available <= timestamp) {
    await transact({ ...deps, account }, { address: token, abi: assayTokenAbi, functionName: "faucet" })
    balance = await balanceOf()
    context.out.detail(`the faucet gave ${account.address} tokens: ${formatAmount(balance)}`)
  }
  if (balance < needed) {
    throw new CliError(
      "E_BALANCE",
      `${account.address} has ${formatAmount(balance)}, ${formatAmount(needed)} are needed: the faucet gives again at ${new Date(Number(available) * 1000).toISOString()}`,
    )
  }
  return balance
}
