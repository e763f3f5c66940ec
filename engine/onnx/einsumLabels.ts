/** The names of each operand's dims, and of the result's. */
export type EinsumLabels = { readonly given: readonly (readonly string[])[]; readonly wanted: readonly string[] }

/**
 * What an Einsum's equation says of operands of these ranks; undefined where it does not fit them. Dims of an ellipsis are
 * named by their distance from its last: `.0`, `.1`. https://onnx.ai/onnx/operators/onnx__Einsum.html
 */
export function einsumLabels(equation: string, ranks: readonly number[]): EinsumLabels | undefined {
  const [left = "", right] = equation.replaceAll(" ", "").split("->")
  const terms = left.split(",")
  if (terms.length !== ranks.length || !/^[A-Za-z.,]*$/.test(left)) return undefined
  const hidden = terms.map((term, i) => (term.includes("...") ? ranks[i]! - term.replace("...", "").length : 0))
  const given = terms.map((term, i) => named(term, hidden[i]!))
  if (given.some((labels, i) => labels.length !== ranks[i]!)) return undefined
  const most = Math.max(...hidden)
  if (right !== undefined) return { given, wanted: named(right, most) }
  // Without a right side: what stands once, in the order of the alphabet.
  const letters = [...left.replaceAll(/[.,]/g, "")]
  const once = letters.filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter)).sort()
  return { given, wanted: [...dots(most), ...once] }
}

function named(term: string, hidden: number): string[] {
  const [before = "", after] = term.split("...")
  return after === undefined ? [...before] : [...before, ...dots(hidden), ...after]
}

const dots = (count: number): string[] => Array.from({ length: Math.max(0, count) }, (_, i) => `.${count - 1 - i}`)

/** How long each name's dims are; one of 1 is stretched to another's. */
export function einsumSizes(
  { given }: EinsumLabels,
  operands: readonly (readonly number[])[],
): ReadonlyMap<string, number> {
  const sizes = new Map<string, number>()
  operands.forEach((dims, i) => {
    given[i]!.forEach((label, at) => {
      sizes.set(label, Math.max(sizes.get(label) ?? 1, dims[at]!))
    })
  })
  return sizes
}
