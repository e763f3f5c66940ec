// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {GameState} from "./GameState.sol";
import {IDisputeGame} from "./interfaces/IDisputeGame.sol";
import {IJury} from "./interfaces/IJury.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Digests} from "./libraries/Digests.sol";
import {Draw} from "./libraries/Draw.sol";
import {Game} from "./libraries/Game.sol";
import {Hashes} from "./libraries/Hashes.sol";
import {Openings} from "./libraries/Openings.sol";
import {Positions} from "./libraries/Positions.sol";
import {Signed} from "./libraries/Signed.sol";
import {Attestation, Batch, BatchState} from "./types/Batch.sol";
import {SignedLeaf} from "./types/Disputes.sol";
import {Verdict} from "./types/Messages.sol";
import {Range} from "./types/Range.sol";
import {Terms} from "./types/Terms.sol";

/// @title How disputes of the game begin
/// @notice Code of DisputeGame, in a contract of its own because of the size limit: DisputeGame makes it, once and for ever,
/// and runs it by delegatecall. Called directly it can do nothing, since Market and Registry know only DisputeGame.
contract GameOpen is GameState {
    using Game for Game.State;

    /// @dev `terms.version` of programs that a referee judges.
    uint8 internal constant VERSION = 1;

    constructor(Config memory config) GameState(config) {}

    /// @notice See IDisputeGame.
    function open(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        SignedLeaf calldata signed,
        uint32 position,
        bytes32 salt
    ) external payable returns (uint256 disputeId) {
        IDisputeGame.Case memory dispute = _found(terms, batch, attestation, position, salt);
        _requireTurnOf(terms, batch, attestation.seed, dispute.batchId, position);
        Openings.Place memory place = Openings.signedLeaf(
            IRegistry(registry), Signed.domainSeparator(market), terms, batch, position, signed
        );
        dispute.kind = IDisputeGame.Kind.Find;
        dispute.inputCommitment = signed.leaf.inputCommitment;
        dispute.outputCommitment = signed.leaf.outputCommitment;
        dispute.defendant = place.worker;
        dispute.taskIndex = signed.leaf.taskIndex;
        dispute.rangeIndex = uint8(place.rangeIndex);
        disputeId = Hashes.gameId(dispute.batchId, position, msg.sender);
        uint256 bond = _back(disputeId, dispute, terms);
        IMarket(market).freeze(dispute.batchId, dispute.rangeIndex);
        // The token may call back: what it finds is a dispute that has begun.
        IRegistry(registry).pull(msg.sender, bond);
    }

    /// @notice See IDisputeGame.
    function openVerdict(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        Verdict calldata verdict,
        bytes calldata signature,
        bytes32 inputCommitment,
        bytes32[] calldata inputProof,
        bytes32 salt
    ) external payable returns (uint256 disputeId) {
        IDisputeGame.Case memory dispute = _found(terms, batch, attestation, verdict.position, salt);
        _requireVerdict(terms, batch, attestation.seed, dispute, verdict, signature);
        _requireInput(terms, dispute.taskIndex, inputCommitment, inputProof);
        dispute.kind = IDisputeGame.Kind.Verdict;
        dispute.inputCommitment = inputCommitment;
        dispute.outputCommitment = verdict.outputCommitment;
        dispute.defendant = verdict.verifier;
        disputeId = Hashes.verdictGameId(dispute.batchId, verdict.position, msg.sender, verdict.verifier);
        uint256 bond = _back(disputeId, dispute, terms);
        IMarket(market).hold(dispute.batchId);
        IRegistry(registry).pull(msg.sender, bond);
    }

    /// @notice See IDisputeGame.
    function openMismatch(IDisputeGame.Case calldata dispute) external returns (uint256 disputeId) {
        if (msg.sender != challenges) revert IDisputeGame.DisputeUnauthorized(msg.sender);
        disputeId = Hashes.gameId(dispute.batchId, dispute.position, dispute.challenger);
        _start(disputeId, dispute, 0);
        IMarket(market).freeze(dispute.batchId, dispute.rangeIndex);
    }

    // -- Inside ------------------------------------------------------------------------------------------------------

    /// @dev What every find has in common: an attested batch in its window, and a commitment of an earlier block.
    function _found(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 position,
        bytes32 salt
    ) internal view returns (IDisputeGame.Case memory dispute) {
        (uint256 batchId, BatchState state, uint256 clock) = IMarket(market).checkBatch(terms, batch, attestation);
        if (state != BatchState.Attested || block.timestamp > clock) revert IDisputeGame.DisputeClosed(batchId, clock);
        if (terms.version != VERSION) revert IDisputeGame.DisputeVersion(terms.version);
        bytes32 find = Hashes.find(msg.sender, batchId, position, salt);
        uint256 at_ = _finds[find];
        if (at_ == 0 || at_ >= block.number) revert IDisputeGame.DisputeNotFound(find);
        dispute.batchHash = Digests.batch(batch);
        dispute.programRoot = terms.programRoot;
        dispute.batchId = batchId;
        dispute.challenger = msg.sender;
        dispute.commitBlock = batch.commitBlock;
        dispute.position = position;
    }

    /// @dev R12: on a drawn position the drawn verifiers have the time until the attestation, and then a clock (half the
    /// window, where that is less), for themselves.
    function _requireTurnOf(
        Terms calldata terms,
        Batch calldata batch,
        bytes32 seed,
        uint256 batchId,
        uint32 position
    ) internal view {
        uint256 leaves = Positions.leaves(terms, batch.firstShard, Positions.union(batch.ranges));
        if (Draw.sampleAt(seed, position, leaves) >= Draw.samples(terms.auditRate, leaves)) return;
        uint256 lead = MOVE_CLOCK < BATCH_WINDOW / 2 ? MOVE_CLOCK : BATCH_WINDOW / 2;
        uint256 from = IMarket(market).batchOf(batchId).clock - BATCH_WINDOW + lead;
        if (block.timestamp < from) revert IDisputeGame.DisputeDrawn(position, from);
    }

    /// @dev The verdict is on a sample of this batch, by a candidate, and signed by a key of its. Writes where it stands.
    function _requireVerdict(
        Terms calldata terms,
        Batch calldata batch,
        bytes32 seed,
        IDisputeGame.Case memory dispute,
        Verdict calldata verdict,
        bytes calldata signature
    ) internal view {
        if (verdict.batchId != dispute.batchId) revert IDisputeGame.DisputeVerdict("batch");
        (uint256 ordinal,, uint256 task) = Positions.locate(terms, batch, verdict.position);
        uint256 leaves = Positions.leaves(terms, batch.firstShard, Positions.union(batch.ranges));
        if (
            verdict.sample >= Draw.samples(terms.auditRate, leaves)
                || verdict.position != Draw.position(seed, verdict.sample, leaves)
        ) revert IDisputeGame.DisputeVerdict("position");
        address key = ECDSA.recoverCalldata(Signed.digest(Signed.domainSeparator(market), Signed.hash(verdict)), signature);
        if (IRegistry(registry).accountOf(key, batch.commitBlock) != verdict.verifier) revert IDisputeGame.DisputeVerdict("signer");
        (uint256 index, Range range) = Positions.rangeOf(batch.ranges, ordinal);
        if (
            !IJury(jury).isCandidate(
                terms.capability, batch.commitBlock, seed, verdict.sample, range.worker(), verdict.verifier
            )
        ) revert IDisputeGame.DisputeVerdict("candidate");
        (dispute.taskIndex, dispute.rangeIndex) = (uint32(task), uint8(index));
    }

    /// @dev Opens with a deposit of native coin.
    /// @return the bond of tokens that stands behind it
    function _back(uint256 disputeId, IDisputeGame.Case memory dispute, Terms calldata terms)
        internal
        returns (uint256)
    {
        uint256 needed = _deposit();
        if (msg.value < needed) revert IDisputeGame.DisputeDeposit(msg.value, needed);
        // The challenger need not know the base fee of the block that takes the dispute.
        if (msg.value > needed) _coins[msg.sender] += msg.value - needed;
        _start(disputeId, dispute, needed);
        return IMarket(market).verdictCollateralOf(terms);
    }

    function _start(uint256 disputeId, IDisputeGame.Case memory dispute, uint256 coins) internal {
        if (_games[disputeId].turn.phase != IDisputeGame.Phase.None) revert IDisputeGame.DisputeExists(disputeId);
        uint256 deadline = _games[disputeId].start(keccak256(abi.encode(dispute)), coins, MOVE_CLOCK);
        emit IDisputeGame.DisputeOpened(disputeId, dispute.batchId, dispute.defendant, dispute, deadline);
    }
}
