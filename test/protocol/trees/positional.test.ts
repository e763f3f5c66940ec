import assert from "node:assert/strict"
import test from "node:test"
import fc from "fast-check"
import type { Hex } from "viem"
import {
  buildPairTree,
  buildTree,
  ceilLog2,
  PAIR_SCHEME,
  rootFromMultiproof,
  rootFromPath,
  TreeError,
  treeMultiproof,
  treePath,
  verifyPairPath,
} from "#protocol"
import { flipBit, hexOf32 } from "../support.ts"

const leavesOf = fc.array(hexOf32, { minLength: 1, maxLength: 40 })

test("property: every leaf verifies at its position, and at no other (R3)", () => {
  fc.assert(
    fc.property(leavesOf, fc.nat(), (leaves, at) => {
      const tree = buildPairTree(leaves)
      const position = at % leaves.length
      const path = treePath(tree, position)
      const given = { root: tree.root, count: leaves.length, leaf: leaves[position]!, path }
      for (let other = 0; other < leaves.length; other++) {
        // Equal leaves beside equal subtrees may stand for each other; what they say is the same then.
        const same = leaves[other] === leaves[position]
        if (other === position) assert.equal(verifyPairPath({ ...given, position: other }), true)
        else if (!same) assert.equal(verifyPairPath({ ...given, position: other }), false)
      }
    }),
  )
})

test("property: one flipped bit anywhere in leaf, path or root fails (R3)", () => {
  fc.assert(
    fc.property(leavesOf, fc.nat(), fc.nat(), fc.nat(), (leaves, at, where, bit) => {
      const tree = buildPairTree(leaves)
      const position = at % leaves.length
      const parts: Hex[] = [tree.root, leaves[position]!, ...treePath(tree, position)]
      const broken = parts.map((part, i) => (i === where % parts.length ? flipBit(part, bit % 256) : part))
      const [root, leaf, ...path] = broken as [Hex, Hex, ...Hex[]]
      assert.equal(verifyPairPath({ root, count: leaves.length, position, leaf, path }), false)
    }),
  )
})

test("property: a path of another length is no path (R3)", () => {
  fc.assert(
    fc.property(leavesOf, fc.nat(), hexOf32, (leaves, at, extra) => {
      const tree = buildPairTree(leaves)
      const position = at % leaves.length
      const path = treePath(tree, position)
      const given = { root: tree.root, count: leaves.length, position, leaf: leaves[position]! }
      assert.equal(verifyPairPath({ ...given, path: [...path, extra] }), false)
      if (path.length > 0) assert.equal(verifyPairPath({ ...given, path: path.slice(0, -1) }), false)
      assert.equal(verifyPairPath({ ...given, path, position: leaves.length }), false)
    }),
  )
})

test("property: the same leaves under another count have another root, unless padding says the same (R3)", () => {
  fc.assert(
    fc.property(leavesOf, hexOf32, (leaves, extra) => {
      assert.notEqual(buildPairTree(leaves).root, buildPairTree([...leaves, extra]).root)
    }),
  )
})

test("property: a multiproof of any positions leads to the root, and a flipped bit does not", () => {
  fc.assert(
    fc.property(
      leavesOf,
      fc.array(fc.nat(), { minLength: 1, maxLength: 12 }),
      fc.nat(),
      fc.nat(),
      (leaves, picks, where, bit) => {
        const tree = buildPairTree(leaves)
        const positions = [...new Set(picks.map((pick) => pick % leaves.length))]
        const proof = treeMultiproof(tree, positions)
        const entries = positions.map((position) => ({ position, leaf: leaves[position]! }))
        const { depth } = tree
        assert.equal(rootFromMultiproof(PAIR_SCHEME, { entries, depth, proof }), tree.root)
        const flat = [...entries.map(({ leaf }) => leaf), ...proof]
        const broken = flat.map((part, i) => (i === where % flat.length ? flipBit(part, bit % 256) : part))
        const root = rootFromMultiproof(PAIR_SCHEME, {
          entries: entries.map(({ position }, i) => ({ position, leaf: broken[i]! })),
          depth,
          proof: broken.slice(entries.length),
        })
        assert.notEqual(root, tree.root)
        const long = [...proof, leaves[0]!]
        assert.throws(() => rootFromMultiproof(PAIR_SCHEME, { entries, depth, proof: long }), TreeError)
        if (proof.length > 0) {
          const short = proof.slice(1)
          assert.throws(() => rootFromMultiproof(PAIR_SCHEME, { entries, depth, proof: short }), TreeError)
        }
      },
    ),
  )
})

test("property: a multiproof of one position is its path, and of all positions is padding alone", () => {
  fc.assert(
    fc.property(leavesOf, fc.nat(), (leaves, at) => {
      const tree = buildPairTree(leaves)
      const position = at % leaves.length
      assert.deepEqual(treeMultiproof(tree, [position]), treePath(tree, position))
      const all = treeMultiproof(
        tree,
        leaves.map((_, i) => i),
      )
      assert.ok(all.length <= tree.depth, "at most one padding node a level")
    }),
  )
})

test("error: positions outside, named twice, or none at all", () => {
  const tree = buildPairTree([PAIR_SCHEME.pad, PAIR_SCHEME.pad])
  for (const positions of [[], [2], [-1], [0.5], [1, 1]]) {
    assert.throws(() => treeMultiproof(tree, positions), { code: "E_TREE_POSITION" })
  }
  assert.throws(() => treePath(tree, 2), { code: "E_TREE_POSITION" })
  const leaf = PAIR_SCHEME.pad
  assert.throws(() => rootFromPath(PAIR_SCHEME, { leaf, position: 0, depth: 1, path: [] }), {
    code: "E_TREE_PROOF_LENGTH",
  })
  assert.throws(() => buildTree(PAIR_SCHEME, [leaf, leaf, leaf], 1), { code: "E_TREE_TOO_MANY_LEAVES" })
})

test("behavior: ceilLog2 is the least depth that holds the count", () => {
  const cases = [0, 1, 2, 3, 4, 5, 8, 9, 1023, 1024, 1025, 65_536, 2 ** 31, 2 ** 31 + 1]
  assert.deepEqual(cases.map(ceilLog2), [0, 0, 1, 2, 2, 3, 3, 4, 10, 10, 11, 16, 31, 32])
})
