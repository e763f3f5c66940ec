import type { JobProgress } from "#client"
import { formatCount } from "#protocol"
import type { Output } from "./output.ts"

export type Progress = { show(progress: JobProgress): void; end(): void }

const WIDTH = 24

/** A bar that redraws on a terminal; a plain line a change otherwise. */
export function createProgress(out: Output): Progress {
  let open = false
  return {
    show(progress) {
      const text = describeProgress(progress)
      if (!out.terminal) {
        out.say(text)
        return
      }
      process.stdout.write(`\r\u001b[2K${bar(progress)} ${text}`)
      open = true
    },
    end() {
      if (open) process.stdout.write("\n")
      open = false
    },
  }
}

export function describeProgress({ counts, shards, state, reason }: JobProgress): string {
  const { queued, leased, received, committed, attested, final } = counts
  const parts = [
    [queued, "queued"],
    [leased, "computing"],
    [received, "computed"],
    [committed, "committed"],
    [attested, "in the window"],
    [final, "final"],
  ] as const
  const some = parts.filter(([count]) => count > 0).map(([count, name]) => `${count} ${name}`)
  const waiting = final === 0 && leased + received + committed + attested === 0 && state !== "submitted"
  return `${formatCount(shards, "shard")}: ${some.join(", ") || state}${waiting ? ` (${reason.text})` : ""}`
}

/** How far shards are on their way, not how many have arrived: five steps from queue to payout. */
function bar({ counts, shards }: JobProgress): string {
  const { leased, received, committed, attested, final } = counts
  const way = leased * 0.2 + received * 0.4 + committed * 0.6 + attested * 0.8 + final
  const filled = Math.round((way / Math.max(1, shards)) * WIDTH)
  return `[${"#".repeat(filled)}${"-".repeat(WIDTH - filled)}]`
}
