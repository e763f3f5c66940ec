import type { Command } from "commander"
import { type Home, homeOf, openHome } from "./home.ts"
import { createOutput, type Output } from "./output.ts"
import { readRunState } from "./runState.ts"
import { stopSignal } from "./signals.ts"

export const DEFAULT_RPC = "http://127.0.0.1:8545"
export const DEFAULT_COORDINATOR = "http://127.0.0.1:8787"

/** What every command is given beside its own flags. */
export type Context = {
  readonly out: Output
  readonly home: Home
  readonly network: string
  readonly rpcUrl: string
  readonly coordinatorUrl: string
  /** The URL was named by flag, environment or file, and is not our default. */
  readonly named: { readonly rpc: boolean; readonly coordinator: boolean }
  readonly yes: boolean
  readonly verbose: boolean
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal
}

type Handler<Options> = (context: Context, options: Options, args: string[]) => Promise<void>

/** Wraps a handler as a commander action: one context, made from the flags that every command shares. */
export function action<Options extends object>(handler: Handler<Options>) {
  return async (...given: unknown[]): Promise<void> => {
    const command = given.at(-1) as Command
    const flags = command.optsWithGlobals() as Record<string, unknown>
    await handler(contextOf(flags), flags as Options, command.processedArgs.flat().filter(isText) as string[])
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string"
}

export function contextOf(flags: Record<string, unknown>): Context {
  const text = (name: string) => (typeof flags[name] === "string" ? (flags[name] as string) : undefined)
  const verbose = flags.verbose === true
  const home = openHome(homeOf(flags.home))
  // What `up` runs in this home is found on whatever ports it was given.
  const network = text("network") ?? "local"
  const up = network === "local" ? readRunState(home.path) : undefined
  return {
    out: createOutput({ json: flags.json === true, verbose }),
    home,
    network,
    rpcUrl: text("rpc") ?? up?.rpc ?? DEFAULT_RPC,
    coordinatorUrl: (text("coordinator") ?? up?.url ?? DEFAULT_COORDINATOR).replace(/\/+$/, ""),
    named: { rpc: text("rpc") !== undefined, coordinator: text("coordinator") !== undefined },
    yes: flags.yes === true,
    verbose,
    signal: stopSignal(),
  }
}
