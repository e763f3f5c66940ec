import type { Address } from "viem"
import type { Chain } from "../chain/chain.ts"
import type { Sender } from "../chain/sender.ts"

export type WithdrawDeps = { chain: Chain; sender: Sender }
export type WithdrawParams = { withdrawAt: bigint; coordinators: readonly Address[] }

/** Takes what is owed once it is `withdrawAt`: pay accumulates, since every withdrawal costs gas (R10). */
export async function withdrawWhenDue(
  { chain, sender }: WithdrawDeps,
  { withdrawAt, coordinators }: WithdrawParams,
): Promise<void> {
  const { registry } = chain
  const due: Address[] = []
  let total = 0n
  for (const coordinator of coordinators) {
    const [, owed] = await registry.read.pairOf([sender.address, coordinator])
    if (owed > 0n) due.push(coordinator)
    total += owed
  }
  if (total === 0n || total < withdrawAt) return
  const call = { address: registry.address, abi: registry.abi, functionName: "withdraw" } as const
  await sender.send({ ...call, args: [due] })
}
