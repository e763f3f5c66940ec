import { setTimeout as sleep } from "node:timers/promises"
import { InfoSchema } from "#protocol"
import { CliError } from "./errors.ts"

const POLL_MS = 200
const PATIENCE_MS = 60_000

export type ExactSeats = { readonly seats: number; readonly owners: number }

/**
 * Stakes are on chain before the coordinator has read them; a job posted in between would find no verifiers (R25).
 * With `exactly`, those who left are waited for as well.
 */
export async function waitForSeats(coordinatorUrl: string, exactly?: ExactSeats): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const response = await fetch(`${coordinatorUrl}/v1/info`)
    const { capabilities, params } = InfoSchema.parse(await response.json())
    const there = exactly
      ? capabilities.some(({ seats, owners }) => seats === exactly.seats && owners === exactly.owners)
      : capabilities.some(({ seats, owners }) => seats >= params.minSeats && owners >= params.minOwners)
    if (there) return
    if (Date.now() > deadline) {
      throw new CliError(
        "E_NO_SEATS",
        `${coordinatorUrl} sees too few seats after ${PATIENCE_MS / 1000} s: see its log`,
      )
    }
    await sleep(POLL_MS)
  }
}
