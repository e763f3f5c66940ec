import assert from "node:assert/strict"
import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { type TestContext, test } from "node:test"
import { ROOT, runProcess, tempDir } from "./support/assay.ts"

/** A clone with the launcher and a program that says by which Node it runs; npm and npx are doubles that keep a log. */
async function makeClone(t: TestContext, { pathNode }: { pathNode: "old" | "new" }) {
  const root = await tempDir(t)
  const bin = join(root, "fake-bin")
  await mkdir(bin)
  await mkdir(join(root, "scripts"))
  await copyFile(join(ROOT, "assay"), join(root, "assay"))
  await writeFile(join(root, "package-lock.json"), "{}")
  await writeFile(join(root, "scripts", "main.ts"), "console.log(process.version, ...process.argv.slice(2))\n")
  const script = async (name: string, body: string) => {
    await writeFile(join(bin, name), `#!/bin/sh\n${body}\n`)
    await chmod(join(bin, name), 0o755)
  }
  if (pathNode === "new") await symlink(process.execPath, join(bin, "node"))
  else await script("node", '[ "$1" = --version ] && echo v20.11.0 && exit 0; echo "ran by the old Node"; exit 1')
  await script("npm", `echo npm "$@" >>"${root}/npm.log"; sleep 0.3; mkdir -p "${root}/node_modules"`)
  await script("npx", `echo npx "$@" >>"${root}/npx.log"; echo "${process.execPath}"`)
  const run = (...args: string[]) =>
    runProcess(join(root, "assay"), args, { PATH: `${bin}:/usr/bin:/bin`, NODE_OPTIONS: "" })
  const log = async (name: string) =>
    (await readFile(join(root, name), "utf8").catch(() => "")).trim().split("\n").filter(Boolean)
  return { root, run, log }
}

test("behavior: with a new Node nothing is fetched, and npm ci runs once", async (t) => {
  const { run, log } = await makeClone(t, { pathNode: "new" })
  const first = await run("demo", "--json")
  assert.equal(first.status, 0, first.stderr)
  assert.equal(first.stdout.trim(), `${process.version} demo --json`)
  assert.match(first.stderr, /installing the packages/)
  const second = await run("help")
  assert.equal(second.stderr, "")
  assert.deepEqual([(await log("npm.log")).length, (await log("npx.log")).length], [1, 0])
})

test("behavior: with an old Node one is asked for once, and kept", async (t) => {
  const { run, log } = await makeClone(t, { pathNode: "old" })
  for (const args of [["one"], ["two"]]) {
    const { status, stdout, stderr } = await run(...args)
    assert.equal(status, 0, stderr)
    assert.equal(stdout.trim(), `${process.version} ${args[0]}`)
  }
  assert.deepEqual(await log("npx.log"), ["npx --yes --loglevel=error --package node@24 --call command -v node"])
})

test("behavior: two at once in a fresh clone install once", async (t) => {
  const { run, log } = await makeClone(t, { pathNode: "old" })
  const both = await Promise.all([run("a"), run("b")])
  for (const { status, stderr } of both) assert.equal(status, 0, stderr)
  assert.deepEqual([(await log("npm.log")).length, (await log("npx.log")).length], [1, 1])
})

test("behavior: a lock that a killed launcher left does not stop the next", async (t) => {
  const { root, run } = await makeClone(t, { pathNode: "new" })
  await mkdir(join(root, ".assay"))
  await symlink(String(2 ** 30), join(root, ".assay", "lock"))
  assert.equal((await run("x")).status, 0)
})

test("behavior: a changed package-lock.json installs again", async (t) => {
  const { root, run, log } = await makeClone(t, { pathNode: "new" })
  await run("x")
  await writeFile(join(root, "package-lock.json"), '{"changed":true}')
  await run("x")
  assert.equal((await log("npm.log")).length, 2)
})

test("behavior: it works from another folder and through a link", async (t) => {
  const { root, run } = await makeClone(t, { pathNode: "new" })
  await run("x")
  const link = join(await tempDir(t), "assay-link")
  await symlink(join(root, "assay"), link)
  const { status, stdout } = await runProcess(link, ["hello"], { PATH: `${root}/fake-bin:/usr/bin:/bin` })
  assert.equal(status, 0)
  assert.match(stdout, /hello/)
})

test("error: without npm it says what to install", async (t) => {
  const root = await tempDir(t)
  await copyFile(join(ROOT, "assay"), join(root, "assay"))
  await mkdir(join(root, "bin"))
  for (const tool of ["dirname", "readlink", "sh"]) await symlink(`/usr/bin/${tool}`, join(root, "bin", tool))
  const { status, stderr } = await runProcess("/bin/sh", [join(root, "assay")], { PATH: join(root, "bin") })
  assert.equal(status, 1)
  assert.match(stderr, /^error E_NPM_MISSING: .*Node 20/)
})
