import { join } from "node:path"
import { type Address, isAddressEqual } from "viem"
import { createRunnerPool, EXACT_PROFILE } from "#engine"
import { capabilityOf, marketDomain, type Signer } from "#protocol"
import type { WorkerOptions } from "#worker"
import { createPeer } from "../../../worker/api/peer.ts"
import { getInfo } from "../../../worker/api/routes.ts"
import { auditLoop } from "../../../worker/audits/loop.ts"
import { createOwnBatchAudits } from "../../../worker/audits/ownBatchAudits.ts"
import { createBatchBook } from "../../../worker/chain/batches.ts"
import { openChain } from "../../../worker/chain/chain.ts"
import { createSender } from "../../../worker/chain/sender.ts"
import { watchChain } from "../../../worker/chain/watch.ts"
import { createEvents } from "../../../worker/events.ts"
import { createHasher, type Hasher } from "../../../worker/hashing/hasher.ts"
import { join as joinNetwork } from "../../../worker/join/join.ts"
import { createBackends } from "../../../worker/models/backends.ts"
import { createModelChecks } from "../../../worker/models/checkModel.ts"
import { openState } from "../../../worker/node/state.ts"
import { parseOptions } from "../../../worker/options.ts"

/**
 * A verifier whose every first verdict has the right answer and another's keyed digest, as if both stood on a bulletin
 * board: everything but that is the worker's own code.
 */
export async function startCopier(
  options: WorkerOptions,
  { seats, author }: { seats: number; author: Address },
): Promise<{ address: Address; stop(): Promise<void> }> {
  const config = parseOptions({ ...options, verifyOnly: true, seats })
  const { account, session, deployment } = config
  const chain = openChain({ rpcUrl: config.rpcUrl, deployment })
  const sender = createSender(chain, account)
  const events = createEvents(() => {})
  const stopping = new AbortController()
  const { timestamp } = await chain.client.getBlock({ blockTag: "latest" })
  const folder = join(config.home, `copier-${account.address}`)
  const state = await openState({ folder, cacheBytes: config.cacheBytes, now: timestamp })
  const runner = createRunnerPool({ processes: 1, memoryBytes: 2 * 1024 ** 3 })
  const backends = await createBackends({ runner }, undefined)
  const real = createHasher()
  const copying: Hasher = {
    ...real,
    run: (name, params) => {
      const given = params as { key?: { verifier: Address } }
      const key = given.key
      // Second audits it makes in earnest: only what it would sign itself is copied.
      if (name !== "verdict" || !key || !isAddressEqual(key.verifier, account.address)) return real.run(name, params)
      return real.run(name, { ...given, key: { ...key, verifier: author.toLowerCase() } } as typeof params)
    },
  }
  const signer: Signer = { address: session.address, sign: ({ hash }) => session.sign!({ hash }) }
  const domain = marketDomain({ chainId: deployment.chainId, market: deployment.contracts.market })
  const now = () => BigInt(Math.floor(Date.now() / 1000))
  const peer = createPeer({ url: config.coordinatorUrl, account: account.address, signer, domain, now })
  const { coordinator } = await getInfo(peer, stopping.signal)
  const capability = capabilityOf(EXACT_PROFILE, config.memoryGiB)
  await joinNetwork(
    { chain, sender, session, events },
    { capability, coordinator, seats, collateral: 0n, signal: stopping.signal },
  )
  const deps = {
    ...state,
    chain,
    sender,
    events,
    peer,
    signer,
    domain,
    now,
    account: account.address,
    hasher: copying,
    models: createModelChecks({ runner }),
    auditBackend: backends.audit,
    batches: createBatchBook(chain),
    defence: { given: () => {}, note: () => {} },
    calls: { given: () => {} },
    verdictStand: { given: async () => {} },
  }
  const { signal } = stopping
  const own = createOwnBatchAudits(
    { ...deps, peerOf: (url) => createPeer({ url, account: account.address, signer, domain, now }) },
    signal,
  )
  const watching = watchChain(chain, {
    cursorPath: join(folder, "cursor"),
    signal,
    onEvent: async (event) => {
      deps.batches.note(event)
      own.note(event)
    },
    onHead: async () => {},
    onError: () => {},
  })
  const auditing = auditLoop(deps, { stopping: signal, aborting: signal, cachedModels: () => [] })
  const running = Promise.all([watching, auditing])
  return {
    address: account.address,
    async stop() {
      stopping.abort()
      await running.catch(() => undefined)
      await backends.close()
      await real.close()
      await runner.close()
      await state.journal.close()
    },
  }
}
