// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {MarketState} from "./MarketState.sol";
import {Rules} from "./Rules.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {Digests} from "./libraries/Digests.sol";
import {Hashes} from "./libraries/Hashes.sol";
import {Positions} from "./libraries/Positions.sol";
import {Batch, BatchState, Cause, Reward} from "./types/Batch.sol";
import {BATCH_SIDE, BatchWord} from "./types/BatchWord.sol";
import {JOB_AUDIT, JOB_BATCHES, JOB_CLOSED, JOB_POSTED, JobWord} from "./types/JobWord.sol";
import {Lease} from "./types/Messages.sol";
import {Range} from "./types/Range.sol";
import {Terms} from "./types/Terms.sol";

/// @title The rare paths of the Market
/// @notice Code that the Market runs on its own storage, because all of it in one contract would exceed the code size
/// limit. Made by the Market's constructor and never replaced; called by itself it has no jobs and moves no money.
contract MarketRare is MarketState {
    constructor(IMarket.Params memory p, Rules rules) MarketState(p, rules) {}

    /// @notice See IMarket.
    function post(Terms calldata terms, uint64 nonce) external nonReentrant returns (uint192 jobId) {
        return _post(terms, nonce);
    }

    /// @notice See IMarket.
    function postWithPermit(Terms calldata terms, uint64 nonce, uint256 permitDeadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
        returns (uint192 jobId)
    {
        (uint256 fees, uint256 audit) = _escrow(terms);
        // A permit seen in the mempool can be used by anyone first; what counts is the allowance that follows.
        try IERC20Permit(REGISTRY.token()).permit(
            msg.sender, address(REGISTRY), fees + audit, permitDeadline, v, r, s
        ) {} catch {}
        return _post(terms, nonce);
    }

    function _post(Terms calldata terms, uint64 nonce) private returns (uint192 jobId) {
        if (terms.requester != msg.sender) revert IMarket.TermsRefused("requester");
        RULES.checkTerms(terms);
        jobId = Hashes.jobId(address(this), msg.sender, nonce);
        if (_jobs[jobId].posted()) revert IMarket.JobExists(jobId);
        (uint256 fees, uint256 audit) = _escrow(terms);
        _jobs[jobId] = JobWord.wrap(fees | (audit << JOB_AUDIT) | JOB_POSTED);
        _terms[jobId] = Hashes.terms(terms);
        emit IMarket.JobPosted(jobId, msg.sender, terms.coordinator, terms, nonce);
        REGISTRY.pull(msg.sender, fees + audit);
    }

    /// @dev R9: tasks u (F + coordinatorFee), and the audit budget.
    function _escrow(Terms calldata terms) private pure returns (uint256 fees, uint256 audit) {
        fees = uint256(terms.tasks) * terms.maxUnits * (uint256(terms.fee) + terms.coordinatorFee);
        audit = terms.auditBudget;
    }

    /// @notice See IMarket.
    function close(uint192 jobId, Terms calldata terms) external {
        _checkTermsOf(jobId, terms);
        if (terms.requester != msg.sender) revert IMarket.MarketUnauthorized(msg.sender);
        JobWord job = _jobs[jobId];
        if (job.closed()) revert IMarket.JobClosedAlready(jobId);
        _jobs[jobId] = JobWord.wrap(JobWord.unwrap(job) | JOB_CLOSED);
        _endings[jobId].closedAt = uint64(block.timestamp);
        emit IMarket.JobClosed(jobId, block.timestamp);
    }

    /// @notice See IMarket.
    function refund(uint192 jobId, Terms calldata terms) external nonReentrant {
        _checkTermsOf(jobId, terms);
        JobWord job = _jobs[jobId];
        uint256 refundAt;
        if (job.finalShards() != Positions.shards(terms)) {
            refundAt = _lastCommit(jobId, terms, job);
            uint256 claimed = _endings[jobId].refundAt;
            if (claimed > refundAt) refundAt = claimed;
        }
        if (job.open() != 0 || block.timestamp <= refundAt && refundAt != 0) {
            revert IMarket.JobNotRefundable(jobId, job.open(), refundAt);
        }
        uint256 amount = job.fees() + job.audit();
        _jobs[jobId] = JobWord.wrap((JobWord.unwrap(job) >> JOB_BATCHES) << JOB_BATCHES);
        emit IMarket.JobRefunded(jobId, amount);
        REGISTRY.credit(terms.requester, terms.coordinator, amount);
    }

    /// @notice See IMarket.
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
    ) external nonReentrant returns (uint256 batchId) {
        _checkTermsOf(jobId, terms);
        uint256 lastLease = _lastLease(jobId, terms, _jobs[jobId]);
        RULES.checkLeases(
            jobId, firstShard, Range.wrap(range).mask(), terms.coordinator, msg.sender, lastLease, leases, signatures
        );
        batchId = _commitOwn(terms, _ownBatch(jobId, firstShard, root, range, backer), dataHash, url, true);
    }

    /// @notice See IMarket.
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
    ) external nonReentrant returns (uint256 batchId) {
        _checkTermsOf(from.jobId, terms);
        uint256 fromId = Hashes.batchId(from.jobId, from.number);
        uint256 mask = Range.wrap(range).mask();
        {
            _checkEnded(fromId, from);
            Side storage side = _sides[fromId];
            Range old = Range.wrap(from.ranges[rangeIndex]);
            if (
                old.worker() != msg.sender || firstShard != from.firstShard || mask & ~(old.mask() & side.claimable) != 0
                    || block.timestamp > side.claimUntil
            ) revert IMarket.ClaimRefused(fromId, mask, side.claimable & old.mask(), side.claimUntil);
            side.claimable &= ~uint64(mask);
        }
        batchId = _commitOwn(terms, _ownBatch(from.jobId, firstShard, root, range, backer), dataHash, url, false);
        emit IMarket.ShardsReclaimed(fromId, batchId, mask);
    }

    function _ownBatch(uint192 jobId, uint32 firstShard, bytes32 root, uint256 range, address backer)
        private
        view
        returns (Batch memory)
    {
        if (Range.wrap(range).worker() != msg.sender) revert IMarket.RangeOrder(0);
        uint256[] memory ranges = new uint256[](1);
        ranges[0] = range;
        return Batch(jobId, 0, firstShard, root, uint64(block.number), msg.sender, backer, ranges);
    }

    /// @dev R18: a batch of one range whose worker is its own coordinator; C is locked once.
    function _commitOwn(
        Terms calldata terms,
        Batch memory batch,
        bytes32 dataHash,
        string calldata url,
        bool mark
    ) private returns (uint256 batchId) {
        // INVARIANT: committer and coordinator differ in every self-commit, which is how its end tells them apart.
        if (msg.sender == terms.coordinator) revert IMarket.RangeCoordinator(0);
        Range range = Range.wrap(batch.ranges[0]);
        if (range.mask() == 0) revert IMarket.RangeMask(0, 0);
        if (range.units() == 0) revert IMarket.RangeUnits(0, 0, 0);
        batch.number = uint32(_reserve(terms, batch.jobId, batch.firstShard, range.units(), range.mask(), mark));
        batchId = Hashes.batchId(batch.jobId, batch.number);
        _batches[batchId] = _word(
            Digests.committed(keccak256(abi.encode(batch))), BatchState.Committed, block.timestamp + ATTEST_LIMIT
        );
        REGISTRY.lock(
            batch.backer, batch.ranges, _collateral(terms), 0, terms.capability, MIN_SEATS, MIN_OWNERS
        );
        emit IMarket.BatchCommitted(batchId, batch.jobId, batch, dataHash, url);
    }

    /// @notice See IMarket.
    function withdrawBatch(Terms calldata terms, Batch calldata batch) external nonReentrant {
        uint256 batchId = Hashes.batchId(batch.jobId, batch.number);
        BatchWord word = _batches[batchId];
        if (batch.committer != msg.sender) revert IMarket.MarketUnauthorized(msg.sender);
        if (word.state() != BatchState.Committed) revert IMarket.BatchWrongState(batchId, word.state());
        // INVARIANT: nobody leaves a batch whose samples can be known (R17, assumption A2 of the theorem).
        uint256 seedBlock = BEACON.seedBlock(batch.commitBlock);
        if (block.number >= seedBlock) revert IMarket.BatchTooLate(batchId, seedBlock);
        bytes32 batchHash = Digests.batch(batch);
        if (word.digest() != Digests.committed(batchHash)) revert IMarket.BatchMismatch(batchId);
        _end(terms, batch, batch.ranges[:0], 0, BatchState.Withdrawn, batchHash, word);
        emit IMarket.BatchWithdrawn(batchId);
    }

    /// @notice See IMarket.
    function forfeit(Terms calldata terms, Batch calldata batch, bytes32 seed) external nonReentrant {
        uint256 batchId = Hashes.batchId(batch.jobId, batch.number);
        BatchWord word = _batches[batchId];
        bytes32 batchHash = Digests.batch(batch);
        uint192 digest = Digests.committed(batchHash);
        if (word.state() == BatchState.Drawn) digest = Digests.drawn(batchHash, seed);
        else if (word.state() != BatchState.Committed) revert IMarket.BatchWrongState(batchId, word.state());
        if (word.digest() != digest) revert IMarket.BatchMismatch(batchId);
        if (block.timestamp <= word.clock()) revert IMarket.BatchTooEarly(batchId, word.clock());
        _end(terms, batch, batch.ranges[:0], 0, BatchState.Forfeited, batchHash, word);
        emit IMarket.BatchForfeited(batchId);
    }

    /// @notice See IMarket.
    function release(Terms calldata terms, Batch calldata batch) external {
        _checkTermsOf(batch.jobId, terms);
        uint256 batchId = Hashes.batchId(batch.jobId, batch.number);
        _checkEnded(batchId, batch);
        Side storage side = _sides[batchId];
        uint256 shards = side.claimable;
        if (block.timestamp <= side.claimUntil) revert IMarket.BatchTooEarly(batchId, side.claimUntil);
        if (shards == 0) return;
        side.claimable = 0;
        _clear(batch.jobId, batch.firstShard, shards);
        emit IMarket.ShardsReleased(batchId, shards);
    }

    /// @dev The batch ended with shards left to their workers.
    function _checkEnded(uint256 batchId, Batch calldata batch) private view {
        BatchWord word = _batches[batchId];
        if (word.state() < BatchState.Final || !word.side()) revert IMarket.BatchWrongState(batchId, word.state());
        if (word.digest() != Digests.committed(Digests.batch(batch))) revert IMarket.BatchMismatch(batchId);
    }

    /// @notice See IMarket.
    function freeze(uint256 batchId, uint256 rangeIndex) external onlyJudges {
        if (rangeIndex > 63) revert IMarket.RangeUnknown(rangeIndex);
        _hold(batchId, BATCH_SIDE);
        _sides[batchId].frozen |= uint64(1 << rangeIndex);
        emit IMarket.RangeFrozen(batchId, rangeIndex);
    }

    /// @notice See IMarket.
    function strike(uint256 batchId, uint256 verifierMask) external onlyJudges {
        BatchWord word = _live(batchId);
        _batches[batchId] = BatchWord.wrap(BatchWord.unwrap(word) | BATCH_SIDE);
        _sides[batchId].struck |= SafeCast.toUint16(verifierMask);
        emit IMarket.VerifiersStruck(batchId, verifierMask);
    }

    /// @notice See IMarket.
    function voidRanges(
        Terms calldata terms,
        Batch calldata batch,
        uint256 rangeMask,
        Cause cause,
        Reward[] calldata rewards
    ) external onlyJudges nonReentrant returns (uint256 lost) {
        _checkTermsOf(batch.jobId, terms);
        uint256 batchId = Hashes.batchId(batch.jobId, batch.number);
        BatchWord word = _live(batchId);
        if (rangeMask >> batch.ranges.length != 0) revert IMarket.RangeUnknown(rangeMask);
        Side memory side = _sides[batchId];
        bool own = batch.committer != terms.coordinator;
        uint256 collateral = _collateral(terms);
        uint256 fees;
        for (uint256 i; i < batch.ranges.length; ++i) {
            uint64 bit = uint64(1 << i);
            if (rangeMask & bit == 0) continue;
            Range range = Range.wrap(batch.ranges[i]);
            bool first = (side.slashed | side.penalized | side.cleared) & bit == 0;
            bool loses;
            if (cause == Cause.Worker) {
                loses = side.slashed & bit == 0 && !(own && side.penalized & bit != 0);
                side.slashed |= bit;
            } else if (cause == Cause.Coordinator) {
                loses = side.penalized & bit == 0 && !(own && side.slashed & bit != 0);
                side.penalized |= bit;
            }
            if (loses) lost += collateral;
            // The escrow of a range returns once; its shards are freed once (another batch may hold them since).
            if (first) fees += range.units() * (uint256(terms.fee) + terms.coordinatorFee);
            if (side.cleared & bit == 0 && (own || cause != Cause.Coordinator)) {
                side.cleared |= bit;
                _clear(batch.jobId, batch.firstShard, range.mask());
            }
            if (first || loses) emit IMarket.RangeVoided(batchId, i, range.worker(), cause);
        }
        _sides[batchId] = side;
        _batches[batchId] = BatchWord.wrap(BatchWord.unwrap(word) | BATCH_SIDE);
        // Cannot carry: these fees were taken from this field at the commit.
        unchecked {
            _jobs[batch.jobId] = JobWord.wrap(JobWord.unwrap(_jobs[batch.jobId]) + fees);
        }
        // R12: a coordinator's forfeit rewards nobody.
        if (lost != 0) {
            REGISTRY.forfeit(terms.coordinator, lost, cause == Cause.Worker ? rewards : rewards[:0]);
        }
    }
}
