import { readFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"

export const MODEL_PATH = fileURLToPath(new URL("./adder.onnx", import.meta.url))
/** Of the run that trained it. */
export const MANIFEST_PATH = fileURLToPath(new URL("./run/manifest.json", import.meta.url))

/** The trained network as it was committed: `tokens` uint8 [1, LENGTH] in, `logits` float32 [1, ANSWER, 12] out. */
export async function readAdderModel(): Promise<Uint8Array> {
  return new Uint8Array(await readFile(MODEL_PATH))
}
