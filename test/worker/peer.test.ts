import assert from "node:assert/strict"
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { type TestContext, test } from "node:test"
import { z } from "zod"
import { recoverRequest } from "#protocol"
import { createPeer, isTransient, type Peer } from "../../worker/api/peer.ts"
import { sha256Of } from "../../worker/artifacts/cache.ts"
import { DOMAIN, lower, NOW, SESSION, WORKER } from "./support/job.ts"

const { signal } = new AbortController()
const Answer = z.object({ ok: z.boolean() })

type Handler = (request: IncomingMessage, body: Buffer, response: ServerResponse) => void

async function serving(t: TestContext, handler: Handler): Promise<Peer> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    handler(request, Buffer.concat(chunks), response)
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return peerAt(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

const peerAt = (url: string) =>
  createPeer({ url, account: WORKER.address, signer: SESSION, domain: DOMAIN, now: () => NOW })
const answer =
  (status: number, body: unknown): Handler =>
  (_request, _body, response) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
  }
const ask = (peer: Peer, path = "/v1/thing?a=1") =>
  peer.ask({ method: "POST", path, body: { a: 1 }, schema: Answer, signal })

test("behavior: a request is signed over method, path with query and raw body, in chain time", async (t) => {
  const seen: unknown[] = []
  const peer = await serving(t, async ({ method, url, headers }, body, response) => {
    seen.push(await recoverRequest({ domain: DOMAIN, headers, method: method!, path: url!, body }))
    response.end(JSON.stringify({ ok: true }))
  })
  assert.deepEqual(await ask(peer), { ok: true })
  const [{ account, signer, expiry }] = seen as [{ account: string; signer: string; expiry: bigint }]
  assert.deepEqual([account, signer], [lower(WORKER.address), SESSION.address])
  assert.ok(expiry > NOW && expiry <= NOW + 120n)
})

test("behavior: an upload is bound by the hash in its path", async (t) => {
  const bytes = Buffer.from("some outputs")
  const seen: unknown[] = []
  const peer = await serving(t, async ({ method, url, headers }, body, response) => {
    seen.push(await recoverRequest({ domain: DOMAIN, headers, method: method!, path: url!, body: "streamed" }), body)
    response.writeHead(201).end()
  })
  await peer.upload(sha256Of(bytes), bytes, signal)
  assert.equal((seen[0] as { signer: string }).signer, SESSION.address)
  assert.deepEqual(seen[1], bytes)
})

test("behavior: 204 is no answer", async (t) => {
  const peer = await serving(t, (_request, _body, response) => response.writeHead(204).end())
  assert.equal(await ask(peer), undefined)
})

test("error: a refusal keeps the peer's code; only an overload or a fault of its own is worth another try", async (t) => {
  const refused = await serving(t, answer(409, { code: "E_LEASE_ENDED", message: "it ran out" }))
  await assert.rejects(ask(refused), (error) => {
    assert.equal((error as { code: string }).code, "E_LEASE_ENDED")
    return !isTransient(error)
  })
  const busy = await serving(t, answer(429, { code: "E_RATE_LIMIT", message: "wait" }))
  await assert.rejects(ask(busy), isTransient)
  const broken = await serving(t, answer(502, "bad gateway"))
  await assert.rejects(
    ask(broken),
    (error) => (error as { code: string }).code === "E_COORDINATOR_DOWN" && isTransient(error),
  )
})

test("error: a message that does not fit its schema is refused, whatever it is", async (t) => {
  for (const body of [{ ok: "yes" }, [], null, "text"]) {
    await assert.rejects(ask(await serving(t, answer(200, body))), { code: "E_PEER_MESSAGE" })
  }
})

test("error: a redirect is not followed: it would carry a signed request to another host", async (t) => {
  const peer = await serving(t, (_request, _body, response) => {
    response.writeHead(307, { location: "http://127.0.0.1:9/" }).end()
  })
  await assert.rejects(ask(peer), { code: "E_COORDINATOR_DOWN" })
})

test("error: nobody there", async () => {
  await assert.rejects(ask(peerAt("http://127.0.0.1:9")), { code: "E_COORDINATOR_DOWN" })
})
