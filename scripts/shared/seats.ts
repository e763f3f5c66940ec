import type { Hex } from "viem"
import { registryAbi } from "#protocol"
import type { Context } from "./action.ts"
import { openWallet, seatCapability, send, type Wallet } from "./money.ts"

/** Descending, as the Registry wants them: the highest seat takes the number of one that leaves. */
export async function ownedSeats({ chain, registry, account }: Wallet, capability: Hex): Promise<number[]> {
  const [seats] = await chain.readContract({
    address: registry,
    abi: registryAbi,
    functionName: "seatsOf",
    args: [capability],
  })
  const owned: number[] = []
  for (let seat = Number(seats) - 1; seat >= 0; seat--) {
    const owner = await chain.readContract({
      address: registry,
      abi: registryAbi,
      functionName: "seatOwner",
      args: [capability, BigInt(seat)],
    })
    if (owner === account.address) owned.push(seat)
  }
  return owned
}

/** Gives back every seat of a key: from the next block on it is drawn no more. */
export async function unstakeAll(context: Context, role: string): Promise<void> {
  const wallet = await openWallet(context, role)
  const capability = seatCapability(2)
  const seats = await ownedSeats(wallet, capability)
  if (seats.length > 0) await send(wallet, "requestUnstake", [capability, seats])
}
