import assert from "node:assert/strict"
import test from "node:test"
import { parseAbi } from "viem"
import { mergeAbi } from "../../../protocol/abi/merge.ts"

test("behavior: names come from the interface, errors from the parts, nothing stands twice", () => {
  const contract = parseAbi(["function post(uint256, bytes32)", "function own()", "error Known(uint256 a)"])
  const named = parseAbi(["function post(uint256 amount, bytes32 salt)", "function elsewhere()"])
  const part = parseAbi(["error Known(uint256 a)", "error Deep(address b)", "function internalPart()"])
  const merged = mergeAbi(contract, { interfaces: [named], parts: [part] })
  assert.deepEqual(
    merged.map((item) => ("name" in item ? item.name : item.type)),
    ["post", "own", "Known", "Deep"],
  )
  assert.deepEqual(merged[0], named[0])
})
