import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { after, test } from "node:test"
import type { Address, Hex } from "viem"
import { bundleName, encodeBundle } from "#engine"
import { type ArtifactPatch, encodePatch, HTTP_ERRORS, signRequest } from "#protocol"
import { ownFolder } from "../support/folder.ts"
import { helloOf } from "../support/job.ts"
import { startService } from "../support/service.ts"

const service = await startService({ dir: await ownFolder({ after }), operatorToken: "the-operators-own-token" })
after(() => service.close())
const sha256Of = (bytes: Uint8Array): Hex => `0x${createHash("sha256").update(bytes).digest("hex")}`
const hello = "/v1/workers/hello"

test("behavior: a request signed by a session key of the account is its account's", async () => {
  const worker = service.account()
  const { status, body } = await service.send("POST", hello, { by: worker, json: helloOf(worker) })
  assert.equal(status, 200)
  assert.equal(body.account, worker.address)
  const own = { ...worker, session: worker.account }
  assert.equal((await service.send("POST", hello, { by: own, json: helloOf(worker) })).status, 200, "or by its own key")
})

test("error: unsigned, expired, far-off, replayed, forged and altered requests", async () => {
  const worker = service.account()
  const stranger = service.account()
  const json = helloOf(worker)
  const code = async (given: Parameters<typeof service.send>[2]) =>
    (await service.send("POST", hello, given)).body?.code
  assert.equal(await code({ json }), "E_AUTH_MISSING")
  assert.equal(await code({ by: worker, json, expiry: BigInt(service.clock.time - 10) }), "E_AUTH_EXPIRED")
  assert.equal(await code({ by: worker, json, expiry: BigInt(service.clock.time + 200) }), "E_AUTH_EXPIRED")
  assert.equal(await code({ by: worker, json, headers: { "x-assay-signature": "0x00" } }), "E_AUTH_SIGNATURE")
  assert.equal(await code({ by: worker, json, headers: { "x-assay-nonce": "-1" } }), "E_AUTH_SIGNATURE")
  const forged = { ...worker, session: stranger.session }
  assert.equal(await code({ by: forged, json }), "E_AUTH_SIGNATURE")
  assert.equal(await code({ by: worker, json, headers: { "x-assay-account": stranger.address } }), "E_AUTH_SIGNATURE")
  assert.equal(await code({ by: worker, json, nonce: 77n }), undefined)
  assert.equal(await code({ by: worker, json, nonce: 77n }), "E_AUTH_NONCE")
  // Signed for one body, sent with another: the signature recovers to nobody's key.
  const signed = await signRequest({
    account: worker.address,
    signer: worker.session,
    domain: service.domain,
    method: "POST",
    path: hello,
    body: Buffer.from(JSON.stringify(json)),
    nonce: 5n,
    expiry: BigInt(service.clock.time + 60),
  })
  assert.equal(await code({ json: { ...json, threads: 2 }, headers: signed }), "E_AUTH_SIGNATURE")
})

test("error: two copies of one request at once: one of them counts", async () => {
  const worker = service.account()
  const copies = Array.from({ length: 6 }, () =>
    service.send("POST", hello, { by: worker, json: helloOf(worker), nonce: 9n }),
  )
  const codes = (await Promise.all(copies)).map(({ status }) => status).sort()
  assert.deepEqual(codes, [200, 409, 409, 409, 409, 409])
})

test("behavior: a revoked session key opens nothing any more", async () => {
  const worker = service.account()
  service.keys.delete(worker.session.address.toLowerCase() as Address)
  const { body } = await service.send("POST", hello, { by: worker, json: helloOf(worker) })
  assert.equal(body.code, "E_AUTH_SIGNATURE")
})

test("error: malformed bodies, paths and types are refused with a code and a reason", async () => {
  const worker = service.account()
  const { body } = await service.send("POST", hello, { by: worker, json: { ...helloOf(worker), threads: "many" } })
  assert.equal(body.code, "E_BAD_REQUEST")
  assert.match(body.message, /threads/)
  const broken = await service.app.inject({
    method: "POST",
    url: hello,
    headers: { "content-type": "application/json" },
    payload: "{",
  })
  assert.deepEqual([broken.statusCode, broken.json().code], [400, "E_BAD_REQUEST"])
  const xml = await service.app.inject({
    method: "POST",
    url: hello,
    headers: { "content-type": "text/xml" },
    payload: "<a/>",
  })
  assert.equal(xml.json().code, "E_BAD_REQUEST")
  const nowhere = await service.send("GET", "/v1/%2e%2e/etc/passwd")
  assert.deepEqual([nowhere.status, nowhere.body.code], [404, "E_NOT_FOUND"])
  const line = await service.send("POST", hello, {
    by: worker,
    json: { ...helloOf(worker), device: "cpu\nfatal: all is lost" },
  })
  assert.equal(line.body.code, "E_BAD_REQUEST", "a peer's text cannot break a line of the log")
  for (const path of ["/v1/jobs/xyz", "/v1/workers/0x12", "/v1/why/task/0x1/-1", "/v1/batches/none"]) {
    assert.equal((await service.send("GET", path)).body.code, "E_BAD_REQUEST", path)
  }
})

test("behavior: artifacts go up and down as streams, to those who may read them", async () => {
  const [owner, stranger] = [service.account(), service.account()]
  const bytes = Buffer.alloc(200_000, 3)
  const sha256 = sha256Of(bytes)
  const path = `/v1/artifacts/${sha256}`
  assert.equal((await service.send("PUT", path, { by: owner, bytes })).status, 201)
  assert.equal((await service.send("PUT", path, { by: owner, bytes })).status, 200)
  const own = await service.send("GET", path, { by: owner })
  assert.equal(own.status, 200)
  assert.deepEqual(own.raw, bytes)
  assert.equal(own.headers["content-length"], "200000")
  for (const by of [stranger, undefined]) {
    const { status, body } = await service.send("GET", path, by ? { by } : {})
    assert.deepEqual([status, body.code], [404, "E_ARTIFACT_UNKNOWN"])
  }
  // Who has the bytes may have them: sending them is the proof.
  assert.equal((await service.send("PUT", path, { by: stranger, bytes })).status, 200)
  assert.equal((await service.send("GET", path, { by: stranger })).status, 200)
})

test("behavior: whoever may read an artifact may read a range of it, and what it is made of", async () => {
  const [owner, stranger] = [service.account(), service.account()]
  const tensor = (fill: number) => ({
    dtype: "uint8" as const,
    dims: [20_000],
    data: new Uint8Array(20_000).fill(fill),
  })
  const bundle = encodeBundle([3, 4].map((fill) => ({ name: bundleName(fill, "x"), tensor: tensor(fill) })))
  const path = `/v1/artifacts/${sha256Of(bundle)}`
  await service.upload(owner, Buffer.from(bundle))

  const { body } = await service.send("GET", `${path}/pieces`, { by: owner })
  const [head, ...tensors] = body.pieces
  assert.deepEqual(
    tensors,
    [3, 4].map((fill) => ({ sha256: sha256Of(tensor(fill).data), bytes: 20_000 })),
  )
  const from = head.bytes + 19_990
  const part = await service.send("GET", path, { by: owner, headers: { range: `bytes=${from}-${from + 19}` } })
  assert.deepEqual([part.status, part.headers["content-range"]], [206, `bytes ${from}-${from + 19}/${bundle.length}`])
  assert.deepEqual([...part.raw], [...Array(10).fill(3), ...Array(10).fill(4)])
  // Another unit, several ranges, more than there is: the whole, as HTTP allows.
  for (const range of ["items=0-1", "bytes=0-1,5-6", `bytes=0-${bundle.length}`, "bytes=5-4"]) {
    const whole = await service.send("GET", path, { by: owner, headers: { range } })
    assert.deepEqual([whole.status, whole.raw.length], [200, bundle.length], range)
  }
  for (const asked of [path, `${path}/pieces`]) {
    const { status, body } = await service.send("GET", asked, { by: stranger, headers: { range: "bytes=0-1" } })
    assert.deepEqual([status, body.code], [404, "E_ARTIFACT_UNKNOWN"])
  }
})

test("behavior: an upload may take from artifacts that its sender may read, and from no other", async () => {
  const [owner, stranger] = [service.account(), service.account()]
  const old = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251))
  await service.upload(owner, old)
  const file = sha256Of(old)
  const wanted = Buffer.concat([
    Buffer.from("new"),
    old.subarray(1_000, 200_000),
    Buffer.from("end"),
    old.subarray(0, 7),
  ])
  const parts = [
    { bytes: 3 },
    { bytes: 199_000, place: { file, from: 1_000 } },
    { bytes: 3 },
    { bytes: 7, place: { file, from: 0 } },
  ]
  const path = `/v1/artifacts/${sha256Of(wanted)}`
  const bytes = Buffer.from(encodePatch({ parts }, wanted))
  assert.ok(bytes.length < 500)
  const refused = await service.send("PUT", `${path}/patch`, { by: stranger, bytes })
  assert.deepEqual([refused.status, refused.body.code], [404, "E_ARTIFACT_UNKNOWN"])
  assert.equal((await service.send("GET", path, { by: owner })).status, 404)
  assert.equal((await service.send("PUT", `${path}/patch`, { by: owner, bytes })).status, 201)
  assert.deepEqual((await service.send("GET", path, { by: owner })).raw, wanted)

  const cases: [string, Buffer, number, string][] = [
    ["other bytes", Buffer.from(encodePatch({ parts }, Buffer.from(wanted).fill(1))), 422, "E_ARTIFACT_HASH"],
    ["cut off", bytes.subarray(0, -1), 400, "E_BAD_REQUEST"],
    ["too long", Buffer.concat([bytes, Buffer.alloc(1)]), 400, "E_BAD_REQUEST"],
    ["a head that is none", Buffer.concat([Buffer.from([2, 0, 0, 0]), Buffer.from("[]")]), 400, "E_BAD_REQUEST"],
    ["a head that is no JSON", Buffer.concat([Buffer.from([1, 0, 0, 0]), Buffer.from("{")]), 400, "E_BAD_REQUEST"],
    ["a head without end", Buffer.from([255, 255, 255, 255, 0]), 400, "E_BAD_REQUEST"],
    ["nothing", Buffer.alloc(0), 400, "E_BAD_REQUEST"],
    ["past the end", patchOf({ bytes: 10, place: { file, from: 299_995 } }), 400, "E_BAD_REQUEST"],
    ["too large", patchOf(...Array(4).fill({ bytes: 300_000, place: { file, from: 0 } })), 413, "E_ARTIFACT_TOO_LARGE"],
    [
      "too many artifacts",
      patchOf(
        ...Array.from({ length: 17 }, (_, i) => ({ bytes: 1, place: { file: sha256Of(Buffer.from([i])), from: 0 } })),
      ),
      400,
      "E_BAD_REQUEST",
    ],
  ]
  for (const [what, bytes, status, code] of cases) {
    const answer = await service.send("PUT", `/v1/artifacts/0x${"3".repeat(64)}/patch`, { by: owner, bytes })
    assert.deepEqual([answer.status, answer.body.code], [status, code], what)
  }

  function patchOf(...parts: ArtifactPatch["parts"]): Buffer {
    return Buffer.from(encodePatch({ parts }, new Uint8Array()))
  }
})

test("error: uploads with a wrong hash, over the limit, unsigned, or over the quota", async () => {
  const owner = service.account()
  const bytes = Buffer.from("some bytes")
  const wrong = await service.send("PUT", `/v1/artifacts/0x${"1".repeat(64)}`, { by: owner, bytes })
  assert.deepEqual([wrong.status, wrong.body.code], [422, "E_ARTIFACT_HASH"])
  const big = Buffer.alloc(1_000_001)
  const large = await service.send("PUT", `/v1/artifacts/${sha256Of(big)}`, { by: owner, bytes: big })
  assert.deepEqual([large.status, large.body.code], [413, "E_ARTIFACT_TOO_LARGE"])
  const unsigned = await service.send("PUT", `/v1/artifacts/${sha256Of(bytes)}`, { bytes })
  assert.deepEqual([unsigned.status, unsigned.body.code], [401, "E_AUTH_MISSING"])
  for (let i = 0; i < 5; i++) await service.upload(owner, Buffer.alloc(999_000, i))
  const over = Buffer.alloc(999_000, 99)
  const { status, body } = await service.send("PUT", `/v1/artifacts/${sha256Of(over)}`, { by: owner, bytes: over })
  assert.deepEqual([status, body.code], [429, "E_QUOTA"])
})

test("behavior: info, health and the OpenAPI document are everybody's", async () => {
  const info = await service.send("GET", "/v1/info")
  assert.equal(info.status, 200, JSON.stringify(info.body))
  assert.equal(info.body.chainTime, service.clock.time)
  assert.equal(info.body.params.minCollateral, "1000")
  assert.equal(info.body.capabilities.length, 4)
  assert.deepEqual((await service.send("GET", "/healthz")).body, { ok: true })
  assert.equal((await service.send("GET", "/readyz")).body.ready, true)
  const { body } = await service.send("GET", "/openapi.json")
  const paths = Object.keys(body.paths)
  for (const path of ["/v1/leases", "/v1/jobs/{id}", "/v1/artifacts/{sha256}", "/v1/audits", "/v1/why/job/{id}"]) {
    assert.ok(paths.includes(path), path)
  }
  const lease = body.paths["/v1/leases"].post.requestBody.content["application/json"].schema
  assert.deepEqual(lease.required, ["wait", "capability", "cachedModels"])
})

test("behavior: metrics and the queue's dashboard are the operator's", async () => {
  for (const path of ["/metrics", "/queues", "/queues/api/queues"]) {
    assert.equal((await service.send("GET", path)).status, 401, path)
    assert.equal((await service.send("GET", path, { headers: { authorization: "Bearer wrong" } })).status, 401, path)
    const right = await service.send("GET", path, { headers: { authorization: "Bearer the-operators-own-token" } })
    assert.equal(right.status, 200, `${path}: ${right.raw.toString().slice(0, 200)}`)
  }
  const metrics = await service.send("GET", "/metrics", {
    headers: { authorization: "Bearer the-operators-own-token" },
  })
  assert.match(
    metrics.raw.toString(),
    /assay_http_request_duration_seconds_count\{method="GET",route="\/v1\/info",status="200"\} 1/,
  )
})

test("behavior: every refusal that was seen stands in protocol's table with its status", async () => {
  const seen = await service.send("GET", `/v1/jobs/0x${"1".repeat(48)}`)
  assert.equal(seen.status, HTTP_ERRORS.E_JOB_UNKNOWN.status)
  assert.deepEqual(Object.keys(seen.body).sort(), ["code", "message"])
  const worker = await service.send("GET", `/v1/workers/0x${"1".repeat(40)}`)
  assert.equal(worker.status, HTTP_ERRORS.E_WORKER_UNKNOWN.status)
  const why = await service.send("GET", `/v1/why/worker/0x${"1".repeat(40)}`)
  assert.equal(why.body.code, "WORKER_UNKNOWN")
})
