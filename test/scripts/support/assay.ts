import { spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { TestContext } from "node:test"

export const ROOT = join(import.meta.dirname, "..", "..", "..")

export type Ran = { status: number; stdout: string; stderr: string }

/** The real program as a process, by the Node that runs the tests. */
export async function assay(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return runProcess(process.execPath, [...process.execArgv, join(ROOT, "scripts", "main.ts"), ...args], env)
}

export function runProcess(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] })
    let [stdout, stderr] = ["", ""]
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
    })
    child.once("error", reject)
    child.once("close", (code) => resolve({ status: code ?? -1, stdout, stderr }))
  })
}

export async function tempDir(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "assay-test-"))
  t.after(() => rm(dir, { recursive: true, force: true }))
  return dir
}
