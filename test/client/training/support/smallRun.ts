import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { beginRun, type RunData } from "#client"
import {
  buildRoundProgram,
  createFeed,
  createRoundRuntime,
  encodeNpz,
  playRound,
  type RoundProgram,
  type RoundState,
  type Runner,
  type SlotState,
} from "#engine"
import { hexOf, sha256, type Tensor } from "#protocol"
import { floats } from "../../../../engine/program/elements.ts"
import { quadraticSegment } from "../../../engine/rounds/support/quadratic.ts"

/** Its tensors are large enough to travel as pieces of artifacts. */
export const SIZE = 5_000
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

/** A round takes milliseconds to compute; the data are in three shards. */
function programOf(slotState: SlotState): RoundProgram {
  return buildRoundProgram({
    ...segment,
    slots: SLOTS,
    compression: "int4",
    slotState,
    outer: { rate: 0.7, momentum: 0.5 },
    feed: createFeed(
      { shards: shards.length, samples: POINTS, seed: SEED, read },
      { fed: segment.segment.fed, batch: 1 },
    ),
  })
}

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

const rateOf = (step: number) => 0.1 / (1 + step)

export function smallRunOf(slotState: SlotState) {
  const program = programOf(slotState)
  return { program, rateOf, title: "a run", fee: 10n ** 16n, auditRate: 2_000, run: beginRun(program.genesis) }
}

export const smallRun = smallRunOf("kept")
export const { program } = smallRun

/** The state that the same rounds come to on one machine. */
export async function playedAlone(
  runner: Runner,
  { program, rounds }: { readonly program: RoundProgram; readonly rounds: number },
): Promise<RoundState> {
  const runtime = createRoundRuntime({ runner }, program)
  let state = program.genesis
  for (let round = 0; round < rounds; round++) {
    const rates = Array.from({ length: STEPS }, (_, step) => Math.fround(rateOf(round * STEPS + step)))
    ;({ state } = await playRound(runtime, program, { state, rates }))
  }
  return state
}
