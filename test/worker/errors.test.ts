import assert from "node:assert/strict"
import { access, writeFile } from "node:fs/promises"
import { test } from "node:test"
import { codeOf, textOf } from "../../worker/errors.ts"

test("error: a full disk is called one, with what to do about it", async (t) => {
  const full = "/dev/full"
  if (
    !(await access(full).then(
      () => true,
      () => false,
    ))
  )
    return t.skip("this system has no /dev/full")
  const error = await writeFile(full, "a journal line").catch((thrown: unknown) => thrown)
  assert.equal(codeOf(error), "E_DISK_FULL")
  assert.match(textOf(error), /free some space/)
})
