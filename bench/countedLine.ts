import { once } from "node:events"
import { type AddressInfo, connect, createServer } from "node:net"

/** A way to a server that counts what goes over it, both ways. */
export type CountedLine = { readonly url: string; bytes(): number; close(): void }

export async function openCountedLine(to: string): Promise<CountedLine> {
  const { hostname, port } = new URL(to)
  let bytes = 0
  const server = createServer((near) => {
    const far = connect(Number(port), hostname)
    for (const [from, into] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on("data", (chunk) => {
        bytes += chunk.length
      })
      from.pipe(into)
      from.on("error", () => into.destroy())
      from.on("close", () => into.destroy())
    }
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url, bytes: () => bytes, close: () => void server.close() }
}
