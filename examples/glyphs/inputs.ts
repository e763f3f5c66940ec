import { readFile } from "node:fs/promises"
import { readModel } from "#engine"
import type { Tensor } from "#protocol"
import { drawGlyph, type Glyph, SIZE } from "./drawGlyph.ts"
import { ACCURACY_KEY, MODEL_PATH } from "./glyphModel.ts"
import { createRandom } from "./random.ts"
import { ALPHABET } from "./strokes.ts"

export type GlyphInput = { readonly glyph: Glyph; readonly character: string; readonly tensor: Tensor }

/** Distinct scans of random characters; the same seed draws the same ones. */
export function makeGlyphInputs({ seed, count }: { seed: number; count: number }): GlyphInput[] {
  const random = createRandom(seed)
  const seen = new Set<string>()
  const inputs: GlyphInput[] = []
  while (inputs.length < count) {
    const glyph = drawGlyph(Math.floor(random.next() * ALPHABET.length), random)
    const key = Buffer.from(glyph.pixels).toString("latin1")
    if (seen.has(key)) continue
    seen.add(key)
    const tensor: Tensor = { dtype: "uint8", dims: [1, 1, SIZE, SIZE], data: glyph.pixels }
    inputs.push({ glyph, character: ALPHABET[glyph.label]!, tensor })
  }
  return inputs
}

/** The character that the model's `label` output stands for. */
export function characterOf(label: Tensor): string {
  return ALPHABET[Number(new DataView(label.data.buffer, label.data.byteOffset).getBigInt64(0, true))] ?? "?"
}

/** A scan as text, two rows of pixels a line. */
export function renderGlyph(pixels: Uint8Array): string {
  const shades = " .:-=+*#%@"
  const shade = (value: number) => shades[Math.min(shades.length - 1, Math.floor((value * shades.length) / 256))]!
  const lines: string[] = []
  for (let y = 0; y < SIZE; y += 2) {
    const cells = Array.from({ length: SIZE }, (_, x) =>
      shade((pixels[y * SIZE + x]! + pixels[(y + 1) * SIZE + x]!) / 2),
    )
    lines.push(cells.join("").trimEnd())
  }
  return lines.join("\n")
}

export async function readGlyphModel(): Promise<{ bytes: Uint8Array; path: string; accuracy: number }> {
  const bytes = await readFile(MODEL_PATH)
  return {
    bytes: new Uint8Array(bytes),
    path: MODEL_PATH,
    accuracy: Number(readModel(bytes).metadata.get(ACCURACY_KEY)),
  }
}
