import { type Address, formatEther, type Hex, parseEther } from "viem"
import type { Chain } from "../chain/chain.ts"
import type { Sender } from "../chain/sender.ts"
import { workerError } from "../errors.ts"
import type { Events } from "../events.ts"
import { sleep } from "../support/sleep.ts"

/**
 * Gas that a worker may need before its first pay: approve, register, stake, allow, then a vote and a commit of its
 * own (the dearest: about 400,000).
 */
const GAS_TO_BEGIN = 2_000_000n
const POLL_MS = 3000

export type FundsDeps = { chain: Chain; sender: Sender; events: Events }

/** Waits until there is native coin for gas; on the local chain the node's first account gives it. */
export async function ensureNative({ chain, sender, events }: FundsDeps, signal: AbortSignal): Promise<void> {
  for (;;) {
    const [balance, price] = await Promise.all([
      chain.client.getBalance({ address: sender.address }),
      chain.client.getGasPrice(),
    ])
    // Twice the price of now: it moves by an eighth a block.
    const needed = 2n * price * GAS_TO_BEGIN
    if (balance >= needed) return events.resume("native")
    if (chain.isLocal) {
      await giveLocally(chain, sender.address)
      continue
    }
    events.wait(
      "native",
      "refused",
      "E_NATIVE_SHORT",
      `account ${sender.address} has ${formatEther(balance)} native coin and needs ${formatEther(needed)} for gas`,
    )
    await sleep(POLL_MS, signal)
  }
}

/** The local node's own accounts are unlocked: it signs for them. */
async function giveLocally({ client }: Chain, to: Address): Promise<void> {
  const [from] = (await client.request({ method: "eth_accounts" } as never)) as Address[]
  if (!from) throw workerError("E_NATIVE_SHORT", "the local node has no account of its own to fund this one from")
  const value = `0x${parseEther("10").toString(16)}`
  const request = { method: "eth_sendTransaction", params: [{ from, to, value }] }
  const hash = (await client.request(request as never)) as Hex
  await client.waitForTransactionReceipt({ hash, pollingInterval: 100 })
}

/** Waits until the account has so many tokens; on a network with a faucet it helps itself as often as it may. */
export async function ensureTokens(
  { chain, sender, events }: FundsDeps,
  { needed, signal }: { needed: bigint; signal: AbortSignal },
): Promise<void> {
  const { token, client } = chain
  for (;;) {
    const balance = await token.read.balanceOf([sender.address])
    if (balance >= needed) return events.resume("tokens")
    const [availableAt, block] = await Promise.all([
      token.read.faucetAvailableAt([sender.address]),
      client.getBlock({ blockTag: "latest" }),
    ])
    if (chain.isLocal && block.timestamp >= availableAt) {
      await sender.send({ address: token.address, abi: token.abi, functionName: "faucet", args: [] })
      continue
    }
    events.wait(
      "tokens",
      "refused",
      "E_BALANCE_SHORT",
      `account ${sender.address} has ${formatEther(balance)} tokens and needs ${formatEther(needed)} for seats and collateral`,
    )
    await sleep(POLL_MS, signal)
  }
}
