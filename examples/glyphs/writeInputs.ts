import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { encodeNpy } from "#engine"
import { makeGlyphInputs } from "./inputs.ts"

/** `node examples/glyphs/writeInputs.ts DIR [COUNT] [SEED]`: scans as .npy files, for `submit --inputs DIR`. */
const [folder, count = "256", seed = "7"] = process.argv.slice(2)
if (!folder || !(Number(count) > 0) || !Number.isInteger(Number(seed))) {
  console.error("usage: node examples/glyphs/writeInputs.ts DIR [COUNT] [SEED]")
  process.exit(2)
}
await mkdir(folder, { recursive: true })
const inputs = makeGlyphInputs({ seed: Number(seed), count: Number(count) })
const digits = String(inputs.length - 1).length
for (const [i, { tensor }] of inputs.entries())
  await writeFile(join(folder, `${String(i).padStart(digits, "0")}.npy`), encodeNpy(tensor))
console.log(`${inputs.length} scans in ${folder}`)
