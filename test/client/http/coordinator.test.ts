import assert from "node:assert/strict"
import { once } from "node:events"
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { type TestContext, test } from "node:test"
import { privateKeyToAccount } from "viem/accounts"
import { bundleName, encodeBundle, type Piece, piecesOf } from "#engine"
import { hexOf, marketDomain, sha256 } from "#protocol"
import { createCoordinator } from "../../../client/http/coordinator.ts"

const account = privateKeyToAccount(`0x${"a1".repeat(32)}`)
const domain = marketDomain({ chainId: 31_337, market: `0x${"44".repeat(20)}` })

/** The caller of a server that answers like this. */
async function callerOf(t: TestContext, answer: RequestListener) {
  const server = createServer(answer)
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return createCoordinator({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    identity: { account: account.address, signer: account, domain },
    chainTime: async () => 1_800_000_000n,
  })
}

/** What came, and how much of it; answers with the status that is asked for. */
async function serving(t: TestContext, statusOf: (path: string) => number = () => 201) {
  const came: { path: string; bytes: number }[] = []
  const coordinator = await callerOf(t, async (request, response) => {
    let bytes = 0
    for await (const chunk of request) bytes += (chunk as Buffer).length
    came.push({ path: request.url!, bytes })
    const status = statusOf(request.url!)
    response.writeHead(status).end(JSON.stringify(status < 300 ? {} : { code: "E_SOME", message: "so" }))
  })
  return { coordinator, came }
}

const tensors = (fills: readonly number[]) =>
  encodeBundle(
    fills.map((fill, i) => ({
      name: bundleName(i, "x"),
      tensor: { dtype: "uint8" as const, dims: [40_000], data: new Uint8Array(40_000).fill(fill) },
    })),
  )
const pathOf = (bytes: Uint8Array) => `/v1/artifacts/${hexOf(sha256(bytes))}`

test("behavior: a tensor that was sent once is not sent again, in whatever artifact", async (t) => {
  const { coordinator, came } = await serving(t)
  const [first, second] = [tensors([1, 2, 3]), tensors([3, 4, 1])]
  for (const bytes of [first, second, first]) await coordinator.putArtifact(bytes)
  assert.deepEqual(
    came.map(({ path }) => path),
    [pathOf(first), `${pathOf(second)}/patch`, `${pathOf(first)}/patch`],
  )
  const [whole, changed, again] = came.map(({ bytes }) => bytes)
  assert.equal(whole, first.length)
  assert.ok(changed! > 40_000 && changed! < 41_500, `${changed}`)
  assert.ok(again! < 1_500, `${again}`)
})

test("error: what the coordinator cannot put together is sent whole; a fault of its own is told", async (t) => {
  const refusing = await serving(t, (path) => (path.endsWith("/patch") ? 404 : 201))
  const [first, second] = [tensors([1, 2, 3]), tensors([3, 4, 1])]
  await refusing.coordinator.putArtifact(first)
  await refusing.coordinator.putArtifact(second)
  assert.deepEqual(refusing.came.at(-1), { path: pathOf(second), bytes: second.length })

  const failing = await serving(t, (path) => (path.endsWith("/patch") ? 500 : 201))
  await failing.coordinator.putArtifact(first)
  await assert.rejects(failing.coordinator.putArtifact(second), { code: "E_SOME" })
})

/** Serves artifacts by hash, whole and in parts, and counts what it sent of their bytes. */
async function holding(t: TestContext, artifacts: readonly Uint8Array[], lie?: (pieces: Piece[]) => Piece[]) {
  let sent = 0
  const coordinator = await callerOf(t, async (request, response) => {
    for await (const _ of request);
    const [, , , hash, kind] = request.url!.split("/")
    const bytes = artifacts.find((one) => hexOf(sha256(one)) === hash)
    if (request.method === "PUT" || !bytes) return response.writeHead(bytes ? 200 : 201).end("{}")
    if (kind === "pieces") return response.end(JSON.stringify({ pieces: (lie ?? ((all) => all))(piecesOf(bytes)) }))
    const [from, to] = (/bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "") ?? []).slice(1).map(Number)
    const part = from === undefined ? bytes : bytes.subarray(from, to! + 1)
    sent += part.length
    return response.end(part)
  })
  return { coordinator, sent: () => sent }
}

test("behavior: of an artifact that shares tensors with what went through here, the rest is downloaded, and once", async (t) => {
  const [own, wanted, other] = [tensors([1, 2, 3]), tensors([9, 2, 3]), tensors([9, 8, 2])]
  const { coordinator, sent } = await holding(t, [wanted, other])
  await coordinator.putArtifact(own)
  const head = wanted.length - 120_000
  assert.deepEqual(await coordinator.getArtifact(hexOf(sha256(wanted)), { isShared: true }), wanted)
  assert.equal(sent(), head + 40_000)
  assert.deepEqual(await coordinator.getArtifact(hexOf(sha256(wanted)), { isShared: true }), wanted)
  assert.equal(sent(), head + 40_000)
  // What was downloaded is known as well.
  assert.deepEqual(await coordinator.getArtifact(hexOf(sha256(other)), { isShared: true }), other)
  assert.equal(sent(), 2 * (head + 40_000))
})

test("attack: a coordinator that lies about an artifact's parts is asked for the whole", async (t) => {
  const [own, wanted] = [tensors([1, 2, 3]), tensors([9, 2, 3])]
  const { coordinator, sent } = await holding(t, [wanted], (pieces) => pieces.toReversed())
  await coordinator.putArtifact(own)
  assert.deepEqual(await coordinator.getArtifact(hexOf(sha256(wanted)), { isShared: true }), wanted)
  assert.ok(sent() > wanted.length)
})
