import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { beginRun, type RunData } from "#client"
import {
  buildRoundProgram,
  createFeed,
  createRoundRuntime,
  encodeNpz,
  playRound,
  type RoundState,
  type Runner,
} from "#engine"
import { hexOf, sha256, type Tensor } from "#protocol"
import { floats } from "../../../../engine/program/elements.ts"
import { quadraticSegment } from "../../../engine/rounds/support/quadratic.ts"

export const SIZE = 200
export const SLOTS = 4
export const STEPS = 3

const SEED = 5
const POINTS = 3
const points = (shard: number): Tensor =>
  floats(
    [POINTS, SIZE],
    Float32Array.from({ length: POINTS * SIZE }, (_, i) => Math.sin(i + shard) + shard),
  )

const segment = quadraticSegment({ steps: STEPS, begin: new Float32Array(SIZE).fill(5) })
const shards = [0, 1, 2].map((shard) => ({ point: points(shard) }))
const read = async (shard: number) => shards[shard]!

/** A run whose rounds take milliseconds to compute; its data are in three shards. */
export const program = buildRoundProgram({
  ...segment,
  slots: SLOTS,
  compression: "int4",
  outer: { rate: 0.7, momentum: 0.5 },
  feed: createFeed(
    { shards: shards.length, samples: POINTS, seed: SEED, read },
    { fed: segment.segment.fed, batch: 1 },
  ),
})

/** The same data as files. */
export async function writeShards(dir: string): Promise<RunData> {
  const written = shards.map(async (columns, shard) => {
    const bytes = encodeNpz(columns)
    const path = join(dir, `points-${shard}.npz`)
    await writeFile(path, bytes)
    return { path, sha256: hexOf(sha256(bytes)) }
  })
  return { shards: await Promise.all(written), samples: POINTS, batch: 1, seed: SEED }
}

export const smallRun = {
  program,
  rateOf: (step: number) => 0.1 / (1 + step),
  title: "a run",
  fee: 10n ** 16n,
  auditRate: 2_000,
  run: beginRun(program.genesis),
} as const

/** The state that the same rounds come to on one machine. */
export async function playedAlone(runner: Runner, rounds: number): Promise<RoundState> {
  const runtime = createRoundRuntime({ runner }, program)
  let state = program.genesis
  for (let round = 0; round < rounds; round++) {
    const rates = Array.from({ length: STEPS }, (_, step) => Math.fround(smallRun.rateOf(round * STEPS + step)))
    ;({ state } = await playRound(runtime, program, { state, rates }))
  }
  return state
}
