import { type Abi, type AbiItem, toFunctionSelector } from "viem"

export type MergeParams = { interfaces: readonly Abi[]; parts: readonly Abi[]; passed?: readonly Abi[] }

/**
 * A contract's ABI as callers want it. Functions that a contract passes on to a part of itself (the code size limit
 * splits Market and Challenges) have no parameter names there, but their interfaces have; and what those parts revert
 * with belongs to the contract that is called. A contract with a fallback passes on what it does not even name: `passed`.
 */
export function mergeAbi(contract: Abi, { interfaces, parts, passed = [] }: MergeParams): Abi {
  const named = new Map(interfaces.flat().map((item) => [signatureOf(item), item]))
  const own = contract.map((item) => (item.type === "function" ? (named.get(signatureOf(item)) ?? item) : item))
  const errors = parts.flat().filter(({ type }) => type === "error" || type === "event")
  const further = passed.flat().filter(({ type }) => type === "function" || type === "event" || type === "error")
  const merged = new Map([...further, ...own, ...errors].map((item) => [signatureOf(item), item]))
  return [...merged.values()]
}

function signatureOf(item: AbiItem): string {
  switch (item.type) {
    case "function":
      return `function ${toFunctionSelector(item)}`
    case "event":
    case "error":
      return `${item.type} ${toFunctionSelector({ ...item, type: "function", outputs: [], stateMutability: "view" })}`
    default:
      return item.type
  }
}
