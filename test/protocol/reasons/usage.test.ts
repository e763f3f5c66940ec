import assert from "node:assert/strict"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import test from "node:test"
import { HTTP_ERRORS, isEventCode, isReasonCode } from "#protocol"

const root = join(import.meta.dirname, "../../..")
const SUBJECTS = /"((?:JOB|TASK|BATCH|WORKER|AUDIT|DISPUTE|DEMAND|VERIFIER|JUROR)_[A-Z0-9_]+)"/g

function* sources(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* sources(path)
    else if (entry.name.endsWith(".ts")) yield path
  }
}

test("behavior: every code that a service writes down stands in the tables", () => {
  const unknown = ["coordinator", "worker"].flatMap((room) =>
    [...sources(join(root, room))].flatMap((path) =>
      [...readFileSync(path, "utf8").matchAll(SUBJECTS)]
        .map((match) => match[1]!)
        // A prefix that a state is looked up by is no code itself.
        .filter((code) => !isReasonCode(code) && !isEventCode(code) && code !== "JOB_WAITING")
        .map((code) => `${code} in ${path.slice(root.length + 1)}`),
    ),
  )
  assert.deepEqual(unknown, [])
})

test("behavior: every error of the HTTP table is one that some code throws", () => {
  const rooms = ["protocol", "coordinator", "worker"].flatMap((room) => [...sources(join(root, room))])
  const text = rooms
    .filter((path) => !path.endsWith(join("reasons", "errors.ts")))
    .map((path) => readFileSync(path, "utf8"))
    .join("\n")
  assert.deepEqual(
    Object.keys(HTTP_ERRORS).filter((code) => !text.includes(`"${code}"`)),
    [],
  )
})
