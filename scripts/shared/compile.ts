import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { CliError } from "./errors.ts"
import { withLock } from "./lockFile.ts"
import { ROOT } from "./version.ts"

const stampPath = join(ROOT, ".assay", "contracts.stamp")
const COMPILE_WAIT_MS = 600_000

/** Compiles the contracts if they, the compiler or its settings changed; otherwise costs one hash. */
export async function ensureCompiled(say: (text: string) => void): Promise<void> {
  if (isCompiled()) return
  await withLock(join(ROOT, ".assay", "compile.lock"), COMPILE_WAIT_MS, async () => {
    if (isCompiled()) return
    say("compiling the contracts, once (two or three minutes)")
    await runHardhat(["build", "--quiet", "--no-tests"])
    writeFileSync(stampPath, sourcesHash())
    say("compiled")
  })
}

/** Compiles what only tests need, on all cores; flags of Node may keep it from the way of what runs beside it. */
export async function compileTests(nodeFlags: readonly string[]): Promise<void> {
  await runHardhat(["build", "--quiet", "--no-contracts"], nodeFlags)
}

function isCompiled(): boolean {
  if (!existsSync(join(ROOT, "artifacts", "contracts")) || !existsSync(stampPath)) return false
  return readFileSync(stampPath, "utf8") === sourcesHash()
}

function sourcesHash(): string {
  const hash = createHash("sha256")
  const sources = readdirSync(join(ROOT, "contracts"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".sol"))
    .sort()
    .map((path) => join("contracts", path))
  for (const path of [...sources, "hardhat.config.ts", "package-lock.json"]) {
    hash
      .update(path)
      .update("\0")
      .update(readFileSync(join(ROOT, path)))
      .update("\0")
  }
  return hash.digest("hex")
}

function runHardhat(args: readonly string[], nodeFlags: readonly string[] = []): Promise<void> {
  const cli = join(ROOT, "node_modules", "hardhat", "dist", "src", "cli.js")
  return new Promise((resolve, reject) => {
    let output = ""
    const child = spawn(process.execPath, [...nodeFlags, cli, ...args], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
    })
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text
      })
    }
    child.once("error", reject)
    child.once("exit", (code) => {
      if (code === 0) return resolve()
      process.stderr.write(output)
      reject(new CliError("E_COMPILE", "the contracts do not compile: see the compiler's message above"))
    })
  })
}
