import type { Random } from "./random.ts"
import { ALPHABET, GLYPHS, type Point } from "./strokes.ts"

/** Pixels a side. */
export const SIZE = 20

export type Glyph = {
  /** Its place in ALPHABET. */
  readonly label: number
  /** SIZE x SIZE, row by row; 0 is paper, 255 ink. */
  readonly pixels: Uint8Array
}

/** One character as one hand might write it: turned, slanted, stretched, wavy, thick or thin, on a noisy scan. */
export function drawGlyph(label: number, random: Random): Glyph {
  const bend = handwriting(random)
  const thickness = random.between(0.65, 1.35)
  const ink = random.between(170, 255)
  const noise = random.between(2, 22)
  const segments = GLYPHS[ALPHABET[label]!]!.flatMap((stroke) => segmentsOf(stroke.map(bend)))
  const pixels = new Uint8Array(SIZE * SIZE)
  for (let y = 0; y < SIZE; y++)
    for (let x = 0; x < SIZE; x++) {
      let nearest = Number.POSITIVE_INFINITY
      for (const segment of segments) nearest = Math.min(nearest, squaredDistance(x + 0.5, y + 0.5, segment))
      const covered = Math.min(1, Math.max(0, thickness + 0.5 - Math.sqrt(nearest)))
      const value = covered * ink + noise * random.normal()
      pixels[y * SIZE + x] = Math.min(255, Math.max(0, Math.round(value)))
    }
  return { label, pixels }
}

type Segment = {
  readonly ax: number
  readonly ay: number
  readonly vx: number
  readonly vy: number
  readonly length: number
}

function segmentsOf(stroke: readonly Point[]): Segment[] {
  return stroke.slice(1).map(([bx, by], i) => {
    const [ax, ay] = stroke[i]!
    const [vx, vy] = [bx - ax, by - ay]
    return { ax, ay, vx, vy, length: vx * vx + vy * vy }
  })
}

/** A smooth random distortion from the unit square to the pixels. */
function handwriting(random: Random): (point: Point) => Point {
  const turn = random.between(-0.22, 0.22)
  const slant = random.between(-0.28, 0.28)
  const [width, height] = [random.between(0.5, 0.78) * SIZE, random.between(0.6, 0.82) * SIZE]
  const [dx, dy] = [random.between(-1.4, 1.4), random.between(-1.4, 1.4)]
  const [waveX, phaseX] = [random.between(0, 0.06), random.between(0, 2 * Math.PI)]
  const [waveY, phaseY] = [random.between(0, 0.06), random.between(0, 2 * Math.PI)]
  const [cos, sin] = [Math.cos(turn), Math.sin(turn)]
  return ([px, py]) => {
    const x = (px - 0.5 + waveX * Math.sin(5 * py + phaseX) - slant * (py - 0.5)) * width
    const y = (py - 0.5 + waveY * Math.sin(5 * px + phaseY)) * height
    return [SIZE / 2 + dx + x * cos - y * sin, SIZE / 2 + dy + x * sin + y * cos]
  }
}

function squaredDistance(x: number, y: number, { ax, ay, vx, vy, length }: Segment): number {
  const along = length === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * vx + (y - ay) * vy) / length))
  const ex = ax + along * vx - x
  const ey = ay + along * vy - y
  return ex * ex + ey * ey
}
