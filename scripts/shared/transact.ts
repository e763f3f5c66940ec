import {
  type Abi,
  type Address,
  BaseError,
  ContractFunctionRevertedError,
  createWalletClient,
  type Hex,
  http,
  InsufficientFundsError,
  type LocalAccount,
  type PublicClient,
} from "viem"
import { CliError } from "./errors.ts"

export type Call = { address: Address; abi: Abi; functionName: string; args?: readonly unknown[] }

export type TransactDeps = { chain: PublicClient; rpcUrl: string; account: LocalAccount }

/** Simulates, sends, and waits for one transaction. What the contract would refuse is never sent. */
export async function transact({ chain, rpcUrl, account }: TransactDeps, call: Call): Promise<Hex> {
  const wallet = createWalletClient({ account, transport: http(rpcUrl) })
  try {
    const { request } = await chain.simulateContract({ ...call, account })
    const hash = await wallet.writeContract({ ...request, account, chain: null } as never)
    const receipt = await chain.waitForTransactionReceipt({ hash, timeout: 120_000 })
    if (receipt.status !== "success") {
      throw new CliError("E_REVERTED", `${call.functionName} failed in transaction ${hash}: run it again to see why`)
    }
    return hash
  } catch (error) {
    throw explain(error, call.functionName, account.address)
  }
}

function explain(error: unknown, functionName: string, sender: Address): unknown {
  if (!(error instanceof BaseError)) return error
  const reverted = error.walk((each) => each instanceof ContractFunctionRevertedError)
  if (reverted instanceof ContractFunctionRevertedError) {
    const name = reverted.data?.errorName ?? reverted.reason ?? reverted.signature ?? "without a reason"
    const args = reverted.data?.args?.map(String).join(", ")
    return new CliError(
      "E_REFUSED_BY_CONTRACT",
      `the contract refuses ${functionName}: ${name}${args ? `(${args})` : ""}`,
      { cause: error },
    )
  }
  if (error.walk((each) => each instanceof InsufficientFundsError)) {
    return new CliError(
      "E_NO_GAS",
      `${sender} has too little native coin for the gas of ${functionName}: send it some`,
      { cause: error },
    )
  }
  return error
}
