import assert from "node:assert/strict"
import { createHash } from "node:crypto"
import { after, test } from "node:test"
import { createRunner, normalizeModel } from "#engine"
import type { Tensor } from "#protocol"
import { writeModel } from "../../../engine/onnx/writeModel.ts"
import { elementsOf, floats } from "../../../engine/program/elements.ts"
import {
  CHUNK,
  COMPRESSIONS,
  type Coding,
  codeShapes,
  compress,
  decompress,
} from "../../../engine/rounds/compression.ts"
import { createNodes } from "../../../engine/rounds/nodes.ts"

const CHUNKS = 6
/** Of a chunk of 128 numbers: 4.25, 1.25, 0.75 and 4.25 bits a number. */
const BYTES: Record<Coding, number> = { int4: 68, sign: 20, dct: 12, root4: 68 }
const runner = createRunner()
after(() => runner.close())

/** x -> codes, scales, what the receiver makes of them, and what is left over. */
async function roundTrip(compression: Coding) {
  const g = createNodes("t")
  const { codes, scales } = compress(g, compression, "x")
  const received = decompress(g, compression, codes, scales)
  const rest = g.op("Sub", ["x", received])
  const named = { codes, scales, received, rest }
  for (const [name, value] of Object.entries(named)) g.name(value, name)
  const dims = [CHUNKS, CHUNK]
  const shapes = codeShapes(compression, CHUNKS)
  const file = writeModel({
    name: compression,
    nodes: g.nodes,
    initializers: g.initializers,
    inputs: [{ name: "x", dtype: "float32", dims }],
    outputs: [
      { name: "codes", dtype: "uint8", dims: shapes.codes },
      { name: "scales", dtype: "float32", dims: shapes.scales },
      { name: "received", dtype: "float32", dims },
      { name: "rest", dtype: "float32", dims },
    ],
  })
  const { bytes } = await normalizeModel({ runner }, file)
  const sha256 = `0x${createHash("sha256").update(bytes).digest("hex")}` as const
  await runner.load(bytes, sha256)
  return async (x: Float32Array) => {
    const [sent, scale, back, left] = (await runner.run(sha256, [floats(dims, x)])) as [Tensor, Tensor, Tensor, Tensor]
    return {
      codes: sent,
      scales: scale,
      back: elementsOf(back) as Float32Array,
      left: elementsOf(left) as Float32Array,
    }
  }
}

/** Chunks of very different sizes, one of zeros, one with a single number, and -0. */
function updates(seed: number): Float32Array {
  let state = seed
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32 - 0.5
  }
  return Float32Array.from({ length: CHUNKS * CHUNK }, (_, i) => {
    const chunk = Math.floor(i / CHUNK)
    if (chunk === 1) return 0
    if (chunk === 2) return i % CHUNK === 77 ? -3 : -0
    return next() * 10 ** (chunk * 2 - 8)
  })
}

for (const compression of COMPRESSIONS) {
  test(`property: ${compression}: what is sent and what is kept make up the update, and the code is as long as stated`, async () => {
    const run = await roundTrip(compression)
    for (let seed = 1; seed <= 20; seed++) {
      const x = updates(seed)
      const { codes, scales, back, left } = await run(x)
      assert.equal(codes.data.byteLength + scales.data.byteLength, CHUNKS * BYTES[compression])
      for (let i = 0; i < x.length; i++) {
        // One rounding: half a unit in the last place of the greater part.
        const most = Math.max(Math.abs(back[i]!), Math.abs(x[i]!)) * 2 ** -23
        assert.ok(Math.abs(back[i]! + left[i]! - x[i]!) <= most, `${compression} ${seed} ${i}`)
      }
      assert.ok(
        back.slice(CHUNK, 2 * CHUNK).every((value) => value === 0),
        "nothing comes of zeros",
      )
    }
  })

  test(`property: ${compression}: error feedback sends everything in the end`, async () => {
    const run = await roundTrip(compression)
    const x = updates(7)
    const sent = new Float64Array(x.length)
    let kept = new Float32Array(x.length)
    const rounds = 400
    for (let round = 0; round < rounds; round++) {
      const { back, left } = await run(x.map((value, i) => Math.fround(value + kept[i]!)))
      back.forEach((value, i) => {
        sent[i]! += value
      })
      kept = Float32Array.from(left)
    }
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      const part = <T extends Float32Array | Float64Array>(of: T) => [...of.slice(chunk * CHUNK, (chunk + 1) * CHUNK)]
      const size = Math.hypot(...part(x))
      const off = Math.hypot(...part(sent.map((value, i) => value / rounds - x[i]!)))
      // One bit of a chunk that holds a single number is the worst there is, and still gets there.
      assert.ok(off <= 0.2 * size, `${compression}: chunk ${chunk} is off by ${off} of ${size}`)
    }
  })
}

test("property: int4 is off by at most half a level, which is a fourteenth of the chunk's greatest", async () => {
  const run = await roundTrip("int4")
  for (let seed = 1; seed <= 20; seed++) {
    const x = updates(seed)
    const { back } = await run(x)
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      const from = chunk * CHUNK
      const greatest = x.slice(from, from + CHUNK).reduce((most, value) => Math.max(most, Math.abs(value)), 0)
      for (let i = from; i < from + CHUNK; i++)
        assert.ok(Math.abs(back[i]! - x[i]!) <= (greatest / 14) * 1.000001, `${seed} ${i}`)
    }
  }
})

test("property: root4: a mean of squares comes back a little greater, never less but at the bottom, and never 0 beside others", async () => {
  const run = await roundTrip("root4")
  for (let seed = 1; seed <= 20; seed++) {
    const x = updates(seed).map((value) => value * value)
    const { codes, scales, back } = await run(x)
    assert.equal(codes.data.byteLength + scales.data.byteLength, CHUNKS * BYTES.root4)
    for (let chunk = 0; chunk < CHUNKS; chunk++) {
      const of = (values: Float32Array) => values.subarray(chunk * CHUNK, (chunk + 1) * CHUNK)
      const greatest = Math.max(...of(x))
      of(back).forEach((value, i) => {
        const given = of(x)[i]!
        // A level is a sixteenth of the greatest root; the roots are rounded to float32.
        const root = Math.min(given ** 0.25 + greatest ** 0.25 / 16, greatest ** 0.25)
        assert.ok(value >= given * (1 - 1e-5) && value <= root ** 4 * (1 + 1e-5), `${given} came back as ${value}`)
        assert.equal(value === 0, greatest === 0)
      })
    }
  }
})
