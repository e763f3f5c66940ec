import assert from "node:assert/strict"
import { after, test } from "node:test"
import * as tf from "@tensorflow/tfjs"
import {
  buildStep,
  createRunner,
  createSampleOrder,
  initialState,
  type Segment,
  samplesOf,
  type TrainingState,
} from "#engine"
import { elementCount } from "#protocol"
import { cnn, mlp, type Network, transformer } from "./networks.ts"
import { floatsOf, segmentRunner } from "./support.ts"

const runner = createRunner()
after(() => runner.close())

const SLOT = 3
const NETWORKS = { mlp, cnn, transformer }

/** The samples of the step after `cursor`, as anyone can work them out. */
function samplesAt({ training: { data, batch, seed = 0 } }: Network, cursor: number): number[] {
  const [column] = Object.values(data)
  return samplesOf(createSampleOrder(column!.dims[0]!, seed), { slot: BigInt(SLOT), cursor: BigInt(cursor), batch })
}

function variables({ parameters }: Segment, state: TrainingState): tf.Variable[] {
  const p = floatsOf(state[0]!)
  return parameters.map(({ dims, offset }) =>
    tf.variable(tf.tensor(p.slice(offset, offset + elementCount(dims)), dims as number[], "float32")),
  )
}

/** The flat vector out of TensorFlow's tensors. */
function flat(tensors: readonly tf.Tensor[]): Float32Array {
  return tf.concat(tensors.map((tensor) => tf.reshape(tensor, [-1]))).dataSync() as Float32Array
}

/** The greatest distance of two vectors, in units of the greatest element of the second. */
function distance(got: Float32Array, want: Float32Array): number {
  assert.equal(got.length, want.length)
  const size = want.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  return got.reduce((worst, value, i) => Math.max(worst, Math.abs(value - want[i]!)), 0) / size
}

for (const [name, make] of Object.entries(NETWORKS)) {
  test(`behavior: loss and gradient of the ${name} are TensorFlow's`, async () => {
    const network = make()
    const segment = buildStep({ ...network.training, optimizer: { kind: "sgd" } })
    const run = await segmentRunner(runner, segment)
    const start = initialState(segment, network.training.model, SLOT)
    const { state, losses } = await run(start, [0])
    const samples = samplesAt(network, 0)
    const { value, grads } = tf.valueAndGrads((...p: tf.Tensor[]) => network.loss(p, samples))(
      variables(segment, start),
    )
    assert.ok(distance(losses, value.dataSync() as Float32Array) < 1e-5, `loss ${losses}, not ${value.dataSync()}`)
    const worst = distance(floatsOf(state[1]!), flat(grads))
    assert.ok(worst < 2e-5, `the gradient is ${worst} of its greatest element away`)
  })

  test(`behavior: five steps of Adam on the ${name} go where TensorFlow's go`, async () => {
    const network = make()
    const optimizer = { kind: "adamw", weightDecay: 0, epsilon: 1e-7 } as const
    const segment = buildStep({ ...network.training, optimizer })
    const run = await segmentRunner(runner, segment)
    let state = initialState(segment, network.training.model, SLOT)
    const theirs = variables(segment, state)
    const adam = tf.train.adam(0.01, 0.9, 0.999, 1e-7)
    const start = floatsOf(state[0]!)
    for (let k = 0; k < 5; k++) {
      const samples = samplesAt(network, k)
      const result = await run(state, [0.01])
      const loss = adam.minimize(() => network.loss(theirs, samples), true, theirs)!
      state = result.state
      assert.ok(Math.abs(result.losses[0]! - loss.dataSync()[0]!) < 2e-4, `step ${k}: ${result.losses}, ${loss}`)
    }
    const moved = (p: Float32Array) => p.map((value, i) => value - start[i]!)
    // Adam divides by the size of a gradient: where it is next to nothing, rounding is what is left of it.
    const other = moved(flat(theirs))
    const far = moved(floatsOf(state[0]!)).filter((value, i) => Math.abs(value - other[i]!) > 1e-3)
    assert.ok(far.length <= start.length / 100, `${far.length} of ${start.length} parameters went elsewhere`)
  })
}
