import { readFile, stat } from "node:fs/promises"
import { basename } from "node:path"
import type { Command } from "commander"
import type { JobRequest } from "#client"
import { loadInputs, parseInputFlag, readModelInterface } from "#engine"
import { usageError } from "./errors.ts"
import { parseCount, parsePercent, parseTokens } from "./parse.ts"

export type JobFlags = {
  model?: string
  input?: string[]
  inputs?: string
  fee?: bigint
  audit?: number
  class: string
  shardSize?: number
  deadline?: number
  title?: string
  public?: boolean
}

/** `quote` takes the flags of `submit`, so both take them from here. */
export function addJobFlags(command: Command): Command {
  const collect = (text: string, before: string[] = []) => [...before, text]
  return command
    .option("--model <file>", "the ONNX model")
    .option("--input <name=file>", "one input of a single task; repeat it for each input", collect)
    .option("--inputs <dir|list.jsonl>", "many tasks: one a file of the folder, or one a line of the list")
    .option("--fee <amount>", "tokens a task (default: the coordinator's least)", parseTokens)
    .option("--audit <percent>", "share of the tasks that are computed again (default 5%)", parsePercent)
    .option(
      "--class <class>",
      "exact: the same bits everywhere; tolerant is refused until its fingerprints exist",
      "exact",
    )
    .option("--shard-size <n>", "tasks leased together", parseCount)
    .option("--deadline <seconds>", "how long the job may take (default an hour)", parseCount)
    .option("--title <text>", "a name for people")
    .option(
      "--public",
      "anyone may see inputs and outputs, compute tasks again, and dispute what is wrong for a bounty",
    )
}

/** The largest file that could be a model; the engine's own limit is the one that counts. */
const MODEL_BYTES_MAX = 2 ** 31 - 1

export async function readJobRequest(flags: JobFlags): Promise<JobRequest> {
  const { model: path, input = [], inputs, class: jobClass } = flags
  if (path === undefined) throw usageError("E_USAGE", "name the model with --model FILE")
  if (input.length === 0 && inputs === undefined) {
    throw usageError(
      "E_INPUT_MISSING",
      "give the inputs: --input NAME=FILE for one task, --inputs DIR or LIST.jsonl for many",
    )
  }
  if (jobClass === "tolerant") {
    throw usageError(
      "E_CLASS_TOLERANT",
      "tolerant jobs are refused until their fingerprints exist: post it as exact, or leave --class out",
    )
  }
  if (jobClass !== "exact") throw usageError("E_CLASS_UNKNOWN", `'${jobClass}' is no class: give exact`)
  const model = await readModelFile(path)
  const wants = readModelInterface(model).inputs
  const files = input.map((text) => parseInputFlag(text, wants))
  const tasks = await loadInputs({ files, ...(inputs === undefined ? {} : { from: inputs }) }, wants)
  return {
    model,
    tasks,
    title: flags.title ?? basename(path),
    ...(flags.public ? { isPublic: true } : {}),
    ...(flags.fee === undefined ? {} : { fee: flags.fee }),
    ...(flags.audit === undefined ? {} : { auditRate: flags.audit }),
    ...(flags.shardSize === undefined ? {} : { shardSize: flags.shardSize }),
    ...(flags.deadline === undefined ? {} : { deadlineSeconds: flags.deadline }),
  }
}

export async function readModelFile(path: string): Promise<Uint8Array> {
  const file = await stat(path).catch((cause: unknown) => {
    throw usageError("E_FILE_MISSING", `there is no model at ${path}`, cause)
  })
  if (!file.isFile()) throw usageError("E_MODEL_NOT_ONNX", `${path} is no file: name the .onnx file itself`)
  if (file.size > MODEL_BYTES_MAX)
    throw usageError("E_MODEL_TOO_LARGE", `${path} has ${file.size} bytes: no ONNX file is that large`)
  return readFile(path)
}
