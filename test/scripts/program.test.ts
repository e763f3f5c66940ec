import assert from "node:assert/strict"
import { writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { join } from "node:path"
import { test } from "node:test"
import { commands } from "../../scripts/commands.ts"
import { assay, tempDir } from "./support/assay.ts"

test("args: an unknown command names the nearest known one, in one line, with status 2", async (t) => {
  const { status, stderr, stdout } = await assay(["submti"], { ASSAY_HOME: await tempDir(t) })
  assert.equal(status, 2)
  assert.match(stderr, /^error E_USAGE: .*submti.*Did you mean submit\?\)\n$/)
  assert.equal(stdout, "")
})

test("args: an unknown flag names the nearest known one", async (t) => {
  const { status, stderr } = await assay(["submit", "--modle", "x"], { ASSAY_HOME: await tempDir(t) })
  assert.equal(status, 2)
  assert.match(stderr, /^error E_USAGE: .*--modle.*Did you mean --model\?\)\n$/)
})

test("behavior: every command has help with an example, by both ways of asking", async (t) => {
  const home = await tempDir(t)
  for (const { name, example } of commands) {
    const asked = await assay(["help", name], { ASSAY_HOME: home })
    assert.equal(asked.status, 0, name)
    assert.ok(asked.stdout.includes(`Example:\n  ${example}`), name)
    assert.ok(asked.stdout.includes("--json"), name)
  }
  const [byFlag, byWord] = [await assay(["submit", "--help"]), await assay(["help", "submit"])]
  assert.equal(byFlag.stdout, byWord.stdout)
})

test("behavior: `assay` alone is help and lists every command", async () => {
  const { status, stdout } = await assay([])
  assert.equal(status, 0)
  for (const { name } of commands) assert.match(stdout, new RegExp(`^  ${name} `, "m"))
})

test("error: with --json an error is the one document on stdout", async (t) => {
  const { status, stdout } = await assay(["job", "no-id", "--json"], { ASSAY_HOME: await tempDir(t) })
  assert.equal(status, 2)
  assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, "E_BAD_JOB_ID")
})

test("error: a port in use is said with its code before anything starts", async (t) => {
  const server = createServer().listen(0, "127.0.0.1")
  await new Promise((resolve) => server.once("listening", resolve))
  t.after(() => server.close())
  const { port } = server.address() as { port: number }
  const { status, stderr } = await assay(["chain", "--port", String(port)], { ASSAY_HOME: await tempDir(t) })
  assert.equal(status, 1)
  assert.match(stderr, new RegExp(`^error E_PORT_IN_USE: port ${port} is in use: .*--port`))
})

test("error: a chain that is down is one line that says what to do", async (t) => {
  const args = ["jobs", "--rpc", "http://127.0.0.1:9", "--coordinator", "http://127.0.0.1:9"]
  const { status, stderr } = await assay(args, { ASSAY_HOME: await tempDir(t) })
  assert.equal(status, 1)
  assert.match(stderr, /^error E_(COORDINATOR_DOWN|CHAIN_DOWN|NOT_DEPLOYED): .+\n$/)
  assert.doesNotMatch(stderr, /\n +at /)
})

test("error: a config file that is no JSON names itself", async (t) => {
  const home = await tempDir(t)
  await writeFile(join(home, "config.json"), "{")
  const { status, stderr } = await assay(["keys", "list"], { ASSAY_HOME: home })
  assert.equal(status, 2)
  assert.match(stderr, /^error E_CONFIG_INVALID: .*config\.json/)
})

const missing: [string, string[], RegExp][] = [
  [
    "a model that is not there",
    ["submit", "--model", "nowhere.onnx", "--inputs", "."],
    /^error E_FILE_MISSING: .*nowhere\.onnx/,
  ],
  ["no inputs", ["submit", "--model", "package.json"], /^error E_INPUT_MISSING: .*--input/],
  ["a file that is no ONNX", ["quote", "--model", "package.json", "--inputs", "."], /^error E_MODEL_NOT_ONNX: /],
  ["an audit rate of zero", ["quote", "--model", "x", "--audit", "0%"], /^error E_AUDIT_RATE: /],
  ["an audit rate above 100 %", ["quote", "--model", "x", "--audit", "101"], /^error E_AUDIT_RATE: /],
  ["a fee that is no amount", ["quote", "--model", "x", "--fee", "-1"], /^error E_AMOUNT_INVALID: /],
  [
    "the tolerant class",
    ["quote", "--model", "package.json", "--inputs", ".", "--class", "tolerant"],
    /^error E_CLASS_TOLERANT: /,
  ],
]
for (const [what, args, expected] of missing) {
  test(`error: ${what} is told with its code, before anything is asked or sent`, async (t) => {
    const { status, stderr } = await assay(args, { ASSAY_HOME: await tempDir(t) })
    assert.equal(status, 2)
    assert.match(stderr, expected)
    assert.equal(stderr.trim().split("\n").length, 1)
  })
}
