import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { after, test } from "node:test"
import { createRunner, createRunnerPool, type EngineError, writeModel } from "#engine"
import type { Tensor } from "#protocol"
import { busyModel, classifier, oneNode, ramp, sha256, tensor } from "../support/graphs.ts"

const MIB = 1024 ** 2
const exp = oneNode("Exp")
const runner = createRunner()
after(() => runner.close())

const codeIs = (code: string) => (error: EngineError) => error.code === code

/** Takes a gigabyte for a moment, from one number. */
const greedy = writeModel({
  name: "greedy",
  nodes: [
    { op: "Expand", inputs: ["x", "shape"], outputs: ["big"] },
    { op: "ReduceMax", inputs: ["big"], outputs: ["y"], attributes: { keepdims: 0 } },
  ],
  inputs: [{ name: "x", dtype: "float32", dims: [1] }],
  outputs: [{ name: "y", dtype: "float32", dims: [] }],
  initializers: { shape: tensor("int64", [1], [256 * MIB]) },
})

async function withRunner(
  options: Parameters<typeof createRunner>[0],
  use: (runner: ReturnType<typeof createRunner>) => Promise<void>,
) {
  const own = createRunner(options)
  try {
    await use(own)
  } finally {
    await own.close()
  }
}

test("behavior: a model runs, and outputs are plain bytes", async () => {
  await runner.load(exp, sha256(exp))
  const [y] = await runner.run(sha256(exp), [tensor("float32", [4], [0, 1, -1, 2])])
  assert.equal(y!.data.constructor, Uint8Array)
  const values = [...new Float32Array(y!.data.slice().buffer)]
  values.forEach((value, i) => {
    assert.ok(Math.abs(value - Math.exp([0, 1, -1, 2][i]!)) < 1e-5)
  })
})

test("behavior: two runs give the same bits, in one session, in fresh ones, and in another process", async () => {
  const model = classifier({ outputs: [{ name: "logits", dtype: "float32", dims: [1, 3] }] })
  const bits = async (own: typeof runner, fresh: boolean) => {
    await own.load(model, sha256(model), { fresh })
    return (await own.run(sha256(model), [ramp([1, 4])]))[0]!.data
  }
  const first = await bits(runner, false)
  assert.deepEqual(await bits(runner, false), first)
  assert.deepEqual(await bits(runner, true), first)
  await withRunner({}, async (other) => assert.deepEqual(await bits(other, false), first))
})

test("behavior: every element type that a model may take goes in and comes out, whatever its alignment", async () => {
  for (const dtype of [
    "float32",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "int32",
    "int64",
    "bool",
    "float16",
    "float64",
    "uint32",
    "uint64",
  ] as const) {
    const spec = { dtype, dims: [3] }
    const model = writeModel({
      name: dtype,
      nodes: [{ op: "Identity", inputs: ["x"], outputs: ["y"] }],
      inputs: [{ name: "x", ...spec }],
      outputs: [{ name: "y", ...spec }],
    })
    const given = tensor(dtype, [3], dtype.includes("64") && dtype !== "float64" ? [1n, 0n, 1n] : [1, 0, 1])
    const shifted = new Uint8Array(given.data.byteLength + 1)
    shifted.set(given.data, 1)
    await runner.load(model, sha256(model))
    assert.deepEqual(await runner.run(sha256(model), [{ ...given, data: shifted.subarray(1) }]), [given], dtype)
  }
})

test("error: a task that takes too long is stopped, and the runner goes on", async () => {
  await withRunner({ timeoutMs: 10_000 }, async (own) => {
    // Much work from no constants: loaded in no time even on a busy machine, minutes to run on a core of a fast one.
    const slow = busyModel(2_048, 800)
    const input = ramp([2_048, 2_048])
    await own.load(slow, sha256(slow))
    await assert.rejects(own.run(sha256(slow), [input]), codeIs("E_RUN_TIMEOUT"))
    await own.load(exp, sha256(exp))
    assert.equal((await own.run(sha256(exp), [ramp([4])])).length, 1)
  })
})

test("error: a task that takes too much memory is stopped, and the runner goes on with the same models", async () => {
  await withRunner({ memoryBytes: 400 * MIB }, async (own) => {
    await own.load(exp, sha256(exp))
    await own.load(greedy, sha256(greedy))
    await assert.rejects(own.run(sha256(greedy), [tensor("float32", [1], [1])]), (error: EngineError) => {
      return error.code === "E_RUN_MEMORY" && /the limit is 400 MiB/.test(error.message)
    })
    assert.equal((await own.run(sha256(exp), [ramp([4])])).length, 1)
  })
})

test("error: a crash fails the task it happened in alone; those behind it are run by the next process", {
  skip: process.platform !== "linux" && "finds the process by /proc",
}, async () => {
  await withRunner({}, async (own) => {
    const slow = busyModel(128, 2_000)
    const before = new Set(children())
    await own.load(slow, sha256(slow))
    await own.load(exp, sha256(exp))
    const first = own.run(sha256(slow), [ramp([128, 128])])
    const second = own.run(sha256(exp), [ramp([4])])
    const outcome = assert.rejects(first, codeIs("E_RUN_CRASHED"))
    for (const pid of children()) if (!before.has(pid)) process.kill(pid, "SIGSEGV")
    await outcome
    assert.equal((await second).length, 1)
  })
})

function children(): number[] {
  return readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8")
    .split(" ")
    .filter(Boolean)
    .map(Number)
}

test("error: outputs above the limit", async () => {
  await withRunner({ maxOutputBytes: 8 }, async (own) => {
    await own.load(exp, sha256(exp))
    await assert.rejects(own.run(sha256(exp), [ramp([4])]), codeIs("E_RUN_OUTPUT_TOO_LARGE"))
  })
})

test("error: a file whose hash is not the model's is not loaded", async () => {
  await assert.rejects(runner.load(exp, sha256(classifier())), codeIs("E_MODEL_INVALID"))
})

test("error: a model that was never given", async () => {
  await assert.rejects(runner.run(`0x${"ab".repeat(32)}`, []), codeIs("E_RUN_NOT_LOADED"))
})

test("error: inputs that do not fit, bytes that are too few, and bools that are none", async () => {
  await runner.load(exp, sha256(exp))
  await assert.rejects(runner.run(sha256(exp), [ramp([5])]), codeIs("E_INPUT_SHAPE"))
  await assert.rejects(runner.run(sha256(exp), []), codeIs("E_INPUT_MISSING"))
  await assert.rejects(runner.run(sha256(exp), [{ ...ramp([4]), data: new Uint8Array(3) }]), codeIs("E_INPUT_SHAPE"))
  await assert.rejects(runner.run(sha256(exp), [tensor("int32", [4], [1, 2, 3, 4])]), codeIs("E_INPUT_DTYPE"))
})

test("behavior: more models than sessions are kept all run, least recently used first out", async () => {
  await withRunner({ maxSessions: 2 }, async (own) => {
    const models = ["Exp", "Tanh", "Sqrt", "Abs"].map((op) => oneNode(op))
    for (const model of models) await own.load(model, sha256(model))
    for (const model of [...models, ...models]) assert.equal((await own.run(sha256(model), [ramp([4])])).length, 1)
  })
})

async function collect(results: AsyncIterable<Tensor[]>): Promise<number[]> {
  const found: number[] = []
  for await (const [y] of results) found.push(new Float32Array(y!.data.slice().buffer)[0]!)
  return found
}

const negate = oneNode("Neg")
const numbers = Array.from({ length: 50 }, (_, i) => [tensor("float32", [4], [i, 0, 0, 0])])
const negated = Array.from({ length: 50 }, (_, i) => (i === 0 ? -0 : -i))

test("behavior: a shard's results come in order, from one process and from three", async () => {
  await runner.load(negate, sha256(negate))
  assert.deepEqual(await collect(runner.runMany(sha256(negate), numbers)), negated)
  const pool = createRunnerPool({ processes: 3 })
  await pool.load(negate, sha256(negate))
  assert.deepEqual(await collect(pool.runMany(sha256(negate), numbers)), negated)
  await pool.close()
})

test("behavior: a shard may be a stream", async () => {
  async function* stream() {
    for (const inputs of numbers) yield inputs
  }
  assert.deepEqual(await collect(runner.runMany(sha256(negate), stream())), negated)
})

test("behavior: leaving a shard early leaves the runner usable", async () => {
  for await (const _result of runner.runMany(sha256(negate), numbers)) break
  assert.deepEqual(await collect(runner.runMany(sha256(negate), numbers)), negated)
})

test("error: a shard stops when its signal says so", async () => {
  const stop = new AbortController()
  const results = runner.runMany(sha256(negate), numbers, stop.signal)[Symbol.asyncIterator]()
  await results.next()
  stop.abort(new Error("shutting down"))
  await assert.rejects(async () => {
    for (;;) if ((await results.next()).done) return
  }, codeIs("E_RUN_ABORTED"))
  assert.deepEqual(await collect(runner.runMany(sha256(negate), numbers)), negated)
})

test("error: one bad task fails the shard with its code, and the runner goes on", async () => {
  const tasks = [...numbers.slice(0, 3), [ramp([5])], ...numbers.slice(0, 3)]
  await assert.rejects(collect(runner.runMany(sha256(negate), tasks)), codeIs("E_INPUT_SHAPE"))
  assert.deepEqual(await collect(runner.runMany(sha256(negate), numbers)), negated)
})

test("error: a folder for scratch files that cannot be written", async () => {
  const before = process.env.TMPDIR
  process.env.TMPDIR = "/nonexistent"
  try {
    await withRunner({}, async (own) => assert.rejects(own.load(exp, sha256(exp)), codeIs("E_RUN_SCRATCH")))
  } finally {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
  }
})

test("error: a closed runner says so", async () => {
  const own = createRunner()
  await own.load(exp, sha256(exp))
  const open = own.run(sha256(exp), [ramp([4])])
  const outcome = assert.rejects(open, codeIs("E_RUN_CLOSED"))
  await own.close()
  await outcome
  await assert.rejects(own.load(exp, sha256(exp)), codeIs("E_RUN_CLOSED"))
})

test("behavior: the computing process sees no secret of its parent", {
  skip: process.platform !== "linux" && "reads /proc",
}, async () => {
  process.env.ASSAY_TEST_SECRET = "s3cret"
  await withRunner({}, async (own) => {
    const before = new Set(children())
    await own.load(exp, sha256(exp))
    const [pid] = children().filter((child) => !before.has(child))
    assert.doesNotMatch(readFileSync(`/proc/${pid}/environ`, "utf8"), /s3cret/)
  })
  delete process.env.ASSAY_TEST_SECRET
})
