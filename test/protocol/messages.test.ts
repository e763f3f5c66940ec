import assert from "node:assert/strict"
import test from "node:test"
import type { Hex } from "viem"
import { privateKeyToAccount } from "viem/accounts"
import { z } from "zod"
import * as protocol from "#protocol"
import {
  BatchIdSchema,
  canonicalJson,
  encodeSpec,
  JobIdSchema,
  LeaseBundleSchema,
  marketDomain,
  parseSpec,
  plainText,
  recoverRequest,
  type Spec,
  SpecError,
  signRequest,
  specHash,
  TermsSchema,
} from "#protocol"

const word = (byte: string): Hex => `0x${byte.repeat(32)}`
const address: Hex = `0x${"ab".repeat(20)}`

const spec: Spec = {
  version: 0,
  title: "digits",
  model: {
    sha256: word("0a"),
    bytes: 10,
    inputs: [{ name: "x", dtype: "float32", dims: [1, 64] }],
    outputs: [{ name: "label", dtype: "int64", dims: [1] }],
    digestTensors: ["logits"],
  },
  capability: { profile: "exact-cpu-1", memoryGiB: 2 },
  shards: [{ inputs: word("0b"), bytes: 99 }],
}

const terms = {
  version: 0,
  kind: 0,
  requester: address,
  coordinator: address,
  class: 0,
  capability: word("01"),
  programRoot: word("02"),
  inputs: word("03"),
  tasks: 2,
  shardSize: 2,
  fee: "1000000000000000000",
  maxUnits: 1,
  auditRate: 500,
  auditRatio: 10000,
  auditBase: "0",
  auditBudget: "5",
  coordinatorFee: "1",
  valueAtRisk: "0",
  deadline: "1700000000",
  specHash: specHash(spec),
}

const bundle = {
  lease: { jobId: `0x${"00".repeat(23)}07`, shard: 0, worker: address, start: "1", expiry: "2" },
  signature: `0x${"cd".repeat(65)}`,
  terms,
  spec,
  firstTask: 0,
  count: 2,
  salts: [word("04"), word("05")],
  inputCommitments: [word("06"), word("07")],
  inputProof: [],
  inputs: word("08"),
  serverTime: 1_700_000_000,
}

test("behavior: a lease bundle survives JSON there and back", () => {
  const parsed = LeaseBundleSchema.parse(JSON.parse(JSON.stringify(bundle)))
  assert.equal(parsed.lease.jobId, 7n)
  assert.equal(parsed.terms.fee, 10n ** 18n)
  assert.deepEqual(JSON.parse(JSON.stringify(z.encode(LeaseBundleSchema, parsed))), bundle)
})

test("behavior: upper-case hex and checksummed addresses come out in one form", () => {
  const loud = { ...terms, requester: "0xABABABABABABABABABABABABABABABABABABABAB", specHash: `0x${"AB".repeat(32)}` }
  const parsed = TermsSchema.parse(loud)
  assert.equal(parsed.requester, address)
  assert.equal(parsed.specHash, word("ab"))
})

test("args: an integer that does not fit its Solidity type is refused", () => {
  assert.equal(TermsSchema.safeParse({ ...terms, fee: (2n ** 96n).toString() }).success, false)
  assert.equal(TermsSchema.safeParse({ ...terms, fee: "-1" }).success, false)
  assert.equal(TermsSchema.safeParse({ ...terms, fee: 1 }).success, false)
  assert.equal(TermsSchema.safeParse({ ...terms, tasks: 2 ** 32 }).success, false)
  assert.equal(TermsSchema.safeParse({ ...terms, fee: (2n ** 96n - 1n).toString() }).success, true)
})

test("args: ids are read as hex or decimal and written as hex of one width", () => {
  assert.equal(JobIdSchema.parse("0x07"), 7n)
  assert.equal(JobIdSchema.parse("7"), 7n)
  assert.equal(z.encode(JobIdSchema, 7n), `0x${"0".repeat(47)}7`)
  assert.equal(z.encode(BatchIdSchema, 7n), `0x${"0".repeat(55)}7`)
  assert.equal(JobIdSchema.safeParse((2n ** 192n).toString()).success, false)
  for (const bad of ["", "0x", "7a", "../7", "0x07/..", "-7"]) assert.equal(JobIdSchema.safeParse(bad).success, false)
})

test("args: text from a peer cannot fake a line of a log", () => {
  assert.equal(plainText(9).safeParse("héllo ☃").success, true)
  for (const bad of ["a\nb", "a\u001b[0m", "a\u2028b", "0123456789"]) {
    assert.equal(plainText(9).safeParse(bad).success, false)
  }
})

test("behavior: canonical JSON sorts keys, leaves out what is undefined and refuses fractions", () => {
  const bytes = canonicalJson({ b: [1, null, true], a: { d: "é", c: undefined } })
  assert.equal(Buffer.from(bytes).toString(), '{"a":{"d":"é"},"b":[1,null,true]}')
  for (const bad of [1.5, Number.NaN, 1n, -0, () => 1]) {
    assert.throws(() => canonicalJson({ a: [bad] }), { code: "E_JSON_NOT_CANONICAL", message: /^\$\.a\[0\] is a / })
  }
})

test("behavior: a spec is read back from its bytes, and only from those", () => {
  assert.deepEqual(parseSpec(encodeSpec(spec)), spec)
  const loose = Buffer.from(JSON.stringify(spec, undefined, 1))
  const extra = Buffer.from(JSON.stringify({ ...spec, extra: 1 }))
  for (const bytes of [loose, extra, Buffer.from("no")]) assert.throws(() => parseSpec(bytes), SpecError)
})

test("behavior: a signed request tells its signer; any changed part tells another one or none", async () => {
  const signer = privateKeyToAccount(word("11"))
  const domain = marketDomain({ chainId: 31337, market: address })
  const body = Buffer.from("{}")
  const parts = { method: "post", path: "/v1/leases?x=1", body, nonce: 5n, expiry: 9n }
  const headers = await signRequest({ account: address, signer, domain, ...parts })
  const given = { domain, headers, method: "POST", path: parts.path, body }
  const expected = { account: address, signer: signer.address, nonce: 5n, expiry: 9n }
  assert.deepEqual(await recoverRequest(given), expected)
  const changes = [
    { path: "/v1/leases" },
    { method: "GET" },
    { body: Buffer.from("{ }") },
    { body: undefined },
    { body: "streamed" as const },
    { domain: { ...domain, chainId: 1 } },
    { headers: { ...headers, "x-assay-nonce": "6" } },
    { headers: { ...headers, "x-assay-expiry": "10" } },
    { headers: { ...headers, "x-assay-signature": "0x00" } },
    { headers: {} },
  ]
  for (const change of changes) assert.notDeepEqual(await recoverRequest({ ...given, ...change }), expected)
})

test("behavior: every message has a JSON schema on both sides, as the OpenAPI document needs", () => {
  for (const [name, schema] of Object.entries(protocol)) {
    if (!name.endsWith("Schema") || !(schema instanceof z.ZodType) || name === "RequestHeadersSchema") continue
    for (const io of ["input", "output"] as const) assert.ok(z.toJSONSchema(schema, { io }), `${name} ${io}`)
  }
})
