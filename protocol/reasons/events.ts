/** What happened, in the story that `assay why` tells: the rule it happened by, and a sentence. */
export type EventEntry = { readonly rule: string; readonly text: string }

/**
 * Events that are no state of their own; those that put something into a state carry the state's code of `reasons.ts`
 * (TASK_PAID, BATCH_COMMITTED). Codes are added to, never renamed.
 */
export const EVENTS = {
  E_JOB_TERMS_DIFFER: { rule: "R1", text: "The terms on chain are not those that were submitted; nothing is leased." },
  COMMIT_FAILED: { rule: "R17", text: "A batch could not be committed; its shards wait for another one." },
  AUDIT_MATCHED: { rule: "R21", text: "A drawn verifier found what the leaf says." },
  AUDIT_MISMATCHED: { rule: "R21", text: "A drawn verifier found something else; the jury decides." },
  AUDIT_SILENT: { rule: "R20", text: "No candidate of a sample answered in time." },
  VERIFIER_PAID: { rule: "R23", text: "A verifier was credited with a base and a rate a unit." },
  VERIFIERS_STRUCK: {
    rule: "R20",
    text: "Verifiers of the batch were proved undrawn, or their verdict false: not paid.",
  },
  MISMATCH_POSTED: {
    rule: "R24a",
    text: "A verdict that differs from the leaf was posted on chain; the range is frozen.",
  },
  GAME_OPENED: {
    rule: "R27",
    text: "A dispute is played out before the referee; nothing of its range moves until it ends.",
  },
  GAME_UPHELD: {
    rule: "R27",
    text: "No wrong element was shown in time: what was disputed stands, and its challenger pays.",
  },
  GAME_REFUTED: {
    rule: "R27",
    text: "The contract computed one element itself and found another, or the other side fell silent.",
  },
  GAME_VOID: { rule: "R27", text: "The program cannot be judged: the range is void and nobody loses." },
  DISPUTE_OPENED: { rule: "R28", text: "A jury is drawn after the posting." },
  DISPUTE_UPHELD: { rule: "R28", text: "The jury found the leaf right: the accusing verifier loses C_v." },
  DISPUTE_REFUTED: {
    rule: "R29",
    text: "The jury found the leaf wrong: its worker's range is void and its collateral lost.",
  },
  DISPUTE_NO_MAJORITY: {
    rule: "R28",
    text: "No answer had a majority of enough seats: the range is void, nobody is slashed.",
  },
  JUROR_SILENT: { rule: "R25", text: "A juror did not reveal and paid the liveness slash." },
  VERDICT_FALSE: { rule: "R22", text: "A verdict proved false; its seat lost C_v." },
  DIGEST_FALSE: {
    rule: "R21",
    text: "A verdict's keyed digest is not its verifier's own work: copied, or made up. Its seat lost C_v.",
  },
  REAUDIT_DRAWN: { rule: "R22", text: "A second seed drew a verdict: other seats audit the task again." },
  REAUDIT_MATCHED: { rule: "R22", text: "A second audit found what the first one did." },
  REAUDIT_MISMATCHED: { rule: "R22", text: "A second audit found something else than the leaf; it goes on chain." },
  SAMPLE_CALLED: { rule: "R20", text: "All candidates were silent: they and five more seats were called on chain." },
  CALL_ANSWERED: { rule: "R20", text: "A called seat gave its verdict on chain." },
  CALL_UNSERVED: { rule: "R20", text: "A called seat says that it was not served the task." },
  SEAT_SILENT: { rule: "R25", text: "A called seat stayed silent and paid the liveness slash." },
  EQUIVOCATION_CLAIMED: {
    rule: "R14",
    text: "Somebody shows two overlapping leases of one shard; the release answers.",
  },
  FAULT_PROVED: { rule: "R20", text: "A fault of the coordinator was proved; the ranges concerned are void." },
  DEMAND_OPENED: { rule: "R26", text: "Somebody asked to see a leaf, row, verdict or signature." },
  DEMAND_ANSWERED: { rule: "R26", text: "The demand was answered in time." },
  DEMAND_EXPIRED: { rule: "R26", text: "Nobody answered the demand: the range is void at the coordinator's cost." },
  SHARDS_RECLAIMED: { rule: "R18", text: "A worker committed its shards of an ended batch again." },
  SHARDS_RELEASED: { rule: "R18", text: "The claim period is over: shards that nobody claimed are queued again." },
  STAKED: { rule: "R25", text: "Seats were taken." },
  UNSTAKE_REQUESTED: { rule: "R25", text: "Seats left the draw; the stake is unbonding." },
  EVICTED: { rule: "R25", text: "A seat that its owner's stake no longer covers was removed." },
  SEAT_SLASHED: { rule: "R22", text: "Stake was slashed." },
  REWARDED: { rule: "R12", text: "A part of a slash was paid to who found the fault." },
  NOTICE_GIVEN: { rule: "R13", text: "Notice was given for collateral: no new range relies on it." },
  ALLOWED: { rule: "R13", text: "Collateral was moved in." },
  TAKEN_OUT: { rule: "R13", text: "Free collateral was taken out." },
  KEY_REGISTERED: { rule: "R8", text: "A session key was registered; it counts from the next block." },
  KEY_REVOKED: { rule: "R8", text: "A session key was revoked; it counts for batches committed before." },
  WITHDRAWN: { rule: "R10", text: "What was owed was withdrawn." },
} as const satisfies Record<string, EventEntry>

export type EventCode = keyof typeof EVENTS

export function isEventCode(code: string): code is EventCode {
  return Object.hasOwn(EVENTS, code)
}
