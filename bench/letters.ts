import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { type Parameter, type Runner, type Training, withParameters } from "#engine"
import type { Tensor } from "#protocol"
import { type DecoderShape, decoderModel, LOGITS, PARAMETERS } from "../examples/adder/network.ts"
import { meanCrossEntropy, type Samples } from "./loss.ts"
import { xorshift } from "./xorshift.ts"

/**
 * A language to model: this project's own sources, letter by letter. Unlike the adder's its loss has a floor well above
 * zero, as that of every language, so that the ratio of two losses means something.
 */
const ROOMS = ["protocol", "engine", "coordinator", "worker", "client", "scripts"]
/** Written by a program. */
const GENERATED = "abi"
/** Letters that are read before the next one is said. */
const LENGTH = 16
const WIDTH = 32
const HELD_OUT = 2_000
const LOSS_BATCH = 100
/** The printable ones of ASCII, and a line's end, which stands for all others too. */
const VOCABULARY = 96

const SHAPE: DecoderShape = {
  name: "letters",
  vocabulary: VOCABULARY,
  length: LENGTH,
  answer: LENGTH,
  width: WIDTH,
  heads: 4,
  hidden: 4 * WIDTH,
}

export type Letters = { readonly train: Samples; readonly held: Samples }

/** The sources in pieces that do not overlap, shuffled, some of them held out. */
export function readLetters(): Letters {
  const letters = Uint8Array.from(Buffer.from(readSources()), (byte) => (byte >= 32 && byte < 127 ? byte - 32 : 95))
  const places = shuffled(Math.floor((letters.length - 1) / LENGTH))
  const column = (of: readonly number[], shift: number): Tensor => {
    const data = new Uint8Array(of.length * LENGTH)
    for (const [i, place] of of.entries()) {
      const from = place * LENGTH + shift
      data.set(letters.subarray(from, from + LENGTH), i * LENGTH)
    }
    return { dtype: "uint8", dims: [of.length, LENGTH], data }
  }
  const samplesAt = (of: readonly number[]) => ({ tokens: column(of, 0), answers: column(of, 1) })
  return { train: samplesAt(places.slice(HELD_OUT)), held: samplesAt(places.slice(0, HELD_OUT)) }
}

export function lettersTraining(data: Samples, seed: number, batch: number): Training {
  return {
    model: decoderModel(SHAPE, batch, seed),
    loss: { kind: "crossEntropy", logits: LOGITS, targets: "answers" },
    data,
    batch,
    optimizer: { kind: "adamw" },
    parameters: PARAMETERS,
    clipNorm: 1,
    seed,
  }
}

/** Mean cross-entropy a letter, in nats. */
export async function lettersLoss(
  runner: Runner,
  parameters: readonly Parameter[],
  p: Tensor,
  held: Samples,
): Promise<number> {
  return meanCrossEntropy(runner, withParameters(decoderModel(SHAPE, LOSS_BATCH, 1), parameters, p), held, LOSS_BATCH)
}

function readSources(): string {
  const root = join(import.meta.dirname, "..")
  return ROOMS.flatMap((room) =>
    readdirSync(join(root, room), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !path.split(/[\\/]/).includes(GENERATED))
      .sort()
      .map((path) => readFileSync(join(root, room, path), "utf8")),
  ).join("")
}

/** Fisher and Yates' shuffle by a fixed sequence. */
function shuffled(count: number): number[] {
  const places = Array.from({ length: count }, (_, i) => i)
  const next = xorshift(12_345)
  for (let i = count - 1; i > 0; i--) {
    const other = Math.floor(((next() >>> 0) / 2 ** 32) * (i + 1))
    ;[places[i], places[other]] = [places[other]!, places[i]!]
  }
  return places
}
