import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import test from "node:test"
import { encodeAbiParameters, type Hex, keccak256, parseAbiParameters, stringToHex, zeroHash } from "viem"
import { buildOperationTree, type Operation, operationLeaf, PRIMITIVES, type Program, programRootV1 } from "#protocol"
import { pairRoot } from "../vectors/slow.ts"

/** The structs as Solidity declares them, so that a field moved on one side alone fails here. */
const structs = [...readSource("contracts/types/Program.sol").matchAll(/struct (\w+) \{([^}]*)\}/g)].map(
  ([, name, body]) => `struct ${name} {${body!.replace(/\/\/.*$/gm, "").replace(/\s+/g, " ")}}`,
)

function readSource(path: string): string {
  return readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8")
}

function H(tag: string, type: string, values: readonly unknown[]): Hex {
  const fields = parseAbiParameters(["bytes32 tag, uint256 number, T value".replace("T", type), ...structs])
  return keccak256(encodeAbiParameters(fields, [stringToHex(tag, { size: 32 }), ...values] as never))
}

const operations: Operation[] = [
  {
    code: PRIMITIVES.MATMUL,
    attributes: [256n],
    inputs: [
      { wire: 0, root: zeroHash, dtype: 1, dims: [2n, 3n] },
      { wire: 0, root: keccak256("0x01"), dtype: 1, dims: [4n, 3n] },
    ],
    output: { dtype: 1, dims: [2n, 4n] },
  },
  {
    code: PRIMITIVES.VIEW,
    attributes: [-1n, 4n, -8n],
    inputs: [{ wire: 1, root: zeroHash, dtype: 1, dims: [2n, 4n] }],
    output: { dtype: 1, dims: [4n, 2n] },
  },
  { code: PRIMITIVES.NEG, attributes: [], inputs: [], output: { dtype: 6, dims: [] } },
]

test("behavior: an operation's leaf is abi.encode of the Solidity struct behind its tag and index", () => {
  operations.forEach((operation, i) => {
    assert.equal(operationLeaf(i, operation), H("assay.operation", "Operation", [BigInt(i), operation]))
  })
  assert.notEqual(operationLeaf(0, operations[0]!), operationLeaf(1, operations[0]!))
})

test("behavior: the program root covers inputs, operations, outputs and digests", () => {
  const program: Program = {
    inputs: [{ dtype: 1, dims: [2n, 3n] }],
    operations: operations.length,
    operationsRoot: buildOperationTree(operations).root,
    outputs: [2],
    digests: [1, 2],
  }
  assert.equal(
    program.operationsRoot,
    pairRoot(
      operations.map((operation, i) => operationLeaf(i, operation)),
      2,
    ),
  )
  const root = programRootV1(program)
  assert.equal(root, H("assay.program", "Program", [1n, program]))
  const others: Program[] = [
    { ...program, inputs: [{ dtype: 1, dims: [3n, 2n] }] },
    { ...program, operations: 4 },
    { ...program, operationsRoot: zeroHash },
    { ...program, outputs: [3] },
    { ...program, digests: [] },
  ]
  for (const other of others) assert.notEqual(programRootV1(other), root)
})

test("behavior: docs/primitives.md lists every primitive with its code", () => {
  const rows = [...readSource("docs/primitives.md").matchAll(/^\| (\d+) \| ([A-Z_]+) \|/gm)]
  assert.deepEqual(Object.fromEntries(rows.map(([, code, name]) => [name, Number(code)])), PRIMITIVES)
})
