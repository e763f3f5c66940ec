import { createHash } from "node:crypto"
import { createRunner, decodeElements } from "#engine"
import { readAdderModel } from "./adderModel.ts"
import { ANSWER, encodeAdditions, textOf, VOCABULARY } from "./sums.ts"

/** `node examples/adder/add.ts A B`: what the committed network makes of two numbers, written digit by digit. */
const [a, b] = process.argv.slice(2).map(Number)
if (![a, b].every((value) => Number.isInteger(value) && value! >= 0 && value! <= 999)) {
  console.error("usage: node examples/adder/add.ts A B, two numbers from 0 to 999")
  process.exit(2)
}
const model = await readAdderModel()
const hash = `0x${createHash("sha256").update(model).digest("hex")}` as const
const runner = createRunner()
try {
  await runner.load(model, hash)
  const { tokens } = encodeAdditions([{ a: a!, b: b! }])
  // The network is asked for one digit at a time and never sees one that it did not write itself.
  const read = Uint8Array.from(tokens.data).fill(0, tokens.data.length - (ANSWER - 1))
  const written: number[] = []
  for (let digit = 0; digit < ANSWER; digit++) {
    read.set(written.slice(0, ANSWER - 1), read.length - (ANSWER - 1))
    const [logits] = await runner.run(hash, [{ ...tokens, data: read }])
    const classes = VOCABULARY.length
    const row = (decodeElements(logits!) as number[]).slice(digit * classes, (digit + 1) * classes)
    written.push(row.indexOf(Math.max(...row)))
  }
  const question = textOf({ a: a!, b: b! }).slice(0, -ANSWER)
  console.log(`${question}${[...written].reverse().join("")}`)
} finally {
  await runner.close()
}
