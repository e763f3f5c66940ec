import { join } from "node:path"
import { type Address, formatEther } from "viem"
import { beginRun, type Client, readConservation, readHistory, type TrainingRun, train } from "#client"
import {
  buildRoundProgram,
  buildSegment,
  closeRun,
  cosineRates,
  createRoundRuntime,
  createRunner,
  elementsOf,
  initialState,
  playRound,
  type Runner,
} from "#engine"
import { drawAdditions } from "../examples/adder/sums.ts"
import { BATCH, SAMPLES } from "../examples/adder/training.ts"
import type { RunningWorker } from "../scripts/shared/stack.ts"
import { waitForSeats } from "../scripts/shared/waitForSeats.ts"
import { adderOf, lossOn } from "./adderRuns.ts"
import type { Figure } from "./figure.ts"
import { openLocalMarket } from "./localMarket.ts"

/**
 * The adder trained on the market by processes of which one is killed or added in every round, and one cheats from the
 * start, against the same rounds on this machine with nobody else in them.
 */
export async function churn(): Promise<Figure[]> {
  const market = await openLocalMarket("churn", { ASSAY_LEASE_SECONDS: "10", ASSAY_BATCH_MAX_AGE_SECONDS: "2" })
  const { stack, coordinatorUrl, chain, deployment } = market
  const runner = createRunner()
  try {
    const hire = (role: string, backend?: string) =>
      stack.startWorker({ role, threads: 1, seats: SEATS, ...(backend === undefined ? {} : { backend }) })
    const cheat = await hire("cheat", join(import.meta.dirname, "..", "examples", "cheats", "lazy.ts"))
    const honest: RunningWorker[] = []
    for (let i = 0; i < HONEST; i++) honest.push(await hire(`worker-${i}`))
    await waitForSeats(coordinatorUrl)
    const client = await market.client()

    const changes = { killed: 0, added: 0 }
    const change = async (round: number) => {
      if (round % 2 === 0) {
        honest.push(await hire(`late-${round}`))
        changes.added++
      } else {
        honest.shift()!.child.kill("SIGKILL")
        changes.killed++
      }
    }
    const changing: Promise<void>[] = []
    let found = 0
    const run = await train(
      { client, runner },
      {
        program,
        run: beginRun(program.genesis),
        rounds: ROUNDS,
        rateOf,
        fee: FEE,
        auditRate: 2_500,
        title: "churn",
        fund: market.fund,
        keep: async () => {},
        onEvent(event) {
          if (event.kind === "posted") changing.push(change(event.round))
          if (event.kind !== "refuted") return
          found++
          // Known as a cheat it is of no more use to anybody.
          void cheat.child.stop()
        },
      },
    )
    await Promise.all(changing)
    const history = await readHistory(chain, deployment)
    const slashed = (await client.payouts(cheat.account as Address)).reduce((sum, one) => sum + one.slashed, 0n)
    const { conserved } = await readConservation(chain, deployment, history)
    const paid = await paidOf(client, run)
    return [
      {
        name: `churn, ${ROUNDS} rounds of ${SLOTS} slots, ${changes.killed} workers killed, ${changes.added} added, 1 cheat: held-out loss`,
        value: await heldOut(runner, run.state),
        unit: "nats a digit",
        against: "the same rounds on one machine; goal within 2 %",
        ratio: (await heldOut(runner, run.state)) / (await heldOut(runner, await alone(runner))),
      },
      {
        name: "churn: paid for work",
        value: paid,
        unit: "slots",
        against: `${ROUNDS * SLOTS} that were used, none twice; books ${conserved ? "closed" : "NOT closed"}`,
        ratio: paid / (ROUNDS * SLOTS),
      },
      {
        name: "churn: taken from the cheat",
        value: Number(formatEther(slashed)),
        unit: "ASY",
        against: `what it made up was found out, ${found} times; goal: more than nothing`,
        ratio: null,
      },
    ]
  } finally {
    await runner.close()
    await market.close()
  }
}

const ROUNDS = 10
const SLOTS = 4
const STEPS = 25
const HONEST = 4
const SEATS = 6
const FEE = 10n ** 16n
const HELD_OUT = 4_000

const training = adderOf(31, BATCH)
const segment = buildSegment(training, STEPS)
const program = buildRoundProgram({
  segment,
  begin: initialState(segment, training.model)[0]!,
  slots: SLOTS,
  compression: "int4",
  outer: { rate: 0.7, momentum: 0.6 },
})
const RATES = elementsOf(
  cosineRates({ peak: 3e-3, warmUp: 50, total: ROUNDS * STEPS }, 0, ROUNDS * STEPS),
) as Float32Array
const rateOf = (step: number) => RATES[step]!

async function alone(runner: Runner): Promise<TrainingRun["state"]> {
  const runtime = createRoundRuntime({ runner }, program)
  let state = program.genesis
  for (let round = 0; round < ROUNDS; round++) {
    const rates = [...RATES.subarray(round * STEPS, (round + 1) * STEPS)]
    ;({ state } = await playRound(runtime, program, { state, rates }))
  }
  return state
}

async function heldOut(runner: Runner, state: TrainingRun["state"]): Promise<number> {
  const p = await closeRun({ runner }, program, state)
  return lossOn(runner, segment.parameters, p, drawAdditions(SAMPLES.train, HELD_OUT))
}

/** Slots of the run's jobs that somebody was paid for, by the chain. */
async function paidOf(client: Client, run: TrainingRun): Promise<number> {
  const jobs = new Set(run.rounds.map(({ jobId }) => jobId))
  const entries = (await client.payouts()).flatMap((payout) => payout.entries)
  const work = entries.filter(({ kind, jobId }) => kind === "work" && jobs.has(jobId!))
  return Number(work.reduce((sum, { amount }) => sum + amount, 0n) / FEE)
}
