import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import test from "node:test"
import { promisify } from "node:util"
import type { AbiParameter } from "viem"
import { challengesAbi, juryAbi, marketAbi, registryAbi } from "#protocol"

const root = join(import.meta.dirname, "../../..")
const compiled = existsSync(join(root, "artifacts/contracts/Market.sol/Market.json"))
const skip = compiled ? false : "the contracts are not compiled here; run: hardhat build"

test("behavior: the typed ABIs are those of the compiled contracts", { skip }, async () => {
  const check = promisify(execFile)(process.execPath, [join(root, "protocol/abi/generate.ts"), "--check"])
  await assert.doesNotReject(check)
})

/** Names and types of a struct, deep, in order: what both `abi.encode` and viem go by. */
function shape({ name, type, ...rest }: AbiParameter): unknown {
  const components = "components" in rest ? rest.components : undefined
  return components === undefined ? `${type} ${name}` : { [`${type} ${name}`]: components.map(shape) }
}

test("behavior: Terms in the ABI have the fields that termsHash hashes, in its order (R1)", () => {
  const post = marketAbi.find((item) => item.type === "function" && item.name === "post")
  assert.ok(post?.type === "function")
  assert.deepEqual(shape(post.inputs[0] as AbiParameter), {
    "tuple terms": [
      "uint8 version",
      "uint8 kind",
      "address requester",
      "address coordinator",
      "uint8 class",
      "bytes32 capability",
      "bytes32 programRoot",
      "bytes32 inputs",
      "uint32 tasks",
      "uint16 shardSize",
      "uint96 fee",
      "uint32 maxUnits",
      "uint16 auditRate",
      "uint16 auditRatio",
      "uint96 auditBase",
      "uint96 auditBudget",
      "uint96 coordinatorFee",
      "uint96 valueAtRisk",
      "uint64 deadline",
      "bytes32 specHash",
    ],
  })
})

test("behavior: every change of state that services follow is an event of the ABIs", () => {
  const events = [...marketAbi, ...registryAbi, ...challengesAbi, ...juryAbi].flatMap((item) =>
    item.type === "event" ? [item.name as string] : [],
  )
  for (const name of [
    "JobPosted",
    "JobClosed",
    "JobRefunded",
    "BatchCommitted",
    "BatchWithdrawn",
    "BatchDrawn",
    "BatchAttested",
    "BatchForfeited",
    "BatchFinalized",
    "RangeFrozen",
    "RangeVoided",
    "Staked",
    "KeyRegistered",
    "Allowed",
    "Withdrawn",
    "DisputeOpened",
    "DisputeResolved",
  ]) {
    assert.ok(events.includes(name), name)
  }
})
