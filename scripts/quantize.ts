import { writeFile } from "node:fs/promises"
import { basename, extname, resolve } from "node:path"
import type { Command } from "commander"
import {
  createRunner,
  HOLD_BACK,
  LEAST_ACCURACY,
  loadInputs,
  measureSpeed,
  type QuantizeResult,
  quantizeModel,
  readModelInterface,
  tolerantProfile,
} from "#engine"
import { action } from "./shared/action.ts"
import { CliError, usageError } from "./shared/errors.ts"
import { readModelFile } from "./shared/jobRequest.ts"

type Options = { calibrate?: string; out?: string; holdBack?: number; accuracy?: number }

export function configure(command: Command): void {
  command
    .argument("<model>", "the float32 ONNX file")
    .option("--calibrate <dir|list.jsonl>", "samples of what the model will see, as --inputs of submit takes them")
    .option("--out <file>", "the integer program (default: MODEL.integer.onnx here)")
    .option(
      "--hold-back <percent>",
      `share of the samples that only judge the result (default ${HOLD_BACK * 100}%)`,
      parseShare,
    )
    .option(
      "--accuracy <cosine>",
      `least similarity to the original; layers that cost more stay in float32 (default ${LEAST_ACCURACY})`,
      parseSimilarity,
    )
    .action(
      action<Options>(async ({ out }, options, [path = ""]) => {
        if (options.calibrate === undefined)
          throw usageError("E_INPUT_MISSING", "name the samples: --calibrate DIR, with one file a sample")
        const model = await readModelFile(path)
        const target = options.out ?? `${basename(path, extname(path))}.integer.onnx`
        if (resolve(target) === resolve(path))
          throw usageError("E_USAGE", `--out ${target} would overwrite the original: name another file`)
        const samples = await loadInputs({ from: options.calibrate }, readModelInterface(model).inputs)
        const runner = createRunner()
        const plain = createRunner({ profile: tolerantProfile("cpu", 1) })
        try {
          const result = await quantizeModel(
            { runner, say: out.say },
            {
              model,
              samples,
              ...(options.holdBack === undefined ? {} : { holdBack: options.holdBack }),
              ...(options.accuracy === undefined ? {} : { accuracy: options.accuracy }),
            },
          )
          out.say("measuring speed")
          const [defaultMs, exactMs, integerMs] = await measureSpeed(
            [
              { runner: plain, model },
              { runner, model: result.original },
              { runner, model: result.bytes },
            ],
            result.heldBack,
          )
          await writeFile(target, result.bytes).catch((cause: NodeJS.ErrnoException) => {
            throw new CliError("E_FILE_WRITE", `cannot write ${target}: ${cause.message}`, { usage: true, cause })
          })
          const report = reportOf(result, {
            out: target,
            size: { original: model.byteLength, integer: result.bytes.byteLength },
            speed: { defaultMs: defaultMs!, exactMs: exactMs!, integerMs: integerMs! },
          })
          out.result(report, () => describe(report))
        } finally {
          await runner.close()
          await plain.close()
        }
      }),
    )
}

function parseShare(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*%?$/.exec(text)
  const percent = match ? Number(match[1]) : Number.NaN
  if (!(percent > 0 && percent < 100))
    throw usageError("E_USAGE", `'${text}' is no share: give a percentage between 0 and 100, 20% say`)
  return percent / 100
}

function parseSimilarity(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value < 1))
    throw usageError("E_USAGE", `'${text}' is no similarity: give a number between 0 and 1`)
  return value
}

type Measured = {
  out: string
  /** Bytes of the files. */
  size: { original: number; integer: number }
  /** A task on one thread: the original with onnxruntime's default options, its exact program, the integer program. */
  speed: { defaultMs: number; exactMs: number; integerMs: number }
}
type Report = ReturnType<typeof reportOf>

function reportOf(result: QuantizeResult, measured: Measured) {
  const { method, samples, layers, products, outputs } = result
  return { ...measured, method, samples, layers, products, outputs }
}

function describe({ out, size, speed, method, samples, layers, products, outputs }: Report): string {
  const ms = (value: number) => `${value.toFixed(2)} ms`
  const share = (value: number) => `${(value * 100).toFixed(1)} %`
  return [
    `${out}: the same inputs and outputs, ${layers.quantized.length} layers (${share(products)} of the products) in bytes`,
    `size      ${size.integer} bytes, ${share(size.integer / size.original)} of the original's ${size.original}`,
    `speed     ${ms(speed.integerMs)} a task; float32 ${ms(speed.exactMs)} exact (${(speed.exactMs / speed.integerMs).toFixed(2)} times as long), ${ms(speed.defaultMs)} with default options (${(speed.defaultMs / speed.integerMs).toFixed(2)})`,
    `accuracy  on ${samples.heldBack} samples held back of ${samples.heldBack + samples.calibration}, ranges by ${method}`,
    ...outputs.map(
      ({ name, cosine, meanError, maxError, argmaxAgreement }) =>
        `  ${name}  cosine ${cosine.toFixed(6)}, error ${meanError.toPrecision(3)} mean, ${maxError.toPrecision(3)} max${
          argmaxAgreement === undefined ? "" : `, same argmax ${share(argmaxAgreement)}`
        }`,
    ),
    ...layers.kept.map(
      ({ name, op, relativeError = 0 }) => `  ${op} ${name} stays in float32: alone it costs ${share(relativeError)}`,
    ),
  ].join("\n")
}
