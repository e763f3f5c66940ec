import { type Address, type Hex, isAddressEqual } from "viem"
import type { Chain } from "../chain/chain.ts"
import type { Sender } from "../chain/sender.ts"
import type { Emit } from "../events.ts"

export type SeatDeps = { chain: Chain; sender: Sender; emit: Emit }

/** The caller has passed the capability's self-test (R25) and has the tokens. */
export async function takeSeats(
  { chain, sender, emit }: SeatDeps,
  { capability, seats }: { capability: Hex; seats: number },
): Promise<void> {
  const { registry } = chain
  const [owned, price] = await Promise.all([
    registry.read.seatCount([capability, sender.address]),
    registry.read.SEAT(),
  ])
  const missing = seats - Number(owned)
  if (missing > 0) {
    const call = { address: registry.address, abi: registry.abi, functionName: "stake" } as const
    const { transactionHash: tx } = await sender.send({ ...call, args: [capability, missing] })
    emit({ kind: "staked", seats, amount: BigInt(missing) * price, capability, tx })
    return
  }
  emit({ kind: "staked", seats: Number(owned), amount: 0n, capability })
}

/** R25: a machine that fails the self-test later takes its seats out of the draw, before it is called and fails. */
export async function leaveSeats({ chain, sender }: SeatDeps, capability: Hex): Promise<number> {
  const { registry } = chain
  const seats = await seatsOwnedBy(chain, { capability, account: sender.address })
  if (seats.length === 0) return 0
  const call = { address: registry.address, abi: registry.abi, functionName: "requestUnstake" } as const
  await sender.send({ ...call, args: [capability, seats.toReversed()] })
  return seats.length
}

async function seatsOwnedBy(
  { registry }: Chain,
  { capability, account }: { capability: Hex; account: Address },
): Promise<number[]> {
  const [[count], owned] = await Promise.all([
    registry.read.seatsOf([capability]),
    registry.read.seatCount([capability, account]),
  ])
  const seats: number[] = []
  for (let seat = 0n; seat < count && BigInt(seats.length) < owned; seat++) {
    if (isAddressEqual(await registry.read.seatOwner([capability, seat]), account)) seats.push(Number(seat))
  }
  return seats
}
