// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {ChallengeBase} from "./ChallengeBase.sol";
import {Proofs} from "./Proofs.sol";
import {IChallenges} from "./interfaces/IChallenges.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IProofs} from "./interfaces/IProofs.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Digests} from "./libraries/Digests.sol";
import {Hashes} from "./libraries/Hashes.sol";
import {Openings} from "./libraries/Openings.sol";
import {Positions} from "./libraries/Positions.sol";
import {Signed} from "./libraries/Signed.sol";
import {VerdictTree} from "./libraries/VerdictTree.sol";
import {Attestation, Batch, Cause, Leaf, LeafNode} from "./types/Batch.sol";
import {DemandKind, SignedLeaf, VerdictLeaf} from "./types/Disputes.sol";
import {Lease, Receipt, Verdict} from "./types/Messages.sol";
import {Terms} from "./types/Terms.sol";

/// @title Demands, proofs of fault and mismatches of a batch (R20, R22, R26, R29); see IChallenges
contract Challenges is IChallenges, ChallengeBase, Multicall {
    /// @dev The code that proofs run by; made here, so that it can never be another.
    address internal immutable PROOFS;
    uint256 internal immutable LEAF_GAS;
    uint256 internal immutable SHARDS_GAS;
    uint256 internal immutable VERDICT_GAS;
    uint256 internal immutable SIGNATURE_GAS;

    /// @param gasFigures what an answer costs in gas, by DemandKind; immutable, so that nobody can price askers out
    constructor(address registry_, address market_, address jury_, address game_, uint32[4] memory gasFigures)
        ChallengeBase(registry_, market_, jury_, game_)
    {
        PROOFS = address(new Proofs(registry_, market_, jury_, game_));
        LEAF_GAS = gasFigures[uint8(DemandKind.Leaf)];
        SHARDS_GAS = gasFigures[uint8(DemandKind.Shards)];
        VERDICT_GAS = gasFigures[uint8(DemandKind.Verdict)];
        SIGNATURE_GAS = gasFigures[uint8(DemandKind.Signature)];
    }

    // -- Demands (R26) -----------------------------------------------------------------------------------------------

    /// @inheritdoc IChallenges
    function demandLeaf(Terms calldata terms, Batch calldata batch, Attestation calldata attestation, uint32 position)
        external
        payable
        returns (bytes32)
    {
        Checked memory checked = _window(terms, batch, attestation);
        return _demand(checked, batch, attestation, DemandKind.Leaf, position, _rangeAt(terms, batch, position));
    }

    /// @inheritdoc IChallenges
    function demandShards(Terms calldata terms, Batch calldata batch, Attestation calldata attestation)
        external
        payable
        returns (bytes32)
    {
        Checked memory checked = _window(terms, batch, attestation);
        return _demand(checked, batch, attestation, DemandKind.Shards, 0, _allRanges(batch));
    }

    /// @inheritdoc IChallenges
    function demandVerdict(Terms calldata terms, Batch calldata batch, Attestation calldata attestation, uint32 sample)
        external
        payable
        returns (bytes32)
    {
        Checked memory checked = _window(terms, batch, attestation);
        uint256 position = _positionOf(checked, attestation.seed, sample);
        return _demand(checked, batch, attestation, DemandKind.Verdict, sample, _rangeAt(terms, batch, position));
    }

    /// @inheritdoc IChallenges
    function demandSignature(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 ordinal
    ) external payable returns (bytes32) {
        Checked memory checked = _window(terms, batch, attestation);
        (uint256 index,) = Positions.rangeOf(batch.ranges, ordinal);
        return _demand(checked, batch, attestation, DemandKind.Signature, ordinal, 1 << index);
    }

    /// @inheritdoc IChallenges
    function answerLeaf(
        Terms calldata terms,
        Batch calldata batch,
        uint32 position,
        Leaf calldata leaf,
        LeafNode[] calldata path
    ) external {
        (uint256 batchId, bytes32 demandId) = _answer(terms, batch, DemandKind.Leaf, position);
        Openings.leaf(terms, batch, position, leaf, path);
        _answered(batchId, demandId);
    }

    /// @inheritdoc IChallenges
    function answerShards(Terms calldata terms, Batch calldata batch, LeafNode[] calldata row) external {
        (uint256 batchId, bytes32 demandId) = _answer(terms, batch, DemandKind.Shards, 0);
        Openings.row(batch, row);
        _answered(batchId, demandId);
    }

    /// @inheritdoc IChallenges
    function answerVerdict(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 sample,
        Verdict calldata verdict,
        bytes calldata signature,
        bytes32[] calldata proof
    ) external {
        (uint256 batchId, bytes32 demandId) = _answer(terms, batch, DemandKind.Verdict, sample);
        Checked memory checked = _check(terms, batch, attestation);
        _requireVerdict(checked, batch, attestation.seed, verdict, signature);
        if (verdict.sample != sample) revert ChallengeVerdict(verdict.batchId, verdict.sample, verdict.position);
        VerdictTree.requireLeaf(
            Hashes.verdict(sample, verdict.verifier, verdict.units, Signed.hash(verdict)),
            sample,
            checked.samples,
            proof,
            attestation.verdictRoot
        );
        _answered(batchId, demandId);
    }

    /// @inheritdoc IChallenges
    function answerSignature(
        Terms calldata terms,
        Batch calldata batch,
        uint32 ordinal,
        Lease calldata lease,
        bytes calldata leaseSignature,
        Receipt calldata receipt,
        bytes calldata receiptSignature,
        LeafNode[] calldata topPath
    ) external {
        (uint256 batchId, bytes32 demandId) = _answer(terms, batch, DemandKind.Signature, ordinal);
        Openings.Place memory place = Openings.shard(batch, ordinal, receipt.shardRoot, receipt.units, topPath);
        Openings.signatures(
            IRegistry(registry),
            Signed.domainSeparator(market),
            terms,
            batch,
            place,
            lease,
            leaseSignature,
            receipt,
            receiptSignature
        );
        _answered(batchId, demandId);
    }

    /// @inheritdoc IChallenges
    function expire(Terms calldata terms, Batch calldata batch, bytes32 demandId) external {
        Demand storage demand = _demands[demandId];
        if (demand.state != DemandState.Open) revert DemandNotOpen(demandId, demand.state);
        if (block.timestamp <= demand.deadline) revert DemandRunning(demandId, demand.deadline);
        uint256 batchId = _requireBatch(terms, batch, demand.batchHash);

        demand.state = DemandState.Expired;
        _deposits[demand.asker] += demand.deposit;
        emit DemandExpired(batchId, demandId, demand.ranges);
        _void(terms, batch, demand.ranges, Cause.Coordinator);
        // Verdicts that nobody may see are paid to nobody: else a friend is paid out of the audit budget for verdicts
        // that were never given, at the price of one range's C.
        if (demand.verifiers != 0) IMarket(market).strike(batchId, (1 << demand.verifiers) - 1);
        IMarket(market).drop(batchId, 0);
    }

    /// @inheritdoc IChallenges
    function withdrawDeposits() external returns (uint256 amount) {
        amount = _deposits[msg.sender];
        _deposits[msg.sender] = 0;
        emit DepositsWithdrawn(msg.sender, amount);
        (bool sent,) = msg.sender.call{value: amount}("");
        if (!sent) revert DepositRefused(msg.sender, amount);
    }

    // -- Proofs of fault and mismatches: the code of Proofs --------------------------------------------------------

    /// @inheritdoc IProofs
    function proveWrongInput(
        Terms calldata,
        Batch calldata,
        Attestation calldata,
        SignedLeaf calldata,
        uint32,
        bytes32,
        bytes32[] calldata
    ) external {
        _runProofs();
    }

    /// @inheritdoc IProofs
    function proveExcessUnits(
        Terms calldata,
        Batch calldata,
        Attestation calldata,
        SignedLeaf calldata,
        uint32
    ) external {
        _runProofs();
    }

    /// @inheritdoc IProofs
    function proveUnits(
        Terms calldata,
        Batch calldata,
        Attestation calldata,
        LeafNode[] calldata
    ) external {
        _runProofs();
    }

    /// @inheritdoc IProofs
    function proveUndrawn(
        Terms calldata,
        Batch calldata,
        Attestation calldata,
        uint32,
        VerdictLeaf calldata,
        bytes32[] calldata
    ) external {
        _runProofs();
    }

    /// @inheritdoc IProofs
    function proveSilent(
        Terms calldata,
        Batch calldata,
        Attestation calldata,
        uint32,
        bytes32[] calldata
    ) external {
        _runProofs();
    }

    /// @inheritdoc IProofs
    function proveTotals(
        Terms calldata,
        Batch calldata,
        Attestation calldata,
        address,
        uint32,
        uint8,
        VerdictLeaf[] calldata,
        bytes32[] calldata
    ) external {
        _runProofs();
    }

    /// @inheritdoc IProofs
    function postMismatch(
        Terms calldata,
        Batch calldata,
        Attestation calldata,
        SignedLeaf calldata,
        Verdict calldata,
        bytes calldata
    ) external returns (uint256) {
        _runProofs();
    }

    // -- Views -------------------------------------------------------------------------------------------------------

    /// @inheritdoc IChallenges
    function depositOf(DemandKind kind) public view returns (uint256) {
        return 2 * block.basefee * gasFigure(kind);
    }

    /// @inheritdoc IChallenges
    function gasFigure(DemandKind kind) public view returns (uint256) {
        if (kind == DemandKind.Leaf) return LEAF_GAS;
        if (kind == DemandKind.Shards) return SHARDS_GAS;
        if (kind == DemandKind.Verdict) return VERDICT_GAS;
        return SIGNATURE_GAS;
    }

    /// @inheritdoc IChallenges
    function demandOf(bytes32 demandId) external view returns (Demand memory) {
        return _demands[demandId];
    }

    /// @inheritdoc IChallenges
    function depositsOf(address account) external view returns (uint256) {
        return _deposits[account];
    }

    /// @inheritdoc IChallenges
    function demandsUntil(uint256 batchId) external view returns (uint32) {
        return _demandsUntil[batchId];
    }

    /// @inheritdoc IChallenges
    function multicall(bytes[] calldata data)
        public
        override(IChallenges, Multicall)
        returns (bytes[] memory results)
    {
        return super.multicall(data);
    }

    // -- Inside ------------------------------------------------------------------------------------------------------

    /// @dev Runs this very call by the code of Proofs and ends it with what that returns.
    function _runProofs() internal {
        address proofs = PROOFS;
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            let done := delegatecall(gas(), proofs, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if iszero(done) { revert(data, returndatasize()) }
            return(data, returndatasize())
        }
    }

    function _demand(
        Checked memory checked,
        Batch calldata batch,
        Attestation calldata attestation,
        DemandKind kind,
        uint32 position,
        uint256 ranges
    ) internal returns (bytes32 demandId) {
        uint256 deposit = depositOf(kind);
        if (msg.value < deposit) revert DemandDeposit(msg.value, deposit);
        demandId = Hashes.demandId(checked.batchId, uint8(kind), position);
        if (_demands[demandId].state != DemandState.None) revert DemandExists(demandId);
        // A range that is void already is paid nothing, whatever comes to light.
        if (ranges & ~(IMarket(market).batchOf(checked.batchId).voided | attestation.silentRanges) == 0) {
            revert DemandVoid(checked.batchId, ranges);
        }
        // INVARIANT: answers lengthen the window for proofs, never for demands; else demands could follow one another
        // for ever and nobody would be paid.
        uint256 until = _demandsUntil[checked.batchId];
        if (until == 0) {
            _demandsUntil[checked.batchId] = uint32(checked.clock);
        } else if (block.timestamp > until) {
            revert ChallengeOver(checked.batchId, until);
        }

        Demand memory demand;
        demand.asker = msg.sender;
        demand.deposit = uint96(deposit);
        demand.batchHash = Digests.batch(batch);
        demand.deadline = uint32(block.timestamp + IMarket(market).params().clock);
        demand.position = position;
        demand.kind = kind;
        demand.state = DemandState.Open;
        demand.ranges = uint64(ranges);
        if (kind == DemandKind.Verdict) demand.verifiers = uint8(attestation.verifiers.length);
        _demands[demandId] = demand;
        // The asker need not know the base fee of the block that takes the demand.
        if (msg.value > deposit) _deposits[msg.sender] += msg.value - deposit;
        emit DemandOpened(
            checked.batchId,
            demandId,
            msg.sender,
            kind,
            position,
            demand.ranges,
            demand.deadline,
            demand.deposit
        );
        IMarket(market).hold(checked.batchId);
    }

    function _answer(Terms calldata terms, Batch calldata batch, DemandKind kind, uint32 position)
        internal
        view
        returns (uint256 batchId, bytes32 demandId)
    {
        batchId = Hashes.batchId(batch.jobId, batch.number);
        demandId = Hashes.demandId(batchId, uint8(kind), position);
        Demand storage demand = _demands[demandId];
        if (demand.state != DemandState.Open) revert DemandNotOpen(demandId, demand.state);
        if (block.timestamp > demand.deadline) revert DemandOver(demandId, demand.deadline);
        _requireBatch(terms, batch, demand.batchHash);
    }

    /// @dev The answerer is paid, and everybody gets a clock to look at what was shown (it may prove a fault).
    function _answered(uint256 batchId, bytes32 demandId) internal {
        Demand storage demand = _demands[demandId];
        demand.state = DemandState.Answered;
        _deposits[msg.sender] += demand.deposit;
        emit DemandAnswered(batchId, demandId, msg.sender, msg.data);
        IMarket(market).drop(batchId, block.timestamp + IMarket(market).params().clock);
    }

    function _requireBatch(Terms calldata terms, Batch calldata batch, bytes32 batchHash)
        internal
        view
        returns (uint256 batchId)
    {
        batchId = Hashes.batchId(batch.jobId, batch.number);
        if (Digests.batch(batch) != batchHash) revert ChallengeBatch(batchId);
        if (Hashes.terms(terms) != IMarket(market).termsHashOf(batch.jobId)) revert ChallengeTerms(batch.jobId);
    }

    function _rangeAt(Terms calldata terms, Batch calldata batch, uint256 position) internal pure returns (uint256) {
        (uint256 ordinal,,) = Positions.locate(terms, batch, position);
        (uint256 index,) = Positions.rangeOf(batch.ranges, ordinal);
        return 1 << index;
    }
}
