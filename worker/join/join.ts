import { type Address, type Hex, type LocalAccount, maxUint256 } from "viem"
import type { Chain } from "../chain/chain.ts"
import type { Sender } from "../chain/sender.ts"
import type { Events } from "../events.ts"
import { ensureNative, ensureTokens } from "./funds.ts"
import { takeSeats } from "./seats.ts"
import { registerSessionKey } from "./sessionKey.ts"

export type JoinDeps = { chain: Chain; sender: Sender; session: LocalAccount; events: Events }
export type JoinParams = {
  capability: Hex
  coordinator: Address
  seats: number
  /** What the coordinator may lock of this worker's (R13); 0 for one that only verifies. */
  collateral: bigint
  signal: AbortSignal
}

/**
 * From an account to a worker that may lease and is drawn: gas, tokens, session key, seats, collateral. Each step looks
 * at the chain first, so a worker that was interrupted goes on, and one that is ready sends nothing.
 */
export async function join(deps: JoinDeps, params: JoinParams): Promise<void> {
  const { chain, sender, session, events } = deps
  const { capability, coordinator, seats, collateral, signal } = params
  const { registry } = chain
  await ensureNative(deps, signal)
  await registerSessionKey(deps, session)
  const [owned, price, [free, , noticeAt]] = await Promise.all([
    registry.read.seatCount([capability, sender.address]),
    registry.read.SEAT(),
    registry.read.pairOf([sender.address, coordinator]),
  ])
  const seatMoney = owned < BigInt(seats) ? (BigInt(seats) - owned) * price : 0n
  // What is locked in batches comes back; topping up for it at every start would only grow the pile.
  const topUp = free === 0n ? collateral : 0n
  if (seatMoney + topUp > 0n) {
    await ensureTokens(deps, { needed: seatMoney + topUp, signal })
    await approve(deps, seatMoney + topUp)
  }
  await takeSeats({ chain, sender, emit: events.emit }, { capability, seats })
  if (topUp > 0n) {
    const call = { address: registry.address, abi: registry.abi, functionName: "allow" } as const
    await sender.send({ ...call, args: [coordinator, topUp] })
  }
  if (noticeAt > 0n) {
    events.emit({ kind: "refused", code: "WORKER_NOTICE", text: "notice is given for this worker's collateral (R13)" })
  }
}

async function approve({ chain, sender }: JoinDeps, amount: bigint): Promise<void> {
  const { token, registry } = chain
  if ((await token.read.allowance([sender.address, registry.address])) >= amount) return
  const call = { address: token.address, abi: token.abi, functionName: "approve" } as const
  // The Registry pulls only on this account's own calls; one approval saves one before every top-up.
  await sender.send({ ...call, args: [registry.address, maxUint256] })
}
