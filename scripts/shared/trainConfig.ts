import { readFile } from "node:fs/promises"
import { basename, dirname, resolve } from "node:path"
import { z } from "zod"
import { feedOf, type ModelPlan, type RunPlan } from "#client"
import {
  assertShard,
  buildRoundProgram,
  buildSegment,
  COMPRESSIONS,
  cosineRates,
  decodeNpz,
  elementsOf,
  initialState,
  MODEL_LIMITS,
  type Segment,
  SLOT_STATES,
} from "#engine"
import { hexOf, sha256, type Tensor } from "#protocol"
import { usageError } from "./errors.ts"
import { parsePercent, parseTokens } from "./parse.ts"

const CountSchema = z.int().min(1)

/** What `assay train --config` takes; files are named relative to it. */
const TrainConfigSchema = z.strictObject({
  title: z.string().min(1).max(100),
  /** The forward graph as ONNX, the batch its inputs' first dim; its weights are where training begins. */
  model: z.string(),
  /**
   * `.npz`, an array for each input of the model and each name of the loss, samples along the first dim; it becomes part of
   * the program. Where these are several, with as many samples each, they do not: each task is given its samples.
   */
  data: z.union([z.string(), z.array(z.string()).min(1)]),
  loss: z.discriminatedUnion("kind", [
    z.strictObject({
      kind: z.literal("crossEntropy"),
      logits: z.string(),
      targets: z.string(),
      mask: z.string().optional(),
    }),
    z.strictObject({ kind: z.literal("tensor"), name: z.string() }),
  ]),
  batch: CountSchema,
  /** Of each slot in each round. */
  steps: CountSchema.max(1_000),
  rounds: CountSchema.max(100_000),
  /** Tasks of a round; the workers that take them may be fewer, or others each time. */
  slots: CountSchema.max(64),
  optimizer: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("sgd"), momentum: z.number().optional() }),
    z.strictObject({
      kind: z.literal("adamw"),
      beta1: z.number().optional(),
      beta2: z.number().optional(),
      epsilon: z.number().optional(),
      weightDecay: z.number().optional(),
    }),
  ]),
  clipNorm: z.number().positive().optional(),
  /** Names of initializers; all that can be trained where left out. */
  parameters: z.array(z.string()).min(1).optional(),
  /** Of the order of samples. */
  seed: z.int().min(0).default(0),
  /** Rises linearly, then falls along half a cosine to 0 at the last step. */
  rate: z.strictObject({ peak: z.number().positive(), warmUp: z.int().min(0).default(0) }),
  compression: z.enum(COMPRESSIONS).default("int4"),
  /** What a slot has of its own from round to round: `none` moves less than a third through the market. */
  slotState: z.enum(SLOT_STATES).default("kept"),
  outer: z
    .strictObject({
      rate: z.number().positive(),
      momentum: z.number().min(0).max(1),
      /** A slot's update is shortened to this length. */
      clipNorm: z.number().positive().optional(),
      /** Of each number so many of the greatest and of the least among the slots have no say. */
      trim: z.int().min(0).default(0),
    })
    .default({ rate: 1, momentum: 0.5, trim: 0 }),
  /** After so many seconds a round is closed with so many slots; all are waited for where it is left out. */
  quorum: z.strictObject({ slots: CountSchema, seconds: CountSchema }).optional(),
  /** Percent of their fees that users of the model that comes of it pay to its shares. */
  royalty: z.number().min(0).max(100).default(5),
  /** Percent of the shares that whoever trains keeps. */
  ownShare: z.number().min(0).max(99).default(50),
  /** Tokens a slot and round; the coordinator's least where left out. */
  fee: z.string().optional(),
  /** Share of slots that are computed again. */
  audit: z.string().optional(),
})

export type TrainConfig = {
  readonly plan: RunPlan
  /** A slot's steps of one round. */
  readonly segment: Segment
  readonly rateOf: (step: number) => number
  readonly quorum?: { readonly slots: number; readonly seconds: number }
  readonly shares: Pick<ModelPlan, "jobs" | "unitsPerJob" | "ownShares" | "royalty">
  readonly money: { readonly fee?: bigint; readonly auditRate?: number }
}

/** @throws E_TRAIN_CONFIG for what the file says, E_FILE_MISSING, and the engine's errors for model, loss and data */
export async function readTrainConfig(path: string): Promise<TrainConfig> {
  const text = await readNamed(path)
  const parsed = TrainConfigSchema.safeParse(parseJson(path, text))
  if (!parsed.success) {
    throw usageError("E_TRAIN_CONFIG", `${path} is no training configuration: ${z.prettifyError(parsed.error)}`)
  }
  const config = parsed.data
  if (config.quorum && config.quorum.slots > config.slots) {
    throw usageError(
      "E_TRAIN_CONFIG",
      `${path}: a quorum of ${config.quorum.slots} of ${config.slots} slots never comes`,
    )
  }
  if (config.slotState === "none" && config.compression !== "int4") {
    throw usageError(
      "E_TRAIN_CONFIG",
      `${path}: what ${config.compression} does not send must be kept for the next round: slotState "none" goes with int4`,
    )
  }
  const least = config.quorum?.slots ?? config.slots
  if (least <= 2 * config.outer.trim) {
    throw usageError(
      "E_TRAIN_CONFIG",
      `${path}: of ${least} slots nothing is left where ${config.outer.trim} are trimmed at each end`,
    )
  }
  const beside = (name: string) => resolve(dirname(path), name)
  const forward = await readNamed(beside(config.model))
  const { loss, batch, optimizer, seed, steps, rounds, slots, title, compression, slotState } = config
  const { clipNorm, ...rest } = config.outer
  const outer = { ...rest, ...(clipNorm === undefined ? {} : { clipNorm }) }
  const [first, ...others] = [config.data].flat().map((name) => ({ name, path: beside(name) }))
  const begun = await readData(first!)
  const training = {
    model: forward,
    loss,
    batch,
    optimizer,
    ...(config.clipNorm === undefined ? {} : { clipNorm: config.clipNorm }),
    ...(config.parameters === undefined ? {} : { parameters: config.parameters }),
  }
  const isFed = typeof config.data !== "string"
  const { columns, samples } = begun
  const segment = buildSegment(
    isFed ? { ...training, fed: samplesIn(columns) } : { ...training, data: columns, seed },
    steps,
  )
  const files = []
  for (const [shard, one] of [first!, ...others].entries()) {
    const { file, columns } = shard === 0 ? begun : await readData(one)
    assertShard(columns, { shard, samples, fed: segment.fed })
    files.push(file)
  }
  const data = isFed ? { shards: files, samples, batch, seed } : undefined
  const feed = data && feedOf(data, segment.fed)
  const [begin] = initialState(segment, forward)
  const program = buildRoundProgram({
    segment,
    begin: begin!,
    slots,
    compression,
    slotState,
    outer,
    ...(feed ? { feed } : {}),
  })
  const schedule = { ...config.rate, total: rounds * steps }
  return {
    segment,
    plan: {
      program,
      forward,
      parameters: segment.parameters,
      title,
      rounds,
      sources: {
        [basename(path)]: hexOf(sha256(text)),
        [config.model]: hexOf(sha256(forward)),
        ...Object.fromEntries(files.map((file) => [file.name, file.sha256])),
      },
      ...(data ? { data } : {}),
    },
    ...(config.quorum === undefined ? {} : { quorum: config.quorum }),
    rateOf: (step) => (elementsOf(cosineRates(schedule, step, 1)) as Float32Array)[0]!,
    shares: sharesOf(config),
    money: {
      ...(config.fee === undefined ? {} : { fee: parseTokens(config.fee) }),
      ...(config.audit === undefined ? {} : { auditRate: parsePercent(config.audit) }),
    },
  }
}

/** Rounds may be played again after a late finding (R35), each as another job: twice as many is room for all of that. */
function sharesOf({ rounds, slots, royalty, ownShare }: z.output<typeof TrainConfigSchema>) {
  return {
    jobs: 2 * rounds,
    unitsPerJob: BigInt(slots),
    ownShares: BigInt(Math.round((rounds * slots * ownShare) / (100 - ownShare))),
    royalty: Math.round(100 * royalty),
  }
}

async function readData({ name, path }: { name: string; path: string }) {
  const bytes = await readNamed(path)
  const columns = Object.fromEntries(decodeNpz(bytes, MODEL_LIMITS.fileBytes))
  const samples = Object.values(columns)[0]?.dims[0] ?? 0
  return { file: { name, path, sha256: hexOf(sha256(bytes)) }, columns, samples }
}

/** What one sample of each column is. */
function samplesIn(columns: Readonly<Record<string, Tensor>>) {
  return Object.fromEntries(
    Object.entries(columns).map(([name, { dtype, dims }]) => [name, { dtype, dims: dims.slice(1) }]),
  )
}

async function readNamed(path: string): Promise<Uint8Array> {
  return readFile(path).catch((cause: unknown) => {
    throw usageError("E_FILE_MISSING", `there is no file at ${path}`, cause)
  })
}

function parseJson(path: string, text: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(text))
  } catch (cause) {
    throw usageError("E_TRAIN_CONFIG", `${path} is not JSON: ${(cause as Error).message}`, cause)
  }
}
