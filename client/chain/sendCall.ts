import {
  type Abi,
  type Account,
  type Address,
  BaseError,
  ContractFunctionRevertedError,
  createWalletClient,
  custom,
  type EncodeFunctionDataParameters,
  encodeFunctionData,
  type Hex,
  type LocalAccount,
  type PublicClient,
} from "viem"
import { clientError } from "../errors.ts"

export type CallParams = {
  address: Address
  abi: Abi
  functionName: string
  args: readonly unknown[]
  /** Native coin. */
  value?: bigint
}

/**
 * Simulates, sends, waits. A call that would revert is never sent, and its error is the contract's own.
 * @throws E_REVERTED with the custom error and its arguments
 */
export async function sendCall(chain: PublicClient, account: LocalAccount, call: CallParams): Promise<Hex> {
  const wallet = createWalletClient({ account, transport: custom(chain) })
  const data = encodeFunctionData(call as EncodeFunctionDataParameters)
  try {
    // On the block to come: some calls are right only from the block after another.
    await chain.simulateContract({ ...call, account: account as Account, blockTag: "pending" } as SimulateParams)
  } catch (cause) {
    throw clientError("E_REVERTED", `${call.functionName} would fail: ${revertReason(cause)}`, { cause })
  }
  const hash = await wallet.sendTransaction({ to: call.address, data, value: call.value, chain: null })
  const receipt = await chain.waitForTransactionReceipt({ hash })
  if (receipt.status === "success") return hash
  throw clientError("E_REVERTED", `${call.functionName} failed in transaction ${hash}`)
}

type SimulateParams = Parameters<PublicClient["simulateContract"]>[0]

/** The contract's own error behind an E_REVERTED; undefined for any other failure. */
export function revertedWith(error: unknown): string | undefined {
  const { cause } = error as { cause?: unknown }
  if (!(cause instanceof BaseError)) return undefined
  const reverted = cause.walk((one) => one instanceof ContractFunctionRevertedError)
  return reverted instanceof ContractFunctionRevertedError ? reverted.data?.errorName : undefined
}

function revertReason(error: unknown): string {
  if (!(error instanceof BaseError)) return String(error)
  const reverted = error.walk((cause) => cause instanceof ContractFunctionRevertedError)
  if (!(reverted instanceof ContractFunctionRevertedError) || !reverted.data) return error.shortMessage
  const { errorName, args } = reverted.data
  return `${errorName}(${(args ?? []).map(String).join(", ")})`
}
