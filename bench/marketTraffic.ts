import { beginRun, type TrainingRun, train } from "#client"
import {
  buildRoundProgram,
  buildSegment,
  cosineRates,
  createRunner,
  elementsOf,
  initialState,
  type RoundProgram,
  type SlotState,
} from "#engine"
import { BATCH } from "../examples/adder/training.ts"
import { waitForSeats } from "../scripts/shared/waitForSeats.ts"
import { adderOf } from "./adderRuns.ts"
import { type CountedLine, openCountedLine } from "./countedLine.ts"
import type { Figure } from "./figure.ts"
import { openLocalMarket } from "./localMarket.ts"

/**
 * What goes over a worker's line to the coordinator while it trains: all of it, audits, polls and answers as well. Four
 * workers on the adder's rounds; the first rounds, in which programs are fetched, are not counted.
 */
export async function marketTraffic(): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const slotState of ["kept", "none"] as const) figures.push(await figureOf(slotState))
  return figures
}

const SLOTS = 4
const STEPS = 25
const ROUNDS = { all: 10, uncounted: 3 }
const AUDIT_RATE = 2_500

const training = adderOf(31, BATCH)
const RATES = elementsOf(
  cosineRates({ peak: 3e-3, warmUp: 50, total: ROUNDS.all * STEPS }, 0, ROUNDS.all * STEPS),
) as Float32Array

async function figureOf(slotState: SlotState): Promise<Figure> {
  const segment = buildSegment(training, STEPS)
  const [begin] = initialState(segment, training.model)
  const outer = { rate: 0.7, momentum: 0.6 }
  const program = buildRoundProgram({ segment, begin: begin!, slots: SLOTS, compression: "int4", slotState, outer })
  const bytes = await bytesARound(program)
  const ring = ((2 * 2 * (SLOTS - 1)) / SLOTS) * 4 * program.parameters * STEPS
  return {
    name: `traffic, adder, int4 every ${STEPS} steps, ${SLOTS} slots, slot state ${slotState}: a worker's whole line`,
    value: Math.round(bytes),
    unit: "bytes a worker and round, both ways, audits of 25 % and all messages in it",
    against: `${(bytes / program.parameters).toFixed(1)} bytes a parameter; float32 ring all-reduce each step, ${ring} bytes: ${(ring / bytes).toFixed(1)} times less`,
    ratio: ring / bytes,
  }
}

async function bytesARound(program: RoundProgram): Promise<number> {
  const market = await openLocalMarket("traffic", { ASSAY_BATCH_MAX_AGE_SECONDS: "2" })
  const runner = createRunner()
  const lines: CountedLine[] = []
  try {
    for (let i = 0; i < SLOTS; i++) {
      const line = await openCountedLine(market.coordinatorUrl)
      lines.push(line)
      await market.stack.startWorker({ role: `worker-${i}`, threads: 1, seats: 6, coordinator: line.url })
    }
    await waitForSeats(market.coordinatorUrl)
    const counted = () => lines.reduce((sum, line) => sum + line.bytes(), 0)
    const play = async (run: TrainingRun, rounds: number) =>
      train(
        { client: await market.client(), runner },
        {
          program,
          run,
          rounds,
          rateOf: (step) => RATES[step]!,
          auditRate: AUDIT_RATE,
          title: "traffic",
          fund: market.fund,
          keep: async () => {},
        },
      )
    const begun = await play(beginRun(program.genesis), ROUNDS.uncounted)
    const before = counted()
    await play(begun, ROUNDS.all)
    return (counted() - before) / (ROUNDS.all - ROUNDS.uncounted) / SLOTS
  } finally {
    await runner.close()
    await market.close()
    for (const line of lines) line.close()
  }
}
