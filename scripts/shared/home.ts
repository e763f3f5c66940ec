import { mkdirSync } from "node:fs"
import { homedir } from "node:os"
import { join, resolve } from "node:path"

export type Home = {
  readonly path: string
  readonly keys: string
  readonly run: string
  readonly networks: string
}

export function homeOf(flag: unknown): string {
  if (typeof flag === "string" && flag !== "") return resolve(flag)
  return resolve(process.env.ASSAY_HOME || join(homedir(), ".assay"))
}

/** Keys are for their owner alone, hence the mode. */
export function openHome(path: string): Home {
  const home = { path, keys: join(path, "keys"), run: join(path, "run"), networks: join(path, "networks") }
  mkdirSync(home.path, { recursive: true, mode: 0o700 })
  for (const dir of [home.keys, home.run, home.networks]) mkdirSync(dir, { recursive: true, mode: 0o700 })
  return home
}
