import { setTimeout as sleep } from "node:timers/promises"
import type { Command } from "commander"
import { action } from "./shared/action.ts"
import { isAlive } from "./shared/lockFile.ts"
import { readRunState, removeRunState } from "./shared/runState.ts"

/** Workers finish or give back their leases, which takes seconds; what does not listen is ended. */
const GRACE_MS = 40_000

export function configure(command: Command): void {
  command.action(
    action(async ({ home, out }) => {
      const state = readRunState(home.path)
      if (!state) {
        removeRunState(home.path)
        out.result({ stopped: [] }, () => "nothing is up")
        return
      }
      process.kill(state.pid, "SIGTERM")
      const pids = [state.pid, ...state.workers.map((worker) => worker.pid)]
      const deadline = Date.now() + GRACE_MS
      while (isAlive(state.pid) && Date.now() < deadline) await sleep(100)
      for (const pid of pids.filter(isAlive)) process.kill(pid, "SIGKILL")
      removeRunState(home.path)
      out.result({ stopped: pids }, () => `stopped ${state.url}; the local chain is forgotten`)
    }),
  )
}
