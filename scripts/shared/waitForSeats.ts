import { setTimeout as sleep } from "node:timers/promises"
import { InfoSchema } from "#protocol"
import { CliError } from "./errors.ts"

const POLL_MS = 200
const PATIENCE_MS = 60_000

/** Stakes are on chain before the coordinator has read them; a job posted in between would find no verifiers (R25). */
export async function waitForSeats(coordinatorUrl: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    const response = await fetch(`${coordinatorUrl}/v1/info`)
    const { capabilities, params } = InfoSchema.parse(await response.json())
    if (capabilities.some(({ seats, owners }) => seats >= params.minSeats && owners >= params.minOwners)) return
    if (Date.now() > deadline) {
      throw new CliError(
        "E_NO_SEATS",
        `${coordinatorUrl} sees too few seats after ${PATIENCE_MS / 1000} s: see its log`,
      )
    }
    await sleep(POLL_MS)
  }
}
