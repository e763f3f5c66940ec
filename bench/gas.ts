import { type Address, encodeFunctionData, type Hex } from "viem"
import { type BatchStruct, capabilityOf, marketAbi, type Terms } from "#protocol"
import type { Figure } from "./figure.ts"
import { type Attested, createGasChain, type GasChain, PANEL, shareOut, spreadVerdicts, WORKERS } from "./gasChain.ts"

const TOKEN = 10n ** 18n
const RATE = 500
const CAPABILITY = capabilityOf("exact-cpu-1", 2)
/** 64 shards of a job are a quarter of a word of its shard bits: four batches hold exactly one fresh word. */
const ROUNDS = 4
const WARM_UP = 2
/** More than the window, and than the blocks of a seed. */
const APART_SECONDS = 10

type Case = { readonly tasks: number; readonly workers: number; readonly among: number }
type Round = { readonly batch: BatchStruct; readonly attested: Attested }

/**
 * Gas from commit to finalize, per task, in the steady state: every account has been paid before, terms are
 * resubmitted, collateral, bond and the capability's seats are read, and nothing is left out but post, stake, allow and
 * withdraw. Means over four batches.
 */
export async function runGasBench(): Promise<Figure[]> {
  const chain = await createGasChain()
  try {
    await chain.setUp(CAPABILITY)
    const figures: Figure[] = []
    for (const tasks of [1, 64, 1_024, 4_096, 65_536]) {
      for (const workers of tasks === 1 ? [1] : [1, WORKERS]) {
        for (const among of workers === 1 ? [0] : [0, 4]) {
          const setting = { tasks, workers, among }
          figures.push(figure(setting, "step by step", await stepByStep(chain, setting)))
          figures.push(figure(setting, "pipelined", await pipelined(chain, setting)))
        }
      }
    }
    return [...figures, ...(await eachFunction(chain))]
  } finally {
    await chain.close()
  }
}

function figure({ tasks, workers, among }: Case, how: string, gas: number): Figure {
  const value = Math.round((gas / tasks) * 10) / 10
  const goal = goalOf({ tasks, workers, among }, how)
  return {
    name: `gas, ${tasks} tasks, ${workers} ${workers === 1 ? "worker" : "workers"}, ${among} of ${PANEL} verifiers among them, ${how}`,
    value,
    unit: "gas a task",
    against: goal === undefined ? "no goal" : `at most ${goal}`,
    ratio: goal === undefined ? null : value / goal,
  }
}

function goalOf({ tasks, workers, among }: Case, how: string): number | undefined {
  if (workers !== WORKERS) return undefined
  if (tasks === 65_536) return 10
  if (tasks !== 4_096) return undefined
  return (how === "pipelined" && among === 0) || (how === "step by step" && among === 4) ? 100 : undefined
}

type Setting = {
  readonly terms: Terms
  readonly jobId: bigint
  readonly ranges: bigint[]
  readonly shards: number
  readonly statement: ReturnType<typeof spreadVerdicts>
}

async function prepare(chain: GasChain, { tasks, workers, among }: Case): Promise<Setting> {
  const shards = Math.min(tasks, 64)
  const terms = await termsFor(chain, tasks / shards, tasks * (WARM_UP + ROUNDS + 3))
  const { jobId } = await chain.post(terms)
  const { accounts } = chain
  const panel: Address[] = [...accounts.workers.slice(0, among), ...accounts.verifiers.slice(0, PANEL - among)]
  return {
    terms,
    jobId,
    shards,
    ranges: shareOut(accounts.workers.slice(0, workers), shards, tasks),
    statement: spreadVerdicts(panel, RATE, tasks),
  }
}

async function termsFor(chain: GasChain, shardSize: number, tasks: number): Promise<Terms> {
  const { timestamp } = await chain.chain.getBlock()
  const fee = TOKEN / 1_000n
  const shards = BigInt(Math.ceil(tasks / shardSize))
  const samples = BigInt(Math.max(1, Math.ceil((shardSize * RATE) / 10_000)))
  return {
    version: 0,
    kind: 0,
    requester: chain.accounts.requester,
    coordinator: chain.accounts.coordinator,
    class: 0,
    capability: CAPABILITY,
    programRoot: hash("11"),
    inputs: hash("22"),
    tasks,
    shardSize,
    fee,
    maxUnits: 1,
    auditRate: RATE,
    auditRatio: 10_000,
    auditBase: fee,
    auditBudget: shards * samples * 2n * fee,
    coordinatorFee: fee / 20n,
    valueAtRisk: 0n,
    deadline: timestamp + 1_000_000n,
    specHash: hash("33"),
  }
}

const hash = (byte: string): Hex => `0x${byte.repeat(32)}`

/** Commit, attest with the draw inside, finalize: a transaction each. */
async function stepByStep(chain: GasChain, setting: Case): Promise<number> {
  const job = await prepare(chain, setting)
  let measured = 0
  for (let number = 0; number < WARM_UP + ROUNDS; number++) {
    const { commit, attest, finalize } = await oneBatch(chain, job, number)
    if (number >= WARM_UP) measured += commit + attest + finalize
  }
  return measured / ROUNDS
}

async function oneBatch(chain: GasChain, job: Setting, number: number) {
  const { coordinator } = chain.accounts
  const batch = await chain.nextBatch(job.jobId, number, number * job.shards, job.ranges)
  const commit = await chain.send(coordinator, chain.commitCall(job.terms, batch))
  await chain.pass(APART_SECONDS)
  const seed = await chain.seedOf(batch)
  const attest = await chain.send(coordinator, chain.attestCall(job.terms, batch, job.statement))
  await chain.pass(APART_SECONDS)
  const finalize = await chain.send(coordinator, chain.finalizeCall(job.terms, batch, { ...job.statement, seed }))
  return { commit: commit.gas, attest: attest.gas, finalize: finalize.gas }
}

/** One transaction a batch: multicall[finalize what is ripe, attest the last, commit the next]. */
async function pipelined(chain: GasChain, setting: Case): Promise<number> {
  const job = await prepare(chain, setting)
  const { coordinator } = chain.accounts
  const rounds: Round[] = []
  let measured = 0
  for (let number = 0; number < WARM_UP + ROUNDS; number++) {
    const calls: Hex[] = []
    const encode = (call: ReturnType<typeof chain.commitCall>) => calls.push(encodeFunctionData(call))
    const ripe = rounds[number - 2]
    const last = rounds[number - 1]
    if (ripe) encode(chain.finalizeCall(job.terms, ripe.batch, ripe.attested))
    if (last) encode(chain.attestCall(job.terms, last.batch, job.statement))
    const batch = await chain.nextBatch(job.jobId, number, number * job.shards, job.ranges)
    encode(chain.commitCall(job.terms, batch))
    const sent = await chain.send(coordinator, {
      to: chain.contracts.market,
      abi: marketAbi,
      functionName: "multicall",
      args: [calls],
    })
    if (number >= WARM_UP) measured += sent.gas
    await chain.pass(APART_SECONDS)
    rounds.push({ batch, attested: { ...job.statement, seed: await chain.seedOf(batch) } })
  }
  return measured / ROUNDS
}

/** Each function alone, on batches of 4,096 tasks of 16 workers, with no verifier among them. */
async function eachFunction(chain: GasChain): Promise<Figure[]> {
  const { coordinator, requester, workers } = chain.accounts
  const job = await prepare(chain, { tasks: 4_096, workers: WORKERS, among: 0 })
  const spent: Record<string, number> = {}
  for (let number = 0; number <= WARM_UP; number++) Object.assign(spent, await oneBatch(chain, job, number))
  const zero = hash("00")

  const drawn = await chain.nextBatch(job.jobId, 3, 3 * job.shards, job.ranges)
  await chain.send(coordinator, chain.commitCall(job.terms, drawn))
  await chain.pass(APART_SECONDS)
  spent.draw = (await chain.send(coordinator, chain.on.market("draw", drawn))).gas
  const seed = await chain.seedOf(drawn)
  spent["attest after draw"] = (
    await chain.send(coordinator, chain.attestCall(job.terms, drawn, job.statement, seed))
  ).gas

  const taken = await chain.nextBatch(job.jobId, 4, 4 * job.shards, job.ranges)
  await chain.send(coordinator, chain.commitCall(job.terms, taken))
  spent.withdrawBatch = (await chain.send(coordinator, chain.on.market("withdrawBatch", job.terms, taken))).gas
  const reclaimed = job.ranges[0]!
  spent.reclaim = (
    await chain.send(
      workers[0]!,
      chain.on.market(
        "reclaim",
        job.terms,
        taken,
        0n,
        taken.firstShard,
        zero,
        reclaimed,
        zero,
        coordinator,
        "https://x",
      ),
    )
  ).gas

  const left = await chain.nextBatch(job.jobId, 6, 5 * job.shards, job.ranges)
  await chain.send(coordinator, chain.commitCall(job.terms, left))
  await chain.pass(70)
  spent.forfeit = (await chain.send(coordinator, chain.on.market("forfeit", job.terms, left, zero))).gas
  await chain.pass(70)
  spent.release = (await chain.send(coordinator, chain.on.market("release", job.terms, left))).gas

  const terms = await termsFor(chain, 64, 4_096)
  const posted = await chain.post(terms)
  spent.post = posted.gas
  spent.close = (await chain.send(requester, chain.on.market("close", posted.jobId, terms))).gas
  await chain.pass(200)
  spent.refund = (await chain.send(requester, chain.on.market("refund", posted.jobId, terms))).gas
  spent.withdraw = (await chain.send(workers[0]!, chain.on.registry("withdraw", [coordinator]))).gas
  spent.allow = (await chain.send(workers[0]!, chain.on.registry("allow", coordinator, TOKEN))).gas
  spent["stake one seat"] = (await chain.send(workers[0]!, chain.on.registry("stake", CAPABILITY, 1))).gas

  return Object.entries(spent).map(([name, value]) => ({
    name: `gas of ${name}, 4096 tasks, 16 workers`,
    value,
    unit: "gas",
    against: "no goal",
    ratio: null,
  }))
}

if (import.meta.main) console.table(await runGasBench(), ["name", "value", "unit", "against", "ratio"])
