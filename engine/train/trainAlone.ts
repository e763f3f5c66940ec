import { createHash } from "node:crypto"
import type { Tensor } from "#protocol"
import { elementsOf, floats } from "../program/elements.ts"
import type { Runner } from "../run/runner.ts"
import type { Segment } from "./buildStep.ts"
import type { Feed } from "./dataShards.ts"
import { initialState } from "./state.ts"

export type TrainAloneParams = {
  readonly segment: Segment
  /** Its weights are where training begins. */
  readonly model: Uint8Array
  readonly segments: number
  /** Where the segment is fed its data. */
  readonly feed?: Feed
  /** Learning rate of a step, from 0. */
  readonly rateOf: (step: number) => number
  readonly onSegment?: (done: number, losses: readonly number[]) => void
  readonly signal?: AbortSignal
}

/** One stream on this machine, segment after segment, nothing compressed. @returns p, float32 [P], and a loss a step */
export async function trainAlone(
  { runner }: { readonly runner: Runner },
  { segment, model, segments, rateOf, feed, onSegment, signal }: TrainAloneParams,
): Promise<{ p: Tensor; losses: number[] }> {
  const { bytes, steps } = segment
  const sha256 = `0x${createHash("sha256").update(bytes).digest("hex")}` as const
  await runner.load(bytes, sha256)
  const losses: number[] = []
  let state = initialState(segment, model)
  for (let done = 0; done < segments; done++) {
    signal?.throwIfAborted()
    const rates = Array.from({ length: steps }, (_, step) => rateOf(done * steps + step))
    const samples = await feed?.({ slot: 0, cursor: BigInt(done * steps) })
    const fed = segment.fed.map(({ name }) => samples![name]!)
    const results = await runner.run(sha256, [...state, floats([steps], rates), ...fed])
    state = results.slice(0, -1)
    const found = [...(elementsOf(results.at(-1)!) as Float32Array)]
    losses.push(...found)
    onSegment?.(done, found)
  }
  return { p: state[0]!, losses }
}
