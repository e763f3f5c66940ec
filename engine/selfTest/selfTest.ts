import { createHash } from "node:crypto"
import type { Hex } from "viem"
import { z } from "zod"
import type { Tensor } from "#protocol"
import { EngineError, engineError } from "../errors.ts"
import { EXACT_PROFILE } from "../run/profile.ts"
import type { Runner } from "../run/runner.ts"
import { type SelfTestModel, selfTestModels } from "./models.ts"
import recorded from "./vectors.json" with { type: "json" }

/**
 * Whether this machine computes what the exact class means. onnxruntime has other kernels for other instruction sets
 * (docs/machines.md), so two honest machines may differ in last bits; that is found out here, before any work is taken,
 * and costs nobody money.
 */

const hash = z.string().regex(/^0x[0-9a-f]{64}$/) as unknown as z.ZodType<Hex>
export const SelfTestVectors = z.object({
  profile: z.string(),
  /** Where they were recorded, for people; nothing is decided by it. */
  recordedOn: z.string(),
  vectors: z.array(z.object({ name: z.string(), model: hash, outputs: hash })).min(1),
})
export type SelfTestVectors = z.infer<typeof SelfTestVectors>

/** What the public profile means: the answers that `exact-cpu-1` stands for. */
export const RECORDED_VECTORS: SelfTestVectors = SelfTestVectors.parse(recorded)

export type SelfTestFailure = { readonly name: string; readonly why: string }
export type SelfTestResult = {
  readonly ok: boolean
  readonly passed: number
  readonly failed: readonly SelfTestFailure[]
}

/** What the self-test asks of a runner. */
export type SelfTestRunner = Pick<Runner, "load" | "run">

/** Runs every vector twice, in fresh sessions. */
export async function runSelfTest(
  runner: SelfTestRunner,
  vectors: SelfTestVectors = RECORDED_VECTORS,
): Promise<SelfTestResult> {
  const expected = new Map(vectors.vectors.map((vector) => [vector.name, vector]))
  const failed: SelfTestFailure[] = []
  const models = selfTestModels()
  for (const model of models) {
    const want = expected.get(model.name)
    const why = want ? await failureOf(runner, model, want) : "the recording has no such vector"
    if (why) failed.push({ name: model.name, why })
  }
  return { ok: failed.length === 0, passed: models.length - failed.length, failed }
}

/** Throws E_SELF_TEST_FAILED, naming the vectors, on a machine that must not take exact work. */
export async function assertSelfTest(runner: Runner, vectors?: SelfTestVectors): Promise<void> {
  const { ok, passed, failed } = await runSelfTest(runner, vectors)
  if (ok) return
  const names = failed.map(({ name }) => name)
  throw engineError(
    "E_SELF_TEST_FAILED",
    `this machine differs from ${EXACT_PROFILE} in ${failed.length} of ${passed + failed.length} self-test vectors: ${names.slice(0, 5).join(", ")}${names.length > 5 ? ", ..." : ""} (${failed[0]!.why})`,
    {
      remedy:
        "docs/machines.md says which machines agree; a pool of your own counts its own answers once one of its machines has recorded them (node engine/selfTest/record.ts)",
      facts: { failed: failed.length, vectors: names.join(",") },
    },
  )
}

/** The answers of this machine: what a private pool of equal machines, or the local chain, takes for the profile. */
export async function recordVectors(runner: Runner, recordedOn: string): Promise<SelfTestVectors> {
  const vectors = []
  for (const model of selfTestModels()) {
    const sha256 = digestOf([model.bytes])
    await runner.load(model.bytes, sha256)
    vectors.push({ name: model.name, model: sha256, outputs: hashTensors(await runner.run(sha256, model.inputs)) })
  }
  return { profile: EXACT_PROFILE, recordedOn, vectors }
}

async function failureOf(
  runner: SelfTestRunner,
  model: SelfTestModel,
  want: { model: Hex; outputs: Hex },
): Promise<string | undefined> {
  const sha256 = digestOf([model.bytes])
  if (sha256 !== want.model) return "the vectors were recorded for another version of this model"
  try {
    for (const _time of ["first", "second"]) {
      await runner.load(model.bytes, sha256, { fresh: true })
      const got = hashTensors(await runner.run(sha256, model.inputs))
      if (got !== want.outputs)
        return `its outputs hash to ${got.slice(0, 10)} where ${want.outputs.slice(0, 10)} was recorded`
    }
    return undefined
  } catch (error) {
    if (error instanceof EngineError) return error.message
    throw error
  }
}

function hashTensors(tensors: readonly Tensor[]): Hex {
  return digestOf(tensors.flatMap(({ dtype, dims, data }) => [Buffer.from(`${dtype}[${dims}]`), data]))
}

function digestOf(parts: readonly Uint8Array[]): Hex {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(part)
  return `0x${hash.digest("hex")}`
}
