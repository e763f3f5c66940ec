import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import test from "node:test"
import { encodeAbiParameters, type Hex, keccak256, parseAbiParameters, recoverAddress, stringToHex } from "viem"
import { rootFromMultiproof } from "#protocol"
import { PAIR_SCHEME } from "../../../protocol/trees/pairTree.ts"
import { buildVectors } from "../../../protocol/vectors/build.ts"
import { vectorsJson } from "../../../protocol/vectors/json.ts"
import { depthOf, H, type Node, pairRoot, pattern, permute, sha, sumRoot, tensorRoot } from "./slow.ts"

const committed = readFileSync(new URL("../../../protocol/vectors/vectors.json", import.meta.url), "utf8")
const built = await buildVectors()
// The file as a stranger reads it: every integer beyond 2^53 a string, so values go through BigInt or the encoder.
const v = JSON.parse(committed) as typeof built

test("behavior: the committed vectors are what the code makes now", () => {
  assert.equal(vectorsJson(built), committed, "run: node protocol/vectors/generate.ts (and ask why a format changed)")
})

test("behavior: ids agree with abi.encode", () => {
  for (const { chainId, market, requester, nonce, jobId } of v.ids.jobs) {
    const full = H("job", "uint256, address, address, uint64", [BigInt(chainId), market, requester, BigInt(nonce)])
    assert.equal(BigInt(jobId), BigInt(`0x${full.slice(-48)}`))
  }
  for (const { jobId, number, batchId } of v.ids.batches) {
    assert.equal(BigInt(batchId), BigInt(jobId) * 2n ** 32n + BigInt(number))
  }
  for (const { batchId, sample, verifier, disputeId } of v.ids.disputes) {
    assert.equal(
      BigInt(disputeId),
      BigInt(H("dispute", "uint256, uint32, address", [BigInt(batchId), sample, verifier])),
    )
  }
  for (const { batchId, kind, position, demandId } of v.ids.demands) {
    assert.equal(demandId, H("demand", "uint256, uint8, uint32", [BigInt(batchId), kind, position]))
  }
  for (const { disputeId, juror, outputCommitment, salt, hash } of v.ids.votes) {
    const values = [BigInt(disputeId), juror, outputCommitment, salt]
    assert.equal(hash, H("vote", "uint256, address, bytes32, bytes32", values))
  }
})

test("behavior: terms are hashed as the Solidity struct (R1)", () => {
  const fields = parseAbiParameters([
    "bytes32 tag, Terms terms",
    "struct Terms { uint8 version; uint8 kind; address requester; address coordinator; uint8 class; bytes32 capability; bytes32 programRoot; bytes32 inputs; uint32 tasks; uint16 shardSize; uint96 fee; uint32 maxUnits; uint16 auditRate; uint16 auditRatio; uint96 auditBase; uint96 auditBudget; uint96 coordinatorFee; uint96 valueAtRisk; uint64 deadline; bytes32 specHash; }",
  ])
  for (const { terms, hash } of v.terms) {
    const big = ["fee", "auditBase", "auditBudget", "coordinatorFee", "valueAtRisk", "deadline"] as const
    const values = { ...terms, ...Object.fromEntries(big.map((name) => [name, BigInt(terms[name])])) }
    const encoded = encodeAbiParameters(fields, [stringToHex("assay.terms", { size: 32 }), values])
    assert.equal(hash, keccak256(encoded))
  }
})

test("behavior: leaves, shards, top trees and roots follow from plain recursion (R3, R4)", () => {
  for (const batch of v.batches) {
    const leaves = batch.leaves.map((leaf) => {
      const values = [
        BigInt(batch.jobId),
        leaf.taskIndex,
        leaf.worker,
        leaf.units,
        leaf.inputCommitment,
        leaf.outputCommitment,
      ]
      assert.equal(leaf.hash, H("leaf", "uint192, uint32, address, uint32, bytes32, bytes32", values))
      return { ...leaf, node: { hash: leaf.hash, units: BigInt(leaf.units) } }
    })
    const ordinals = [...new Set(leaves.map(({ ordinal }) => ordinal))]
    const row = ordinals.map((o) => {
      const own = leaves.filter(({ ordinal }) => ordinal === o)
      return sumRoot(
        own.map(({ node }) => node),
        depthOf(batch.shardSize),
      )
    })
    assert.deepEqual(
      row,
      batch.row.map(({ hash, units }) => ({ hash, units: BigInt(units) })),
    )
    const top = sumRoot(row, depthOf(row.length))
    assert.equal(batch.root, H("root", "bytes32, uint64", [top.hash, top.units]))
    assert.equal(leaves.length, batch.size)
    for (const { position, shard, taskIndex } of leaves) {
      assert.equal(shard, Math.floor(taskIndex / batch.shardSize))
      assert.equal(position % batch.shardSize, taskIndex % batch.shardSize)
    }
  }
})

test("behavior: a path leads to the root by the bits of its position (R3)", () => {
  for (const batch of v.batches) {
    const shardDepth = depthOf(batch.shardSize)
    for (const leaf of batch.leaves) {
      let node: Node = { hash: leaf.hash, units: BigInt(leaf.units) }
      leaf.path.forEach((sibling, level) => {
        const other: Node = { hash: sibling.hash, units: BigInt(sibling.units) }
        const place = level < shardDepth ? leaf.position % batch.shardSize : leaf.ordinal
        const right = (place >> (level < shardDepth ? level : level - shardDepth)) & 1
        const [l, r] = right === 1 ? [other, node] : [node, other]
        const hash = H("node", "bytes32, uint64, bytes32, uint64", [l.hash, l.units, r.hash, r.units])
        node = { hash, units: l.units + r.units }
      })
      assert.equal(H("root", "bytes32, uint64", [node.hash, node.units]), batch.root)
    }
  }
})

test("behavior: plain trees, inputs and verdicts follow from plain recursion (R1, R24)", () => {
  for (const { leaves, root, multiproof } of v.pairTrees) {
    assert.equal(root, pairRoot(leaves, depthOf(leaves.length)))
    const entries = multiproof.positions.map((position) => ({ position, leaf: leaves[position]! }))
    assert.equal(
      rootFromMultiproof(PAIR_SCHEME, { entries, depth: depthOf(leaves.length), proof: multiproof.proof }),
      root,
    )
  }
  const inputs = v.inputs.commitments.map((commitment, i) => H("input", "uint32, bytes32", [i, commitment]))
  assert.equal(v.inputs.root, pairRoot(inputs, depthOf(inputs.length)))
  const verdicts = v.verdicts.leaves.map(({ sample, verifier, units, verdictHash, hash }) => {
    assert.equal(hash, H("verdict", "uint32, address, uint32, bytes32", [sample, verifier, units, verdictHash]))
    return hash
  })
  assert.equal(v.verdicts.root, pairRoot(verdicts, depthOf(verdicts.length)))
})

test("behavior: tensors, plain and keyed, follow from plain recursion (R6, R21)", () => {
  const { verifier, batchId, position } = v.tensors.key
  const key = Buffer.concat([
    Buffer.from([4]),
    Buffer.from(verifier.slice(2), "hex"),
    Buffer.from(BigInt(batchId).toString(16).padStart(64, "0"), "hex"),
    Buffer.from(position.toString(16).padStart(8, "0"), "hex"),
  ])
  for (const { dtype, dims, bytes, root, keyedRoot } of v.tensors.cases) {
    assert.equal(root, tensorRoot(dtype, dims, bytes, Buffer.from([0])), `${dtype} [${dims}]`)
    assert.equal(keyedRoot, tensorRoot(dtype, dims, bytes, key), `keyed ${dtype} [${dims}]`)
  }
  const last = Buffer.concat([pattern(5000).subarray(4096), Buffer.alloc(1024 - 904)])
  assert.equal(v.tensors.opening.plain.chunk, `0x${last.toString("hex")}`)
  const bits = [0, 0, 1]
  const fold = (leaf: Buffer, path: readonly Hex[]) =>
    path.reduce((node, sibling, level) => {
      const other = Buffer.from(sibling.slice(2), "hex")
      return bits[level] === 1 ? sha(Buffer.from([1]), other, node) : sha(Buffer.from([1]), node, other)
    }, leaf)
  const shape = Buffer.from("0302010000000000001388", "hex")
  const wrap = (tree: Buffer) => `0x${sha(shape, tree).toString("hex")}`
  const of5000 = v.tensors.cases.find(({ bytes }) => bytes === 5000)!
  assert.equal(wrap(fold(sha(Buffer.from([0]), last), v.tensors.opening.plain.path)), of5000.root)
  assert.equal(wrap(fold(sha(key, last), v.tensors.opening.keyed.path)), of5000.keyedRoot)
})

test("behavior: a task's commitments agree with abi.encode (R6, R7)", () => {
  const t = v.task
  assert.equal(t.salt, H("salt", "bytes32, uint32", [t.jobSalt, t.taskIndex]))
  assert.equal(t.outputSalt, H("salt.out", "bytes32", [t.salt]))
  assert.equal(t.digestSalt, H("salt.digest", "bytes32", [t.salt]))
  const T = (salt: Hex, roots: readonly Hex[]) => H("tensors", "bytes32, bytes32[]", [salt, roots])
  for (const { salt, roots, commitment } of t.commitments) assert.equal(commitment, T(salt, roots))
  assert.equal(t.inputCommitment, T(t.salt, t.inputRoots))
  assert.equal(t.outputPart, T(t.outputSalt, t.outputRoots))
  assert.equal(t.digestPart, T(t.digestSalt, t.digestRoots))
  assert.equal(t.outputCommitment, H("output", "bytes32, bytes32", [t.outputPart, t.digestPart]))
  assert.equal(t.withoutDigest.digestPart, T(t.digestSalt, []))
  assert.notEqual(t.withoutDigest.keyedDigest, t.keyedDigest)
  for (const { modelSha256, digestTensors, root } of v.programs) {
    const names = keccak256(encodeAbiParameters([{ type: "string[]" }], [digestTensors]))
    assert.equal(root, H("program", "uint8, bytes32, bytes32", [0, modelSha256, names]))
  }
  for (const { profile, memoryGiB, hash } of v.capabilities) {
    assert.equal(hash, H("capability", "string, uint32", [profile, memoryGiB]))
  }
})

test("behavior: draws agree with a permutation in plain bigint and with abi.encode (R19, R20, R28)", () => {
  for (const { beacon, id, seed } of v.seeds) assert.equal(seed, H("seed", "bytes32, uint256", [beacon, BigInt(id)]))
  for (const { seed, size, images } of v.permutations) {
    assert.deepEqual(
      images.map(BigInt),
      images.map((_, i) => permute(seed, BigInt(size), BigInt(i))),
    )
    assert.equal(new Set(images).size, size, "a permutation names every position once")
  }
  for (const { seed, size, indices, images } of v.wide) {
    indices.forEach((index, i) => {
      assert.equal(BigInt(images[i]!), permute(seed, BigInt(size), BigInt(index)))
    })
  }
  for (const { auditRate, size, count, positions } of v.samples) {
    assert.equal(count, Math.max(1, Number((BigInt(auditRate) * BigInt(size) + 9999n) / 10_000n)))
    assert.equal(positions.length, count)
  }
  const seat = (tag: string, seed: Hex, j: number, count: number) =>
    Number(BigInt(H(tag, "bytes32, uint256", [seed, BigInt(j)])) % BigInt(count))
  for (const { seed, seatCount, seats } of v.panels) {
    assert.deepEqual(
      seats,
      seats.map((_, j) => seat("panel", seed, j, seatCount)),
    )
  }
  for (const { beacon, disputeId, seed, seatCount, seats } of v.juries) {
    assert.equal(seed, H("seed", "bytes32, uint256", [beacon, BigInt(disputeId)]))
    assert.deepEqual(
      seats,
      seats.map((_, j) => seat("jury", seed, j, seatCount)),
    )
  }
})

test("behavior: candidates are drawn from the panel without replacement and are never the executor's (R20)", () => {
  for (const { seed, sample, executor, owners, places, candidates } of v.candidates) {
    const pool = owners.flatMap((owner, j) => (j < 16 && owner !== executor ? [j] : []))
    const expected: number[] = []
    for (let c = 0; c < 3 && pool.length > 0; c++) {
      const x = Number(BigInt(H("candidate", "bytes32, uint32, uint8", [seed, sample, c])) % BigInt(pool.length))
      expected.push(pool[x]!)
      pool[x] = pool[pool.length - 1]!
      pool.pop()
    }
    if (expected.length === 0) expected.push(owners.findIndex((owner) => owner !== executor))
    assert.deepEqual(places, expected)
    assert.deepEqual(
      candidates,
      expected.map((j) => owners[j]),
    )
  }
})

test("behavior: signed digests agree with EIP-712 spelled out, and recover to their signers (R8)", async () => {
  const types = {
    Lease: "Lease(uint192 jobId,uint32 shard,address worker,uint64 start,uint64 expiry)",
    Receipt: "Receipt(bytes32 leaseHash,bytes32 shardRoot,uint64 units)",
    Release: "Release(bytes32 leaseHash,uint64 at)",
    Verdict:
      "Verdict(uint256 batchId,uint32 sample,uint32 position,address verifier,uint32 units,bytes32 outputCommitment,bytes32 keyedDigest)",
    Request: "Request(string method,string path,bytes32 bodyHash,uint64 nonce,uint64 expiry)",
    RegisterKey: "RegisterKey(address account,address key)",
  } as const
  const domainType = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
  const text = (value: string) => keccak256(stringToHex(value))
  for (const [name, type] of Object.entries(types) as [keyof typeof types, string][]) {
    const { message, structHash, digest, signature, signer } = v.signed[name]
    const fields = type.slice(type.indexOf("(") + 1, -1).split(",")
    const encoded = fields.map((field): { type: string; value: unknown } => {
      const [kind, key] = field.split(" ") as [string, string]
      const value = (message as unknown as Record<string, string | number>)[key]!
      if (kind === "string") return { type: "bytes32", value: text(String(value)) }
      return { type: kind, value: kind.startsWith("uint") ? BigInt(value) : value }
    })
    const hash = keccak256(
      encodeAbiParameters(
        [{ type: "bytes32" }, ...encoded.map(({ type }) => ({ type }))],
        [text(type), ...encoded.map(({ value }) => value)],
      ),
    )
    assert.equal(structHash, hash, name)
    const own = name === "RegisterKey"
    const separator = keccak256(
      encodeAbiParameters(parseAbiParameters("bytes32, bytes32, bytes32, uint256, address"), [
        text(domainType),
        text(own ? "Assay Registry" : "Assay"),
        text("1"),
        BigInt(v.signed.chainId),
        own ? v.signed.registry : v.signed.market,
      ]),
    )
    assert.equal(digest, keccak256(`0x1901${separator.slice(2)}${hash.slice(2)}`), name)
    assert.equal((await recoverAddress({ hash: digest, signature })).toLowerCase(), signer)
  }
})

test("behavior: money agrees with the formulas in plain fractions (R9, R11, R22, R23)", () => {
  const m = v.money
  const up = (a: bigint, b: bigint) => a / b + (a % b === 0n ? 0n : 1n)
  for (const { colluding, bps } of m.detection)
    assert.equal(BigInt(bps), (10_000n - BigInt(colluding)) ** 3n / 10n ** 8n)
  for (const { terms, ...c } of m.cases) {
    const [F, u, p, a] = [BigInt(terms.fee), BigInt(terms.maxUnits), BigInt(terms.auditRate), BigInt(terms.auditRatio)]
    const base = BigInt(terms.auditBase)
    const gain = (u * F + BigInt(terms.valueAtRisk)) * 10n ** 12n
    const C = up(gain, p * 2963n * 5000n)
    assert.equal(BigInt(c.collateral), C > BigInt(m.minCollateral) ? C : BigInt(m.minCollateral))
    const A = up(a * F, 10_000n)
    assert.equal(BigInt(c.auditUnitRate), A)
    assert.equal(BigInt(c.auditFee), u * A + base)
    assert.equal(BigInt(c.verdictCollateral), up((u * A + base) * 10n ** 12n, 1000n * 2963n * 5000n))
    const k = (N: number) => up(p * BigInt(N), 10_000n) || 1n
    assert.equal(
      BigInt(c.escrow),
      BigInt(terms.tasks) * u * (F + BigInt(terms.coordinatorFee)) + BigInt(terms.auditBudget),
    )
    const shards = up(BigInt(terms.tasks), BigInt(terms.shardSize))
    assert.equal(BigInt(c.minAuditBudget), shards * k(terms.shardSize) * (u * A + base))
    for (const { size, reserve } of c.reserves) {
      const bases = k(size) < 16n ? k(size) : 16n
      assert.equal(BigInt(reserve), k(size) * u * A + bases * base)
    }
  }
  for (const { amount, burnRate, burned } of m.slashes) {
    assert.equal(BigInt(burned), up(BigInt(amount) * BigInt(burnRate), 10_000n))
  }
})

test("behavior: wires, traces, rows and the ids of disputes follow from plain recursion (R12, R27)", () => {
  const { traces, tensors, finds, games, operations, operationsRoot } = v.disputes
  assert.equal(
    pairRoot(
      operations.map(({ leaf }) => leaf),
      depthOf(operations.length),
    ),
    operationsRoot,
  )
  for (const { roots, leaves, root, rows } of traces) {
    for (const [wire, leaf] of leaves.entries())
      assert.equal(leaf, H("wire", "uint256, bytes32", [BigInt(wire), roots[wire]]))
    assert.equal(pairRoot(leaves, depthOf(leaves.length)), root)
    assert.equal(rows[0]!.node, root)
    for (const { level, index, nodes } of rows) {
      const low = Math.max(0, level - 6)
      const expected = nodes.map((_, i) => {
        const first = (index * 2 ** (level - low) + i) * 2 ** low
        return pairRoot(leaves.slice(first, first + 2 ** low), low)
      })
      assert.deepEqual(nodes, expected)
    }
  }
  for (const { bytes, root } of tensors) {
    const dims = [bytes]
    assert.equal(tensorRoot("uint8", dims, bytes, Buffer.from([0])), sha256Root(bytes, root))
  }
  for (const { finder, batchId, position, salt, hash } of finds)
    assert.equal(hash, H("find", "address, uint256, uint32, bytes32", [finder, BigInt(batchId), position, salt]))
  for (const { batchId, position, challenger, verifier, disputeId, verdictDisputeId } of games) {
    const of = [BigInt(batchId), position, challenger]
    assert.equal(BigInt(disputeId), BigInt(H("game", "uint256, uint32, address", of)))
    const ofVerdict = H("game.verdict", "uint256, uint32, address, address", [...of, verifier])
    assert.equal(BigInt(verdictDisputeId), BigInt(ofVerdict))
  }
})

/** A uint8 vector's tensor root around a tree root. */
function sha256Root(bytes: number, treeRoot: Hex): Hex {
  const dims = Buffer.alloc(8)
  dims.writeBigUInt64BE(BigInt(bytes))
  return `0x${sha(Buffer.from([3, 2, 1]), dims, Buffer.from(treeRoot.slice(2), "hex")).toString("hex")}`
}
