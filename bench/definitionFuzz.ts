import { evaluatePrimitive } from "#engine"
import { bytesPerElement } from "#protocol"
import { bitsOf } from "../test/engine/support/operations.ts"
import { fuzzReferee } from "../test/engine/support/refereeFuzz.ts"

/**
 * `node bench/definitionFuzz.ts SEED ELEMENTS`: the operations of bench/refereeFuzz.ts, judged by the definitions in
 * TypeScript instead of the contract. It needs no chain, so it runs wherever onnxruntime does, under an emulator too.
 */
const [seed = 1, elements = 20_000] = process.argv.slice(2).map(Number)
const start = performance.now()
const { tally, difference } = await fuzzReferee(
  {
    evaluate: async ({ primitive, operands }, chosen) => {
      const right = evaluatePrimitive({ ...primitive, operands })
      return chosen.map((element) => ({ bits: bitsOf(right, bytesPerElement(right.dtype), element), defined: true }))
    },
  },
  { seed, elements },
)
const seconds = Math.round((performance.now() - start) / 1_000)
console.log(JSON.stringify({ seed, seconds, ...tally, difference: difference ?? "none" }, null, 2))
if (difference) process.exitCode = 1
