import { createHash } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { buildSegment, cosineRates, createRunner, decodeElements, initialState, withParameters } from "#engine"
import { MODEL_PATH } from "./adderModel.ts"
import { exactMatches } from "./exactMatches.ts"
import { adderModel, PARAMETERS } from "./network.ts"
import { drawAdditions } from "./sums.ts"
import { adderTraining, SAMPLES, SCHEDULE } from "./training.ts"

/**
 * Trains the adder with the engine's own steps and writes adder.onnx: `node examples/adder/train.ts [STEPS]`. Every
 * segment is a program that anyone can run again to the same bits.
 */

const STEPS_A_SEGMENT = 10

const steps = Number(process.argv[2] ?? SCHEDULE.total)
if (!(Number.isInteger(steps / STEPS_A_SEGMENT) && steps > 0)) {
  console.error(`usage: node examples/adder/train.ts [STEPS], a multiple of ${STEPS_A_SEGMENT}`)
  process.exit(2)
}
const training = adderTraining()
const schedule = { ...SCHEDULE, total: steps }
const segment = buildSegment(training, STEPS_A_SEGMENT)
const hash = `0x${createHash("sha256").update(segment.bytes).digest("hex")}` as const
const runner = createRunner()
try {
  await runner.load(segment.bytes, hash)
  let state = initialState(segment, training.model)
  const started = performance.now()
  for (let done = 0; done < steps; done += STEPS_A_SEGMENT) {
    const results = await runner.run(hash, [...state, cosineRates(schedule, done, STEPS_A_SEGMENT)])
    state = results.slice(0, -1)
    const losses = decodeElements(results.at(-1)!) as number[]
    if ((done + STEPS_A_SEGMENT) % 100 === 0)
      console.log(`step ${done + STEPS_A_SEGMENT} of ${steps}: loss ${losses.at(-1)!.toFixed(4)}`)
  }
  const seconds = (performance.now() - started) / 1000
  const trained = withParameters(adderModel(1), segment.parameters, state[0]!)
  const held = drawAdditions(SAMPLES.train, SAMPLES.heldOut)
  const right = await exactMatches({ runner }, segment.parameters, state[0]!, held)
  await writeFile(MODEL_PATH, trained)
  console.log(
    `${right} of ${held.length} held-out sums right, ${PARAMETERS.length} tensors, ${trained.length} bytes, ` +
      `${steps} steps in ${seconds.toFixed(1)} s`,
  )
} finally {
  await runner.close()
}
