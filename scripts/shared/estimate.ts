import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { JobRequest, Prepared, Quote } from "#client"
import { createRunner } from "#engine"
import type { Deployment, Tensor } from "#protocol"

/** Blocks for commit, seed, attest and finalize, a second each on the local chain. */
const SETTLE_BLOCKS = 8

/**
 * Seconds from posting to the last payout, if all free workers are machines like this one: the first task is run here
 * twice, and the second time counts, for the first pays for the loading.
 */
export async function estimateSeconds(
  { request, prepared, quote }: { request: JobRequest; prepared: Prepared; quote: Quote },
  { params }: Deployment,
): Promise<number> {
  const { model } = prepared.plan.spec
  const bytes = prepared.plan.artifacts.get(model.sha256)
  const first = request.tasks[0]
  if (!bytes || !first) return params.window
  const inputs = Array.isArray(first) ? first : model.inputs.map(({ name }) => (first as Record<string, Tensor>)[name])
  const dir = await mkdtemp(join(tmpdir(), "assay-quote-"))
  const runner = createRunner()
  try {
    const path = join(dir, "model.onnx")
    await writeFile(path, bytes)
    await runner.load(path, model.sha256)
    const times: number[] = []
    for await (const _ of runner.runMany(model.sha256, [inputs, inputs], AbortSignal.timeout(120_000)))
      times.push(performance.now())
    const taskMs = times.length > 1 ? (times.at(-1) as number) - (times[0] as number) : 0
    const workers = Math.max(1, quote.workers.free)
    const audits = 1 + prepared.plan.terms.auditRate / 10_000
    return Math.ceil((quote.tasks * taskMs * audits) / 1000 / workers + params.window + SETTLE_BLOCKS)
  } finally {
    await runner.close()
    await rm(dir, { recursive: true, force: true })
  }
}
