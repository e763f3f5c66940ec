import hre from "hardhat"
import { type Abi, type Address, decodeFunctionResult, encodeFunctionData, type Hex } from "viem"
import type { Primitive } from "#engine/program/primitive.ts"
import { onnxNumberOf, type Tensor } from "#protocol"

const CHUNK = 1_024
const ROOT = `0x${"11".repeat(32)}` as const

export type Verdict = { readonly bits: bigint; readonly defined: boolean }

/** One operation and its operands, all chunks of which are opened. */
export type Judged = { readonly primitive: Omit<Primitive, "operands">; readonly operands: readonly Tensor[] }

export type Opened = { readonly chunks: readonly number[]; readonly data: Hex }

/** A referee on a chain in this process. */
export type Judge = Awaited<ReturnType<typeof createJudge>>

export async function createJudge() {
  const connection = await hre.network.create()
  const { provider } = connection
  const { abi, bytecode } = await hre.artifacts.readArtifact("Referee")
  const [from] = (await provider.request({ method: "eth_accounts" })) as [Address]
  const sent = await provider.request({ method: "eth_sendTransaction", params: [{ from, data: bytecode }] })
  const receipt = (await provider.request({ method: "eth_getTransactionReceipt", params: [sent] })) as {
    contractAddress: Address
  }
  const to = receipt.contractAddress

  return {
    abi: abi as Abi,
    /** The referee's answer, element by element. */
    async evaluate(judged: Judged, elements: readonly number[]): Promise<Verdict[]> {
      const operation = operationOf(judged)
      const operands = judged.operands.map((tensor) => openRange(tensor))
      const data = encodeFunctionData({ abi, functionName: "evaluate", args: [operation, 0n, operands] })
      const verdicts: Verdict[] = []
      for (const element of elements) {
        // The element is the second word after the selector: the rest is encoded once.
        const word = element.toString(16).padStart(64, "0")
        const call = { from, to, data: `${data.slice(0, 74)}${word}${data.slice(138)}` }
        const answer = (await provider.request({ method: "eth_call", params: [call, "latest"] })) as Hex
        const [bits, defined] = decodeFunctionResult({ abi, functionName: "evaluate", data: answer }) as unknown as [
          bigint,
          boolean,
        ]
        verdicts.push({ bits, defined })
      }
      return verdicts
    },
    async call(functionName: string, args: readonly unknown[]): Promise<unknown> {
      const data = encodeFunctionData({ abi: abi as Abi, functionName, args })
      const answer = (await provider.request({ method: "eth_call", params: [{ from, to, data }, "latest"] })) as Hex
      return decodeFunctionResult({ abi: abi as Abi, functionName, data: answer })
    },
    /** Gas of a transaction that does nothing but this: its 21,000, its calldata and the work. */
    async gas(functionName: string, args: readonly unknown[]): Promise<number> {
      const data = encodeFunctionData({ abi: abi as Abi, functionName, args })
      const hash = await provider.request({
        method: "eth_sendTransaction",
        params: [{ from, to, data, gas: "0xffffff" }],
      })
      const { gasUsed, status } = (await provider.request({
        method: "eth_getTransactionReceipt",
        params: [hash],
      })) as { gasUsed: Hex; status: Hex }
      if (status !== "0x1") throw new Error(`${functionName} reverted`)
      return Number(gasUsed)
    },
    close: () => connection.close(),
  }
}

export function operationOf({ primitive, operands }: Judged) {
  return {
    code: primitive.code,
    attributes: primitive.attributes,
    inputs: operands.map(({ dtype, dims }) => ({
      wire: 0,
      root: ROOT,
      dtype: onnxNumberOf(dtype),
      dims: dims.map(BigInt),
    })),
    output: { dtype: onnxNumberOf(primitive.dtype), dims: primitive.dims.map(BigInt) },
  }
}

/** The chunks of a tensor that hold these bytes; all of them unless stated. */
export function openRange({ data }: Tensor, start = 0, end = data.length): Opened {
  const first = Math.floor(start / CHUNK)
  const count = Math.ceil(end / CHUNK) - first
  const bytes = Buffer.alloc(count * CHUNK)
  bytes.set(data.subarray(first * CHUNK, (first + count) * CHUNK))
  return { chunks: Array.from({ length: count }, (_, i) => first + i), data: `0x${bytes.toString("hex")}` }
}
