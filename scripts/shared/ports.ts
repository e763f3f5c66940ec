import { createServer } from "node:net"
import { CliError, usageError } from "./errors.ts"

export function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65535) throw usageError("E_BAD_PORT", `'${text}' is no port: give 0 to 65535`)
  return port
}

export async function isFree(port: number, host = "127.0.0.1"): Promise<boolean> {
  return (await tryListen(port, host)) !== undefined
}

export async function freePort(host = "127.0.0.1"): Promise<number> {
  const port = await tryListen(0, host)
  if (port === undefined) throw new CliError("E_NO_PORT", `no free port on ${host}`)
  return port
}

export async function demandFree(port: number, flag: string, host = "127.0.0.1"): Promise<void> {
  if (port !== 0 && !(await isFree(port, host))) {
    throw new CliError(
      "E_PORT_IN_USE",
      `port ${port} is in use: stop what listens there, or choose another with ${flag}`,
    )
  }
}

function tryListen(port: number, host: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once("error", () => resolve(undefined))
    server.listen(port, host, () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address ? address.port : undefined))
    })
  })
}
