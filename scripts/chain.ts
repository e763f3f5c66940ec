import type { Command } from "commander"
import { action } from "./shared/action.ts"
import { serveChain } from "./shared/localChain.ts"
import { demandFree, parsePort } from "./shared/ports.ts"
import { aborted } from "./shared/signals.ts"

type Options = { port: number; host: string }

export function configure(command: Command): void {
  command
    .description(
      "Run a local Hardhat chain (id 31337): each transaction is mined at once, and a block a second besides. It forgets everything when it stops.",
    )
    .option("--port <n>", "port of the RPC, 0 for any free one", parsePort, 8545)
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .action(
      action<Options>(async ({ out, signal }, { port, host }) => {
        await demandFree(port, "--port", host)
        const chain = await serveChain({ port, host })
        out.event(
          { event: "ready", url: chain.url, rpc: chain.url, chainId: chain.chainId, pid: process.pid },
          () => `ready ${chain.url}`,
        )
        await aborted(signal)
        await chain.close()
        out.event({ event: "stopped" }, () => "stopped; this chain is forgotten")
      }),
    )
}
