import { BaseError, decodeErrorResult, type Hex } from "viem"
import { errorsAbi } from "./abis.ts"

/** Why a call reverted, with the contract's own error where it gave one. */
export type Revert = { name: string; text: string }

/** The revert behind an error of the client, or undefined where it is no revert (network, node). */
export function revertOf(error: unknown): Revert | undefined {
  if (!(error instanceof BaseError)) return undefined
  const data = revertData(error)
  if (data && data !== "0x") return decodeRevert(data)
  const reverted = error.walk(
    (cause) => /revert/i.test((cause as Error).name) || /revert/i.test((cause as Error).message),
  )
  if (!reverted) return undefined
  return { name: "Reverted", text: (reverted as BaseError).details ?? reverted.message }
}

export function decodeRevert(data: Hex): Revert {
  try {
    const { errorName, args } = decodeErrorResult({ abi: errorsAbi, data })
    return { name: errorName, text: `${errorName}(${(args ?? []).map(String).join(", ")})` }
  } catch {
    // Also `Error(string)` and `Panic(uint256)` are decoded above; what is left has no name that we know.
    return { name: "UnknownError", text: data }
  }
}

function revertData(error: BaseError): Hex | undefined {
  const found = error.walk((cause) => hexIn((cause as { data?: unknown }).data) !== undefined)
  return found ? hexIn((found as { data?: unknown }).data) : undefined
}

/** Nodes put the bytes into `data` or into `data.data`. */
function hexIn(data: unknown): Hex | undefined {
  if (typeof data === "string" && data.startsWith("0x")) return data as Hex
  if (typeof data === "object" && data !== null) return hexIn((data as { data?: unknown }).data)
  return undefined
}
