import { mkdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import { usageError } from "./errors.ts"
import type { LossCurve } from "./plotLosses.ts"

const LOSSES = "losses.json"
const LossCurveSchema = z.object({ name: z.string(), losses: z.array(z.number()).min(1) })

/** What `assay train --alone` leaves: the model, and its losses for a plot. @returns where the model is */
export async function writeBaseline(dir: string, curve: LossCurve, model: Uint8Array): Promise<string> {
  await mkdir(dir, { recursive: true })
  await writeFile(join(dir, LOSSES), `${JSON.stringify(curve)}\n`)
  await writeFile(join(dir, "model.onnx"), model)
  return join(dir, "model.onnx")
}

/** @throws E_FILE_MISSING where nothing was trained alone in that folder */
export async function readBaseline(dir: string): Promise<LossCurve> {
  const text = await readFile(join(dir, LOSSES), "utf8").catch((cause: unknown) => {
    throw usageError("E_FILE_MISSING", `${dir} holds no ${LOSSES}: assay train --alone --out ${dir} writes one`, cause)
  })
  return LossCurveSchema.parse(JSON.parse(text))
}
