import { and, desc, eq } from "drizzle-orm"
import { type Address, type Hex, hexToString } from "viem"
import { formatAmount } from "#protocol"
import { keys, seatCounts, seats } from "../../store/schema.ts"
import { lower } from "../client.ts"
import { type ApplyContext, tell } from "./context.ts"
import type { RegistryEvent } from "./logs.ts"

/** Seats, session keys and what touches a slot of this coordinator. */
export async function applyRegistry(context: ApplyContext, event: RegistryEvent): Promise<void> {
  const { db, block } = context
  switch (event.eventName) {
    case "Staked": {
      const { account, capability, firstSeat, count } = event.args
      for (let i = 0; i < Number(count); i++) await setOwner(context, capability, Number(firstSeat) + i, account)
      await setCount(context, capability, Number(firstSeat) + Number(count))
      return tell(context, { code: "STAKED", text: `${count} seats taken (R25)`, worker: account })
    }
    // The moves of the seats that fill the holes come as SeatMoved.
    case "UnstakeRequested": {
      const { account, capability, seats } = event.args
      await setCount(context, capability, (await seatTotal(context, capability)) - seats.length)
      return tell(context, {
        code: "UNSTAKE_REQUESTED",
        text: `${seats.length} seats left the draw (R25)`,
        worker: account,
      })
    }
    case "Evicted": {
      const { owner, capability } = event.args
      await setCount(context, capability, (await seatTotal(context, capability)) - 1)
      return tell(context, {
        code: "EVICTED",
        text: "a seat whose stake no longer covers it left the draw",
        worker: owner,
      })
    }
    case "SeatMoved":
      return setOwner(context, event.args.capability, Number(event.args.seat), event.args.owner)
    case "KeyRegistered":
      await db
        .insert(keys)
        .values({ key: lower(event.args.key), account: lower(event.args.account), fromBlock: block })
        .onConflictDoNothing()
      return tell(context, {
        code: "KEY_REGISTERED",
        text: `the session key ${lower(event.args.key)} counts from the next block on (R8)`,
        worker: event.args.account,
      })
    case "KeyRevoked":
      await db
        .update(keys)
        .set({ revokedBlock: block })
        .where(eq(keys.key, lower(event.args.key)))
      return tell(context, {
        code: "KEY_REVOKED",
        text: `the session key ${lower(event.args.key)} counts for batches committed until now (R8)`,
        worker: event.args.account,
      })
    case "SeatSlashed": {
      const { account, coordinator, amount, burned, reason } = event.args
      context.touchPair(account, coordinator)
      return tell(context, {
        code: "SEAT_SLASHED",
        text: `${formatAmount(amount)} of the seat's stake is lost (${asciiOf(reason)}), ${formatAmount(burned)} of it burned (R12, R22)`,
        worker: account,
        data: { amount: amount.toString(), burned: burned.toString(), reason: asciiOf(reason) },
      })
    }
    case "Rewarded": {
      const { account, coordinator, amount, reason } = event.args
      context.touchPair(account, coordinator)
      return tell(context, {
        code: "REWARDED",
        text: `${formatAmount(amount)} of a slash (${asciiOf(reason)}) is owed (R12)`,
        worker: account,
        data: { amount: amount.toString() },
      })
    }
    case "Withdrawn": {
      const { account, coordinator, amount } = event.args
      context.touchPair(account, coordinator)
      return tell(context, { code: "WITHDRAWN", text: `${formatAmount(amount)} withdrawn (R10)`, worker: account })
    }
    case "NoticeGiven": {
      const { account, coordinator, at } = event.args
      context.touchPair(account, coordinator)
      return tell(context, {
        code: "NOTICE_GIVEN",
        text: `free collateral may leave from ${at} on: no new leases (R13)`,
        worker: account,
      })
    }
    case "Allowed":
    case "TakenOut": {
      const { account, coordinator, amount } = event.args
      context.touchPair(account, coordinator)
      if (lower(coordinator) !== lower(context.coordinator)) return
      const isIn = event.eventName === "Allowed"
      return tell(context, {
        code: isIn ? "ALLOWED" : "TAKEN_OUT",
        text: `${formatAmount(amount)} of collateral moved ${isIn ? "in" : "out"} (R13)`,
        worker: account,
        data: { amount: amount.toString() },
      })
    }
    case "NoticeCancelled":
    case "FlagCleared":
      return context.touchPair(event.args.account, event.args.coordinator)
  }
}

async function setOwner({ db, block }: ApplyContext, capability: Hex, seat: number, owner: Address): Promise<void> {
  await db
    .insert(seats)
    .values({ capability: lower(capability), seat, fromBlock: block, owner: lower(owner) })
    .onConflictDoUpdate({ target: [seats.capability, seats.seat, seats.fromBlock], set: { owner: lower(owner) } })
}

async function setCount({ db, block }: ApplyContext, capability: Hex, total: number): Promise<void> {
  await db
    .insert(seatCounts)
    .values({ capability: lower(capability), fromBlock: block, seats: total })
    .onConflictDoUpdate({ target: [seatCounts.capability, seatCounts.fromBlock], set: { seats: total } })
}

async function seatTotal({ db }: ApplyContext, capability: Hex): Promise<number> {
  const [row] = await db
    .select({ seats: seatCounts.seats })
    .from(seatCounts)
    .where(and(eq(seatCounts.capability, lower(capability))))
    .orderBy(desc(seatCounts.fromBlock))
    .limit(1)
  return row?.seats ?? 0
}

/** Reasons are ASCII in a bytes32. */
function asciiOf(reason: Hex): string {
  return hexToString(reason, { size: 32 }).replace(/[^\x20-\x7e]/g, "")
}
