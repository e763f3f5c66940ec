import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { PRIMITIVES } from "#protocol"

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8")

test("codes of primitives are the same in TypeScript, in Solidity and in the document", () => {
  const codes = Object.entries(PRIMITIVES).map(([name, code]) => `${name} ${code}`)
  const solidity = [...read("contracts/types/Primitives.sol").matchAll(/^uint16 constant (\w+) = (\d+);$/gm)]
  const rows = [...read("docs/primitives.md").matchAll(/^\| (\d+) \| (\w+) \|/gm)]
  assert.deepEqual(
    solidity.map(([, name, code]) => `${name} ${code}`),
    codes,
  )
  assert.deepEqual(
    rows.map(([, code, name]) => `${name} ${code}`),
    codes,
  )
})
