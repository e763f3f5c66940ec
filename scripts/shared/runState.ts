import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { z } from "zod"
import { homeOf } from "./home.ts"
import { isAlive } from "./lockFile.ts"

const RunState = z.object({
  pid: z.number().int(),
  url: z.string(),
  rpc: z.string(),
  chainId: z.number().int(),
  contracts: z.record(z.string(), z.string()),
  coordinator: z.string(),
  workers: z.array(z.object({ role: z.string(), account: z.string(), pid: z.number().int(), verifyOnly: z.boolean() })),
  startedAt: z.string(),
})
/** What `up` keeps running, for `down` and for every command that wants to find it. */
export type RunState = z.infer<typeof RunState>

function statePath(home: string): string {
  return join(home, "run", "up.json")
}

/** Undefined when nothing runs: the file of an `up` that was killed counts for nothing. */
export function readRunState(home: string = homeOf(undefined)): RunState | undefined {
  const path = statePath(home)
  if (!existsSync(path)) return undefined
  const parsed = RunState.safeParse(JSON.parse(readFileSync(path, "utf8")))
  return parsed.success && isAlive(parsed.data.pid) ? parsed.data : undefined
}

export function writeRunState(home: string, state: RunState): void {
  const path = statePath(home)
  writeFileSync(`${path}.part`, `${JSON.stringify(state, null, 2)}\n`)
  renameSync(`${path}.part`, path)
}

export function removeRunState(home: string): void {
  rmSync(statePath(home), { force: true })
}
