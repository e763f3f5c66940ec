import assert from "node:assert/strict"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { type TestContext, test } from "node:test"
import { Command } from "commander"
import { parseCount } from "../../scripts/shared/parse.ts"
import { applySettings, environmentName } from "../../scripts/shared/settings.ts"
import { tempDir } from "./support/assay.ts"

async function settle(
  t: TestContext,
  { argv = [], env = {}, file = {} }: { argv?: string[]; env?: NodeJS.ProcessEnv; file?: object },
) {
  const home = await tempDir(t)
  await writeFile(join(home, "config.json"), JSON.stringify(file))
  const program = new Command().option("--home <dir>").option("--rpc <url>")
  let seen: Record<string, unknown> = {}
  program
    .command("go")
    .option("--threads <n>", "", parseCount, 7)
    .option("--verify-only")
    .action((_options, command: Command) => {
      seen = command.optsWithGlobals()
    })
  program.hook("preAction", (_, command) => applySettings(command, { ASSAY_HOME: home, ...env }))
  await program.parseAsync(["go", ...argv], { from: "user" })
  return seen
}

test("behavior: a flag beats the environment, which beats the file, which beats the default", async (t) => {
  const file = { rpc: "http://file", threads: 3 }
  const env = { ASSAY_RPC: "http://env", ASSAY_THREADS: "4" }
  assert.equal((await settle(t, { argv: ["--rpc", "http://flag", "--threads", "5"], env, file })).threads, 5)
  assert.equal((await settle(t, { argv: ["--rpc", "http://flag"], env, file })).rpc, "http://flag")
  assert.deepEqual([(await settle(t, { env, file })).rpc, (await settle(t, { env, file })).threads], ["http://env", 4])
  assert.deepEqual([(await settle(t, { file })).rpc, (await settle(t, { file })).threads], ["http://file", 3])
  assert.equal((await settle(t, {})).threads, 7)
})

test("behavior: a switch is on by 1, true or yes, and off by anything else", async (t) => {
  for (const [text, on] of [
    ["1", true],
    ["true", true],
    ["yes", true],
    ["0", false],
    ["false", false],
  ] as const) {
    assert.equal((await settle(t, { env: { ASSAY_VERIFY_ONLY: text } })).verifyOnly, on, text)
  }
  assert.equal((await settle(t, { file: { "verify-only": true } })).verifyOnly, true)
})

test("error: a value from the environment is checked as a flag's is", async (t) => {
  await assert.rejects(settle(t, { env: { ASSAY_THREADS: "many" } }), { code: "E_BAD_NUMBER" })
})

test("behavior: the name of a flag's variable follows from the flag", () => {
  assert.equal(environmentName("--public-url"), "ASSAY_PUBLIC_URL")
})
