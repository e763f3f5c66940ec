/** A refusal of the HTTP API: its status, and what the asker can do. */
export type ErrorEntry = { readonly status: number; readonly remedy: string }

/**
 * Codes that travel over HTTP. Rooms have codes of their own for what happens inside; what reaches a peer is one of
 * these. Codes are added to, never renamed.
 */
export const HTTP_ERRORS = {
  E_BAD_REQUEST: { status: 400, remedy: "Send what the OpenAPI document asks for; the details name the field." },
  E_BODY_TOO_LARGE: { status: 413, remedy: "Send less at once; /v1/info names the limits." },
  E_NOT_FOUND: { status: 404, remedy: "Check the path or the id." },
  E_RATE_LIMIT: { status: 429, remedy: "Wait as long as the retry-after header says." },
  E_INTERNAL: { status: 500, remedy: "Try again; tell the operator if it stays." },
  E_SHUTTING_DOWN: { status: 503, remedy: "Try again when the coordinator is back." },
  E_CHAIN_DOWN: { status: 503, remedy: "The coordinator cannot reach its chain; try again later." },
  E_DISK_FULL: { status: 507, remedy: "The coordinator is out of storage; tell the operator." },
  // signed requests (R8)
  E_AUTH_MISSING: { status: 401, remedy: "Sign the request." },
  E_AUTH_SIGNATURE: { status: 401, remedy: "Sign with the account's key or a session key registered for it." },
  E_AUTH_EXPIRED: { status: 401, remedy: "Use chain time, and an expiry at most 120 s ahead." },
  E_AUTH_NONCE: { status: 409, remedy: "Use a fresh nonce for every request." },
  E_AUTH_FORBIDDEN: { status: 403, remedy: "This account may not do that." },
  // artifacts (R15)
  E_ARTIFACT_UNKNOWN: { status: 404, remedy: "Upload it first, or ask for another." },
  E_ARTIFACT_TOO_LARGE: { status: 413, remedy: "/v1/info names the limit." },
  E_ARTIFACT_HASH: { status: 422, remedy: "The bytes do not have the hash of the path; upload them again." },
  E_ARTIFACT_CORRUPT: { status: 503, remedy: "Upload the artifact again: the coordinator's copy is damaged." },
  E_ARTIFACT_STORE: { status: 503, remedy: "The coordinator cannot reach its bucket; try again later." },
  E_QUOTA: { status: 429, remedy: "Post the jobs that were submitted, or wait; the details name the limit." },
  // jobs
  E_JOB_UNKNOWN: { status: 404, remedy: "Check the job id and the coordinator's URL." },
  E_JOB_EXISTS: { status: 409, remedy: "This nonce is taken by another job; use the next one." },
  E_JOB_TERMS: { status: 422, remedy: "The details list what is wrong with the terms." },
  E_JOB_SPEC_HASH: { status: 422, remedy: "terms.specHash is not the sha256 of the spec's canonical JSON." },
  E_JOB_PROGRAM_ROOT: {
    status: 422,
    remedy: "terms.programRoot does not follow from the model and the digest tensors.",
  },
  E_JOB_INPUTS_ROOT: { status: 422, remedy: "terms.inputs does not follow from the uploaded inputs and the job salt." },
  E_JOB_COORDINATOR: { status: 422, remedy: "The terms name another coordinator." },
  E_JOB_CAPABILITY: { status: 422, remedy: "Use a capability that /v1/info lists." },
  E_JOB_POLICY: { status: 422, remedy: "/v1/info names the least fees that this coordinator takes." },
  E_JOB_BALANCE: { status: 422, remedy: "The account has less than the escrow: get tokens, or lower fee or tasks." },
  E_JOB_LIMITS: { status: 413, remedy: "/v1/info names the limits; split the job or shrink the model." },
  E_JOB_MODEL: { status: 422, remedy: "The details say what about the model was refused." },
  E_JOB_INPUTS: { status: 422, remedy: "The details name the shard and the input that does not fit." },
  E_JOB_NOT_PUBLIC: { status: 403, remedy: "Only a job that was posted with --public is anyone's to compute again." },
  E_BATCH_UNKNOWN: { status: 404, remedy: "Check the batch id." },
  E_BATCH_NOT_PUBLIC: { status: 403, remedy: "Leaves are public once the batch is attested." },
  E_SPEC_INVALID: { status: 422, remedy: "Send the spec in canonical JSON with the fields of version 0." },
  // workers and leases
  E_WORKER_UNKNOWN: { status: 404, remedy: "Say hello first." },
  E_WORKER_TWICE: { status: 409, remedy: "A second process uses this key; stop one." },
  E_WORKER_REFUSED: { status: 403, remedy: "The details list why; `assay why worker` explains." },
  E_LEASE_UNKNOWN: { status: 404, remedy: "This coordinator gave no such lease." },
  E_LEASE_ENDED: { status: 409, remedy: "The lease ran out or was given back; ask for another." },
  E_LEASE_NOT_YOURS: { status: 403, remedy: "The lease is another worker's." },
  E_RECEIPT_SIGNATURE: { status: 422, remedy: "Sign the receipt with the session key that the worker registered." },
  E_RECEIPT_ROOT: { status: 422, remedy: "shardRoot does not follow from the leaves." },
  E_RECEIPT_UNITS: { status: 422, remedy: "Units do not add up, or exceed the terms' most units a task." },
  E_RECEIPT_LEAVES: { status: 422, remedy: "Send one leaf a task of the shard, in order, with the lease's inputs." },
  E_RECEIPT_OUTPUTS: { status: 422, remedy: "The uploaded outputs do not have the commitments of the leaves." },
  E_RECEIPT_CONFLICT: { status: 409, remedy: "Another receipt for this lease is stored; a key signs one a lease." },
  E_RELEASE_SIGNATURE: { status: 422, remedy: "Sign the release with the worker's session key." },
  // audits and disputes
  E_VERDICT_NOT_DRAWN: { status: 403, remedy: "This account is no candidate of that sample." },
  E_VERDICT_SIGNATURE: { status: 422, remedy: "Sign the verdict with the verifier's session key." },
  E_VERDICT_POSITION: { status: 422, remedy: "The sample's position, or the batch, does not follow from the draw." },
  E_VERDICT_UNITS: { status: 422, remedy: "Units exceed the terms' most units a task." },
  E_VERDICT_LATE: { status: 409, remedy: "The batch is attested; too late for a verdict." },
  E_VERDICT_CONFLICT: { status: 409, remedy: "Another verdict of this verifier for the sample is stored." },
  E_DISPUTE_UNKNOWN: { status: 404, remedy: "Check the dispute id." },
} as const satisfies Record<string, ErrorEntry>

export type HttpErrorCode = keyof typeof HTTP_ERRORS

export function isHttpErrorCode(code: string): code is HttpErrorCode {
  return Object.hasOwn(HTTP_ERRORS, code)
}

/** 500 for a code that the table does not know: such a code was not meant for a peer. */
export function httpStatusOf(code: string): number {
  return isHttpErrorCode(code) ? HTTP_ERRORS[code].status : 500
}
