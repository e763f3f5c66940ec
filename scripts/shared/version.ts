import { readFileSync } from "node:fs"
import { join } from "node:path"

const manifest = JSON.parse(readFileSync(join(import.meta.dirname, "..", "..", "package.json"), "utf8")) as {
  version: string
}

export const VERSION = manifest.version

/** The folder of the clone: contracts, examples and docs are read from here, whatever the working directory is. */
export const ROOT = join(import.meta.dirname, "..", "..")
