import { type Address, isAddressEqual } from "viem"
import type { AuditBundle, SignedVerdict } from "#protocol"
import { type BatchBook, jobOfBatch } from "../chain/batches.ts"
import type { Chain } from "../chain/chain.ts"
import { refusedWith, type Sender } from "../chain/sender.ts"
import type { ChainEvent, Head } from "../chain/watch.ts"
import { codeOf, textOf } from "../errors.ts"
import type { Events } from "../events.ts"
import { readSeed } from "./draw.ts"

export type CallsDeps = {
  chain: Chain
  sender: Sender
  events: Events
  batches: BatchBook
  account: Address
  signal: AbortSignal
}

/** R20, R25: what this account is called for on chain, it answers there; else its seat pays for its silence. */
export type Calls = {
  note(event: ChainEvent): void
  onHead(head: Head): void
  /** Verdicts that were just given: those that are called go on chain too. */
  given(bundle: Pick<AuditBundle, "batchId">, verdicts: readonly SignedVerdict[]): void
}

type Called = { until: bigint; samples: Set<number> }

/** A call comes after the audit: verdicts of so many batches are kept at hand for it. */
const KEEP = 64
/** Before its time is over, a seat that was not served the task says so. */
const LAST_SECONDS = 6n

export function createCalls(deps: CallsDeps): Calls {
  const called = new Map<bigint, Called[]>()
  const known = new Map<bigint, Map<number, SignedVerdict>>()

  function guarded(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!deps.signal.aborted) deps.events.wait("call", "refused", codeOf(error), `a call: ${textOf(error)}`)
    })
  }

  async function note(batchId: bigint, samples: readonly number[], until: bigint): Promise<void> {
    const mine = await calledHere(deps, batchId, samples)
    if (mine.length === 0) return
    called.set(batchId, [...(called.get(batchId) ?? []), { until, samples: new Set(mine) }])
    await answer(batchId)
  }

  async function answer(batchId: bigint): Promise<void> {
    for (const { samples } of called.get(batchId) ?? []) {
      for (const sample of [...samples]) {
        const signed = known.get(batchId)?.get(sample)
        if (!signed) continue
        // Taken out first: the next verdict may come while this one is on its way.
        samples.delete(sample)
        try {
          await post(deps, batchId, signed)
        } catch (error) {
          samples.add(sample)
          throw error
        }
      }
    }
  }

  async function sayUnserved(batchId: bigint, samples: Set<number>): Promise<void> {
    const numbers = [...samples]
    samples.clear()
    const { jury } = deps.chain
    const call = { address: jury.address, abi: jury.abi, functionName: "declareUnserved" } as const
    await deps.sender.send({ ...call, args: [batchId, numbers] })
    const text = `called for ${numbers.length} samples of batch ${batchId}, and never served them`
    deps.events.emit({ kind: "refused", code: "CALL_UNSERVED", text })
  }

  return {
    note(event) {
      if (event.eventName !== "SamplesCalled") return
      const { batchId, samples, until } = event.args
      guarded(note(batchId, samples, BigInt(until)))
    },
    onHead({ timestamp }) {
      for (const [batchId, list] of called) {
        const open = list.filter(({ until, samples }) => samples.size > 0 && timestamp <= until)
        if (open.length === 0) called.delete(batchId)
        for (const { until, samples } of open) {
          if (timestamp + LAST_SECONDS >= until) guarded(sayUnserved(batchId, samples))
        }
      }
    },
    given({ batchId }, verdicts) {
      const kept = known.get(batchId) ?? new Map<number, SignedVerdict>()
      for (const one of verdicts) kept.set(one.verdict.sample, one)
      known.set(batchId, kept)
      if (known.size > KEEP) known.delete(known.keys().next().value!)
      guarded(answer(batchId))
    },
  }
}

async function calledHere({ chain, batches, account }: CallsDeps, batchId: bigint, samples: readonly number[]) {
  const [terms, committed] = await Promise.all([batches.terms(jobOfBatch(batchId)), batches.batch(batchId)])
  if (!terms || !committed) return []
  const seed = (await batches.seed(batchId)) ?? (await readSeed(chain, committed.batch))
  if (!seed) return []
  const mine: number[] = []
  for (const sample of samples) {
    const owners = await chain.jury.read.calledOf([terms, committed.batch, seed, sample])
    if (owners.some((owner) => isAddressEqual(owner, account))) mine.push(sample)
  }
  return mine
}

async function post({ chain, sender, batches }: CallsDeps, batchId: bigint, signed: SignedVerdict): Promise<void> {
  const [terms, committed] = await Promise.all([batches.terms(jobOfBatch(batchId)), batches.batch(batchId)])
  if (!terms || !committed) return
  const { jury } = chain
  try {
    await sender.send({
      address: jury.address,
      abi: jury.abi,
      functionName: "answerCall",
      args: [terms, committed.batch, signed.verdict, signed.signature],
    })
  } catch (error) {
    // Somebody else has posted it: it is answered all the same.
    if (refusedWith(error) !== "CallAccount") throw error
  }
}
