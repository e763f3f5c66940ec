import { type Batch, type BatchData, type BatchLayout, bitsOf, parseRanges, placeOf } from "#protocol"
import { type Check, checkAll } from "./check.ts"

export type CheckVerdictsParams = {
  name: string
  batch: Batch
  layout: BatchLayout
  data: BatchData
  /** Ranges that were not paid, one bit each. */
  voided: bigint
  final: boolean
}

/** A leaf that a verdict contradicts was not paid (R20, R29). */
export function checkVerdicts({ name, batch, layout, data, voided, final }: CheckVerdictsParams): Check {
  const leaves = new Map(data.shards.flatMap((shard) => shard.leaves.map((leaf) => [leaf.taskIndex, leaf])))
  const paidShards = new Set(
    parseRanges(batch.ranges).flatMap(({ mask }, i) =>
      (voided >> BigInt(i)) % 2n === 1n ? [] : bitsOf(mask).map((bit) => batch.firstShard + bit),
    ),
  )
  const verdicts = data.verdicts.flatMap(({ verdict }) => (verdict ? [verdict] : []))
  return checkAll(
    `${name}: audit`,
    verdicts,
    (verdict) => {
      const { taskIndex, shard } = placeOf(layout, verdict.position)
      const agrees = leaves.get(taskIndex)?.outputCommitment === verdict.outputCommitment
      if (agrees || !final || !paidShards.has(shard)) return undefined
      return `task ${taskIndex} was paid although ${verdict.verifier} found another result`
    },
    final ? "verdicts: what they contradict was not paid" : "verdicts: not final yet",
  )
}
