import assert from "node:assert/strict"
import { existsSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { test } from "node:test"
import { createPublicClient, http } from "viem"
import { z } from "zod"
import { DeploymentSchema, HTTP_ERRORS } from "#protocol"
import { parseConfig } from "../../coordinator/config.ts"
import { startCoordinator } from "../../coordinator/node.ts"
import { createChainView } from "../../coordinator/workers/chainView.ts"
import { ownFolder } from "./support/folder.ts"
import { freePort } from "./support/servers.ts"
import { DEPLOYMENT } from "./support/service.ts"

const ACCOUNT = `0x${"1".repeat(40)}` as const

test("error: a start without its chain says so and leaves nothing locked", async (t) => {
  const dir = await ownFolder(t)
  const file = join(dir, "deployment.json")
  await writeFile(file, JSON.stringify(z.encode(DeploymentSchema, DEPLOYMENT)))
  const config = parseConfig({
    ASSAY_DEPLOYMENT: file,
    ASSAY_DATA_DIR: join(dir, "data"),
    ASSAY_RPC_URL: `http://127.0.0.1:${await freePort()}`,
    ASSAY_COORDINATOR_KEY: `0x${"1".repeat(64)}`,
    ASSAY_LOG_LEVEL: "silent",
  })
  for (let start = 0; start < 2; start++) {
    await assert.rejects(startCoordinator(config), (error: { code: string }) => error.code === "E_CHAIN_UNREACHABLE")
  }
  assert.equal(existsSync(join(dir, "data", "coordinator.lock")), false)
})

test("error: a chain that goes away is no fault of who asks, and it is asked again", async () => {
  const rpc = `http://127.0.0.1:${await freePort()}`
  const client = createPublicClient({ transport: http(rpc, { retryCount: 0 }) })
  const view = createChainView({ client, contracts: DEPLOYMENT.contracts, coordinator: ACCOUNT })
  const down = (error: { code: string }) => error.code === "E_CHAIN_DOWN"
  for (let round = 0; round < 2; round++) {
    await assert.rejects(view.pairOf(ACCOUNT), down)
    await assert.rejects(view.accountOf(ACCOUNT), down)
    await assert.rejects(view.balanceOf(ACCOUNT), down)
  }
  assert.equal(HTTP_ERRORS.E_CHAIN_DOWN.status, 503)
})
