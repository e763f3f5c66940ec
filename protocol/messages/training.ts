import { z } from "zod"
import { AddressSchema, Bytes32Schema, JobIdSchema, Sha256Schema, Uint64Schema, Uint96Schema } from "./fields.ts"

const CountSchema = z.int().min(0)

/** A float32 as the shortest decimal that is read as the same one. */
const Float32Schema = z.codec(z.number(), z.number(), {
  decode: Math.fround,
  encode(value) {
    for (let digits = 6; digits < 9; digits++) {
      const short = Number(value.toPrecision(digits))
      if (Math.fround(short) === value) return short
    }
    return Number(value.toPrecision(9))
  },
})

/** One slot's task of a round: its leaf's result, and the loss of each step (float32). */
const SlotRecordSchema = z.object({
  worker: AddressSchema,
  outputCommitment: Bytes32Schema,
  losses: z.array(Float32Schema),
})

/** Written down before its job is posted: with the same nonce and deadline the same job is posted again, not another. */
const PostedRoundSchema = z.object({
  round: CountSchema,
  jobId: JobIdSchema,
  escrow: Uint96Schema,
  nonce: Uint64Schema,
  /** Chain time in seconds. */
  deadline: Uint64Schema,
  /** Unix time in seconds. */
  postedAt: CountSchema,
  /** Of the posting; not there until it is seen. */
  tx: Bytes32Schema.optional(),
})

const RoundRecordSchema = z.object({
  round: CountSchema,
  jobId: JobIdSchema,
  /** Of the posting. */
  tx: Bytes32Schema,
  escrow: Uint96Schema,
  /** Learning rates, one a step. */
  rates: z.array(Float32Schema),
  /** By slot; null where the round did without it (R33). */
  slots: z.array(SlotRecordSchema.nullable()).min(1),
  /** Nobody can dispute anything of it any more. */
  final: z.boolean(),
})

/**
 * The lineage of a trained model, `manifest.json` of a run: from these files, data, jobs and states it came. Everything
 * in it can be derived again from the chain and the run's files (`assay verify`).
 */
export const TrainingManifestSchema = z.object({
  version: z.literal(0),
  title: z.string(),
  program: z.object({
    /** `program.onnx`, a slot's task. */
    sha256: Sha256Schema,
    /** `closing.onnx`, the aggregation alone. */
    closingSha256: Sha256Schema,
    /** `genesis.bundle`, what round 0 begins with. */
    genesisSha256: Sha256Schema,
    /** `forward.onnx`, the model that is trained. */
    forwardSha256: Sha256Schema,
    slots: z.int().min(1).max(64),
    steps: z.int().min(1),
    /** Initializers of the model that are trained, in the order in which they stand in the flat vector. */
    parameters: z.array(z.object({ name: z.string(), dims: z.array(CountSchema), offset: CountSchema })).min(1),
  }),
  /** Files that the program was made from, by name. */
  sources: z.record(z.string(), Sha256Schema),
  /**
   * Where the data are no part of the program: sha256 of each shard (`.npz`), in the order in which they are counted. With
   * these numbers anyone can say which sample was in which step of which slot.
   */
  data: z
    .object({
      shards: z.array(Sha256Schema).min(1),
      /** Of each shard. */
      samples: z.int().min(1),
      batch: z.int().min(1),
      seed: CountSchema,
    })
    .optional(),
  /** In all, if nothing stops it. */
  rounds: z.int().min(1),
  played: z.array(RoundRecordSchema),
  /** The next round's job, where it is under way. */
  posted: PostedRoundSchema.optional(),
  /** Steps that are final, by who took them. */
  contributors: z.record(z.string(), CountSchema),
  /**
   * Tensor roots (R6) of what the next round would begin with: `parameters` and `momentum`, and the `codes` and `scales`
   * of the last round, which `closing.onnx` adds to them. The model follows from these.
   */
  state: z.record(z.string(), Bytes32Schema),
  /** Under which the ModelRegistry knows the model, its shares and its income. */
  modelId: Bytes32Schema.optional(),
  /** `model.onnx`, where nothing was played since it was written. */
  model: Sha256Schema.optional(),
})
export type TrainingManifest = z.output<typeof TrainingManifestSchema>
