import assert from "node:assert/strict"
import { before, test } from "node:test"
import { type Hex, isAddressEqual, zeroAddress, zeroHash } from "viem"
import { type LeaseBundle, termsHash } from "#protocol"
import { type CheckLeaseDeps, checkLease } from "../../worker/leases/checkLease.ts"
import {
  buildJob,
  CAPABILITY,
  COORDINATOR,
  COORDINATOR_SESSION,
  DOMAIN,
  JOB_ID,
  lower,
  NOW,
  STRANGER,
  signLease,
  type TestJob,
  WORKER,
} from "./support/job.ts"

const OTHER: Hex = `0x${"99".repeat(32)}`
let job: TestJob
let deps: CheckLeaseDeps

before(async () => {
  job = await buildJob()
  const stored = termsHash(job.terms)
  deps = {
    chain: {
      termsHashOf: async (jobId) => (jobId === JOB_ID ? stored : zeroHash),
      accountOf: async (key) => (isAddressEqual(key, COORDINATOR_SESSION.address) ? COORDINATOR.address : zeroAddress),
    },
    domain: DOMAIN,
    account: WORKER.address,
    coordinator: lower(COORDINATOR.address),
    capability: CAPABILITY,
    maxLeaseSeconds: 60n,
    now: () => NOW,
  }
})

/** A lie of the coordinator about shard 0, signed again where the lease itself changes. */
async function lie(change: Partial<LeaseBundle>, leaseChange: Partial<LeaseBundle["lease"]> = {}) {
  return { ...(await job.lease(0, leaseChange)), ...change }
}

test("behavior: an honest lease passes, of a whole shard and of the short last one", async () => {
  await checkLease(deps, await job.lease(0))
  await checkLease(deps, await job.lease(1))
})

const swap = <T>(list: readonly T[]) => [list[1]!, list[0]!, ...list.slice(2)]

const LIES: Record<string, { code: string; bundle: () => Promise<LeaseBundle> }> = {
  "R1: an input commitment that is not the job's": {
    code: "E_LEASE_INPUT",
    bundle: async () => lie({ inputCommitments: [OTHER, ...job.commitments.slice(1, 4)] }),
  },
  "R1: the job's inputs at each other's places": {
    code: "E_LEASE_INPUT",
    bundle: async () => lie({ inputCommitments: swap(job.commitments.slice(0, 4)) }),
  },
  "R1: a multiproof with a node too many": {
    code: "E_LEASE_INPUT",
    bundle: async () => lie({ inputProof: [...(await job.lease(0)).inputProof, OTHER] }),
  },
  "R1: terms with a better fee than the chain's": {
    code: "E_LEASE_TERMS",
    bundle: async () => lie({ terms: { ...job.terms, fee: job.terms.fee * 2n } }),
  },
  "R1: a job that is not on the chain": {
    code: "E_JOB_UNKNOWN",
    bundle: async () => lie({}, { jobId: JOB_ID + 1n }),
  },
  "R1: a spec that is not the terms'": {
    code: "E_LEASE_SPEC",
    bundle: async () => lie({ spec: { ...job.spec, title: "another" } }),
  },
  "R1: inputs of another shard": {
    code: "E_LEASE_SPEC",
    bundle: async () => lie({ inputs: job.spec.shards[1]!.inputs }),
  },
  "R5: tasks of another shard": {
    code: "E_LEASE_SHARD",
    bundle: async () => lie({ firstTask: 4 }),
  },
  "R5: a shard that the job does not have": {
    code: "E_LEASE_SHARD",
    bundle: async () =>
      lie({}, {}).then(async (bundle) => {
        const lease = { ...bundle.lease, shard: 2 }
        return { ...bundle, lease, signature: await signLease(COORDINATOR_SESSION, lease) }
      }),
  },
  "R8: a signature by a key that is not the coordinator's": {
    code: "E_LEASE_SIGNATURE",
    bundle: async () => lie({ signature: await signLease(STRANGER, (await job.lease(0)).lease) }),
  },
  "R8: a signature under another lease": {
    code: "E_LEASE_SIGNATURE",
    bundle: async () => lie({ signature: (await job.lease(0, { expiry: NOW + 30n })).signature }),
  },
  "R14: another worker's lease": {
    code: "E_LEASE_WORKER",
    bundle: async () => lie({}, { worker: lower(STRANGER.address) }),
  },
  "R14: a lease longer than the contract takes": {
    code: "E_LEASE_TIME",
    bundle: async () => lie({}, { expiry: NOW + 61n }),
  },
  "R14: a lease that has run out": {
    code: "E_LEASE_EXPIRED",
    bundle: async () => lie({}, { start: NOW - 60n, expiry: NOW }),
  },
  "R18: a lease that begins after the deadline, which could never be committed": {
    code: "E_LEASE_TIME",
    bundle: async () => lie({ terms: { ...job.terms, deadline: NOW - 1n } }),
  },
  "R25: a job of another capability": {
    code: "E_LEASE_CAPABILITY",
    bundle: async () => lie({ terms: { ...job.terms, capability: OTHER } }),
  },
  "R1: a kind of job that this version cannot judge": {
    code: "E_LEASE_UNSUPPORTED",
    bundle: async () => lie({ terms: { ...job.terms, class: 1 } }),
  },
}

for (const [name, { code, bundle }] of Object.entries(LIES)) {
  test(`error: ${name} is refused`, async () => {
    await assert.rejects(checkLease(deps, await bundle()), { code })
  })
}
