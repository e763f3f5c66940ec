import {
  type Abi,
  type Address,
  BaseError,
  type ContractFunctionArgs,
  type ContractFunctionName,
  ContractFunctionRevertedError,
  ExecutionRevertedError,
  encodeFunctionData,
  type Hex,
  InsufficientFundsError,
  type LocalAccount,
  type TransactionReceipt,
  WaitForTransactionReceiptTimeoutError,
} from "viem"
import { type WorkerError, workerError } from "../errors.ts"
import { createSerial } from "../support/serial.ts"
import type { Chain } from "./chain.ts"

export type Call<
  A extends Abi = Abi,
  N extends ContractFunctionName<A, "nonpayable" | "payable"> = ContractFunctionName<A, "nonpayable" | "payable">,
> = {
  address: Address
  abi: A
  functionName: N
  args: ContractFunctionArgs<A, "nonpayable" | "payable", N>
  value?: bigint
}

/**
 * Sends this account's own transactions, one after the other: nonces follow each other, and a transaction that is
 * stuck is sent again with the same nonce at a higher price. Nothing is queued on disk: whoever calls decides anew
 * from the chain's state after a restart, so a transaction that did go out is not repeated.
 */
export type Sender = {
  readonly address: Address
  send<const A extends Abi, N extends ContractFunctionName<A, "nonpayable" | "payable">>(
    call: Call<A, N>,
  ): Promise<TransactionReceipt>
}

const STUCK_MS = 45_000
const MAX_BUMPS = 6

export function createSender(chain: Chain, account: LocalAccount): Sender {
  const serial = createSerial()
  return {
    address: account.address,
    send: (call) => serial(() => sendOnce(chain, account, call as unknown as Call)),
  }
}

async function sendOnce(chain: Chain, account: LocalAccount, call: Call): Promise<TransactionReceipt> {
  const { client, deployment } = chain
  const { address, abi, functionName, args, value = 0n } = call
  const data = encodeFunctionData({ abi, functionName, args: args as readonly unknown[] })
  try {
    // The dry run names the contract's own error; a failed transaction would only cost gas and say nothing.
    await client.simulateContract({ account, address, abi, functionName, args: args as readonly unknown[], value })
    const gas = await client.estimateGas({ account, to: address, data, value })
    const nonce = await client.getTransactionCount({ address: account.address, blockTag: "pending" })
    let { maxFeePerGas, maxPriorityFeePerGas } = await client.estimateFeesPerGas()
    const hashes: Hex[] = []
    for (let bump = 0; ; bump++) {
      const serialized = await account.signTransaction({
        type: "eip1559",
        chainId: deployment.chainId,
        to: address,
        data,
        value,
        nonce,
        // What changes between estimate and execution (another's finalize, a longer walk) must not run out of gas.
        gas: (gas * 13n) / 10n,
        maxFeePerGas,
        maxPriorityFeePerGas,
      })
      hashes.push(await client.sendRawTransaction({ serializedTransaction: serialized }))
      const receipt = await firstReceipt(chain, hashes, bump < MAX_BUMPS ? STUCK_MS : 10 * STUCK_MS)
      if (receipt?.status === "success") return receipt
      if (receipt) {
        throw workerError("E_TX_REVERTED", `${functionName} was reverted in ${receipt.transactionHash}`, {
          facts: { tx: receipt.transactionHash, transient: true },
        })
      }
      if (bump >= MAX_BUMPS) throw workerError("E_TX_STUCK", `${functionName} is not mined: ${hashes.at(-1)}`)
      // Nodes replace a transaction only for a tenth more of both; a quarter gets through in few steps.
      maxFeePerGas = (maxFeePerGas * 5n) / 4n + 1n
      maxPriorityFeePerGas = (maxPriorityFeePerGas * 5n) / 4n + 1n
    }
  } catch (error) {
    throw describeFailure(error, call)
  }
}

/** Any of several transactions with one nonce; undefined when none has been mined in time. */
async function firstReceipt({ client }: Chain, hashes: Hex[], timeout: number) {
  try {
    const hash = hashes.at(-1)!
    return await client.waitForTransactionReceipt({ hash, timeout, pollingInterval: 250 })
  } catch (error) {
    if (!(error instanceof WaitForTransactionReceiptTimeoutError)) throw error
    for (const hash of hashes) {
      const receipt = await client.getTransactionReceipt({ hash }).catch(() => undefined)
      if (receipt) return receipt
    }
    return undefined
  }
}

function describeFailure(error: unknown, { functionName }: Call): unknown {
  if (!(error instanceof BaseError)) return error
  const reverted = error.walk((cause) => cause instanceof ContractFunctionRevertedError)
  if (reverted instanceof ContractFunctionRevertedError) {
    const name = reverted.data?.errorName ?? reverted.reason ?? "without a reason"
    const detail = (reverted.data?.args ?? []).map(String).join(", ")
    return workerError("E_TX_REFUSED", `the contract refuses ${functionName}: ${name}(${detail})`, {
      facts: { error: name },
      cause: error,
    })
  }
  // Between dry run and estimate another was first: only the node's words are left of the contract's error.
  const late = /reverted with custom error '([A-Za-z]+)\(/.exec(error.message)?.[1]
  if (late || error.walk((cause) => cause instanceof ExecutionRevertedError) instanceof ExecutionRevertedError) {
    return workerError("E_TX_REFUSED", `the contract refuses ${functionName}: ${late ?? error.shortMessage}`, {
      facts: { error: late ?? "unknown" },
      cause: error,
    })
  }
  const poor = error.walk((cause) => cause instanceof InsufficientFundsError)
  if (poor || /insufficient funds|doesn't have enough funds/i.test(error.message)) {
    return workerError("E_NATIVE_SHORT", `there is not enough native coin to send ${functionName}`, {
      remedy: "send native coin to this account",
      facts: { transient: true },
      cause: error,
    })
  }
  return workerError("E_CHAIN_DOWN", `${functionName} could not be sent: ${error.shortMessage}`, {
    facts: { transient: true },
    cause: error,
  })
}

/** The contract's own error behind a refused transaction. */
export function refusedWith(error: unknown): string | undefined {
  const facts = (error as WorkerError).detail?.facts
  return typeof facts?.error === "string" ? facts.error : undefined
}
