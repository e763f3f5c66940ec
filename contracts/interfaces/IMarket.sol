// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Attestation, Batch, BatchState, BatchView, Cause, Reward} from "../types/Batch.sol";
import {Lease} from "../types/Messages.sol";
import {Terms} from "../types/Terms.sol";
import {IBound} from "./IBound.sol";

/// @title Jobs, batches, attestations and pay
/// @notice Holds no tokens: escrow, collateral and pay lie in the Registry. One slot a batch and one hot slot a job; who
/// calls resubmits what the slots commit to. No owner, no upgrade, no pause.
interface IMarket is IBound {
    /// @notice Immutables of a deployment. Rates are basis points, times are seconds.
    struct Params {
        uint96 minCollateral; // Cmin
        uint16 colluding; // r, the largest share of a class's seats that collude
        uint16 burnRate; // b
        uint16 reauditRate; // p_v
        uint32 attestLimit; // from commit to the last attest
        uint32 window; // from attest to finalize
        uint32 clock; // of one move in a demand or a dispute
        uint32 maxLease;
        uint32 claimPeriod; // R18
        uint32 minSeats; // R25
        uint32 minOwners;
        address beacon;
        address registry;
        address challenges;
        address jury;
        address game;
    }

    // -- Errors ------------------------------------------------------------------------------------------------------

    error MarketUnauthorized(address caller);
    /// @notice A parameter of the constructor that cannot be, or that this chain does not allow (R31).
    error MarketBadParameter(bytes32 name);
    /// @notice A contract does not name this one, or was built with other parameters.
    error MarketUnbound(address other);

    /// @notice A field of the terms that cannot be posted.
    error TermsRefused(bytes32 field);
    /// @notice The audit budget is below the least that lets any shard be committed alone (R9).
    error TermsBudgetShort(uint256 auditBudget, uint256 needed);
    /// @notice A seat does not cover the loss of a false verdict on such a job (R22).
    error TermsSeatShort(uint256 seat, uint256 needed);
    /// @notice The terms are not those of the job.
    error TermsMismatch(uint192 jobId);

    error JobExists(uint192 jobId);
    error JobClosedAlready(uint192 jobId);
    /// @notice Leases that began before close or deadline can no longer be committed (R18).
    error JobOver(uint192 jobId, uint256 until);
    /// @notice The refund is not due: batches are open, or workers may still commit (R18).
    error JobNotRefundable(uint192 jobId, uint256 openBatches, uint256 refundAt);
    /// @notice The escrow that no open batch has reserved does not cover this batch.
    error JobEscrowShort(uint192 jobId, uint256 left, uint256 needed);
    error JobAuditShort(uint192 jobId, uint256 left, uint256 needed);
    /// @notice A counter of the job's slot is full.
    error JobFull(uint192 jobId, uint256 batches, uint256 open);

    error RangesEmpty();
    /// @notice Range words must ascend strictly by worker (R5).
    error RangeOrder(uint256 index);
    /// @notice A mask is 0, overlaps another, or (index 64: all ranges together) reaches beyond the job's last shard (R5).
    error RangeMask(uint256 index, uint256 mask);
    /// @notice No units, or (index 64: all ranges together) more than the batch's tasks can have.
    error RangeUnits(uint256 index, uint256 units, uint256 most);
    /// @notice The coordinator of a job cannot be a worker of its batches: its bond must not be its own collateral.
    error RangeCoordinator(uint256 index);
    /// @notice A shard of the batch is committed already (R5).
    error ShardTaken(uint192 jobId, uint256 word, uint256 bits);

    error LeaseCount(uint256 leases, uint256 signatures, uint256 shards);
    /// @notice A lease is not for this job, shard or worker, or its time does not count (R14, R18).
    error LeaseRefused(uint256 index, bytes32 field);
    /// @notice A lease was not signed by a key of the coordinator (R8).
    error LeaseSigner(uint256 index, address signer);

    error BatchWrongState(uint256 batchId, BatchState state);
    /// @notice What was resubmitted is not what the batch's slot commits to.
    error BatchMismatch(uint256 batchId);
    error BatchCommitter(uint256 batchId, address committer);
    /// @notice A demand or dispute of the batch is open (R30), or none is where one is to be dropped.
    error BatchHeld(uint256 batchId, uint256 count);
    error BatchTooEarly(uint256 batchId, uint256 at);
    error BatchTooLate(uint256 batchId, uint256 until);
    /// @notice The beacon has no seed (yet, or no longer) for the batch.
    error SeedMissing(uint256 batchId);

    error VerifierOrder(uint256 index);
    error VerifierTooMany(uint256 verifiers, uint256 most);
    /// @notice A verifier's units exceed its count times the most units a task, or its count is 0.
    error VerifierUnits(uint256 index, uint256 units, uint256 most);
    /// @notice The counts are not k, or k is reached although ranges are named silent.
    error VerifierCount(uint256 counted, uint256 samples);
    error SilentUnknown(uint256 silentRanges);
    error RangeUnknown(uint256 rangeMask);

    /// @notice These shards are not marked for this worker, or the claim period is over (R18).
    error ClaimRefused(uint256 fromBatchId, uint256 mask, uint256 claimable, uint256 until);

    // -- Events ------------------------------------------------------------------------------------------------------

    event JobPosted(
        uint192 indexed jobId, address indexed requester, address indexed coordinator, Terms terms, uint64 nonce
    );
    event JobClosed(uint192 indexed jobId, uint256 at);
    event JobRefunded(uint192 indexed jobId, uint256 amount);
    /// @notice `url` is empty in a coordinator's commit; a worker that commits for itself serves its tasks there.
    event BatchCommitted(
        uint256 indexed batchId, uint192 indexed jobId, Batch batch, bytes32 dataHash, string url
    );
    event BatchWithdrawn(uint256 indexed batchId);
    event BatchDrawn(uint256 indexed batchId, bytes32 seed);
    event BatchAttested(uint256 indexed batchId, Attestation attestation);
    event BatchForfeited(uint256 indexed batchId);
    /// @notice Pay follows from the batch, the attestation and the masks: paid ranges get units * F, verifiers units *
    /// A + auditBase unless struck or barred. `audited` is what verifiers were credited together.
    event BatchFinalized(uint256 indexed batchId, uint256 paidRanges, uint256 voidedRanges, uint256 audited);
    event RangeFrozen(uint256 indexed batchId, uint256 range);
    event RangeVoided(uint256 indexed batchId, uint256 range, address indexed worker, Cause cause);
    event VerifiersStruck(uint256 indexed batchId, uint256 verifiers);
    event ShardsReclaimed(uint256 indexed fromBatchId, uint256 indexed toBatchId, uint256 mask);
    event ShardsReleased(uint256 indexed batchId, uint256 mask);

    // -- Jobs --------------------------------------------------------------------------------------------------------

    /// @notice Posts a batch job and escrows tasks * u * (F + coordinatorFee) + auditBudget of the caller (R1, R9).
    function post(Terms calldata terms, uint64 nonce) external returns (uint192 jobId);

    /// @notice The same with a permit for the Registry; a permit that was used by another first does no harm.
    function postWithPermit(
        Terms calldata terms,
        uint64 nonce,
        uint256 permitDeadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external returns (uint192 jobId);

    /// @notice The requester ends the job: leases that start from now on do not count (R18).
    function close(uint192 jobId, Terms calldata terms) external;

    /// @notice Credits the requester with what is unused: at once when every shard is final, else once nobody can commit
    /// any more (R18). Anyone.
    function refund(uint192 jobId, Terms calldata terms) external;

    // -- Batches -----------------------------------------------------------------------------------------------------

    /// @notice The coordinator commits a batch; locks each worker's collateral and as much of its own bond (R17).
    function commitBatch(
        Terms calldata terms,
        uint192 jobId,
        uint32 firstShard,
        bytes32 root,
        uint256[] calldata ranges,
        bytes32 dataHash
    ) external returns (uint256 batchId);

    /// @notice A worker commits its own leases as a batch of one range; C is locked once, in its pair with `backer`
    /// (R18). Leases ascend by shard, one for each of the range, each with a signature of a key of the coordinator.
    function selfCommit(
        Terms calldata terms,
        uint192 jobId,
        uint32 firstShard,
        bytes32 root,
        uint256 range,
        bytes32 dataHash,
        address backer,
        Lease[] calldata leases,
        bytes[] calldata signatures,
        string calldata url
    ) external returns (uint256 batchId);

    /// @notice A worker commits shards of its own that a batch lost through its coordinator, within the claim period;
    /// `firstShard` is that of the old batch, and the range's mask a part of its old one (R18).
    function reclaim(
        Terms calldata terms,
        Batch calldata from,
        uint256 rangeIndex,
        uint32 firstShard,
        bytes32 root,
        uint256 range,
        bytes32 dataHash,
        address backer,
        string calldata url
    ) external returns (uint256 batchId);

    /// @notice The committer takes a batch back before its seed can be known, never after (R17).
    function withdrawBatch(Terms calldata terms, Batch calldata batch) external;

    /// @notice Stores the seed, which block hashes forget. Anyone (R19).
    function draw(Batch calldata batch) external;

    /// @notice The committer's statement of the audit; draws by itself (R24).
    /// @param seed the batch's seed if it was drawn before, else 0
    function attest(
        Terms calldata terms,
        Batch calldata batch,
        bytes32 seed,
        bytes32 verdictRoot,
        uint256[] calldata verifiers,
        uint64 silentRanges
    ) external;

    /// @notice Ends a batch that was not attested in time: the bond is burned, workers get their collateral back and may
    /// commit for themselves (R12, R18). Anyone.
    function forfeit(Terms calldata terms, Batch calldata batch, bytes32 seed) external;

    /// @notice Pays by totals and releases locks once the window is over and nothing of the batch is open (R30). Anyone.
    function finalize(Terms calldata terms, Batch calldata batch, Attestation calldata attestation) external;

    /// @notice After the claim period, frees the shards that their workers did not claim. Anyone.
    function release(Terms calldata terms, Batch calldata batch) external;

    // -- Views -------------------------------------------------------------------------------------------------------

    function jobOf(uint192 jobId)
        external
        view
        returns (
            uint256 fees,
            uint256 audit,
            uint256 batches,
            uint256 open,
            bool closed,
            uint256 closedAt,
            uint256 refundAt,
            uint256 finalShards
        );
    function termsHashOf(uint192 jobId) external view returns (bytes32);
    function batchOf(uint256 batchId) external view returns (BatchView memory);
    /// @notice Bit b of word w: shard 256 w + b is committed.
    function shardBits(uint192 jobId, uint256 word) external view returns (uint256);
    /// @notice C of a range under these terms (R11).
    function collateralOf(Terms calldata terms) external view returns (uint256);
    /// @notice C_v: what a false verdict costs (R22).
    function verdictCollateralOf(Terms calldata terms) external view returns (uint256);
    /// @notice The Market's EIP-712 domain: leases, receipts, releases, verdicts and requests are signed under it.
    function domainSeparator() external view returns (bytes32);

    /// @notice Reverts unless the terms are the job's and the batch (with its seed once drawn, its whole attestation once
    /// attested, ignored else) is what the slot commits to.
    function checkBatch(Terms calldata terms, Batch calldata batch, Attestation calldata attestation)
        external
        view
        returns (uint256 batchId, BatchState state, uint256 clock);

    function params() external view returns (Params memory);

    // -- Challenges, Jury and game only ------------------------------------------------------------------------------------

    /// @notice Keeps a live batch from ending; every hold is dropped once.
    function hold(uint256 batchId) external;

    /// @notice Holds, and marks a range as disputed.
    function freeze(uint256 batchId, uint256 rangeIndex) external;

    /// @notice One hold less. In state Attested the window ends no earlier than `until` (block timestamp; 0: as it
    /// was), so that an answer that came at the last moment can be looked at before pay moves.
    function drop(uint256 batchId, uint256 until) external;

    /// @notice Voids ranges (bits of `rangeMask`) of a live batch. The caller has checked `terms` and `batch`. A range
    /// voided before is voided again only if the cause adds a loss; nothing reverts, so that no dispute gets stuck.
    /// @param rewards shares of what a worker loses, cut in their order to the (1 - b) that need not burn (R12); ignored
    /// for other causes and where nothing is lost
    /// @return lost what was forfeited by this call
    function voidRanges(
        Terms calldata terms,
        Batch calldata batch,
        uint256 rangeMask,
        Cause cause,
        Reward[] calldata rewards
    ) external returns (uint256 lost);

    /// @notice Verifier words (by index) that finalize shall not pay: an account that was not drawn, or false totals.
    function strike(uint256 batchId, uint256 verifierMask) external;
}
