// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice What the digest of a committed batch covers; resubmitted by whoever calls (R4, R17, R18).
struct Batch {
    uint192 jobId;
    uint32 number; // batchId = jobId << 32 | number
    uint32 firstShard; // ranges' masks count from here
    bytes32 root; // H("assay.root", tree root, units)
    uint64 commitBlock;
    address committer; // the coordinator, or the worker that commits for itself
    address backer; // the coordinator whose pair slots back the batch; of the worker's choice in a self-commit
    uint256[] ranges; // words of type Range, strictly ascending
}

/// @notice What the committer says about the audit of its batch (R24).
struct Attestation {
    bytes32 seed; // H("assay.seed", beacon seed, batchId)
    bytes32 verdictRoot; // over k verdict leaves in sample order
    uint256[] verifiers; // words of type VerifierWord, strictly ascending
    uint64 silentRanges; // bit i: a sample of range i has no verdict
}

/// @notice A sibling in a sum tree (R4).
struct LeafNode {
    bytes32 hash;
    uint64 units;
}

/// @notice One task's result (R4); the job is the batch's.
struct Leaf {
    uint32 taskIndex;
    address worker;
    uint32 units;
    bytes32 inputCommitment;
    bytes32 outputCommitment;
}

/// @notice States of a batch (R24a). Withdrawn, Forfeited and Final are terminal.
enum BatchState {
    None,
    Committed,
    Drawn,
    Attested,
    Final,
    Withdrawn,
    Forfeited
}

/// @notice Whose fault voids a range, and so who pays for it.
enum Cause {
    /// R29: the worker's collateral is lost, its shards are free at once.
    Worker,
    /// R26, R20: the coordinator's bond share is burned, the worker may commit its shards itself.
    Coordinator,
    /// No jury majority: nothing is lost, the shards are free at once.
    Nobody
}

/// @notice A part of a slash that is not burned (R12).
struct Reward {
    address account;
    uint96 amount;
}

/// @notice A batch as the Market stores it, for those who look from outside.
struct BatchView {
    uint192 digest;
    BatchState state;
    uint32 clock; // Committed, Drawn: last second to attest; Attested: end of the window
    uint24 count; // open demands and disputes
    uint64 voided; // ranges that will not be paid: the union of the next three
    uint64 slashed; // ranges whose worker lost its collateral
    uint64 penalized; // ranges whose share of the bond was burned
    uint64 cleared; // ranges whose shards were freed at once
    uint64 frozen; // ranges that ever had a dispute
    uint16 struck; // verifier words that finalize does not pay
    uint64 claimable; // shards still marked for their worker (R18), as bits from firstShard
    uint40 claimUntil;
}
