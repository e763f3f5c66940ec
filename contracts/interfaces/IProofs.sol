// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Attestation, Batch, BatchState, LeafNode} from "../types/Batch.sol";
import {SignedLeaf, VerdictLeaf} from "../types/Disputes.sol";
import {Verdict} from "../types/Messages.sol";
import {Terms} from "../types/Terms.sol";

/// @title Proofs of fault and mismatches of a batch (R1, R4, R20, R22, R24a)
/// @notice Part of IChallenges. Every call resubmits what the batch's digest covers; in state Drawn the attestation
/// carries the seed alone.
interface IProofs {
    /// @notice The batch is not in a state that this call needs.
    error ChallengeState(uint256 batchId, BatchState state);
    /// @notice The window, or the time for demands in it, is over.
    error ChallengeOver(uint256 batchId, uint256 until);
    /// @notice What was shown is as it should be.
    error ChallengeNoFault(bytes32 rule);
    /// @notice The input's proof does not lead to the job's inputs.
    error ChallengeInputs(bytes32 computed, bytes32 inputs);
    /// @notice The verdict is on another batch, or its position is not that of a sample.
    error ChallengeVerdict(uint256 batchId, uint32 sample, uint32 position);
    /// @notice The verdict was not signed by a key that was its verifier's at the commit block (R8).
    error ChallengeVerdictSigner(address key, address verifier);
    /// @notice The verifier is no candidate for the sample (R20).
    error ChallengeNotDrawn(address verifier, uint32 sample);
    /// @notice Pieces of a totals proof come in order, from sample 0.
    error ChallengePiece(uint256 from, uint256 next);

    /// @notice `rule` is the name of the proof, as ASCII bytes: "wrong input", "excess units", "units", "undrawn",
    /// "silent", "totals".
    event FaultProved(uint256 indexed batchId, uint64 ranges, bytes32 rule, address prover);
    /// @notice A part of a totals proof that takes more than one transaction.
    event TotalsCounted(
        uint256 indexed batchId, address indexed prover, address verifier, uint32 next, uint32 count, uint64 units
    );

    // -- Proofs: nobody is paid for them, so that nothing is gained by copying one --------------------------------

    /// @notice The worker signed a leaf whose input is not the job's (R1). `proof` opens `inputCommitment` at the leaf's
    /// task index in the inputs root. Drawn, or Attested and in the window. Cause Worker.
    function proveWrongInput(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        SignedLeaf calldata signed,
        uint32 position,
        bytes32 inputCommitment,
        bytes32[] calldata proof
    ) external;

    /// @notice The worker signed a leaf with more units than the terms allow (R1). Cause Worker.
    function proveExcessUnits(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        SignedLeaf calldata signed,
        uint32 position
    ) external;

    /// @notice The units of some range words are not those of the shard row (R4). Cause Coordinator, for each such range.
    function proveUnits(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        LeafNode[] calldata row
    ) external;

    /// @notice The verdict tree names, for `sample`, an account that was not drawn for it (R20). Cause Coordinator.
    function proveUndrawn(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 sample,
        VerdictLeaf calldata leaf,
        bytes32[] calldata proof
    ) external;

    /// @notice The verdict tree has a SILENT leaf whose range the attestation does not name silent: the same as an
    /// unanswered demand. Cause Coordinator.
    function proveSilent(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 sample,
        bytes32[] calldata proof
    ) external;

    /// @notice The attested word of `verifier` (count and units; none: zero) is not the sum of its verdict leaves (R20).
    /// Counts the subtree of `2^depth` verdict leaves that begins at sample `from`, and remembers the sum for the caller;
    /// with the last one it judges. A small batch takes one call with `depth` of the whole tree. Cause Coordinator,
    /// every range.
    function proveTotals(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        address verifier,
        uint32 from,
        uint8 depth,
        VerdictLeaf[] calldata leaves,
        bytes32[] calldata proof
    ) external;

    /// @notice A verdict of a drawn candidate that differs from the leaf which the worker signed (R20, R24a): opens a
    /// dispute, whoever posts it: before the jury, or (terms.version 1) the game. From the draw to the window's end; disputes of a range run in parallel.
    function postMismatch(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        SignedLeaf calldata signed,
        Verdict calldata verdict,
        bytes calldata signature
    ) external returns (uint256 disputeId);
}
