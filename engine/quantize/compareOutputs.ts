import { elementCount, type Tensor } from "#protocol"
import { elementsOf, numbersOf } from "../program/elements.ts"

/** How near one output comes to the original's, over some samples. */
export type OutputAccuracy = {
  readonly name: string
  /** Mean over the samples. For outputs that are no floats: the share of elements that are equal. */
  readonly cosine: number
  readonly meanError: number
  readonly maxError: number
  /** Length of the difference over length of the original, mean over the samples. */
  readonly relativeError: number
  /** Share of rows with the same greatest element, where the output looks like scores of classes. */
  readonly argmaxAgreement?: number
}

export type Outputs = readonly Tensor[]

export function compareOutputs(
  names: readonly string[],
  originals: readonly Outputs[],
  others: readonly Outputs[],
): OutputAccuracy[] {
  return names.map((name, at) => {
    const pairs = originals.map((outputs, sample) => [outputs[at]!, others[sample]![at]!] as const)
    return compare(name, pairs)
  })
}

type Pair = readonly [original: Tensor, other: Tensor]

function compare(name: string, pairs: readonly Pair[]): OutputAccuracy {
  const [[{ dtype, dims }]] = pairs as [Pair]
  if (dtype !== "float32") {
    const shares = pairs.map(([a, b]) => {
      const [left, right] = [numbersOf(a), numbersOf(b)]
      return left.filter((value, i) => value === right[i]).length / Math.max(1, left.length)
    })
    const share = mean(shares)
    return { name, cosine: share, meanError: 1 - share, maxError: share < 1 ? 1 : 0, relativeError: 1 - share }
  }
  const cosines: number[] = []
  const relatives: number[] = []
  let [absolute, count, maxError] = [0, 0, 0]
  for (const [a, b] of pairs) {
    const [left, right] = [elementsOf(a) as Float32Array, elementsOf(b) as Float32Array]
    let [dot, leftSquares, rightSquares, squares] = [0, 0, 0, 0]
    for (let i = 0; i < left.length; i++) {
      const [x, y] = [left[i]!, right[i]!]
      // The same infinity, or NaN where the original has one, is no error.
      if (x === y || (Number.isNaN(x) && Number.isNaN(y))) {
        if (Number.isFinite(x)) {
          dot += x * y
          leftSquares += x * x
          rightSquares += y * y
        }
        continue
      }
      const error = Math.abs(x - y)
      dot += x * y
      leftSquares += x * x
      rightSquares += y * y
      squares += error * error
      absolute += error
      maxError = Math.max(maxError, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error)
    }
    count += left.length
    const lengths = Math.sqrt(leftSquares) * Math.sqrt(rightSquares)
    cosines.push(lengths > 0 ? dot / lengths : leftSquares === rightSquares ? 1 : 0)
    relatives.push(squares === 0 ? 0 : leftSquares > 0 ? Math.sqrt(squares / leftSquares) : Number.POSITIVE_INFINITY)
  }
  return {
    name,
    cosine: mean(cosines),
    meanError: absolute / Math.max(1, count),
    maxError,
    relativeError: mean(relatives),
    ...(looksLikeScores(dims) ? { argmaxAgreement: mean(pairs.map(agreement)) } : {}),
  }
}

/** Rows of two or more numbers, not an image. */
function looksLikeScores(dims: readonly number[]): boolean {
  return dims.length >= 1 && dims.length <= 3 && dims.at(-1)! >= 2
}

function agreement([a, b]: Pair): number {
  const width = a.dims.at(-1)!
  const [left, right] = [elementsOf(a) as Float32Array, elementsOf(b) as Float32Array]
  const rows = elementCount(a.dims) / width
  let same = 0
  for (let row = 0; row < rows; row++) if (greatest(left, row, width) === greatest(right, row, width)) same++
  return same / rows
}

function greatest(values: Float32Array, row: number, width: number): number {
  let best = 0
  for (let i = 1; i < width; i++) if (values[row * width + i]! > values[row * width + best]!) best = i
  return best
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}

/** One number for a whole program, by its worst output. */
export function accuracyOf(outputs: readonly OutputAccuracy[]): { cosine: number; relativeError: number } {
  const finite = (value: number, otherwise: number) => (Number.isNaN(value) ? otherwise : value)
  return {
    cosine: Math.min(...outputs.map(({ cosine }) => finite(cosine, 0))),
    relativeError: Math.max(...outputs.map(({ relativeError }) => finite(relativeError, Number.POSITIVE_INFINITY))),
  }
}
