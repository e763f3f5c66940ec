import { readFile } from "node:fs/promises"
import { join } from "node:path"
import type { Address } from "viem"
import { AddressSchema, type Info } from "#protocol"
import { isTransient, type Peer } from "../api/peer.ts"
import { getInfo } from "../api/routes.ts"
import type { Chain } from "../chain/chain.ts"
import { codeOf, textOf } from "../errors.ts"
import type { Events } from "../events.ts"
import { checkCoordinator } from "../join/checkCoordinator.ts"
import { writeDurably } from "../support/files.ts"
import { retry } from "../support/retry.ts"

export type MeetDeps = { chain: Chain; peer: Peer; events: Events }

/** Waits for the coordinator, holds what it says of itself against the chain, and remembers who it is. */
export async function meetCoordinator(
  { chain, peer, events }: MeetDeps,
  { folder, signal }: { folder: string; signal: AbortSignal },
): Promise<Info> {
  const info = await retry(() => getInfo(peer, signal), {
    signal,
    attempts: Number.POSITIVE_INFINITY,
    baseMs: 500,
    maxMs: 5000,
    retryable: isTransient,
    onRetry: (error) => events.wait("coordinator", "refused", codeOf(error), textOf(error)),
  })
  await checkCoordinator(chain, info)
  events.resume("coordinator")
  await writeDurably(join(folder, "coordinator"), info.coordinator)
  return info
}

/** Who it was the last time: a worker whose coordinator has died must still know whose pair backs its own commits. */
export async function rememberedCoordinator(folder: string): Promise<Address | undefined> {
  const text = await readFile(join(folder, "coordinator"), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined
    throw error
  })
  return text === undefined ? undefined : AddressSchema.parse(text)
}
