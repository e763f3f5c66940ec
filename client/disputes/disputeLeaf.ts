import { setTimeout as sleep } from "node:timers/promises"
import { type Address, type Hex, type LocalAccount, type PublicClient, toHex } from "viem"
import type { Runner } from "#engine"
import {
  type Attestation,
  assayTokenAbi,
  type Batch,
  challengerCall,
  type Deployment,
  describeBits,
  disputeGameAbi,
  type Finding,
  findHash,
  formatAmount,
  type GameOutcome,
  type GameRecord,
  gameIdOf,
  isChallengersTurn,
  type Leaf,
  type Lease,
  marketAbi,
  nextChallengerMove,
  primitiveName,
  type Receipt,
  type SumNode,
  type Tensor,
  type Terms,
  type Trace,
  timeoutCall,
  withTensors,
} from "#protocol"
import { type CallParams, revertedWith, sendCall } from "../chain/sendCall.ts"
import { clientError } from "../errors.ts"
import { readGame } from "./readGame.ts"
import { recompute, type Traced } from "./recompute.ts"

/** `SignedLeaf` of `contracts/types/Disputes.sol`. */
export type SignedLeaf = {
  readonly leaf: Leaf
  readonly path: readonly SumNode[]
  readonly lease: Lease
  readonly leaseSignature: Hex
  readonly receipt: Receipt
  readonly receiptSignature: Hex
}

export type DisputeDeps = {
  readonly chain: PublicClient
  readonly deployment: Deployment
  readonly account: LocalAccount
  readonly runner: Runner
}

export type DisputeLeafParams = {
  readonly batchId: bigint
  readonly terms: Terms
  readonly batch: Batch
  readonly attestation: Attestation
  readonly signed: SignedLeaf
  readonly position: number
  /** The program's file, the task's own salt and inputs. */
  readonly program: Uint8Array
  readonly salt: Hex
  readonly inputs: readonly Tensor[]
  /** What the worker uploaded, where it can be had: with it a worker that falsified nothing else is refuted at once. */
  readonly claimedOutputs?: readonly Tensor[]
  readonly signal?: AbortSignal
  readonly onStep?: (text: string) => void
}

/** `agrees`: the leaf is right, and nothing was opened; `conceded`: what was shown turned out to be right. */
export type DisputeOutcome = Exclude<GameOutcome, "none"> | "agrees" | "conceded"

export type DisputeResult = {
  readonly disputeId: bigint
  readonly outcome: DisputeOutcome
  /** Why it ended, in the contract's word. */
  readonly reason: string | undefined
  readonly operation: { readonly index: number; readonly name: string } | undefined
  readonly element: number | undefined
  readonly claimed: string | undefined
  readonly computed: string | undefined
  /** Of all transactions of the dispute, the other side's and the find's included. */
  readonly gas: bigint
  readonly transactions: readonly Hex[]
}

const POLL_MS = 250

/**
 * Computes a task again and, where its committed leaf is wrong, plays the dispute game to its end: says that something
 * was found, opens, picks and proves, and calls out silence (R12, R27).
 */
export async function disputeLeaf(deps: DisputeDeps, params: DisputeLeafParams): Promise<DisputeResult> {
  const { account } = deps
  const { batchId, position, terms, signed, onStep = () => undefined } = params
  if (terms.version !== 1) {
    const message = "a jury, and not the game, judges jobs whose terms are of version 0"
    throw clientError("E_DISPUTE_VERSION", message)
  }
  const disputeId = gameIdOf(batchId, position, account.address)
  const again = await recompute(deps, { ...params, programRoot: terms.programRoot })
  if (again.inputCommitment !== signed.leaf.inputCommitment) {
    const message = `task ${signed.leaf.taskIndex} was computed on another input than the one at hand: see \`proveWrongInput\` (R1)`
    throw clientError("E_INPUT_MISMATCH", message)
  }
  const base = { disputeId, element: undefined, claimed: undefined, computed: undefined, operation: undefined }
  if (again.outputCommitment === signed.leaf.outputCommitment)
    return { ...base, outcome: "agrees", reason: undefined, gas: 0n, transactions: [] }
  onStep(`the committed result of task ${signed.leaf.taskIndex} is wrong; opening a dispute`)
  // Windows are short, and the first move after this one has a clock of its own.
  const opening = await openDispute(deps, params)
  const own = await again.trace()
  const fromBlock = opening.block
  const { record, finding, transactions, conceded } = await playOut(deps, {
    ...params,
    disputeId,
    fromBlock,
    own,
    onStep,
  })
  const all = [...opening.transactions, ...transactions.filter((hash) => !opening.transactions.includes(hash))]
  const reason = record.reason
  const outcome = conceded ? "conceded" : (record.outcome as DisputeOutcome)
  return { ...base, ...tell(own, record, finding), outcome, reason, gas: await gasOf(deps, all), transactions: all }
}

function tell({ program }: Traced, { judged }: GameRecord, finding: Finding | undefined) {
  const index = judged?.operation ?? finding?.operation
  if (index === undefined) return {}
  const { code, output } = program.operations[index]!
  const bits = (value: bigint | undefined) => (value === undefined ? undefined : describeBits(value, output.dtype))
  return {
    operation: { index, name: primitiveName(code) ?? String(code) },
    element: judged ? Number(judged.element) : finding?.element,
    claimed: bits(judged?.claimed ?? finding?.claimed),
    computed: judged?.defined === false ? "no value" : bits(judged?.right ?? finding?.computed),
  }
}

type Opening = { readonly block: bigint; readonly transactions: readonly Hex[] }

async function openDispute(deps: DisputeDeps, params: DisputeLeafParams): Promise<Opening> {
  const { chain, account, deployment } = deps
  const { batchId, terms, batch, attestation, signed, position, signal, onStep } = params
  const { game } = deployment.contracts
  const transactions: Hex[] = []
  await ensureAllowance(deps, terms)
  const salt = toHex(crypto.getRandomValues(new Uint8Array(32)))
  const call = (functionName: string, args: readonly unknown[], value = 0n): CallParams => ({
    address: game,
    abi: disputeGameAbi,
    functionName,
    args,
    value,
  })
  transactions.push(
    await sendCall(chain, account, call("commitFind", [findHash(account.address, batchId, position, salt)])),
  )
  for (;;) {
    const deposit = await depositOf(deps)
    const args = [terms, batch, attestation, signed, position, salt]
    try {
      const hash = await sendCall(chain, account, call("open", args, deposit))
      const { blockNumber } = await chain.getTransactionReceipt({ hash })
      transactions.push(hash)
      return { block: blockNumber, transactions }
    } catch (error) {
      // The find counts from the next block, and drawn verifiers have their time first (R12): both pass.
      const name = revertedWith(error)
      if (name !== "DisputeNotFound" && name !== "DisputeDrawn") throw error
      onStep?.(name === "DisputeDrawn" ? "its drawn verifiers come first" : "waiting for the next block")
      await sleep(POLL_MS, undefined, { signal })
    }
  }
}

/**
 * What `open` takes (R26), twice over: the base fee may rise until the block that includes it, and what is too much comes
 * back. Not read from `deposit()`: nodes run calls without a price at a base fee of 0.
 */
async function depositOf({ chain, deployment }: DisputeDeps): Promise<bigint> {
  const [{ baseFeePerGas }, movesGas] = await Promise.all([
    chain.getBlock({ blockTag: "pending" }),
    chain.readContract({ address: deployment.contracts.game, abi: disputeGameAbi, functionName: "MOVES_GAS" }),
  ])
  return 2n * (2n * (baseFeePerGas ?? 0n) * movesGas)
}

/** The bond is C_v in tokens. */
async function ensureAllowance({ chain, account, deployment }: DisputeDeps, terms: Terms): Promise<void> {
  const { market, registry, token } = deployment.contracts
  const bond = await chain.readContract({
    address: market,
    abi: marketAbi,
    functionName: "verdictCollateralOf",
    args: [terms],
  })
  const erc20 = { address: token, abi: assayTokenAbi } as const
  const owner = account.address
  const [balance, allowed] = await Promise.all([
    chain.readContract({ ...erc20, functionName: "balanceOf", args: [owner] }),
    chain.readContract({ ...erc20, functionName: "allowance", args: [owner, registry] }),
  ])
  if (balance < bond) {
    const message = `a dispute of this job needs a bond of ${formatAmount(bond)}, and ${owner} has ${formatAmount(balance)}: get tokens first`
    throw clientError("E_BOND_SHORT", message)
  }
  if (allowed < bond) await sendCall(chain, account, { ...erc20, functionName: "approve", args: [registry, bond] })
}

type PlayParams = DisputeLeafParams & {
  readonly disputeId: bigint
  readonly fromBlock: bigint
  readonly own: Traced
  readonly onStep: (text: string) => void
}

type Played = {
  readonly record: GameRecord
  readonly finding: Finding | undefined
  readonly transactions: readonly Hex[]
  readonly conceded: boolean
}

async function playOut(deps: DisputeDeps, params: PlayParams): Promise<Played> {
  const { chain, account, deployment } = deps
  const { disputeId, fromBlock, own, terms, batch, signal, onStep } = params
  const { game } = deployment.contracts
  const given = guessTrace(own, params.claimedOutputs)
  let finding: Finding | undefined
  for (;;) {
    const { record, transactions } = await readGame(chain, { game, disputeId, fromBlock })
    if (record?.turn.phase === "Over") return { record, finding, transactions, conceded: false }
    if (record && isChallengersTurn(record)) {
      const { turn, shown } = record
      const move = nextChallengerMove({ turn, shown, own: own.trace, program: own.program, given })
      if (move.move === "concede") return { record, finding, transactions, conceded: true }
      if (move.move !== "wait") {
        if (move.move === "proveElement") finding = move.finding
        onStep(move.move)
        await sendMove(chain, account, game, challengerCall(move, { record, terms, batch }, own.program))
        continue
      }
    } else if (record && (await isPast(chain, record.deadline))) {
      onStep("the other side is silent")
      await sendMove(chain, account, game, timeoutCall({ record, terms, batch }))
      continue
    }
    await sleep(POLL_MS, undefined, { signal })
  }
}

/** Another's move may come first, and a clock may not have run out in the block at hand: the next look decides. */
async function sendMove(
  chain: PublicClient,
  account: LocalAccount,
  address: Address,
  call: { functionName: string; args: readonly unknown[] },
): Promise<void> {
  try {
    await sendCall(chain, account, { address, abi: disputeGameAbi, ...call })
  } catch (error) {
    const name = revertedWith(error)
    if (name !== "GamePhase" && name !== "GameRunning") throw error
    await sleep(POLL_MS)
  }
}

/** What a worker that falsified its outputs alone would publish. */
function guessTrace({ trace, program }: Traced, outputs: readonly Tensor[] | undefined): Trace | undefined {
  if (!outputs) return undefined
  return withTensors(trace, new Map(program.program.outputs.map((wire, i) => [wire, outputs[i]!])))
}

/** A local chain makes no blocks while nobody sends: the machine's clock then says what the next block's will be. */
async function isPast(chain: PublicClient, deadline: bigint): Promise<boolean> {
  const { timestamp } = await chain.getBlock({ blockTag: "pending" })
  return timestamp > deadline
}

async function gasOf({ chain }: DisputeDeps, transactions: readonly Hex[]): Promise<bigint> {
  const receipts = await Promise.all(transactions.map((hash) => chain.getTransactionReceipt({ hash })))
  return receipts.reduce((sum, { gasUsed }) => sum + gasUsed, 0n)
}
