import assert from "node:assert/strict"
import { spawnSync } from "node:child_process"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { test } from "node:test"
import { lockFolder } from "../../../coordinator/store/lockFolder.ts"
import { ownFolder } from "../support/folder.ts"

test("error: a second coordinator on the same folder is refused, until the first one lets go", async (t) => {
  const dir = await ownFolder(t)
  const unlock = lockFolder(dir)
  assert.throws(
    () => lockFolder(dir),
    (error: { code?: string }) => error.code === "E_DATA_DIR_IN_USE",
  )
  unlock()
  lockFolder(dir)()
})

test("behavior: the lock of a process that was killed counts for nothing", async (t) => {
  const dir = await ownFolder(t)
  const gone = spawnSync(process.execPath, ["-e", ""]).pid
  await writeFile(join(dir, "coordinator.lock"), String(gone))
  lockFolder(dir)()
  await writeFile(join(dir, "coordinator.lock"), "no number")
  lockFolder(dir)()
})
