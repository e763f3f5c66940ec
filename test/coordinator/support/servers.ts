import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { createConnection, createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** A server that a test started for itself; or why it could not. */
export type OwnServer = { url: string; stop(): Promise<void> }

export function redisMissing(): string | undefined {
  return findOnPath("redis-server") ? undefined : "redis-server is not installed"
}

export function postgresMissing(): string | undefined {
  return postgresBin() ? undefined : "the postgres server is not installed"
}

export async function startRedis(): Promise<OwnServer> {
  const binary = findOnPath("redis-server")
  if (!binary) throw new Error(redisMissing())
  const port = await freePort()
  const dir = mkdtempSync(join(tmpdir(), "assay-redis-"))
  const child = spawn(
    binary,
    ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir],
    { stdio: "ignore" },
  )
  await listening(port, child)
  return { url: `redis://127.0.0.1:${port}`, stop: () => stop(child, dir, "SIGTERM") }
}

export async function startPostgres(): Promise<OwnServer> {
  const bin = postgresBin()
  if (!bin) throw new Error(postgresMissing())
  const port = await freePort()
  const dir = mkdtempSync(join(tmpdir(), "assay-postgres-"))
  // Postgres refuses to run as root.
  const owner = process.getuid?.() === 0 ? nobody() : undefined
  if (owner) chownSync(dir, owner.uid, owner.gid)
  const data = join(dir, "data")
  execFileSync(join(bin, "initdb"), ["-D", data, "-U", "assay", "-A", "trust", "--no-sync"], {
    stdio: "ignore",
    cwd: dir,
    ...owner,
  })
  const child = spawn(
    join(bin, "postgres"),
    ["-D", data, "-p", String(port), "-k", dir, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"],
    { stdio: "ignore", cwd: dir, ...owner },
  )
  await listening(port, child)
  const url = `postgres://assay@127.0.0.1:${port}/postgres`
  await accepting(url)
  // SIGINT: Postgres disconnects its clients and stops at once.
  return { url, stop: () => stop(child, dir, "SIGINT") }
}

export type OwnBucket = OwnServer & {
  /** What the AWS SDK needs to find it. */
  env: Record<string, string>
  /** Where the server keeps the objects of the bucket. */
  dir: string
}

/** An S3 server with one empty bucket. It is a development dependency, so it is never missing. */
export async function startBucket(): Promise<OwnBucket> {
  const port = await freePort()
  const dir = mkdtempSync(join(tmpdir(), "assay-bucket-"))
  const options = { address: "127.0.0.1", port, directory: dir, silent: true, configureBuckets: [{ name: "assay" }] }
  // It comes without a program to start, and shall not share a thread with the test.
  const program = `new (require(${JSON.stringify(S3_SERVER)}))(${JSON.stringify(options)}).run()`
  const child = spawn(process.execPath, ["--eval", program], { stdio: "ignore", cwd: dir })
  await listening(port, child)
  return {
    url: "s3://assay/artifacts",
    env: {
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${port}`,
      AWS_REGION: "us-east-1",
      AWS_ACCESS_KEY_ID: "S3RVER",
      AWS_SECRET_ACCESS_KEY: "S3RVER",
    },
    dir: join(dir, "assay"),
    stop: () => stop(child, dir, "SIGTERM"),
  }
}

const S3_SERVER = fileURLToPath(import.meta.resolve("@20minutes/s3rver"))

async function accepting(url: string): Promise<void> {
  const { default: pg } = await import("pg")
  for (let tries = 0; ; tries++) {
    const client = new pg.Client({ connectionString: url })
    try {
      await client.connect()
      await client.end()
      return
    } catch (error) {
      if (tries > 100) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

function findOnPath(name: string): string | undefined {
  for (const dir of (process.env.PATH ?? "").split(":")) {
    const file = join(dir, name)
    if (existsSync(file)) return file
  }
  return undefined
}

/** Debian keeps the server's binaries off the PATH, one folder a version. */
function postgresBin(): string | undefined {
  const root = "/usr/lib/postgresql"
  if (existsSync(root)) {
    const versions = readdirSync(root).sort((a, b) => Number(b) - Number(a))
    for (const version of versions) {
      const bin = join(root, version, "bin")
      if (existsSync(join(bin, "initdb")) && existsSync(join(bin, "postgres"))) return bin
    }
  }
  const onPath = findOnPath("initdb")
  return onPath && findOnPath("postgres") ? join(onPath, "..") : undefined
}

function nobody(): { uid: number; gid: number } {
  for (const user of ["postgres", "nobody"]) {
    try {
      const uid = Number(execFileSync("id", ["-u", user], { stdio: ["ignore", "pipe", "ignore"] }))
      const gid = Number(execFileSync("id", ["-g", user], { stdio: ["ignore", "pipe", "ignore"] }))
      return { uid, gid }
    } catch {
      // The next name is tried; the last resort below is the traditional number of `nobody`.
    }
  }
  return { uid: 65534, gid: 65534 }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() =>
        address && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      )
    })
  })
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) throw new Error(`the server left with ${child.exitCode}`)
    const open = await new Promise<boolean>((resolve) => {
      const socket = createConnection({ port, host: "127.0.0.1" })
      socket.once("connect", () => {
        socket.destroy()
        resolve(true)
      })
      socket.once("error", () => resolve(false))
    })
    if (open) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing listens on port ${port}`)
}

async function stop(child: ChildProcess, dir: string, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode === null) {
    const gone = new Promise((resolve) => child.once("exit", resolve))
    child.kill(signal)
    await gone
  }
  rmSync(dir, { recursive: true, force: true })
}
