import { createJudge } from "../test/engine/support/judge.ts"
import { fuzzReferee } from "../test/engine/support/refereeFuzz.ts"

// node bench/refereeFuzz.ts SEED ELEMENTS: the long run whose result stands in docs/referee-fuzz.md.
const [seed = 1, elements = 100_000] = process.argv.slice(2).map(Number)
const judge = await createJudge()
try {
  const start = performance.now()
  const { tally, difference } = await fuzzReferee(judge, { seed, elements })
  const seconds = Math.round((performance.now() - start) / 1_000)
  console.log(JSON.stringify({ seed, seconds, ...tally, difference: difference ?? "none" }, null, 2))
  if (difference) process.exitCode = 1
} finally {
  await judge.close()
}
