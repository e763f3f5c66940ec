import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

type Ends = { after: (work: () => Promise<void>) => void }

/** A folder of the test's own, gone with it. */
export async function ownFolder(t: Ends): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "assay-test-"))
  t.after(() => rm(dir, { recursive: true, force: true }))
  return dir
}
