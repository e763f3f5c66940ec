import assert from "node:assert/strict"
import { writeFile } from "node:fs/promises"
import { test } from "node:test"
import { openArtifactStore } from "../../../coordinator/artifacts/artifactStore.ts"
import { ownFolder } from "../support/folder.ts"
import { artifactStoreCase, hasCode, put, sha256Of } from "./artifactStore.case.ts"

artifactStoreCase(() => undefined)

test("error: bytes damaged on disk are never served as the artifact", async (t) => {
  const store = await openArtifactStore({ dir: await ownFolder(t), minFreeBytes: 0 })
  const bytes = Buffer.alloc(600_000, 7)
  const sha256 = sha256Of(bytes)
  await put(store, bytes)
  bytes[599_999] = 8
  await writeFile(await store.file(sha256), bytes)
  await assert.rejects(store.read(sha256), hasCode("E_ARTIFACT_CORRUPT"))
  const { stream } = await store.stream(sha256)
  const seen: Buffer[] = []
  await assert.rejects(async () => {
    for await (const piece of stream) seen.push(piece)
  }, hasCode("E_ARTIFACT_CORRUPT"))
  assert.ok(Buffer.concat(seen).byteLength < bytes.byteLength, "a reader cannot take the stream for complete")
})
