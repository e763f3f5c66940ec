import { bigint, numeric, text, timestamp } from "drizzle-orm/pg-core"
import type { Address, Hex } from "viem"

// Ids and money go up to 256 bits: `numeric` holds them exactly and sorts them as numbers; a JavaScript number or a
// Postgres bigint would not.
export const uint = (name: string) => numeric(name, { precision: 78, scale: 0, mode: "bigint" })

/** Chain seconds and block numbers: far below 2^53. */
export const count = (name: string) => bigint(name, { mode: "number" })

/** Hashes, byte strings and addresses are kept as lower-case hex, the form of every JSON message. */
export const hex = (name: string) => text(name).$type<Hex>()
export const address = (name: string) => text(name).$type<Address>()

export const when = (name: string) => timestamp(name, { withTimezone: true, mode: "date" })
