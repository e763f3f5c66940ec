import { zeroAddress, zeroHash } from "viem"
import { attestedDigest, batchHash, committedDigest, drawnDigest } from "../batches/digests.ts"
import { batchLayout, placeOf } from "../batches/layout.ts"
import { type Leaf, leafHash } from "../batches/leaf.ts"
import { packRange, packRanges, packVerifiers } from "../batches/packed.ts"
import { leafPath } from "../batches/path.ts"
import { buildShardTree, buildTopTree, committedRoot, SUM_PAD, SUM_SCHEME } from "../batches/sumTree.ts"
import { buildVerdictTree, SILENT_VERDICT, type VerdictLeaf, verdictLeafHash } from "../batches/verdictTree.ts"
import { buildInputTree, inputLeaf } from "../commitments/inputs.ts"
import { programRoot } from "../commitments/program.ts"
import { digestSalt, outputSalt, taskSalt } from "../commitments/salts.ts"
import {
  commitRoots,
  commitTensors,
  digestPart,
  inputCommitment,
  keyedDigest,
  outputCommitment,
  outputPart,
} from "../commitments/task.ts"
import type { Dtype } from "../commitments/tensor.ts"
import { keyedTensorRoot, openChunk, tensorRoot } from "../commitments/tensorRoot.ts"
import { createPermutation, feistelWidth } from "../draw/feistel.ts"
import { jurors, jurySeats } from "../draw/jury.ts"
import { CALLED, candidateOwners, candidatePlaces, panelSeats } from "../draw/panel.ts"
import { isReaudited, reauditors, reauditSeats } from "../draw/reaudit.ts"
import { sampleCount, samplePositions } from "../draw/samples.ts"
import { drawSeed } from "../draw/seed.ts"
import { TAGS } from "../hashing/tags.ts"
import { capabilityOf, MEMORY_TIERS, PROFILES } from "../jobs/capability.ts"
import { batchIdOf, demandIdOf, disputeIdOf, jobIdOf, voteHash } from "../jobs/ids.ts"
import { shardTasks } from "../jobs/shards.ts"
import { type Terms, termsHash } from "../jobs/terms.ts"
import { auditFee, auditReserve, auditUnitRateUp, minAuditBudget } from "../money/audit.ts"
import { collateralUp, detectionBpsDown, verdictCollateralUp } from "../money/collateral.ts"
import { escrow } from "../money/escrow.ts"
import { splitSlash } from "../money/slash.ts"
import { messageDigest, structHash } from "../signing/digest.ts"
import { marketDomain, registryDomain } from "../signing/domains.ts"
import { requestBodyHash } from "../signing/request.ts"
import type { MessageName, MessageOf } from "../signing/types.ts"
import { buildPairTree, PAIR_SCHEME } from "../trees/pairTree.ts"
import { treeMultiproof, treePath } from "../trees/positional.ts"
import { disputeVectors } from "./disputes.ts"
import {
  addressOf,
  bytes32,
  CHAIN_ID,
  SAMPLE_PRICES,
  SAMPLE_TERMS,
  sampleTensor,
  signer,
  TOKEN,
} from "./samples.ts"

const MARKET = addressOf("market")
const REGISTRY = addressOf("registry")
const JOB = jobIdOf({ chainId: CHAIN_ID, market: MARKET, requester: SAMPLE_TERMS.requester, nonce: 7n })
const BATCH = batchIdOf(JOB, 3)
const SEED = drawSeed(bytes32("beacon"), BATCH)

/** Every hash, digest and sum of the protocol, from inputs that are stated beside them. */
export async function buildVectors() {
  return {
    about: "Golden vectors: made by protocol/vectors/generate.ts, checked from TypeScript and Solidity. Never edited.",
    tags: TAGS,
    ids: ids(),
    terms: [SAMPLE_TERMS, { ...SAMPLE_TERMS, fee: 2n ** 96n - 1n, tasks: 2 ** 32 - 1, auditBase: 0n }].map((terms) => ({
      terms,
      hash: termsHash(terms),
    })),
    nodes: nodes(),
    batches: [
      batch("one task", { tasks: 1, shardSize: 1 }, 0, 0b1n),
      batch("one shard of three", { tasks: 3, shardSize: 3 }, 0, 0b1n),
      batch("shards of one task", { tasks: 5, shardSize: 1 }, 0, 0b11111n),
      batch("a hole in the mask", { tasks: 40, shardSize: 8 }, 1, 0b1101n),
      batch("a short last shard", { tasks: 26, shardSize: 8 }, 1, 0b101n),
      batch("a last shard of one task, shards of three", { tasks: 10, shardSize: 3 }, 0, 0b1011n),
    ],
    pairTrees: [1, 2, 3, 5, 8].map(pairTree),
    inputs: inputs(),
    tensors: tensors(),
    task: task(),
    programs: [[], ["logits"], ["logits", "hidden/0"]].map((digestTensors) => {
      const modelSha256 = bytes32("model")
      return { modelSha256, digestTensors, root: programRoot({ modelSha256, digestTensors }) }
    }),
    capabilities: PROFILES.flatMap((profile) =>
      MEMORY_TIERS.map((memoryGiB) => ({ profile, memoryGiB, hash: capabilityOf(profile, memoryGiB) })),
    ),
    seeds: [{ beacon: bytes32("beacon"), id: BATCH, seed: SEED }],
    permutations: [1, 2, 4, 5, 16, 17, 64, 100, 257].map((size) => {
      const permute = createPermutation(SEED, size)
      return { seed: SEED, size, width: feistelWidth(size), images: Array.from({ length: size }, (_, i) => permute(i)) }
    }),
    wide: [1024, 4096, 65_536, 2 ** 32].map((size) => {
      const indices = [0, 1, 2, Math.floor(size / 2), size - 1]
      return { seed: SEED, size, width: feistelWidth(size), indices, images: indices.map(createPermutation(SEED, size)) }
    }),
    samples: [
      [1, 1],
      [500, 1],
      [500, 20],
      [500, 21],
      [2000, 8],
      [10_000, 37],
      [1, 65_536],
      [3333, 100],
    ].map(([auditRate, size]) => ({
      auditRate: auditRate!,
      size: size!,
      count: sampleCount(auditRate!, size!),
      positions: samplePositions({ seed: SEED, auditRate: auditRate!, size: size! }),
    })),
    panels: [1, 4, 7, 1000].map((seatCount) => ({ seed: SEED, seatCount, seats: panelSeats(SEED, seatCount, 20) })),
    candidates: candidates(),
    secondAudits: secondAudits(),
    juries: juries(),
    verdicts: verdicts(),
    signed: await signed(),
    money: money(),
    digests: digests(),
    disputes: disputeVectors(BATCH),
  }
}

function ids() {
  const jobs = [0n, 7n, 2n ** 64n - 1n].map((nonce) => {
    const params = { chainId: CHAIN_ID, market: MARKET, requester: SAMPLE_TERMS.requester, nonce }
    return { ...params, jobId: jobIdOf(params) }
  })
  const verifier = addressOf("verifier")
  const disputeId = disputeIdOf({ batchId: BATCH, sample: 2, verifier })
  const vote = { disputeId, juror: addressOf("juror"), outputCommitment: bytes32("vote"), salt: bytes32("vote salt") }
  return {
    jobs,
    batches: [0, 3, 2 ** 24 - 1].map((number) => ({ jobId: JOB, number, batchId: batchIdOf(JOB, number) })),
    disputes: [{ batchId: BATCH, sample: 2, verifier, disputeId }],
    demands: [0, 1, 2, 3].map((kind) => ({
      batchId: BATCH,
      kind,
      position: 9,
      demandId: demandIdOf({ batchId: BATCH, kind, position: 9 }),
    })),
    votes: [{ ...vote, hash: voteHash(vote) }],
  }
}

function nodes() {
  const leaf = sampleLeaf(11, 0)
  const left = { hash: bytes32("left"), units: 5n }
  const right = { hash: bytes32("right"), units: 2n ** 40n }
  return {
    leaf: { jobId: JOB, ...leaf, hash: leafHash(JOB, leaf) },
    pad: SUM_PAD.hash,
    node: { left, right, joined: SUM_SCHEME.join(left, right) },
    root: { ...left, root: committedRoot(left) },
    pair: { left: left.hash, right: right.hash, joined: PAIR_SCHEME.join(left.hash, right.hash) },
    empty: PAIR_SCHEME.pad,
    input: { taskIndex: 11, commitment: bytes32("input"), hash: inputLeaf(11, bytes32("input")) },
  }
}

function sampleLeaf(taskIndex: number, shard: number): Leaf {
  return {
    taskIndex,
    worker: addressOf(`worker ${shard % 2}`),
    units: 1 + (taskIndex % 3),
    inputCommitment: bytes32(`input of ${taskIndex}`),
    outputCommitment: bytes32(`output of ${taskIndex}`),
  }
}

function batch(name: string, plan: { tasks: number; shardSize: number }, firstShard: number, mask: bigint) {
  const layout = batchLayout({ plan, firstShard, mask })
  const shards = layout.shards.map((shard) => {
    const { first, count } = shardTasks(plan, shard)
    const leaves = Array.from({ length: count }, (_, i) => sampleLeaf(first + i, shard))
    const tree = buildShardTree({ jobId: JOB, shardSize: plan.shardSize, leaves })
    return { shard, leaves, tree }
  })
  const row = shards.map(({ tree }) => tree.root)
  const topTree = buildTopTree(row)
  const worked = shards.map(({ shard, leaves, tree }) => ({
    shard,
    worker: leaves[0]!.worker,
    units: tree.root.units,
  }))
  return {
    name,
    jobId: JOB,
    ...plan,
    firstShard,
    mask,
    size: layout.size,
    ranges: packRanges(firstShard, worked),
    row,
    top: topTree.root,
    root: committedRoot(topTree.root),
    leaves: Array.from({ length: layout.size }, (_, position) => {
      const { ordinal, shard, offset, taskIndex } = placeOf(layout, position)
      const { leaves, tree } = shards[ordinal]!
      const leaf = leaves[offset]!
      const path = leafPath({ shardTree: tree, topTree, ordinal, offset })
      return { position, ordinal, shard, ...leaf, taskIndex, hash: leafHash(JOB, leaf), path }
    }),
  }
}

function pairTree(count: number) {
  const leaves = Array.from({ length: count }, (_, i) => bytes32(`pair leaf ${i}`))
  const tree = buildPairTree(leaves)
  const pick = leaves.map((_, i) => i).filter((i) => i % 3 !== 1)
  return {
    leaves,
    root: tree.root,
    paths: leaves.map((_, position) => treePath(tree, position)),
    multiproof: { positions: pick, proof: treeMultiproof(tree, pick) },
  }
}

function inputs() {
  const commitments = Array.from({ length: 6 }, (_, i) => bytes32(`input of ${i}`))
  const tree = buildInputTree(commitments)
  return { commitments, root: tree.root, paths: commitments.map((_, i) => treePath(tree, i)) }
}

const TENSORS: [Dtype, number[]][] = [
  ["uint8", [0]],
  ["uint8", [1]],
  ["uint8", [1023]],
  ["uint8", [1024]],
  ["uint8", [1025]],
  ["uint8", [5000]],
  ["int8", [3, 0, 2]],
  ["bool", [4]],
  ["float32", []],
  ["float64", []],
  ["int64", [1]],
  ["float32", [2, 700]],
  ["float16", [3, 5]],
  ["bfloat16", [7]],
  ["int32", [1, 1, 256]],
  ["uint16", [257]],
  ["int16", [2]],
  ["uint32", [2]],
  ["uint64", [130]],
]

function tensors() {
  const key = { verifier: addressOf("verifier"), batchId: BATCH, position: 17 }
  return {
    pattern: "byte i = (31 i + 7) mod 256",
    key,
    cases: TENSORS.map(([dtype, dims]) => {
      const tensor = sampleTensor(dtype, dims)
      return {
        dtype,
        dims,
        bytes: tensor.data.length,
        root: tensorRoot(tensor),
        keyedRoot: keyedTensorRoot(tensor, key),
      }
    }),
    opening: {
      tensor: { dtype: "uint8", dims: [5000] },
      plain: openChunk(sampleTensor("uint8", [5000]), 4),
      keyed: openChunk(sampleTensor("uint8", [5000]), 4, key),
    },
  }
}

function task() {
  const jobSalt = bytes32("job salt")
  const salt = taskSalt(jobSalt, 5)
  const input = [sampleTensor("float32", [1, 64]), sampleTensor("int64", [])]
  const outputs = [sampleTensor("int64", [1])]
  const digests = [sampleTensor("float32", [1, 400]), sampleTensor("float16", [3])]
  const key = { verifier: addressOf("verifier"), batchId: BATCH, position: 17 }
  return {
    jobSalt,
    taskIndex: 5,
    salt,
    outputSalt: outputSalt(salt),
    digestSalt: digestSalt(salt),
    inputRoots: input.map(tensorRoot),
    inputCommitment: inputCommitment(salt, input),
    outputRoots: outputs.map(tensorRoot),
    outputPart: outputPart(salt, outputs),
    digestRoots: digests.map(tensorRoot),
    digestPart: digestPart(salt, digests),
    outputCommitment: outputCommitment(salt, { outputs, digests }),
    key,
    keyedDigest: keyedDigest(salt, { outputs, digests }, key),
    withoutDigest: {
      digestPart: digestPart(salt, []),
      outputCommitment: outputCommitment(salt, { outputs, digests: [] }),
      keyedDigest: keyedDigest(salt, { outputs, digests: [] }, key),
    },
    commitments: [0, 1, 3].map((count) => {
      const roots = Array.from({ length: count }, (_, i) => bytes32(`root ${i}`))
      return { salt, roots, commitment: commitRoots(salt, roots) }
    }),
    noTensors: commitTensors(salt, []),
  }
}

function candidates() {
  const executor = addressOf("worker 0")
  const others = ["ann", "bob", "cid", "dot", "eve"].map(addressOf)
  const lists = {
    many: Array.from({ length: 16 }, (_, j) => (j % 4 === 1 ? executor : others[j % 5]!)),
    two: Array.from({ length: 16 }, (_, j) => (j === 3 || j === 9 ? others[0]! : executor)),
    one: Array.from({ length: 16 }, (_, j) => (j === 15 ? others[1]! : executor)),
    none: [...Array.from({ length: 19 }, () => executor), others[2]!],
  }
  return Object.entries(lists).flatMap(([name, owners]) =>
    [0, 1, 2].map((sample) => {
      const params = { seed: SEED, sample, executor, owners }
      const called = candidateOwners({ ...params, count: CALLED })
      return { name, ...params, places: candidatePlaces(params), candidates: candidateOwners(params), called }
    }),
  )
}

function secondAudits() {
  const seed = bytes32("beacon of a round")
  const [executor, first] = [addressOf("worker 0"), addressOf("ann")]
  const owners = Array.from({ length: 16 }, (_, j) => [first, executor, addressOf("bob"), addressOf("cid")][(j * 7) % 4]!)
  return [0, 1, 5].map((sample) => {
    const about = { seed, batchId: BATCH, sample }
    return {
      ...about,
      drawn: [1, 1_000, 5_000, 10_000].map((reauditRate) => ({
        reauditRate,
        is: isReaudited({ ...about, reauditRate }) ? 1 : 0,
      })),
      seatCount: 1_000_003,
      seats: reauditSeats(about, 1_000_003),
      owners,
      executor,
      first,
      reauditors: reauditors({ owners, executor, first }),
    }
  })
}

function juries() {
  const disputeId = disputeIdOf({ batchId: BATCH, sample: 2, verifier: addressOf("verifier") })
  const seed = drawSeed(bytes32("beacon of the dispute"), disputeId)
  const owners = Array.from({ length: 21 }, (_, j) => addressOf(["ann", "bob", "verifier", "worker 0"][(j * j) % 4]!))
  const excluded = [addressOf("worker 0"), addressOf("verifier")]
  return [
    {
      beacon: bytes32("beacon of the dispute"),
      disputeId,
      seed,
      seatCount: 9,
      seats: jurySeats(seed, 9),
      owners,
      excluded,
      jurors: jurors(owners, excluded),
    },
  ]
}

function verdicts() {
  const given: VerdictLeaf[] = [
    { verifier: addressOf("ann"), units: 2, verdictHash: bytes32("verdict 0") },
    { verifier: addressOf("bob"), units: 1, verdictHash: bytes32("verdict 1") },
    SILENT_VERDICT,
    { verifier: addressOf("ann"), units: 3, verdictHash: bytes32("verdict 3") },
    { verifier: addressOf("cid"), units: 1, verdictHash: bytes32("verdict 4") },
  ]
  const tree = buildVerdictTree(given)
  const answered = given.filter(({ verifier }) => verifier !== zeroAddress)
  return {
    leaves: given.map((leaf, sample) => ({
      sample,
      ...leaf,
      hash: verdictLeafHash(sample, leaf),
      path: treePath(tree, sample),
    })),
    root: tree.root,
    verifiers: packVerifiers(answered),
  }
}

async function signed() {
  const market = marketDomain({ chainId: CHAIN_ID, market: MARKET })
  const registry = registryDomain({ chainId: CHAIN_ID, registry: REGISTRY })
  const lease = { jobId: JOB, shard: 4, worker: addressOf("worker 0"), start: 1_700_000_000n, expiry: 1_700_000_060n }
  const leaseHash = structHash("Lease", lease)
  const sign = async <K extends MessageName>(type: K, message: MessageOf[K], key: string) => {
    const domain = type === "RegisterKey" ? registry : market
    const digest = messageDigest(domain, type, message)
    const signature = await signer(key).sign({ hash: digest })
    return { type, message, structHash: structHash(type, message), digest, signer: addressOf(key), signature }
  }
  const body = new TextEncoder().encode('{"wait":25}')
  return {
    chainId: CHAIN_ID,
    market: MARKET,
    registry: REGISTRY,
    Lease: await sign("Lease", lease, "coordinator"),
    Receipt: await sign("Receipt", { leaseHash, shardRoot: bytes32("shard root"), units: 12n }, "worker 0"),
    Release: await sign("Release", { leaseHash, at: 1_700_000_030n }, "worker 0"),
    Verdict: await sign(
      "Verdict",
      {
        batchId: BATCH,
        sample: 2,
        position: 17,
        verifier: addressOf("verifier"),
        units: 3,
        outputCommitment: bytes32("output of 17"),
        keyedDigest: bytes32("keyed digest of 17"),
      },
      "verifier",
    ),
    Request: await sign(
      "Request",
      {
        method: "POST",
        path: "/v1/leases?x=1",
        bodyHash: requestBodyHash(body),
        nonce: 99n,
        expiry: 1_700_000_100n,
      },
      "worker 0",
    ),
    RegisterKey: await sign("RegisterKey", { account: addressOf("account"), key: addressOf("session key") }, "session key"),
    emptyBodyHash: requestBodyHash(undefined),
  }
}

function money() {
  const odd: Partial<Terms> = { fee: 7n, maxUnits: 3, auditRatio: 3333, auditBase: 11n, valueAtRisk: 0n, auditRate: 1 }
  const cases: Partial<Terms>[] = [
    {},
    odd,
    { auditRate: 500, fee: TOKEN, maxUnits: 1, valueAtRisk: 0n },
    { auditRate: 10_000, shardSize: 1024, tasks: 65_536, coordinatorFee: 0n },
    { auditRatio: 0, auditBase: 0n },
    { fee: 2n ** 90n, maxUnits: 1, auditRate: 1, tasks: 1, shardSize: 1 },
  ]
  return {
    ...SAMPLE_PRICES,
    detection: [0, 1, 3333, 5000, 9999].map((colluding) => ({ colluding, bps: detectionBpsDown(colluding) })),
    cases: cases.map((changes) => {
      const terms = { ...SAMPLE_TERMS, ...changes }
      const leaves = [1, terms.shardSize, 64 * terms.shardSize]
      return {
        terms,
        collateral: collateralUp(terms, SAMPLE_PRICES),
        auditUnitRate: auditUnitRateUp(terms),
        auditFee: auditFee(terms),
        verdictCollateral: verdictCollateralUp(terms, SAMPLE_PRICES),
        escrow: escrow(terms),
        minAuditBudget: minAuditBudget(terms),
        reserves: leaves.map((size) => ({ size, reserve: auditReserve(terms, sampleCount(terms.auditRate, size)) })),
      }
    }),
    slashes: [0n, 1n, 999n, 10n * TOKEN].map((amount) => ({
      amount,
      burnRate: 5000,
      burned: splitSlash(amount, 5000).burned,
    })),
  }
}

function digests() {
  const batch = {
    jobId: JOB,
    number: 3,
    firstShard: 5,
    root: bytes32("batch root"),
    commitBlock: 1234n,
    committer: SAMPLE_TERMS.coordinator,
    backer: SAMPLE_TERMS.coordinator,
    ranges: [
      packRange({ worker: "0x0000000000000000000000000000000000000aaa", units: 9, mask: 0b101n }),
      packRange({ worker: "0x0000000000000000000000000000000000000bbb", units: 4, mask: 1n << 63n }),
    ],
  }
  const attestation = {
    seed: SEED,
    verdictRoot: bytes32("verdict root"),
    verifiers: packVerifiers([{ verifier: addressOf("ann"), units: 3 }]),
    silentRanges: 2n,
  }
  return {
    batch,
    attestation,
    hash: batchHash(batch),
    committed: committedDigest(batch),
    drawn: drawnDigest(batch, SEED),
    undrawn: drawnDigest(batch, zeroHash),
    attested: attestedDigest(batch, attestation),
  }
}
