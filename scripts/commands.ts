import type { Command } from "commander"

/** What a command's file gives: its flags and its handler, put on a commander command that has name and summary. */
export type CommandModule = { configure: (command: Command) => void }

export type CommandEntry = {
  readonly name: string
  readonly group: string
  readonly summary: string
  readonly example: string
  readonly load: () => Promise<CommandModule>
}

const start = "Start here"
const _requester = "Have work done"
const _worker = "Earn"
const _look = "Look and check"
const operator = "Run the parts"

/** Only names and one line each: `assay help` must not load what it only lists. */
export const commands: readonly CommandEntry[] = [
  {
    name: "doctor",
    group: start,
    summary: "check this machine and say what to do",
    example: "assay doctor",
    load: () => import("./doctor.ts"),
  },
  {
    name: "keys",
    group: operator,
    summary: "list, import, export and rotate keys",
    example: "assay keys list",
    load: () => import("./keys.ts"),
  },
  {
    name: "chain",
    group: operator,
    summary: "run a local Hardhat chain; it forgets when it stops",
    example: "assay chain --port 8545",
    load: () => import("./chain.ts"),
  },
  {
    name: "test",
    group: operator,
    summary: "run the test suite",
    example: "assay test",
    load: () => import("./test.ts"),
  },
]
