import assert from "node:assert/strict"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { test } from "node:test"
import { Wallet } from "ethers"
import { z } from "zod"
import { DeploymentSchema } from "#protocol"
import { parseConfig } from "../../coordinator/config.ts"
import { ownFolder } from "./support/folder.ts"
import { DEPLOYMENT } from "./support/service.ts"

const KEY = `0x${"1".repeat(64)}`

async function environment(t: { after: (work: () => Promise<void>) => void }) {
  const dir = await ownFolder(t)
  const file = join(dir, "deployment.json")
  await writeFile(file, JSON.stringify(z.encode(DeploymentSchema, DEPLOYMENT)))
  return { dir, env: { ASSAY_DEPLOYMENT: file, ASSAY_DATA_DIR: dir, ASSAY_COORDINATOR_KEY: KEY } }
}

const says = (pattern: RegExp) => (error: unknown) => {
  assert.equal((error as { code: string }).code, "E_CONFIG")
  assert.match((error as Error).message, pattern)
  return true
}

test("behavior: what is not set has a default, and empty means not set", async (t) => {
  const { env, dir } = await environment(t)
  const config = parseConfig({ ...env, REDIS_URL: "", ASSAY_PORT: "0" })
  assert.equal(config.rpcUrl, DEPLOYMENT.rpcUrl)
  assert.equal(config.port, 0)
  assert.equal(config.redisUrl, undefined)
  assert.equal(config.bucket, undefined)
  assert.equal(config.dataDir, dir)
  assert.equal(config.sessionKey, KEY)
  assert.equal(config.deployment.params.minCollateral, 1_000n)
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.policy))
})

test("error: a variable that is missing or wrong is named, all of them at once", async (t) => {
  const { env } = await environment(t)
  assert.throws(() => parseConfig({}), says(/ASSAY_DEPLOYMENT.*ASSAY_DATA_DIR/))
  assert.throws(() => parseConfig({ ...env, ASSAY_PORT: "99999" }), says(/ASSAY_PORT/))
  assert.throws(() => parseConfig({ ...env, DATABASE_URL: "mysql://x" }), says(/DATABASE_URL/))
  for (const url of ["https://bucket", "s3://", "s3://B", "s3://bucket/a b", "s3://bucket/?x=1"])
    assert.throws(() => parseConfig({ ...env, ARTIFACTS_URL: url }), says(/ARTIFACTS_URL/), url)
  assert.throws(() => parseConfig({ ...env, ASSAY_COORDINATOR_KEY: "0x12" }), says(/ASSAY_COORDINATOR_KEY/))
  assert.throws(() => parseConfig({ ...env, ASSAY_COORDINATOR_KEY: undefined }), says(/ASSAY_COORDINATOR_KEY/))
  assert.throws(() => parseConfig({ ...env, ASSAY_DEPLOYMENT: "/nowhere" }), says(/ASSAY_DEPLOYMENT.*deploy first/))
  assert.throws(() => parseConfig({ ...env, ASSAY_LEASE_SECONDS: "61" }), says(/ASSAY_LEASE_SECONDS.*R14/))
  assert.throws(() => parseConfig({ ...env, ASSAY_MIN_FEE: "1.5" }), says(/ASSAY_MIN_FEE/))
})

test("behavior: artifacts go to the bucket that is named, or to the data folder", async (t) => {
  const { env } = await environment(t)
  for (const url of ["s3://bucket", "s3://my.bucket-1/", "s3://bucket/some/place"])
    assert.equal(parseConfig({ ...env, ARTIFACTS_URL: url }).bucket?.url, url)
})

test("behavior: the key may come from a keystore; a wrong password is said so", async (t) => {
  const { env, dir } = await environment(t)
  const path = join(dir, "key.json")
  const wallet = new Wallet(KEY)
  await writeFile(path, await wallet.encrypt("right", undefined))
  const given = { ...env, ASSAY_COORDINATOR_KEY: undefined, ASSAY_COORDINATOR_KEYSTORE: path }
  assert.equal(parseConfig({ ...given, ASSAY_COORDINATOR_PASSWORD: "right" }).coordinatorKey, KEY)
  assert.throws(
    () => parseConfig({ ...given, ASSAY_COORDINATOR_PASSWORD: "wrong" }),
    says(/ASSAY_COORDINATOR_KEYSTORE/),
  )
})
