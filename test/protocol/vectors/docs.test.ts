import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import test from "node:test"
import { EIP712_TYPES, TAGS } from "#protocol"

const page = readFileSync(new URL("../../../docs/protocol-encodings.md", import.meta.url), "utf8")

test("behavior: the page of byte formats names every tag and no other", () => {
  const names = Object.values(TAGS).map((tag) => Buffer.from(tag.slice(2), "hex").toString().replace(/\0+$/, ""))
  const named = new Set([...page.matchAll(/H\((assay\.[a-z.]+)/g)].map((match) => match[1]))
  assert.deepEqual([...named].sort(), names.sort())
})

test("behavior: the page has every signed struct as EIP-712 encodes its type", () => {
  for (const [name, fields] of Object.entries(EIP712_TYPES)) {
    assert.ok(page.includes(`\n${name}(${fields.map(({ name, type }) => `${type} ${name}`).join(",")})`), name)
  }
})
