import assert from "node:assert/strict"
import { test } from "node:test"
import { probeDevice, selectDevice } from "#engine"

test("behavior: the CPU is probed by running a model", async () => {
  assert.deepEqual(await probeDevice("cpu"), { device: "cpu", ok: true, why: "ran a model" })
})

test("behavior: a device that is not there falls back to the CPU, and the message says why", async () => {
  const missing = process.platform === "darwin" ? "dml" : "coreml"
  const { device, message, probes } = await selectDevice(missing)
  assert.equal(device, "cpu")
  assert.match(message, new RegExp(`computing on cpu, since ${missing} does not work here \\(${missing}: .+\\)`))
  assert.deepEqual(
    probes.map(({ ok }) => ok),
    [false, true],
  )
})
