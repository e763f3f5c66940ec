import assert from "node:assert/strict"
import test from "node:test"
import fc from "fast-check"
import { type Hex, keccak256, zeroHash } from "viem"
import { evaluatePrimitive } from "#engine"
import { buildOperationTree, type Operation, PRIMITIVES, type Tensor } from "#protocol"
import { nextChallengerMove } from "#protocol/disputes/challenger.ts"
import { nextDefendantMove } from "#protocol/disputes/defendant.ts"
import { buildTrace, type Trace, withTensors } from "#protocol/disputes/trace.ts"
import type { Links, OpenProgram } from "#protocol/disputes/types.ts"
import { challenge, defend, NEW_TABLE, shapeOf, type Table } from "./table.ts"

/** Publish, four rows of each tree and a tensor in between, a chunk: what the contract's count of clocks allows. */
const MOST_MOVES = 10

type Computed = { readonly program: OpenProgram; readonly trace: Trace }

/** A program of many wires over integers and floats: its last operations put out the result and the digest. */
function compute(seed: number, length: number, side: number): Computed {
  const dims = [BigInt(side), BigInt(side)]
  const wireOf = (wire: number) => ({ wire, root: zeroHash as Hex, dtype: 1, dims })
  const random = (salt: number): Tensor => {
    const values = Float32Array.from({ length: side * side }, (_, i) => Math.fround(Math.sin(seed + salt * 97 + i)))
    return { dtype: "float32", dims: [side, side], data: new Uint8Array(values.buffer) }
  }
  const inputs = [random(1), random(2)]
  const constant = random(3)
  const root = buildTrace([constant]).roots[0]!
  const operations: Operation[] = []
  const tensors = [...inputs]
  for (let i = 0; i < length; i++) {
    const a = wireOf((seed * 7 + i * 3) % tensors.length)
    const b = i % 3 === 1 ? { ...wireOf(0), root } : wireOf(tensors.length - 1)
    const unary = i % 5 === 4
    const operation = {
      code: unary ? PRIMITIVES.VIEW : i % 5 === 3 ? PRIMITIVES.MATMUL : i % 2 ? PRIMITIVES.SUB : PRIMITIVES.ADD,
      attributes: unary ? [0n, 1n, BigInt(side)] : i % 5 === 3 ? [256n] : [],
      inputs: unary ? [a] : [a, b],
      output: { dtype: 1, dims },
    }
    operations.push(operation)
    const operands = operation.inputs.map((operand) => (operand.root === root ? constant : tensors[operand.wire]!))
    tensors.push(evaluatePrimitive({ ...operation, operands, ...shapeOf(operation.output) }))
  }
  const last = tensors.length - 1
  const header = { dtype: 1, dims }
  const program = {
    inputs: [header, header],
    operations: length,
    operationsRoot: buildOperationTree(operations).root,
    outputs: [last],
    digests: [last - 1],
  }
  return { program: { program, operations, constants: new Map([[root, constant]]) }, trace: buildTrace(tensors) }
}

function linksOf({ roots }: Trace, { program }: OpenProgram): Links {
  const pick = (wires: readonly number[]) => wires.map((wire) => roots[wire]!)
  return {
    salt: keccak256("0x01"),
    inputs: roots.slice(0, program.inputs.length),
    outputs: pick(program.outputs),
    digests: pick(program.digests),
  }
}

type Played = { readonly won: boolean; readonly moves: number; readonly table: Table; readonly last: string }

/** Both sides play by themselves; the false side stands by its own trace as long as it can. */
function play(honest: Computed, other: Trace, links: Links, given?: Trace): Played {
  const { program, trace } = honest
  let table = NEW_TABLE
  let moves = 0
  for (;;) {
    const answer = nextDefendantMove({ ...table, own: other, program })
    if (answer.move !== "wait") {
      table = defend(table, { program, links }, answer)
      moves++
    }
    const move = nextChallengerMove({ ...table, own: trace, program, given })
    if (move.move === "concede") return { won: false, moves, table, last: move.move }
    const next = challenge(table, program, move)
    if (next === "won") return { won: true, moves, table, last: move.move }
    table = next
  }
}

/** Flips one bit of one byte of a wire. */
function corrupt(trace: Trace, wire: number, at: number): Trace {
  const tensor = trace.tensors[wire]!
  const data = tensor.data.slice()
  data[at % data.length]! ^= 1 << (at % 8)
  return withTensors(trace, new Map([[wire, { ...tensor, data }]]))
}

const programs = new Map<string, Computed>()
function programOf(seed: number, length: number, side: number): Computed {
  const key = `${seed}/${length}/${side}`
  const known = programs.get(key) ?? compute(seed, length, side)
  programs.set(key, known)
  return known
}

const SIZES = fc.constantFrom([1, 3, 4], [5, 3, 130], [2, 62, 20], [3, 70, 5], [4, 200, 17])

test("whoever hides a false trace loses to the challenger's player in a bounded number of moves", () => {
  fc.assert(
    fc.property(SIZES, fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 4 }), (size, faults) => {
      const honest = programOf(size[0]!, size[1]!, size[2]!)
      const wires = honest.trace.roots.length
      // Two faults at the same bit would undo each other.
      const distinct = new Map(faults.map(([wire, at]) => [wire % wires, at]))
      let other = honest.trace
      for (const [wire, at] of distinct) other = corrupt(other, wire, at)
      const links = { ...linksOf(other, honest.program), inputs: linksOf(honest.trace, honest.program).inputs }
      const { won, moves, last } = play(honest, other, links)
      assert.equal(won, true)
      assert.ok(moves <= MOST_MOVES, `${moves} moves`)
      const first = Math.min(...distinct.keys())
      assert.equal(last, first < 2 ? "proveLink" : "proveElement")
    }),
    { numRuns: 60, seed: 4 },
  )
})

test("where the trace is given, one move of the defendant is enough", () => {
  fc.assert(
    fc.property(SIZES, fc.nat(), fc.nat(), (size, wire, at) => {
      const honest = programOf(size[0]!, size[1]!, size[2]!)
      const other = corrupt(honest.trace, wire % honest.trace.roots.length, at)
      const links = { ...linksOf(other, honest.program), inputs: linksOf(honest.trace, honest.program).inputs }
      const { won, moves } = play(honest, other, links, other)
      assert.deepEqual({ won, moves }, { won: true, moves: 1 })
    }),
    { numRuns: 60, seed: 4 },
  )
})

test("a right trace behind a false result falls by the link to it", () => {
  for (const kind of ["outputs", "digests"] as const) {
    const honest = programOf(3, 70, 5)
    const links = { ...linksOf(honest.trace, honest.program), [kind]: [keccak256("0x02")] }
    const { won, moves, last } = play(honest, honest.trace, links)
    assert.deepEqual({ won, moves, last }, { won: true, moves: 1, last: "proveLink" })
  }
})

test("an honest defendant is never shown to be wrong", () => {
  fc.assert(
    fc.property(SIZES, (size) => {
      const honest = programOf(size[0]!, size[1]!, size[2]!)
      assert.deepEqual(play(honest, honest.trace, linksOf(honest.trace, honest.program)).last, "concede")
    }),
  )
})

test("a byte behind the end of a tensor is found, though every element is right", () => {
  const honest = programOf(1, 3, 4)
  const wire = 3
  const filled = honest.trace.tensors[wire]!.data.slice()
  const padded = Buffer.alloc(1024)
  padded.set(filled)
  padded[1000] = 1
  // The bytes of a longer tensor hash to the same tree as a chunk whose fill is not 0.
  const long = { dtype: "float32" as const, dims: [16, 16], data: new Uint8Array(padded) }
  const shown = {
    ...NEW_TABLE.shown,
    published: {
      programRoot: zeroHash,
      operationsRoot: zeroHash,
      traceRoot: keccak256("0x03"),
      links: zeroHash,
      inputs: 2,
      operations: 3,
    },
    traceRows: [{ level: 3, index: 0, nodes: honest.trace.roots.map((_, i) => honest.trace.tree.at(0, i)) }],
    tensor: { wire, rows: [{ level: 0, index: 0, nodes: [zeroHash] }] },
    chunk: { index: 0, data: `0x${Buffer.from(long.data).toString("hex")}` as Hex },
  }
  const turn = { phase: "Prove", inside: true, level: 0, index: 0 } as const
  const move = nextChallengerMove({ turn, shown, own: honest.trace, program: honest.program })
  assert.equal(move.move, "proveElement")
  assert.equal(move.move === "proveElement" && move.finding.fill, true)
  assert.deepEqual(move.move === "proveElement" && move.proof.opened.map(({ chunks }) => chunks.length), [0, 0])
})
