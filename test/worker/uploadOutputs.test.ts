import assert from "node:assert/strict"
import { test } from "node:test"
import { bundleName, encodeBundle, piecesOf } from "#engine"
import type { ArtifactPatch } from "#protocol"
import type { Peer } from "../../worker/api/peer.ts"
import { sha256Of } from "../../worker/artifacts/cache.ts"
import { uploadOutputs } from "../../worker/artifacts/uploadOutputs.ts"
import { workerError } from "../../worker/errors.ts"

const { signal } = new AbortController()
const tensors = (fills: readonly number[]) =>
  encodeBundle(
    fills.map((fill, i) => ({
      name: bundleName(i, "x"),
      tensor: { dtype: "uint8" as const, dims: [40_000], data: new Uint8Array(40_000).fill(fill) },
    })),
  )
const known = tensors([1, 2, 3])
const expected = sha256Of(known)

/** A peer that has `known`, and answers a patch as it is told to. */
function peerThat(onPatch: () => void = () => {}) {
  const patches: ArtifactPatch[] = []
  let wholes = 0
  const peer: Peer = {
    url: "http://peer",
    ask: async ({ path, schema }) => {
      assert.equal(path, `/v1/artifacts/${expected}/pieces`)
      return schema.parse({ pieces: piecesOf(known) })
    },
    download: async () => assert.fail("nothing is downloaded"),
    upload: async () => {
      wholes++
    },
    uploadPatch: async (_sha256, { patch }) => {
      onPatch()
      patches.push(patch)
    },
  }
  return { peer, patches, wholes: () => wholes }
}

test("behavior: outputs that the job expects are named, and the others sent", async () => {
  const { peer, patches, wholes } = peerThat()
  const bytes = tensors([9, 2, 3])
  await uploadOutputs({ peer }, { sha256: sha256Of(bytes), bytes, expected, signal })
  const head = bytes.length - 120_000
  const from = known.length - 80_000
  assert.deepEqual(patches, [{ parts: [{ bytes: head + 40_000 }, { bytes: 80_000, place: { file: expected, from } }] }])
  assert.equal(wholes(), 0)
})

test("behavior: outputs of which nothing is expected, and small ones, go whole", async () => {
  const { peer, patches, wholes } = peerThat()
  for (const [bytes, named] of [
    [tensors([9, 8]), expected],
    [tensors([1, 2]), undefined],
    [tensors([1]), expected],
  ] as const) {
    await uploadOutputs({ peer }, { sha256: sha256Of(bytes), bytes, expected: named, signal })
  }
  assert.deepEqual([patches.length, wholes()], [0, 3])
})

test("error: what the peer refuses to put together goes whole; one that is not there is asked again", async () => {
  const bytes = tensors([1, 9])
  const params = { sha256: sha256Of(bytes), bytes, expected, signal }
  const refusing = peerThat(() => {
    throw workerError("E_ARTIFACT_UNKNOWN", "no longer here", { facts: { status: 404, transient: false } })
  })
  await uploadOutputs(refusing, params)
  assert.equal(refusing.wholes(), 1)
  const down = peerThat(() => {
    throw workerError("E_COORDINATOR_DOWN", "away", { facts: { transient: true } })
  })
  await assert.rejects(uploadOutputs(down, params), { code: "E_COORDINATOR_DOWN" })
  assert.equal(down.wholes(), 0)
})
