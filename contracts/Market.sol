// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {MarketRare} from "./MarketRare.sol";
import {MarketState} from "./MarketState.sol";
import {Rules} from "./Rules.sol";
import {IBound} from "./interfaces/IBound.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {Digests} from "./libraries/Digests.sol";
import {Draw} from "./libraries/Draw.sol";
import {Hashes} from "./libraries/Hashes.sol";
import {Positions} from "./libraries/Positions.sol";
import {Signed} from "./libraries/Signed.sol";
import {Attestation, Batch, BatchState, BatchView, Cause, Reward} from "./types/Batch.sol";
import {BATCH_COUNT, BatchWord} from "./types/BatchWord.sol";
import {JobWord} from "./types/JobWord.sol";
import {Lease} from "./types/Messages.sol";
import {Terms} from "./types/Terms.sol";

/// @title The market
/// @notice See IMarket. The paths of every batch are here, the rare ones in MarketRare, the parameters in Rules.
contract Market is IMarket, MarketState, Multicall {
    MarketRare private immutable RARE;

    /// @dev The rules check every parameter, and that the other contracts name this one.
    constructor(Params memory p) MarketState(p, new Rules(p)) {
        RARE = new MarketRare(p, RULES);
    }

    // -- The path of every batch -------------------------------------------------------------------------------------

    /// @inheritdoc IMarket
    function commitBatch(
        Terms calldata terms,
        uint192 jobId,
        uint32 firstShard,
        bytes32 root,
        uint256[] calldata ranges,
        bytes32 dataHash
    ) external nonReentrant returns (uint256 batchId) {
        _checkTermsOf(jobId, terms);
        if (terms.coordinator != msg.sender) revert MarketUnauthorized(msg.sender);
        (uint256 units, uint256 bits) = _checkRanges(ranges);
        uint256 index = _reserve(terms, jobId, firstShard, units, bits, true);
        batchId = Hashes.batchId(jobId, uint32(index));
        bytes32 batchHash = _logCommitted(batchId, index, firstShard, root, ranges, dataHash);
        _batches[batchId] = _word(Digests.committed(batchHash), BatchState.Committed, block.timestamp + ATTEST_LIMIT);
        uint256 collateral = _collateral(terms);
        REGISTRY.lock(
            msg.sender, ranges, collateral, collateral * ranges.length, terms.capability, MIN_SEATS, MIN_OWNERS
        );
    }

    /// @dev R5: workers ascend, masks are disjoint. That the shards and units are the job's is checked for all together.
    function _checkRanges(uint256[] calldata ranges) private view returns (uint256 units, uint256 bits) {
        if (ranges.length == 0) revert RangesEmpty();
        uint256 previous;
        // Cannot overflow: disjoint masks of 64 bits make at most 64 ranges of 32-bit units.
        unchecked {
            for (uint256 i; i < ranges.length; ++i) {
                uint256 word = ranges[i];
                uint256 mask = uint64(word);
                if (word >> 96 <= previous) revert RangeOrder(i);
                previous = word >> 96;
                if (previous == uint160(msg.sender)) revert RangeCoordinator(i);
                if (mask == 0 || mask & bits != 0) revert RangeMask(i, mask);
                if (uint32(word >> 64) == 0) revert RangeUnits(i, 0, 0);
                bits |= mask;
                units += uint32(word >> 64);
            }
        }
    }

    /// @dev Equal to `keccak256(abi.encode(batch))` and `emit BatchCommitted(batchId, jobId, batch, dataHash, "")` for a
    /// batch of the caller, at half the gas: hash and event share one buffer.
    function _logCommitted(
        uint256 batchId,
        uint256 index,
        uint256 firstShard,
        bytes32 root,
        uint256[] calldata ranges,
        bytes32 dataHash
    ) private returns (bytes32 batchHash) {
        bytes32 topic = BatchCommitted.selector;
        assembly ("memory-safe") {
            let data := mload(0x40)
            let size := shl(5, ranges.length)
            // The event's data: offset of batch, dataHash, offset of url, batch (eight words, length, ranges), url.
            mstore(data, 0x60)
            mstore(add(data, 0x20), dataHash)
            mstore(add(data, 0x40), 0x20) // for the hash alone: the offset that abi.encode puts before a tuple
            mstore(add(data, 0x60), shr(32, batchId))
            mstore(add(data, 0x80), index)
            mstore(add(data, 0xa0), firstShard)
            mstore(add(data, 0xc0), root)
            mstore(add(data, 0xe0), number())
            mstore(add(data, 0x100), caller())
            mstore(add(data, 0x120), caller())
            mstore(add(data, 0x140), 0x100)
            mstore(add(data, 0x160), ranges.length)
            calldatacopy(add(data, 0x180), ranges.offset, size)
            batchHash := keccak256(add(data, 0x40), add(size, 0x140))
            mstore(add(data, 0x40), add(size, 0x180))
            mstore(add(data, add(size, 0x180)), 0)
            log3(data, add(size, 0x1a0), topic, batchId, shr(32, batchId))
        }
    }

    /// @inheritdoc IMarket
    function draw(Batch calldata batch) external {
        uint256 batchId = Hashes.batchId(batch.jobId, batch.number);
        BatchWord word = _batches[batchId];
        bytes32 batchHash = Digests.batch(batch);
        if (word.state() != BatchState.Committed) revert BatchWrongState(batchId, word.state());
        if (word.digest() != Digests.committed(batchHash)) revert BatchMismatch(batchId);
        bytes32 seed = _seed(batchId, batch.commitBlock);
        _batches[batchId] = _with(word, Digests.drawn(batchHash, seed), BatchState.Drawn, word.clock());
        emit BatchDrawn(batchId, seed);
    }

    /// @inheritdoc IMarket
    function attest(
        Terms calldata terms,
        Batch calldata batch,
        bytes32 seed,
        bytes32 verdictRoot,
        uint256[] calldata verifiers,
        uint64 silentRanges
    ) external nonReentrant {
        _checkTermsOf(batch.jobId, terms);
        // R24: the committer's bond answers for the statement, so nobody else may make it.
        if (batch.committer != msg.sender) revert MarketUnauthorized(msg.sender);
        uint256 batchId = Hashes.batchId(batch.jobId, batch.number);
        BatchWord word = _batches[batchId];
        bytes32 batchHash = Digests.batch(batch);
        if (word.state() == BatchState.Committed) {
            if (word.digest() != Digests.committed(batchHash)) revert BatchMismatch(batchId);
            seed = _seed(batchId, batch.commitBlock);
        } else if (word.state() == BatchState.Drawn) {
            if (word.digest() != Digests.drawn(batchHash, seed)) revert BatchMismatch(batchId);
        } else {
            revert BatchWrongState(batchId, word.state());
        }
        if (block.timestamp > word.clock()) revert BatchTooLate(batchId, word.clock());
        uint256[] calldata ranges = batch.ranges;
        if (silentRanges >> ranges.length != 0) revert SilentUnknown(silentRanges);
        uint256 leaves = Positions.leaves(terms, batch.firstShard, Positions.union(ranges));
        _checkVerifiers(Draw.samples(terms.auditRate, leaves), terms.maxUnits, verifiers, silentRanges != 0);
        uint192 digest = _logAttested(batchId, batchHash, seed, verdictRoot, verifiers, silentRanges);
        _batches[batchId] = _with(word, digest, BatchState.Attested, block.timestamp + WINDOW);
    }

    /// @dev Equal to `Digests.attested(batchHash, attestation)` and `emit BatchAttested(batchId, attestation)`, at half
    /// the gas: hash and event share one buffer.
    function _logAttested(
        uint256 batchId,
        bytes32 batchHash,
        bytes32 seed,
        bytes32 verdictRoot,
        uint256[] calldata verifiers,
        uint256 silentRanges
    ) private returns (uint192 digest) {
        bytes32 topic = BatchAttested.selector;
        assembly ("memory-safe") {
            let data := mload(0x40)
            let size := shl(5, verifiers.length)
            mstore(data, batchHash)
            mstore(add(data, 0x20), 0x40)
            mstore(add(data, 0x40), seed)
            mstore(add(data, 0x60), verdictRoot)
            mstore(add(data, 0x80), 0x80)
            mstore(add(data, 0xa0), silentRanges)
            mstore(add(data, 0xc0), verifiers.length)
            calldatacopy(add(data, 0xe0), verifiers.offset, size)
            digest := and(keccak256(data, add(size, 0xe0)), 0xffffffffffffffffffffffffffffffffffffffffffffffff)
            // The event's data is the same tuple behind its own offset.
            mstore(add(data, 0x20), 0x20)
            log2(add(data, 0x20), add(size, 0xc0), topic, batchId)
        }
    }

    /// @dev INVARIANT: what verifiers can be credited never exceeds what the commit reserved (R23).
    function _checkVerifiers(uint256 k, uint256 maxUnits, uint256[] calldata verifiers, bool silent) private pure {
        uint256 most = k < Draw.PANEL_SEATS ? k : Draw.PANEL_SEATS;
        if (verifiers.length > most) revert VerifierTooMany(verifiers.length, most);
        uint256 previous;
        uint256 counted;
        // Cannot overflow: at most 16 counts of 32 bits, and products of 32 bits each.
        unchecked {
            for (uint256 i; i < verifiers.length; ++i) {
                uint256 word = verifiers[i];
                if (word >> 96 <= previous) revert VerifierOrder(i);
                previous = word >> 96;
                uint256 count = uint32(word >> 64);
                if (count == 0 || uint64(word) > count * maxUnits) {
                    revert VerifierUnits(i, uint64(word), count * maxUnits);
                }
                counted += count;
            }
        }
        // Every sample has a verdict, or the ranges without one are named; never both.
        if (silent ? counted >= k : counted != k) revert VerifierCount(counted, k);
    }

    /// @inheritdoc IMarket
    function finalize(Terms calldata terms, Batch calldata batch, Attestation calldata attestation)
        external
        nonReentrant
    {
        uint256 batchId = Hashes.batchId(batch.jobId, batch.number);
        BatchWord word = _batches[batchId];
        if (word.state() != BatchState.Attested) revert BatchWrongState(batchId, word.state());
        if (block.timestamp <= word.clock()) revert BatchTooEarly(batchId, word.clock());
        bytes32 batchHash = Digests.batch(batch);
        if (word.digest() != Digests.attested(batchHash, attestation)) revert BatchMismatch(batchId);
        (uint256 paid, uint256 voided, uint256 audited) =
            _end(terms, batch, attestation.verifiers, attestation.silentRanges, BatchState.Final, batchHash, word);
        emit BatchFinalized(batchId, paid, voided, audited);
    }

    /// @inheritdoc IMarket
    function hold(uint256 batchId) external onlyJudges {
        _hold(batchId, 0);
    }

    /// @inheritdoc IMarket
    function drop(uint256 batchId, uint256 until) external onlyJudges {
        BatchWord word = _batches[batchId];
        if (word.count() == 0) revert BatchHeld(batchId, 0);
        word = BatchWord.wrap(BatchWord.unwrap(word) - (1 << BATCH_COUNT));
        if (word.state() == BatchState.Attested && until > word.clock()) {
            word = _with(word, word.digest(), BatchState.Attested, until);
        }
        _batches[batchId] = word;
    }

    // -- Views -------------------------------------------------------------------------------------------------------

    /// @inheritdoc IMarket
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
        )
    {
        JobWord job = _jobs[jobId];
        Ending memory ending = _endings[jobId];
        return (
            job.fees(),
            job.audit(),
            job.batches(),
            job.open(),
            job.closed(),
            ending.closedAt,
            ending.refundAt,
            job.finalShards()
        );
    }

    /// @inheritdoc IMarket
    function termsHashOf(uint192 jobId) external view returns (bytes32) {
        return _terms[jobId];
    }

    /// @inheritdoc IMarket
    function batchOf(uint256 batchId) external view returns (BatchView memory) {
        BatchWord word = _batches[batchId];
        Side memory side = _sides[batchId];
        return BatchView({
            digest: word.digest(),
            state: word.state(),
            clock: uint32(word.clock()),
            count: uint24(word.count()),
            voided: side.slashed | side.penalized | side.cleared,
            slashed: side.slashed,
            penalized: side.penalized,
            cleared: side.cleared,
            frozen: side.frozen,
            struck: side.struck,
            claimable: side.claimable,
            claimUntil: side.claimUntil
        });
    }

    /// @inheritdoc IMarket
    function shardBits(uint192 jobId, uint256 word) external view returns (uint256) {
        return _shards[jobId][word];
    }

    /// @inheritdoc IMarket
    function collateralOf(Terms calldata) external view returns (uint256) {
        _askRules();
    }

    /// @inheritdoc IMarket
    function verdictCollateralOf(Terms calldata) external view returns (uint256) {
        _askRules();
    }

    /// @inheritdoc IMarket
    function domainSeparator() public view returns (bytes32) {
        return Signed.domainSeparator(address(this));
    }

    /// @inheritdoc IMarket
    function checkBatch(Terms calldata terms, Batch calldata batch, Attestation calldata attestation)
        external
        view
        returns (uint256 batchId, BatchState state, uint256 clock)
    {
        _checkTermsOf(batch.jobId, terms);
        batchId = Hashes.batchId(batch.jobId, batch.number);
        BatchWord word = _batches[batchId];
        (state, clock) = (word.state(), word.clock());
        if (state == BatchState.None) revert BatchWrongState(batchId, state);
        bytes32 batchHash = Digests.batch(batch);
        uint192 digest = Digests.committed(batchHash);
        if (state == BatchState.Drawn) digest = Digests.drawn(batchHash, attestation.seed);
        if (state == BatchState.Attested) digest = Digests.attested(batchHash, attestation);
        if (word.digest() != digest) revert BatchMismatch(batchId);
    }

    /// @inheritdoc IMarket
    function params() external view returns (Params memory) {
        _askRules();
    }

    /// @dev Passes the call on to the function of the same name there, and its answer back.
    function _askRules() private view {
        address rules = address(RULES);
        assembly ("memory-safe") {
            let at_ := mload(0x40)
            calldatacopy(at_, 0, calldatasize())
            let ok := staticcall(gas(), rules, at_, calldatasize(), 0, 0)
            returndatacopy(at_, 0, returndatasize())
            if ok { return(at_, returndatasize()) }
            revert(at_, returndatasize())
        }
    }

    /// @inheritdoc IBound
    function registry() external view returns (address) {
        return address(REGISTRY);
    }

    /// @inheritdoc IBound
    function challenges() external view returns (address) {
        return CHALLENGES;
    }

    /// @inheritdoc IBound
    function jury() external view returns (address) {
        return JURY;
    }

    /// @inheritdoc IBound
    function game() external view returns (address) {
        return GAME;
    }

    /// @inheritdoc IBound
    function market() external view returns (address) {
        return address(this);
    }

    // -- Rare paths --------------------------------------------------------------------------------------------------

    /// @inheritdoc IMarket
    function post(Terms calldata, uint64) external returns (uint192) {
        _rare();
    }

    /// @inheritdoc IMarket
    function postWithPermit(Terms calldata, uint64, uint256, uint8, bytes32, bytes32) external returns (uint192) {
        _rare();
    }

    /// @inheritdoc IMarket
    function close(uint192, Terms calldata) external {
        _rare();
    }

    /// @inheritdoc IMarket
    function refund(uint192, Terms calldata) external {
        _rare();
    }

    /// @inheritdoc IMarket
    function selfCommit(Terms calldata, uint192, uint32, bytes32, uint256, bytes32, address, Lease[] calldata, bytes[] calldata, string calldata) external returns (uint256) {
        _rare();
    }

    /// @inheritdoc IMarket
    function reclaim(Terms calldata, Batch calldata, uint256, uint32, bytes32, uint256, bytes32, address, string calldata) external returns (uint256) {
        _rare();
    }

    /// @inheritdoc IMarket
    function withdrawBatch(Terms calldata, Batch calldata) external {
        _rare();
    }

    /// @inheritdoc IMarket
    function forfeit(Terms calldata, Batch calldata, bytes32) external {
        _rare();
    }

    /// @inheritdoc IMarket
    function release(Terms calldata, Batch calldata) external {
        _rare();
    }

    /// @inheritdoc IMarket
    function freeze(uint256, uint256) external {
        _rare();
    }

    /// @inheritdoc IMarket
    function strike(uint256, uint256) external {
        _rare();
    }

    /// @inheritdoc IMarket
    function voidRanges(Terms calldata, Batch calldata, uint256, Cause, Reward[] calldata) external returns (uint256) {
        _rare();
    }

    /// @dev Runs the function of the same name in MarketRare, as this contract, and gives its answer back.
    function _rare() private {
        address rare = address(RARE);
        assembly ("memory-safe") {
            let at_ := mload(0x40)
            calldatacopy(at_, 0, calldatasize())
            let ok := delegatecall(gas(), rare, at_, calldatasize(), 0, 0)
            returndatacopy(at_, 0, returndatasize())
            if ok { return(at_, returndatasize()) }
            revert(at_, returndatasize())
        }
    }
}
