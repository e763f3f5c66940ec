export { type Glyph, SIZE } from "./drawGlyph.ts"
export { MODEL_PATH as GLYPH_MODEL_PATH } from "./glyphModel.ts"
export { characterOf, type GlyphInput, makeGlyphInputs, readGlyphModel, renderGlyph } from "./inputs.ts"
export { ALPHABET } from "./strokes.ts"
