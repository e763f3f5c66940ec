import assert from "node:assert/strict"
import { after, test } from "node:test"
import {
  addAdapters,
  buildSegment,
  createRunner,
  EngineError,
  initialState,
  mergeAdapters,
  readModel,
  type Training,
  trainableParameters,
  withParameters,
} from "#engine"
import type { Tensor } from "#protocol"
import { sha256 } from "../support/graphs.ts"
import { cnn, decoder } from "../support/networks.ts"
import { floatsOf, intTensor, segmentRunner, spread } from "./support.ts"

const runner = createRunner()
after(() => runner.close())

const STEPS = 8

/** An exporter's decoder of which nobody thought of training: one sequence a batch. */
function tuning(more: Partial<Training> = {}): Training {
  const [samples, length, vocabulary] = [6, 12, 50]
  const tokens = (shift: number) =>
    intTensor(
      [samples, length],
      Array.from({ length: samples * length }, (_, i) => (i * 7 + (i >> 2) + shift) % vocabulary),
    )
  return {
    model: decoder().model,
    loss: { kind: "crossEntropy", logits: "logits", targets: "next" },
    data: { tokens: tokens(0), next: tokens(3) },
    batch: 1,
    optimizer: { kind: "adamw" },
    clipNorm: 1,
    ...more,
  }
}

async function train(training: Training) {
  const segment = buildSegment(training, STEPS)
  const run = await segmentRunner(runner, segment)
  let state = initialState(segment, training.model)
  const losses: number[] = []
  for (let i = 0; i < 3; i++) {
    const result = await run(state, new Array(STEPS).fill(3e-3))
    state = result.state
    losses.push(...result.losses)
  }
  const mean = (part: readonly number[]) => part.reduce((a, b) => a + b) / part.length
  return { segment, p: state[0]!, early: mean(losses.slice(0, 6)), late: mean(losses.slice(-6)) }
}

async function outputsOf(model: Uint8Array, inputs: readonly Tensor[]): Promise<Float32Array> {
  await runner.load(model, sha256(model))
  return floatsOf((await runner.run(sha256(model), inputs))[0]!)
}

const changedNames = (before: Uint8Array, after: Uint8Array): string[] => {
  const old = new Map(readModel(before).graph.initializers.map((initializer) => [initializer.name, initializer.read()]))
  return readModel(after)
    .graph.initializers.filter(({ name, read }) => Buffer.compare(read().data, old.get(name)!.data) !== 0)
    .map(({ name }) => name)
}

test("behavior: all weights of a model that somebody exported are fine-tuned", async () => {
  const training = tuning()
  const { segment, p, early, late } = await train(training)
  assert.ok(late < 0.7 * early, `from ${early} to ${late}`)
  assert.deepEqual(
    segment.parameters.map(({ name }) => name),
    trainableParameters(readModel(training.model)),
  )
  const tuned = withParameters(training.model, segment.parameters, p)
  const changed = changedNames(training.model, tuned)
  assert.deepEqual(
    changed,
    segment.parameters.map(({ name }) => name),
  )
})

test("behavior: only the named weights change", async () => {
  const training = tuning()
  const name = trainableParameters(readModel(training.model)).at(-1)!
  const { segment, p, early, late } = await train({ ...training, parameters: [name] })
  assert.ok(late < early, `from ${early} to ${late}`)
  assert.deepEqual(changedNames(training.model, withParameters(training.model, segment.parameters, p)), [name])
})

test("behavior: the statistics of batch norms are not learned", () => {
  const { graph } = readModel(cnn().model)
  const norms = graph.nodes.filter(({ op }) => op === "BatchNormalization")
  assert.ok(norms.length > 0)
  const found = trainableParameters({ graph })
  for (const { inputs } of norms) {
    assert.ok(found.includes(inputs[1]!) && found.includes(inputs[2]!))
    assert.ok(!found.includes(inputs[3]!) && !found.includes(inputs[4]!))
  }
})

test("behavior: adapters start as nothing, learn alone, and merge into a model without them", async () => {
  const training = tuning()
  const matrices = trainableParameters(readModel(training.model)).filter(
    (name) => readModel(training.model).graph.initializers.find((other) => other.name === name)!.dims.length === 2,
  )
  const { model, parameters } = addAdapters(training.model, matrices, { rank: 2, alpha: 8 })
  const input = decoder().inputs(5)
  const [plain, untrained] = [await outputsOf(training.model, input), await outputsOf(model, input)]
  assert.deepEqual(untrained, plain)
  const { segment, p, early, late } = await train({ ...training, model, parameters })
  assert.ok(late < 0.9 * early, `from ${early} to ${late}`)
  const tuned = withParameters(model, segment.parameters, p)
  const merged = mergeAdapters(training.model, tuned, matrices)
  const [adapted, whole] = [await outputsOf(tuned, input), await outputsOf(merged, input)]
  const far = adapted.reduce((worst, value, i) => Math.max(worst, Math.abs(value - whole[i]!)), 0)
  assert.ok(far < 1e-4, `merging moves an output by ${far}`)
  assert.ok(adapted.some((value, i) => Math.abs(value - plain[i]!) > 1e-2))
  assert.deepEqual(changedNames(training.model, merged), matrices)
})

test("error: adapters of what is no matrix, or of no rank", () => {
  const { model } = decoder()
  const code = (names: readonly string[], rank: number): string => {
    try {
      addAdapters(model, names, { rank })
    } catch (error) {
      if (error instanceof EngineError) return error.detail.code
      throw error
    }
    return assert.fail("they were added")
  }
  const vector = readModel(model).graph.initializers.find(({ dims }) => dims.length === 1)!.name
  assert.equal(code([vector], 2), "E_TRAIN_NAME")
  assert.equal(code(["nothing"], 2), "E_TRAIN_NAME")
  assert.equal(code([], 0), "E_TRAIN_OPTION")
})

test("error: parameters of another model", () => {
  const { model } = decoder()
  assert.throws(
    () => withParameters(model, [{ name: "lost", dims: [2], offset: 0 }], spread([2], 1)),
    (error: unknown) => error instanceof EngineError && error.detail.code === "E_TRAIN_NAME",
  )
})
