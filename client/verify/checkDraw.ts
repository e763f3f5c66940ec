import { type Address, type Hex, isAddressEqual, type PublicClient } from "viem"
import {
  type Attestation,
  type Batch,
  type BatchData,
  type BatchLayout,
  batchIdOf,
  beaconAbi,
  bitsOf,
  buildVerdictTree,
  CALLED,
  CANDIDATES,
  candidateOwners,
  type Deployment,
  drawSeed,
  juryAbi,
  marketDomain,
  PANEL_EXTRA,
  PANEL_SIZE,
  packVerifiers,
  panelSeat,
  parseRanges,
  placeOf,
  recoverSigner,
  registryAbi,
  SILENT_VERDICT,
  samplePositions,
  type Terms,
  verdictHash,
} from "#protocol"
import { type Check, check, checkAll } from "./check.ts"
import { accountOf } from "./checkBatchData.ts"

export type CheckDrawDeps = { chain: PublicClient; deployment: Deployment }
export type CheckDrawParams = {
  name: string
  terms: Terms
  batch: Batch
  layout: BatchLayout
  attestation: Attestation
  data: BatchData
}

/** Samples and verifiers are what the public seed draws, and every paid verdict is theirs (R19, R20, R21, R24). */
export async function checkDraw(deps: CheckDrawDeps, params: CheckDrawParams): Promise<Check[]> {
  const { name, terms, batch, layout, attestation, data } = params
  const positions = samplePositions({ seed: attestation.seed, auditRate: terms.auditRate, size: layout.size })
  const verdicts = [...data.verdicts].sort((a, b) => a.sample - b.sample)
  const complete = verdicts.length === positions.length && verdicts.every(({ sample }, i) => sample === i)
  if (!complete) {
    return [
      check(`${name}: draw`, false, `${verdicts.length} verdicts are shown for ${positions.length} drawn samples`),
    ]
  }
  const given = verdicts.flatMap(({ sample, verdict, signature }) =>
    verdict && signature ? [{ sample, verdict, signature }] : [],
  )
  const owners = await panelOwners(deps, { terms, batch, seed: attestation.seed })
  const isDrawn = (sample: number, verifier: Address, count: number) => {
    const executor = executorOf(batch, placeOf(layout, positions[sample]!).shard)
    const drawn = candidateOwners({ seed: attestation.seed, sample, executor, owners, count })
    return drawn.some((one) => isAddressEqual(one, verifier))
  }
  const others = given.filter(({ sample, verdict }) => !isDrawn(sample, verdict.verifier, CANDIDATES))
  const called = await calledSamples(
    deps,
    batchIdOf(batch.jobId, batch.number),
    others.map(({ sample }) => sample),
  )
  const domain = marketDomain({ chainId: deps.deployment.chainId, market: deps.deployment.contracts.market })
  const signers = await Promise.all(
    given.map(async ({ verdict, signature }) => {
      const key = await recoverSigner({ domain, type: "Verdict", message: verdict, signature })
      return key && accountOf(deps, key, batch.commitBlock)
    }),
  )
  const tree = buildVerdictTree(
    verdicts.map(({ verdict }) =>
      verdict
        ? { verifier: verdict.verifier, units: verdict.units, verdictHash: verdictHash(verdict) }
        : SILENT_VERDICT,
    ),
  )
  const totals = packVerifiers(given.map(({ verdict }) => verdict))
  const silent = silentMask(
    params,
    verdicts.filter((one) => one.silent).map(({ sample }) => positions[sample]!),
  )
  return [
    await checkSeed(deps, params),
    checkAll(
      `${name}: draw`,
      given,
      ({ sample, verdict }) =>
        verdict.position === positions[sample]
          ? undefined
          : `sample ${sample} is of position ${verdict.position}, drawn was ${positions[sample]}`,
      `verdicts on the ${positions.length} drawn positions of ${layout.size}`,
    ),
    checkAll(
      `${name}: candidates`,
      given,
      ({ sample, verdict }) =>
        isDrawn(sample, verdict.verifier, CANDIDATES) ||
        (called.has(sample) && isDrawn(sample, verdict.verifier, CALLED))
          ? undefined
          : `${verdict.verifier} was not drawn for sample ${sample}`,
      "verdicts are drawn candidates'",
    ),
    checkAll(
      `${name}: verdict signatures`,
      given.map((one, i) => ({ ...one, signer: signers[i] })),
      ({ sample, verdict, signer }) =>
        signer && isAddressEqual(signer, verdict.verifier)
          ? undefined
          : `the verdict on sample ${sample} is not signed by ${verdict.verifier}`,
      "verdicts are signed",
    ),
    check(
      `${name}: verdict root`,
      tree.root === attestation.verdictRoot,
      `the attestation names ${attestation.verdictRoot}`,
    ),
    check(
      `${name}: verifier totals`,
      totals.length === attestation.verifiers.length && totals.every((word, i) => word === attestation.verifiers[i]),
      `${totals.length} verifiers`,
    ),
    check(
      `${name}: silence`,
      (silent & ~attestation.silentRanges) === 0n,
      silent === 0n ? "every sample has a verdict" : `ranges ${bitsOf(silent).join(", ")} have samples without one`,
    ),
  ]
}

/** Those of the samples that were called on chain, which makes five more seats candidates (R20). */
async function calledSamples(
  { chain, deployment }: CheckDrawDeps,
  batchId: bigint,
  samples: readonly number[],
): Promise<Set<number>> {
  const called = new Set<number>()
  for (const sample of samples) {
    const at = { address: deployment.contracts.jury, abi: juryAbi } as const
    const until = await chain.readContract({ ...at, functionName: "calledUntil", args: [batchId, sample] })
    if (until !== 0n) called.add(sample)
  }
  return called
}

/** Executor of a shard: the worker of the range whose mask holds it. */
export function executorOf(batch: Batch, shard: number): Address {
  const bit = BigInt(shard - batch.firstShard)
  return parseRanges(batch.ranges).find(({ mask }) => (mask >> bit) % 2n === 1n)!.worker
}

function silentMask({ batch, layout }: CheckDrawParams, positions: readonly number[]): bigint {
  const ranges = parseRanges(batch.ranges)
  return positions.reduce((mask, position) => {
    const bit = BigInt(placeOf(layout, position).shard - batch.firstShard)
    const index = ranges.findIndex((range) => (range.mask >> bit) % 2n === 1n)
    return mask | (1n << BigInt(index))
  }, 0n)
}

async function checkSeed(
  { chain, deployment }: CheckDrawDeps,
  { name, batch, attestation }: CheckDrawParams,
): Promise<Check> {
  const seedBlock = await chain.readContract({
    address: deployment.contracts.beacon,
    abi: beaconAbi,
    functionName: "seedBlock",
    args: [batch.commitBlock],
  })
  const { hash } = await chain.getBlock({ blockNumber: seedBlock })
  const seed = drawSeed(hash as Hex, batchIdOf(batch.jobId, batch.number))
  return check(
    `${name}: seed`,
    seed === attestation.seed,
    `from block ${seedBlock}, ${seedBlock - batch.commitBlock} after the commit`,
  )
}

/** Owners of the panel's seats at the commit block; the search goes on only where all sixteen are one account's. */
async function panelOwners(
  { chain, deployment }: CheckDrawDeps,
  { terms, batch, seed }: { terms: Terms; batch: Batch; seed: Hex },
): Promise<Address[]> {
  const read = { address: deployment.contracts.registry, abi: registryAbi } as const
  const { capability } = terms
  const { commitBlock } = batch
  const count = Number(
    await chain.readContract({ ...read, functionName: "seatCountAt", args: [capability, commitBlock] }),
  )
  const known = new Map<number, Address>()
  const ownerOf = async (place: number): Promise<Address> => {
    const seat = panelSeat(seed, place, count)
    const cached = known.get(seat)
    if (cached) return cached
    const owner = await chain.readContract({
      ...read,
      functionName: "seatOwnerAt",
      args: [capability, BigInt(seat), commitBlock],
    })
    known.set(seat, owner)
    return owner
  }
  const owners: Address[] = []
  for (let place = 0; place < PANEL_SIZE; place++) owners.push(await ownerOf(place))
  const first = owners[0]!
  for (
    let place = PANEL_SIZE;
    place < PANEL_SIZE + PANEL_EXTRA && owners.every((one) => isAddressEqual(one, first));
    place++
  ) {
    owners.push(await ownerOf(place))
  }
  return owners
}
