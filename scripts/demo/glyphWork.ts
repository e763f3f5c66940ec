import type { TaskOutput } from "#client"
import type { Tensor } from "#protocol"
import { characterOf, makeGlyphInputs, readGlyphModel } from "../../examples/glyphs/index.ts"

export type GlyphWork = { model: Uint8Array; accuracy: number; tasks: Tensor[][]; characters: string[] }

export async function loadGlyphs(params: { count: number; seed: number }): Promise<GlyphWork> {
  const { bytes, accuracy } = await readGlyphModel()
  const inputs = makeGlyphInputs(params)
  return {
    model: bytes,
    accuracy,
    tasks: inputs.map(({ tensor }) => [tensor]),
    characters: inputs.map(({ character }) => character),
  }
}

/** How many glyphs were read as what they were drawn from. */
export function scoreLabels({ characters }: GlyphWork, results: readonly TaskOutput[]): number {
  return results.filter(({ index, outputs }) => {
    const [label] = Object.values(outputs)
    return label !== undefined && characterOf(label) === characters[index]
  }).length
}
