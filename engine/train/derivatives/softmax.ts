import type { Value } from "../../program/builder.ts"

/**
 * The rows r of which a quotient is the softmax, exp(r - max r) / sum exp(r - max r), as `lower/products.ts` builds it;
 * undefined for any other quotient. The shift by the greatest has no influence, and so no gradient.
 */
export function softmaxOf({ node }: Value): Value | undefined {
  if (node?.op !== "Div") return undefined
  const [powers, sum] = node.inputs as [Value, Value]
  const shifted = powers.node?.op === "Exp" ? powers.node.inputs[0]! : undefined
  if (shifted?.node?.op !== "Sub" || sum.node?.op !== "MatMul" || sum.node.inputs[0] !== powers) return undefined
  const [rows, most] = shifted.node.inputs as [Value, Value]
  const ones = sum.node.inputs[1]!
  const sums = ones.constant !== undefined && ones.facts.low === 1 && ones.facts.high === 1 && ones.dims.at(-1) === 1
  const greatest = most.node?.op === "ReduceMax" && most.node.inputs[0] === rows && most.dims.at(-1) === 1
  return sums && greatest && most.dims.length === rows.dims.length ? rows : undefined
}
