// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ChallengeBase} from "./ChallengeBase.sol";
import {IDisputeGame} from "./interfaces/IDisputeGame.sol";
import {IJury} from "./interfaces/IJury.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IProofs} from "./interfaces/IProofs.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Digests} from "./libraries/Digests.sol";
import {Hashes} from "./libraries/Hashes.sol";
import {Openings} from "./libraries/Openings.sol";
import {Positions} from "./libraries/Positions.sol";
import {Signed} from "./libraries/Signed.sol";
import {Trees} from "./libraries/Trees.sol";
import {VerdictTree} from "./libraries/VerdictTree.sol";
import {Attestation, Batch, BatchState, Cause, Leaf, LeafNode} from "./types/Batch.sol";
import {SignedLeaf, VerdictLeaf} from "./types/Disputes.sol";
import {Verdict} from "./types/Messages.sol";
import {Range} from "./types/Range.sol";
import {Terms} from "./types/Terms.sol";
import {VerifierWord} from "./types/VerifierWord.sol";

/// @title Proofs of fault and mismatches; see IProofs
/// @notice Code of Challenges, in a contract of its own because of the size limit: Challenges makes it, once and for
/// ever, and runs it by delegatecall. Called directly it can do nothing, since Market, Jury and game know only Challenges.
contract Proofs is IProofs, ChallengeBase {
    constructor(address registry_, address market_, address jury_, address game_)
        ChallengeBase(registry_, market_, jury_, game_)
    {}

    // -- Proofs of fault (R1, R4, R20) -------------------------------------------------------------------------------

    /// @inheritdoc IProofs
    function proveWrongInput(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        SignedLeaf calldata signed,
        uint32 position,
        bytes32 inputCommitment,
        bytes32[] calldata proof
    ) external {
        Checked memory checked = _live(terms, batch, attestation);
        uint256 index = _signedLeaf(terms, batch, position, signed).rangeIndex;
        uint32 task = signed.leaf.taskIndex;
        bytes32 root = Trees.pairRoot(Hashes.input(task, inputCommitment), task, terms.tasks, proof);
        if (root != terms.inputs) revert ChallengeInputs(root, terms.inputs);
        if (signed.leaf.inputCommitment == inputCommitment) revert ChallengeNoFault("wrong input");
        _fault(checked, terms, batch, 1 << index, Cause.Worker, "wrong input");
    }

    /// @inheritdoc IProofs
    function proveExcessUnits(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        SignedLeaf calldata signed,
        uint32 position
    ) external {
        Checked memory checked = _live(terms, batch, attestation);
        uint256 index = _signedLeaf(terms, batch, position, signed).rangeIndex;
        if (signed.leaf.units <= terms.maxUnits) revert ChallengeNoFault("excess units");
        _fault(checked, terms, batch, 1 << index, Cause.Worker, "excess units");
    }

    /// @inheritdoc IProofs
    function proveUnits(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        LeafNode[] calldata row
    ) external {
        Checked memory checked = _live(terms, batch, attestation);
        Openings.row(batch, row);
        uint256 bits = Positions.union(batch.ranges);
        uint256 wrong;
        for (uint256 i; i < batch.ranges.length; ++i) {
            Range range = Range.wrap(batch.ranges[i]);
            uint256 mask = range.mask();
            uint256 units;
            for (uint256 ordinal; ordinal < row.length; ++ordinal) {
                if ((mask >> Positions.bitAt(bits, ordinal)) & 1 == 1) units += row[ordinal].units;
            }
            if (units != range.units()) wrong |= 1 << i;
        }
        if (wrong == 0) revert ChallengeNoFault("units");
        _fault(checked, terms, batch, wrong, Cause.Coordinator, "units");
    }

    /// @inheritdoc IProofs
    function proveUndrawn(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 sample,
        VerdictLeaf calldata leaf,
        bytes32[] calldata proof
    ) external {
        Checked memory checked = _window(terms, batch, attestation);
        uint256 index = _openVerdict(checked, terms, batch, attestation, sample, leaf, proof);
        address executor = Range.wrap(batch.ranges[index]).worker();
        if (
            leaf.verifier == address(0)
                || _isCandidate(terms, batch, attestation.seed, sample, executor, leaf.verifier)
        ) revert ChallengeNoFault("undrawn");
        _strikeWord(checked.batchId, attestation, leaf.verifier);
        _fault(checked, terms, batch, 1 << index, Cause.Coordinator, "undrawn");
    }

    /// @inheritdoc IProofs
    function proveSilent(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 sample,
        bytes32[] calldata proof
    ) external {
        Checked memory checked = _window(terms, batch, attestation);
        VerdictLeaf memory silent;
        uint256 index = _openVerdict(checked, terms, batch, attestation, sample, silent, proof);
        if ((attestation.silentRanges >> index) & 1 == 1) revert ChallengeNoFault("silent");
        _fault(checked, terms, batch, 1 << index, Cause.Coordinator, "silent");
    }

    /// @inheritdoc IProofs
    function proveTotals(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        address verifier,
        uint32 from,
        uint8 depth,
        VerdictLeaf[] calldata leaves,
        bytes32[] calldata proof
    ) external {
        Checked memory checked = _window(terms, batch, attestation);
        VerdictTree.requirePiece(from, depth, leaves, checked.samples, proof, attestation.verdictRoot);

        Sum memory sum = _sums[checked.batchId][msg.sender][verifier];
        if (from == 0) sum = Sum(0, 0, 0);
        if (sum.next != from) revert ChallengePiece(from, sum.next);
        sum.next = uint32(from + leaves.length);
        for (uint256 i; i < leaves.length; ++i) {
            if (leaves[i].verifier != verifier) continue;
            sum.count += 1;
            sum.units += leaves[i].units;
        }
        _sums[checked.batchId][msg.sender][verifier] = sum;
        emit TotalsCounted(checked.batchId, msg.sender, verifier, sum.next, sum.count, sum.units);
        if (sum.next < checked.samples) return;

        (uint256 index, uint256 count, uint256 units) = _word(attestation, verifier);
        if (count == sum.count && units == sum.units) revert ChallengeNoFault("totals");
        // Who was to get too much gets nothing; who was to get too little is not punished for it.
        if (count > sum.count || units > sum.units) IMarket(market).strike(checked.batchId, 1 << index);
        _fault(checked, terms, batch, _allRanges(batch), Cause.Coordinator, "totals");
    }

    // -- Mismatches (R20, R24a) --------------------------------------------------------------------------------------

    /// @inheritdoc IProofs
    function postMismatch(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        SignedLeaf calldata signed,
        Verdict calldata verdict,
        bytes calldata signature
    ) external returns (uint256 disputeId) {
        Checked memory checked = _live(terms, batch, attestation);
        _requireVerdict(checked, batch, attestation.seed, verdict, signature);
        Openings.Place memory place = _signedLeaf(terms, batch, verdict.position, signed);
        if (signed.leaf.outputCommitment == verdict.outputCommitment) revert ChallengeNoFault("mismatch");
        if (!_isCandidate(terms, batch, attestation.seed, verdict.sample, place.worker, verdict.verifier)) {
            revert ChallengeNotDrawn(verdict.verifier, verdict.sample);
        }
        if (terms.version != 0) return _openGame(terms, batch, checked.batchId, signed.leaf, verdict, place);
        IJury.Case memory dispute;
        dispute.batchHash = Digests.batch(batch);
        dispute.seed = attestation.seed;
        dispute.capability = terms.capability;
        dispute.commitBlock = batch.commitBlock;
        dispute.leafOutput = signed.leaf.outputCommitment;
        dispute.verdictOutput = verdict.outputCommitment;
        dispute.batchId = checked.batchId;
        dispute.verifier = verdict.verifier;
        dispute.sample = verdict.sample;
        dispute.executor = place.worker;
        dispute.position = verdict.position;
        dispute.rangeIndex = uint8(place.rangeIndex);
        return IJury(jury).open(dispute);
    }

    /// @dev R27: where a referee can judge, it does.
    function _openGame(
        Terms calldata terms,
        Batch calldata batch,
        uint256 batchId,
        Leaf calldata leaf,
        Verdict calldata verdict,
        Openings.Place memory place
    ) internal returns (uint256) {
        IDisputeGame.Case memory dispute;
        dispute.kind = IDisputeGame.Kind.Mismatch;
        dispute.batchHash = Digests.batch(batch);
        dispute.programRoot = terms.programRoot;
        dispute.inputCommitment = leaf.inputCommitment;
        dispute.outputCommitment = leaf.outputCommitment;
        dispute.batchId = batchId;
        dispute.challenger = verdict.verifier;
        dispute.defendant = place.worker;
        dispute.commitBlock = batch.commitBlock;
        dispute.position = verdict.position;
        dispute.taskIndex = leaf.taskIndex;
        dispute.rangeIndex = uint8(place.rangeIndex);
        return IDisputeGame(game).openMismatch(dispute);
    }

    // -- Inside ------------------------------------------------------------------------------------------------------

    /// @dev From the draw to the window's end, or to the attest limit while nothing is attested: a batch's life is bounded,
    /// so that stake that unbonds always outlives what is accused with it.
    function _live(Terms calldata terms, Batch calldata batch, Attestation calldata attestation)
        internal
        view
        returns (Checked memory checked)
    {
        checked = _check(terms, batch, attestation);
        if (checked.state != BatchState.Drawn && checked.state != BatchState.Attested) {
            revert ChallengeState(checked.batchId, checked.state);
        }
        if (block.timestamp > checked.clock) revert ChallengeOver(checked.batchId, checked.clock);
    }

    function _fault(
        Checked memory checked,
        Terms calldata terms,
        Batch calldata batch,
        uint256 ranges,
        Cause cause,
        bytes32 rule
    ) internal {
        emit FaultProved(checked.batchId, uint64(ranges), rule, msg.sender);
        _void(terms, batch, ranges, cause);
    }

    function _strikeWord(uint256 batchId, Attestation calldata attestation, address verifier) internal {
        (uint256 index, uint256 count,) = _word(attestation, verifier);
        if (count != 0) IMarket(market).strike(batchId, 1 << index);
    }

    /// @dev The attested word of a verifier; zeros if it has none.
    function _word(Attestation calldata attestation, address verifier)
        internal
        pure
        returns (uint256 index, uint256 count, uint256 units)
    {
        for (; index < attestation.verifiers.length; ++index) {
            VerifierWord word = VerifierWord.wrap(attestation.verifiers[index]);
            if (word.verifier() == verifier) return (index, word.count(), word.units());
        }
    }

    function _signedLeaf(Terms calldata terms, Batch calldata batch, uint256 position, SignedLeaf calldata signed)
        internal
        view
        returns (Openings.Place memory)
    {
        return Openings.signedLeaf(
            IRegistry(registry), Signed.domainSeparator(market), terms, batch, position, signed
        );
    }

    /// @dev Opens the verdict leaf of a sample; returns the range that the sample lies in.
    function _openVerdict(
        Checked memory checked,
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 sample,
        VerdictLeaf memory leaf,
        bytes32[] calldata proof
    ) internal pure returns (uint256 index) {
        uint256 position = _positionOf(checked, attestation.seed, sample);
        VerdictTree.requireLeaf(
            VerdictTree.hash(sample, leaf), sample, checked.samples, proof, attestation.verdictRoot
        );
        (index,) = Positions.rangeOf(batch.ranges, position / terms.shardSize);
    }

    function _isCandidate(
        Terms calldata terms,
        Batch calldata batch,
        bytes32 seed,
        uint32 sample,
        address executor,
        address account
    ) internal view returns (bool) {
        return IJury(jury).isCandidate(terms.capability, batch.commitBlock, seed, sample, executor, account);
    }
}
