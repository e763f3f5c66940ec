import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type TestContext, test } from "node:test"
import type { Hex } from "viem"
import { openJournal } from "../../worker/journal/journal.ts"

const LEASE: Hex = `0x${"11".repeat(32)}`
const ROOT: Hex = `0x${"22".repeat(32)}`
const OTHER: Hex = `0x${"33".repeat(32)}`
const receipt = { leaseHash: LEASE, shardRoot: ROOT, units: 8n, expiry: 1000n }

async function journalPath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "assay-journal-"))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return join(folder, "journal.jsonl")
}

test("R8: a lease gets no second, different receipt, in this life of the process or the next", async (t) => {
  const path = await journalPath(t)
  const first = await openJournal({ path, now: 0n })
  await first.claimReceipt(receipt)
  await assert.rejects(first.claimReceipt({ ...receipt, shardRoot: OTHER }), { code: "E_SIGNED_ALREADY" })
  await assert.rejects(first.claimReceipt({ ...receipt, units: 9n }), { code: "E_SIGNED_ALREADY" })
  await first.close()
  const second = await openJournal({ path, now: 0n })
  t.after(() => second.close())
  await second.claimReceipt(receipt)
  await assert.rejects(second.claimReceipt({ ...receipt, shardRoot: OTHER }), { code: "E_SIGNED_ALREADY" })
  assert.deepEqual(second.receiptOf(LEASE), receipt)
})

test("R8: two different receipts claimed at once do not both pass", async (t) => {
  const journal = await openJournal({ path: await journalPath(t), now: 0n })
  t.after(() => journal.close())
  const claims = await Promise.allSettled([
    journal.claimReceipt(receipt),
    journal.claimReceipt({ ...receipt, shardRoot: OTHER }),
  ])
  assert.deepEqual(claims.map(({ status }) => status).sort(), ["fulfilled", "rejected"])
})

test("R14: a lease that was given back gets no receipt, and one with a receipt is not given back", async (t) => {
  const journal = await openJournal({ path: await journalPath(t), now: 0n })
  t.after(() => journal.close())
  const release = { leaseHash: LEASE, at: 5n, expiry: 1000n }
  assert.deepEqual(await journal.claimRelease(release), release)
  assert.deepEqual(await journal.claimRelease({ ...release, at: 9n }), release, "the first time stands")
  await assert.rejects(journal.claimReceipt(receipt), { code: "E_SIGNED_ALREADY" })
  await journal.claimReceipt({ ...receipt, leaseHash: OTHER })
  await assert.rejects(journal.claimRelease({ ...release, leaseHash: OTHER }), { code: "E_SIGNED_ALREADY" })
})

test("R28: the salt of a vote survives a restart, so that the vote can be revealed", async (t) => {
  const path = await journalPath(t)
  const vote = { disputeId: 7n, output: ROOT, salt: OTHER, at: 1n }
  const first = await openJournal({ path, now: 0n })
  await first.claimVote(vote)
  await first.close()
  const second = await openJournal({ path, now: 0n })
  t.after(() => second.close())
  assert.deepEqual(await second.claimVote({ ...vote, salt: LEASE }), vote)
})

test("behavior: a torn last line is dropped, a damaged one elsewhere stops the worker", async (t) => {
  const path = await journalPath(t)
  const first = await openJournal({ path, now: 0n })
  await first.claimReceipt(receipt)
  await first.close()
  await appendFile(path, '{"kind":"receipt","leaseHash":"0x44')
  const second = await openJournal({ path, now: 0n })
  await second.claimReceipt({ ...receipt, leaseHash: OTHER })
  await second.close()
  const lines = (await readFile(path, "utf8")).split("\n")
  assert.equal(lines.length, 3, "two whole lines and the end")
  await writeFile(path, ["garbage", ...lines.slice(1)].join("\n"))
  await assert.rejects(openJournal({ path, now: 0n }), { code: "E_JOURNAL_CORRUPT" })
})

test("behavior: entries that can matter no more are dropped at the start", async (t) => {
  const path = await journalPath(t)
  const first = await openJournal({ path, now: 0n })
  await first.claimReceipt(receipt)
  await first.close()
  const later = await openJournal({ path, now: 365n * 24n * 3600n })
  t.after(() => later.close())
  assert.equal(later.receiptOf(LEASE), undefined)
})

test("behavior: what was claimed before a kill -9 is there afterwards", async (t) => {
  const path = await journalPath(t)
  const module = new URL("../../worker/journal/journal.ts", import.meta.url).href
  const script = `
    import { openJournal } from ${JSON.stringify(module)}
    const journal = await openJournal({ path: ${JSON.stringify(path)}, now: 0n })
    for (let i = 0; ; i++) {
      const leaseHash = "0x" + i.toString(16).padStart(64, "0")
      await journal.claimReceipt({ leaseHash, shardRoot: leaseHash, units: 1n, expiry: 1000n })
      process.stdout.write(leaseHash + "\\n")
    }`
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  let claimed = ""
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject)
    child.stdout.on("data", (chunk: Buffer) => {
      claimed += chunk
      if (claimed.split("\n").length > 20) child.kill("SIGKILL")
    })
    child.once("close", () => resolve())
  })
  const journal = await openJournal({ path, now: 0n })
  t.after(() => journal.close())
  const hashes = claimed.split("\n").slice(0, -1) as Hex[]
  assert.ok(hashes.length >= 20)
  for (const hash of hashes) assert.ok(journal.receiptOf(hash), `${hash} was claimed and is missing`)
})
