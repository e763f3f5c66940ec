import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type TestContext, test } from "node:test"
import { takeLock } from "../../worker/support/lock.ts"

async function lockPath(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "assay-lock-"))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return join(folder, "worker.lock")
}

const deadPid = () => spawnSync(process.execPath, ["--version"]).pid

test("error: a second worker with the same key is refused until the first lets go", async (t) => {
  const path = await lockPath(t)
  const first = await takeLock(path)
  await assert.rejects(takeLock(path), { code: "E_WORKER_TWICE" })
  await first.release()
  await (await takeLock(path)).release()
})

test("error: a lock of another living process is refused", async (t) => {
  const path = await lockPath(t)
  await writeFile(path, String(process.ppid))
  await assert.rejects(takeLock(path), { code: "E_WORKER_TWICE" })
})

test("behavior: a lock that a crash left behind is taken over", async (t) => {
  const path = await lockPath(t)
  await writeFile(path, String(deadPid()))
  await (await takeLock(path)).release()
})

test("behavior: a dead worker that had our process id (a restarted container) does not lock us out", async (t) => {
  const path = await lockPath(t)
  await writeFile(path, String(process.pid))
  await (await takeLock(path)).release()
})
