import { LOCAL_CHAIN_ID } from "#protocol"
import { ROOT } from "./version.ts"

/** A block a second besides the automined ones, so that windows and clocks run out while nothing is sent. */
const BLOCK_INTERVAL_MS = 1000

export type LocalChain = { url: string; chainId: number; close(): Promise<void> }

/** Hardhat's own node in this process; it lives and forgets with it. */
export async function serveChain({ port, host }: { port: number; host: string }): Promise<LocalChain> {
  // Hardhat looks for its configuration from the working directory up.
  process.chdir(ROOT)
  const { default: hre } = await import("hardhat")
  const server = await hre.network.createServer(
    {
      network: "default",
      override: {
        chainId: LOCAL_CHAIN_ID,
        // Blocks of one second may share it: chain time must not run ahead of the clock when many are automined.
        allowBlocksWithSameTimestamp: true,
        mining: { auto: true, interval: BLOCK_INTERVAL_MS },
      },
    },
    host,
    port,
  )
  const at = await server.listen()
  return { url: `http://${at.address}:${at.port}`, chainId: LOCAL_CHAIN_ID, close: () => server.close() }
}
