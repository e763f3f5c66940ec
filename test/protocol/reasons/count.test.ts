import assert from "node:assert/strict"
import { test } from "node:test"
import { formatCount } from "#protocol"

test("behavior: one thing is no plural", () => {
  assert.deepEqual(
    [0, 1, 2, 1n].map((count) => formatCount(count, "shard")),
    ["0 shards", "1 shard", "2 shards", "1 shard"],
  )
})
