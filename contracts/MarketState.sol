// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Rules} from "./Rules.sol";
import {IBeacon} from "./interfaces/IBeacon.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Collateral} from "./libraries/Collateral.sol";
import {Digests} from "./libraries/Digests.sol";
import {Hashes} from "./libraries/Hashes.sol";
import {Positions} from "./libraries/Positions.sol";
import {Batch, BatchState} from "./types/Batch.sol";
import {BATCH_CLOCK, BATCH_COUNT, BATCH_SIDE, BATCH_STATE, BatchWord} from "./types/BatchWord.sol";
import {JOB_AUDIT, JOB_BATCHES, JOB_FINAL_SHARDS, JOB_OPEN, JobWord} from "./types/JobWord.sol";
import {Range} from "./types/Range.sol";
import {Terms} from "./types/Terms.sol";

/// @title What the Market's two halves share: storage, commit, and the end of a batch
/// @dev The Market runs MarketRare's code on its own storage, so both inherit this layout and nothing else may add to it.
abstract contract MarketState is ReentrancyGuardTransient {
    /// @dev Cold slot of a job, written at close and when a batch leaves shards to their workers only.
    struct Ending {
        uint64 closedAt;
        uint64 refundAt;
    }

    /// @dev Two cold slots of a batch, read only if its word says so. Masks are of range indexes, `claimable` of shards.
    struct Side {
        uint64 slashed;
        uint64 penalized;
        uint64 cleared;
        uint64 frozen;
        uint64 claimable;
        uint40 claimUntil;
        uint16 struck;
    }

    uint256 internal immutable MIN_COLLATERAL;
    uint256 internal immutable COLLUDING;
    uint256 internal immutable BURN_RATE;
    uint256 internal immutable ATTEST_LIMIT;
    uint256 internal immutable WINDOW;
    uint256 internal immutable MAX_LEASE;
    uint256 internal immutable CLAIM_PERIOD;
    uint256 internal immutable MIN_SEATS;
    uint256 internal immutable MIN_OWNERS;
    IBeacon internal immutable BEACON;
    IRegistry internal immutable REGISTRY;
    Rules internal immutable RULES;
    address internal immutable CHALLENGES;
    address internal immutable JURY;
    address internal immutable GAME;

    mapping(uint192 jobId => JobWord) internal _jobs;
    mapping(uint192 jobId => bytes32) internal _terms;
    mapping(uint192 jobId => Ending) internal _endings;
    mapping(uint192 jobId => mapping(uint256 word => uint256 bits)) internal _shards;
    mapping(uint256 batchId => BatchWord) internal _batches;
    mapping(uint256 batchId => Side) internal _sides;

    modifier onlyJudges() {
        if (msg.sender != CHALLENGES && msg.sender != JURY && msg.sender != GAME) revert IMarket.MarketUnauthorized(msg.sender);
        _;
    }

    constructor(IMarket.Params memory p, Rules rules) {
        RULES = rules;
        MIN_COLLATERAL = p.minCollateral;
        COLLUDING = p.colluding;
        BURN_RATE = p.burnRate;
        ATTEST_LIMIT = p.attestLimit;
        WINDOW = p.window;
        MAX_LEASE = p.maxLease;
        CLAIM_PERIOD = p.claimPeriod;
        MIN_SEATS = p.minSeats;
        MIN_OWNERS = p.minOwners;
        BEACON = IBeacon(p.beacon);
        REGISTRY = IRegistry(p.registry);
        CHALLENGES = p.challenges;
        JURY = p.jury;
        GAME = p.game;
    }

    /// @dev The last second in which leases that began before close or deadline can be committed (R18).
    function _lastCommit(uint192 jobId, Terms calldata terms, JobWord job) internal view returns (uint256) {
        return _lastLease(jobId, terms, job) + MAX_LEASE + CLAIM_PERIOD;
    }

    function _lastLease(uint192 jobId, Terms calldata terms, JobWord job) internal view returns (uint256 until) {
        until = terms.deadline;
        if (job.closed()) {
            uint256 closedAt = _endings[jobId].closedAt;
            if (closedAt < until) until = closedAt;
        }
    }

    /// @dev Reserves fees and audit pay of a new batch and marks its shards: everything that the job's books must hold.
    /// @param mark false when the shards are marked already, for the worker that claims them
    function _reserve(
        Terms calldata terms,
        uint192 jobId,
        uint256 firstShard,
        uint256 units,
        uint256 bits,
        bool mark
    ) internal returns (uint256 index) {
        JobWord job = _jobs[jobId];
        if (mark) {
            // A claim has its own limit, and may come after the job's.
            uint256 until = _lastCommit(jobId, terms, job);
            if (block.timestamp > until) revert IMarket.JobOver(jobId, until);
        }
        uint256 shards = Positions.shards(terms);
        // Shifts of 256 and more leave nothing: only bits at or beyond the job's end are refused.
        if (firstShard >= shards || bits >> (shards - firstShard) != 0) revert IMarket.RangeMask(64, bits);
        uint256 leaves = Positions.leaves(terms, firstShard, bits);
        if (units > leaves * terms.maxUnits) revert IMarket.RangeUnits(64, units, leaves * terms.maxUnits);
        uint256 fees = units * (uint256(terms.fee) + terms.coordinatorFee);
        uint256 audit = Collateral.reserveUp(terms, leaves);
        if (job.fees() < fees) revert IMarket.JobEscrowShort(jobId, job.fees(), fees);
        if (job.audit() < audit) revert IMarket.JobAuditShort(jobId, job.audit(), audit);
        index = job.batches();
        if (index == type(uint24).max || job.open() == type(uint16).max) {
            revert IMarket.JobFull(jobId, index, job.open());
        }
        // Cannot borrow or carry between fields: each was compared with its bound just now.
        unchecked {
            _jobs[jobId] =
                JobWord.wrap(JobWord.unwrap(job) - fees - (audit << JOB_AUDIT) + (1 << JOB_BATCHES) + (1 << JOB_OPEN));
        }
        if (mark) _mark(jobId, firstShard, bits);
    }

    /// @dev INVARIANT: a shard's bit is set by exactly one batch that has not cleared it (R5).
    function _mark(uint192 jobId, uint256 firstShard, uint256 bits) internal {
        mapping(uint256 word => uint256 bits) storage map = _shards[jobId];
        uint256 word = firstShard >> 8;
        uint256 low = bits << (firstShard & 255);
        uint256 high = (firstShard & 255) > 192 ? bits >> (256 - (firstShard & 255)) : 0;
        uint256 taken = map[word];
        if (taken & low != 0) revert IMarket.ShardTaken(jobId, word, taken & low);
        map[word] = taken | low;
        if (high != 0) {
            taken = map[word + 1];
            if (taken & high != 0) revert IMarket.ShardTaken(jobId, word + 1, taken & high);
            map[word + 1] = taken | high;
        }
    }

    function _clear(uint192 jobId, uint256 firstShard, uint256 bits) internal {
        mapping(uint256 word => uint256 bits) storage map = _shards[jobId];
        uint256 word = firstShard >> 8;
        map[word] &= ~(bits << (firstShard & 255));
        uint256 high = (firstShard & 255) > 192 ? bits >> (256 - (firstShard & 255)) : 0;
        if (high != 0) map[word + 1] &= ~high;
    }

    /// @dev What happens to each range when a batch ends; masks are of range indexes.
    struct Outcome {
        uint256 all;
        uint256 voided;
        uint256 lost; // whose C has left or leaves now
        uint256 burned; // ranges whose C burns now
        uint256 paidUnits;
        uint256 backUnits; // units whose escrow returns to the job
        uint256 paidShards;
        uint256 leftShards; // shards of ranges voided now or by the coordinator, still marked
        uint256 bits;
    }

    /// @dev Ends a batch in one of the three terminal states, and moves the money once. The caller has checked the digest.
    function _end(
        Terms calldata terms,
        Batch calldata batch,
        uint256[] calldata verifiers,
        uint256 silent,
        BatchState to,
        bytes32 batchHash,
        BatchWord word
    ) internal returns (uint256 paid, uint256 voided, uint256 audited) {
        _checkTermsOf(batch.jobId, terms);
        uint256 batchId = Hashes.batchId(batch.jobId, batch.number);
        if (word.count() != 0) revert IMarket.BatchHeld(batchId, word.count());
        bool own = batch.committer != terms.coordinator;
        Side memory side;
        if (word.side()) side = _sides[batchId];

        IRegistry.Settlement memory s;
        uint256[] calldata ranges = batch.ranges;
        Outcome memory o = _outcome(ranges, side, silent, to);
        voided = o.voided;
        paid = o.all & ~voided;
        s.coordinator = batch.backer;
        s.payer = terms.coordinator;
        s.paid = paid;
        s.struck = side.struck;
        s.collateral = _collateral(terms);
        s.fee = terms.fee;
        s.auditRate = Collateral.auditRateUp(terms);
        s.auditBase = terms.auditBase;
        if (own) {
            // R18: one C is the worker's collateral and the committer's bond; either fault loses it, and none twice.
            uint256 gone = side.slashed | side.penalized;
            s.released = o.all & ~(gone | o.burned);
            s.burned = o.burned & ~gone == 0 ? 0 : s.collateral;
        } else {
            uint256 burned = o.burned & ~side.penalized;
            s.released = o.all & ~uint256(side.slashed);
            s.burned = Positions.ones(burned) * s.collateral;
            s.bond = Positions.ones(o.all & ~(burned | side.penalized)) * s.collateral;
            s.reward = o.paidUnits * terms.coordinatorFee;
        }

        // The batch is over before any money moves.
        uint256 claimable = _leave(batchId, batch, o.leftShards, own);
        uint256 ended = BatchWord.unwrap(_word(Digests.committed(batchHash), to, 0));
        // A silent range is seen to be unpaid afterwards too, by whoever counts paid units (ModelRegistry).
        if (to == BatchState.Final && silent != 0) {
            _sides[batchId].penalized = side.penalized | uint64(silent);
            ended |= BATCH_SIDE;
        }
        if (claimable != 0 || word.side()) ended |= BATCH_SIDE;
        _batches[batchId] = BatchWord.wrap(ended);
        audited = REGISTRY.settle(s, ranges, verifiers);

        uint256 fees = o.backUnits * (uint256(terms.fee) + terms.coordinatorFee);
        if (own) fees += o.paidUnits * terms.coordinatorFee;
        uint256 audit = Collateral.reserveUp(terms, Positions.leaves(terms, batch.firstShard, o.bits)) - audited;
        // Cannot carry between fields: what returns was taken from these same fields at the commit, and a shard becomes
        // final once, of at most 2^22 - 1.
        unchecked {
            _jobs[batch.jobId] = JobWord.wrap(
                JobWord.unwrap(_jobs[batch.jobId]) + fees + (audit << JOB_AUDIT) - (1 << JOB_OPEN)
                    + (Positions.ones(o.paidShards) << JOB_FINAL_SHARDS)
            );
        }
    }

    function _outcome(uint256[] calldata ranges, Side memory side, uint256 silent, BatchState to)
        internal
        pure
        returns (Outcome memory o)
    {
        uint256 count = ranges.length;
        uint256 before = side.slashed | side.penalized | side.cleared;
        uint256 cleared = side.cleared;
        o.all = (1 << count) - 1;
        uint256 voided = to == BatchState.Final ? before | silent : o.all;
        // R20: a sample without a verdict costs the committer that range; R12: so does silence until the limit.
        o.burned = to == BatchState.Final ? silent : to == BatchState.Forfeited ? o.all : 0;
        (uint256 paidUnits, uint256 paidShards, uint256 bits) = (0, 0, 0);
        // Cannot overflow: at most 64 sums of 32 bits.
        unchecked {
            for (uint256 i; i < count; ++i) {
                Range range = Range.wrap(ranges[i]);
                uint256 mask = range.mask();
                bits |= mask;
                if ((voided >> i) & 1 == 0) {
                    paidUnits += range.units();
                    paidShards |= mask;
                    continue;
                }
                if ((before >> i) & 1 == 0) o.backUnits += range.units();
                if ((cleared >> i) & 1 == 0) o.leftShards |= mask;
            }
        }
        (o.voided, o.paidUnits, o.paidShards, o.bits) = (voided, paidUnits, paidShards, bits);
    }

    /// @dev R18: shards that a range lost through the coordinator stay marked for their worker; a worker that lost its
    /// own batch has nobody to be protected from, and frees them at once.
    function _leave(uint256 batchId, Batch calldata batch, uint256 shards, bool own) internal returns (uint256) {
        if (shards == 0) return 0;
        if (own) {
            _clear(batch.jobId, batch.firstShard, shards);
            return 0;
        }
        uint256 until = block.timestamp + CLAIM_PERIOD;
        Side storage side = _sides[batchId];
        side.claimable = uint64(shards);
        side.claimUntil = SafeCast.toUint40(until);
        Ending storage ending = _endings[batch.jobId];
        if (ending.refundAt < until) ending.refundAt = uint64(until);
        return shards;
    }

    function _hold(uint256 batchId, uint256 flags) internal {
        BatchWord word = _live(batchId);
        if (word.count() == type(uint24).max) revert IMarket.BatchHeld(batchId, word.count());
        _batches[batchId] = BatchWord.wrap((BatchWord.unwrap(word) | flags) + (1 << BATCH_COUNT));
    }

    function _live(uint256 batchId) internal view returns (BatchWord word) {
        word = _batches[batchId];
        BatchState state = word.state();
        if (state == BatchState.None || state > BatchState.Attested) revert IMarket.BatchWrongState(batchId, state);
    }

    function _checkTermsOf(uint192 jobId, Terms calldata terms) internal view {
        if (_terms[jobId] != Hashes.terms(terms)) revert IMarket.TermsMismatch(jobId);
    }

    function _collateral(Terms calldata terms) internal view returns (uint256) {
        return Collateral.rangeUp(terms, MIN_COLLATERAL, COLLUDING, BURN_RATE);
    }

    function _seed(uint256 batchId, uint256 commitBlock) internal view returns (bytes32) {
        bytes32 beaconSeed = BEACON.seed(commitBlock);
        if (beaconSeed == 0) revert IMarket.SeedMissing(batchId);
        return Hashes.seed(beaconSeed, batchId);
    }

    function _word(uint192 digest, BatchState state, uint256 clock) internal pure returns (BatchWord) {
        return BatchWord.wrap(
            digest | (uint256(state) << BATCH_STATE) | (uint256(SafeCast.toUint32(clock)) << BATCH_CLOCK)
        );
    }

    /// @dev A new digest, state and clock; the side flag and the count stay.
    function _with(BatchWord word, uint192 digest, BatchState state, uint256 clock) internal pure returns (BatchWord) {
        uint256 kept = BatchWord.unwrap(word) & (BATCH_SIDE | (uint256(type(uint24).max) << BATCH_COUNT));
        return BatchWord.wrap(kept | BatchWord.unwrap(_word(digest, state, clock)));
    }
}
