import type { Address } from "viem"
import {
  capabilityOf,
  checkTerms,
  describeCapability,
  formatAmount,
  type JobSubmission,
  type Params,
  shardCount,
  specHash,
} from "#protocol"
import type { Limits, Policy } from "../config.ts"
import { refuse } from "../errors.ts"

export type CheckSubmissionParams = {
  submission: JobSubmission
  account: Address
  coordinator: Address
  params: Params
  policy: Policy
  limits: Limits
  /** Chain time. */
  now: number
}

/** All that can be said about a submission without looking at a file: throws the first thing that is wrong. */
export function checkSubmission(given: CheckSubmissionParams): void {
  const { submission, account, coordinator, params, policy, limits, now } = given
  const { terms, spec } = submission
  if (terms.requester !== account) {
    throw refuse("E_AUTH_FORBIDDEN", "the terms name another requester than the account that signed", {
      requester: terms.requester,
    })
  }
  if (terms.coordinator !== coordinator) {
    throw refuse("E_JOB_COORDINATOR", `the terms name another coordinator; this one is ${coordinator}`, { coordinator })
  }
  const problems = checkTerms({ terms, params, now: BigInt(now) })
  if (problems.length > 0) {
    throw refuse("E_JOB_TERMS", problems.map(({ message }) => message).join("; "), { problems })
  }
  if (terms.fee < policy.minFee) {
    throw refuse(
      "E_JOB_POLICY",
      `the fee is ${formatAmount(terms.fee)} a unit; this coordinator takes ${formatAmount(policy.minFee)} or more`,
    )
  }
  if (terms.coordinatorFee < policy.coordinatorFee) {
    const message = `the coordinator's fee is ${terms.coordinatorFee} a unit; this one takes ${policy.coordinatorFee} or more`
    throw refuse("E_JOB_POLICY", message)
  }
  if (terms.tasks > limits.tasksPerJob) {
    throw refuse("E_JOB_LIMITS", `${terms.tasks} tasks; a job may have ${limits.tasksPerJob} here`)
  }
  const { profile, memoryGiB } = spec.capability
  if (!describeCapability(terms.capability) || terms.capability !== capabilityOf(profile, memoryGiB)) {
    throw refuse("E_JOB_CAPABILITY", `the terms' capability is not that of ${profile} with ${memoryGiB} GiB`)
  }
  if (profile !== "exact-cpu-1") {
    throw refuse("E_JOB_CAPABILITY", `the exact class runs under exact-cpu-1, not ${profile}`)
  }
  const shards = shardCount(terms)
  if (spec.shards.length !== shards) {
    throw refuse(
      "E_JOB_INPUTS",
      `the terms make ${shards} shards, the spec has ${spec.shards.length} bundles of inputs`,
    )
  }
  if (specHash(spec) !== terms.specHash) {
    throw refuse("E_JOB_SPEC_HASH", "terms.specHash is not the sha256 of the spec's canonical JSON")
  }
  const { bytes } = spec.model
  if (bytes > limits.modelBytes) {
    throw refuse("E_JOB_LIMITS", `the model has ${bytes} bytes; this coordinator takes ${limits.modelBytes}`)
  }
  const big = spec.shards.findIndex((shard) => shard.bytes > limits.inputBytes)
  if (big >= 0) {
    const message = `the inputs of shard ${big} have ${spec.shards[big]?.bytes} bytes; this coordinator takes ${limits.inputBytes}`
    throw refuse("E_JOB_LIMITS", `${message}: use smaller shards`)
  }
}
