import { createHash } from "node:crypto"
import type { Hex } from "viem"
import type { Tensor } from "#protocol"
import type { Runner } from "../run/runner.ts"

export type Contestant = { readonly runner: Runner; readonly model: Uint8Array }

const WARM_UP = 2
const ROUNDS = { most: 15, least: 3, ms: 10_000 }

/** Median milliseconds a task of each, measured turn by turn, so that a busy machine is unfair to nobody. */
export async function measureSpeed(
  contestants: readonly Contestant[],
  samples: readonly (readonly Tensor[])[],
): Promise<number[]> {
  const loaded: { runner: Runner; sha256: Hex; times: number[] }[] = []
  for (const { runner, model } of contestants) {
    const sha256: Hex = `0x${createHash("sha256").update(model).digest("hex")}`
    await runner.load(model, sha256)
    loaded.push({ runner, sha256, times: [] })
  }
  const started = performance.now()
  const enough = (round: number) =>
    round >= WARM_UP + ROUNDS.most || (round >= WARM_UP + ROUNDS.least && performance.now() - started > ROUNDS.ms)
  for (let round = 0; !enough(round); round++)
    for (const { runner, sha256, times } of loaded) {
      const start = performance.now()
      await runner.run(sha256, samples[round % samples.length]!)
      if (round >= WARM_UP) times.push(performance.now() - start)
    }
  return loaded.map(({ times }) => times.sort((a, b) => a - b)[times.length >> 1]!)
}
