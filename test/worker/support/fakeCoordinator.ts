import type { Hex } from "viem"
import type { z } from "zod"
import { type LeaseBundle, ReceiptSubmissionSchema, ReleaseSubmissionSchema } from "#protocol"
import type { Peer } from "../../../worker/api/peer.ts"
import { sha256Of } from "../../../worker/artifacts/cache.ts"
import { workerError } from "../../../worker/errors.ts"
import type { TestJob } from "./job.ts"

export type Stored = { leaseHash: Hex } & z.output<typeof ReceiptSubmissionSchema>
export type Released = { leaseHash: Hex } & z.output<typeof ReleaseSubmissionSchema>

/**
 * Stands where a coordinator does, for what a real one never does: lie, fail, and fall silent. It hands out the leases
 * that it is given, in order, and keeps what it gets.
 */
export function createFakeCoordinator(job: TestJob, leases: LeaseBundle[]) {
  const artifacts = new Map<Hex, Uint8Array>()
  for (const bytes of [job.model, ...job.bundles]) artifacts.set(sha256Of(bytes), bytes)
  const receipts: Stored[] = []
  const releases: Released[] = []
  const listeners: (() => void)[] = []
  let down = false
  const changed = () => {
    for (const listener of listeners.splice(0)) listener()
  }
  const silence = () => {
    if (down) throw workerError("E_COORDINATOR_DOWN", "the fake coordinator is silent")
  }

  const peer: Peer = {
    url: "http://fake",
    async ask({ path, body, schema }) {
      silence()
      const [, kind, leaseHash, verb] = /^\/v1\/(leases)\/(0x[0-9a-f]+)\/(receipt|release)$/.exec(path) ?? []
      if (kind === undefined) throw new Error(`the fake coordinator has no ${path}`)
      const lease = { leaseHash: leaseHash as Hex }
      if (verb === "receipt") receipts.push({ ...lease, ...ReceiptSubmissionSchema.parse(body) })
      else releases.push({ ...lease, ...ReleaseSubmissionSchema.parse(body) })
      changed()
      return schema.parse(verb === "receipt" ? { stored: true } : { released: true })
    },
    async download(sha256) {
      silence()
      const bytes = artifacts.get(sha256)
      if (!bytes) throw workerError("E_ARTIFACT_UNKNOWN", `the fake coordinator does not have ${sha256}`)
      return (async function* () {
        yield bytes
      })()
    },
    async upload(sha256, bytes) {
      silence()
      artifacts.set(sha256, bytes)
    },
    async uploadPatch(sha256) {
      throw new Error(`nothing that the fake coordinator expects is in ${sha256}`)
    },
  }

  return {
    peer,
    artifacts,
    receipts,
    releases,
    /** Looks at the conditions of `until` again. */
    wake: changed,
    setDown: (value: boolean) => {
      down = value
    },
    /** The next lease, or none until the signal fires. */
    async askForLease(signal: AbortSignal): Promise<LeaseBundle | undefined> {
      silence()
      const next = leases.shift()
      if (next) return next
      if (signal.aborted) return undefined
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }))
      return undefined
    },
    async until(condition: () => boolean): Promise<void> {
      while (!condition()) await new Promise<void>((resolve) => listeners.push(resolve))
    },
  }
}
export type FakeCoordinator = ReturnType<typeof createFakeCoordinator>
