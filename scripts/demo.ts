import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Command } from "commander"
import { runDemo } from "./demo/runDemo.ts"
import { action } from "./shared/action.ts"
import { openHome } from "./shared/home.ts"

export function configure(command: Command): void {
  command
    .description(
      "From nothing to paid in one go: a chain, the contracts, a coordinator, three honest workers and a cheat, a real model on real inputs, audit, slashing, payouts, refund, and a check of it all. Leaves nothing running.",
    )
    .option("--keep", "keep the demo's folder, with the logs of its processes")
    .action(
      action<{ keep?: boolean }>(async (context, { keep = false }) => {
        const folder = await mkdtemp(join(tmpdir(), "assay-demo-"))
        try {
          const result = await runDemo({ home: openHome(folder), out: context.out, signal: context.signal })
          context.out.result(result.json, () => result.text)
        } catch (error) {
          if (keep) context.out.say(`the logs are in ${join(folder, "run", "logs")}`)
          throw error
        } finally {
          if (!keep) await rm(folder, { recursive: true, force: true })
        }
      }),
    )
}
