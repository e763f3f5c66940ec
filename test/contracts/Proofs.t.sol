// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IChallenges} from "../../contracts/interfaces/IChallenges.sol";
import {IProofs} from "../../contracts/interfaces/IProofs.sol";
import {Openings} from "../../contracts/libraries/Openings.sol";
import {VerdictTree} from "../../contracts/libraries/VerdictTree.sol";
import {BatchState, BatchView, LeafNode} from "../../contracts/types/Batch.sol";
import {SignedLeaf, VerdictLeaf} from "../../contracts/types/Disputes.sol";
import {JuryBase} from "./support/JuryBase.t.sol";
import {TestTrees} from "./support/TestTrees.sol";

/// @notice Faults that one transaction proves (R1, R4, R20).
contract ProofsTest is JuryBase {
    // -- Honest batches ----------------------------------------------------------------------------------------------

    /// @notice Nothing can be proved against an honest coordinator and honest workers.
    function testFuzz_honestBatch_hasNoFault(uint256 pick) external {
        Work memory work = attestedWork();
        uint32 position = uint32(pick % 15);
        uint32 task = work.leaves[position].taskIndex;
        SignedLeaf memory signed = signedLeafOf(work, position);
        bytes32[] memory input = TestTrees.proof(inputLevels(15), task, 0);
        _noFault("wrong input");
        challenges.proveWrongInput(
            work.terms, work.batch, work.attestation, signed, position, inputOf(task), input
        );
        _noFault("excess units");
        challenges.proveExcessUnits(work.terms, work.batch, work.attestation, signed, position);
        LeafNode[] memory row = rowOf(work);
        _noFault("units");
        challenges.proveUnits(work.terms, work.batch, work.attestation, row);

        uint32 sample = uint32(pick % work.verdicts.length);
        bytes32[] memory proof = TestTrees.proof(work.verdictLevels, sample, 0);
        _noFault("undrawn");
        challenges.proveUndrawn(
            work.terms, work.batch, work.attestation, sample, work.verdictLeaves[sample], proof
        );
        vm.expectPartialRevert(VerdictTree.VerdictRoot.selector);
        challenges.proveSilent(work.terms, work.batch, work.attestation, sample, proof);
        address verifier = work.verdictLeaves[sample].verifier;
        _noFault("totals");
        _totals(work, verifier, 0, uint8(TestTrees.depth(work.verdicts.length)));
        _noFault("totals");
        _totals(work, address(0xDEAD), 0, uint8(TestTrees.depth(work.verdicts.length)));
    }

    function test_proofs_revertBeforeTheAttestationAndAfterTheWindow() external {
        Work memory work = honestWork();
        commit(work);
        draw(work);
        audit(work);
        tally(work);
        bytes32[] memory proof = TestTrees.proof(work.verdictLevels, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IProofs.ChallengeState.selector, work.batchId, BatchState.Drawn));
        challenges.proveUndrawn(work.terms, work.batch, work.attestation, 0, work.verdictLeaves[0], proof);
        attest(work);
        uint256 end = market.batchOf(work.batchId).clock;
        vm.warp(end + 1);
        vm.expectRevert(abi.encodeWithSelector(IProofs.ChallengeOver.selector, work.batchId, end));
        challenges.proveUndrawn(work.terms, work.batch, work.attestation, 0, work.verdictLeaves[0], proof);
    }

    // -- The worker's faults -----------------------------------------------------------------------------------------

    /// @notice Right program on a wrong input: the jury would acquit the cheat, one transaction does not (R1).
    function test_R1_wrongInput_costsItsWorkerC() external {
        Work memory work = _draft();
        uint256 position = 6; // shard 1 is mallory's
        work.leaves[position].inputCommitment = "an easier input";
        seal(work);
        commit(work);
        draw(work);
        uint256 supply = token.totalSupply();
        challenges.proveWrongInput(
            work.terms,
            work.batch,
            work.attestation,
            signedLeafOf(work, position),
            uint32(position),
            inputOf(6),
            TestTrees.proof(inputLevels(15), 6, 0)
        );
        _assertWorkerFault(work, position);
        vm.assertEq(supply - token.totalSupply(), collateralOf(work.terms), "nobody is paid for it: all burns");
    }

    function test_R1_wrongInput_revertsForAForeignInput() external {
        Work memory work = _draft();
        work.leaves[6].inputCommitment = "an easier input";
        seal(work);
        commit(work);
        draw(work);
        SignedLeaf memory signed = signedLeafOf(work, 6);
        bytes32[] memory proof = TestTrees.proof(inputLevels(15), 6, 0);
        vm.expectPartialRevert(IProofs.ChallengeInputs.selector);
        challenges.proveWrongInput(
            work.terms, work.batch, work.attestation, signed, 6, "not the job's", proof
        );
        proof = TestTrees.proof(inputLevels(15), 7, 0);
        vm.expectPartialRevert(IProofs.ChallengeInputs.selector);
        challenges.proveWrongInput(work.terms, work.batch, work.attestation, signed, 6, inputOf(7), proof);
    }

    /// @notice A coordinator that writes a wrong input into the leaf of a worker who signed another cannot slash it.
    function test_R14_wrongInput_needsTheWorkersOwnSignature() external {
        Work memory work = _draft();
        seal(work);
        LeafNode[] memory honest = rowOf(work);
        work.leaves[6].inputCommitment = "an easier input";
        seal(work);
        // What mallory really signed was the honest shard.
        signShard(work, 1, honest[1]);
        commit(work);
        draw(work);
        SignedLeaf memory signed = signedLeafOf(work, 6);
        bytes32[] memory proof = TestTrees.proof(inputLevels(15), 6, 0);
        vm.expectPartialRevert(Openings.OpeningReceipt.selector);
        challenges.proveWrongInput(work.terms, work.batch, work.attestation, signed, 6, inputOf(6), proof);
    }

    function test_R1_excessUnits_costTheirWorkerC() external {
        Work memory work = _draft();
        uint256 position = 6;
        work.leaves[position].units = work.terms.maxUnits + 1;
        seal(work);
        commit(work);
        draw(work);
        challenges.proveExcessUnits(
            work.terms, work.batch, work.attestation, signedLeafOf(work, position), uint32(position)
        );
        _assertWorkerFault(work, position);
    }

    // -- The coordinator's faults ------------------------------------------------------------------------------------

    /// @notice Honest leaves, inflated totals: the shard row shows every range's units at once (R4).
    function test_R4_inflatedRangeUnits_costTheBondsC() external {
        Work memory work = _draft();
        seal(work);
        work.batch.ranges[1] += 1 << 64;
        toAttested(work);
        uint256 supply = token.totalSupply();
        challenges.proveUnits(work.terms, work.batch, work.attestation, rowOf(work));
        vm.assertEq(supply - token.totalSupply(), collateralOf(work.terms), "C is burned");
        _assertCoordinatorFault(work, 2);
    }

    /// @notice The coordinator lets a friend give a verdict that was not drawn for it (R20).
    function test_R20_undrawnVerifier_costsTheRangesCAndIsNotPaid() external {
        Work memory work = _drawn();
        address friend = walter.account; // who owns no seat at all
        setVerdict(work, verdictOf(work, 2, friend));
        tally(work);
        attest(work);
        uint256 index = rangeOfPosition(work, positionOf(work, 2));
        challenges.proveUndrawn(
            work.terms,
            work.batch,
            work.attestation,
            2,
            work.verdictLeaves[2],
            TestTrees.proof(work.verdictLevels, 2, 0)
        );
        uint256 units;
        for (uint256 i; i < work.leaves.length; ++i) {
            if (work.leaves[i].worker == friend && index != rangeOfPosition(work, i)) units += work.leaves[i].units;
        }
        _assertCoordinatorFault(work, 1 << index);
        vm.assertEq(owedOf(friend), units * work.terms.fee, "no audit pay");
    }

    /// @notice A SILENT leaf that the attestation hides is the same as an unanswered demand (R20, R26).
    function test_R20_hiddenSilence_costsTheRangesC() external {
        Work memory work = _drawn();
        delete work.verdictLeaves[1];
        tally(work);
        // The count must be k, so the coordinator credits somebody with it.
        work.attestation.verifiers[0] += 1 << 64;
        attest(work);
        uint256 index = rangeOfPosition(work, positionOf(work, 1));
        challenges.proveSilent(
            work.terms, work.batch, work.attestation, 1, TestTrees.proof(work.verdictLevels, 1, 0)
        );
        _assertCoordinatorFault(work, 1 << index);
    }

    function test_R20_namedSilence_isNoFurtherFault() external {
        Work memory work = _drawn();
        uint256 index = rangeOfPosition(work, positionOf(work, 1));
        delete work.verdictLeaves[1];
        tally(work);
        work.attestation.silentRanges = uint64(1 << index);
        attest(work);
        bytes32[] memory proof = TestTrees.proof(work.verdictLevels, 1, 0);
        _noFault("silent");
        challenges.proveSilent(work.terms, work.batch, work.attestation, 1, proof);
        uint256 supply = token.totalSupply();
        mine(WINDOW + 1);
        finalize(work);
        vm.assertEq(supply - token.totalSupply(), collateralOf(work.terms), "R12: that range's C, burned");
        assertConserved(jobs(work), 0, "final");
    }

    function test_R20_inflatedTotals_costEveryRangesCAndPayTheFriendNothing() external {
        Work memory work = _drawn();
        tally(work);
        address friend = address(uint160(work.attestation.verifiers[0] >> 96));
        work.attestation.verifiers[0] += 2; // units
        attest(work);
        uint256 supply = token.totalSupply();
        _totals(work, friend, 0, uint8(TestTrees.depth(work.verdicts.length)));
        vm.assertEq(supply - token.totalSupply(), 2 * collateralOf(work.terms), "every range's C");
        _assertCoordinatorFault(work, 3);
        vm.assertEq(owedOf(friend), 0, "who was to get too much gets nothing");
    }

    /// @notice A verifier that was cheated of its units is not punished for the coordinator's lie.
    function test_R20_deflatedTotals_costEveryRangesCButPayTheVerifier() external {
        Work memory work = _drawn();
        tally(work);
        uint256 i;
        while (uint64(work.attestation.verifiers[i]) < 2) ++i;
        address cheated = address(uint160(work.attestation.verifiers[i] >> 96));
        work.attestation.verifiers[i] -= 1;
        attest(work);
        _totals(work, cheated, 0, uint8(TestTrees.depth(work.verdicts.length)));
        _assertCoordinatorFault(work, 3);
        vm.assertGt(owedOf(cheated), 0, "it is paid what was attested");
    }

    /// @notice A verifier with a verdict and no word at all.
    function test_R20_omittedVerifier_isAFalseTotal() external {
        Work memory work = _drawn();
        tally(work);
        uint256[] memory words = work.attestation.verifiers;
        address omitted = address(uint160(words[0] >> 96));
        uint256 count = uint32(words[0] >> 64);
        work.attestation.verifiers = new uint256[](words.length - 1);
        for (uint256 i = 1; i < words.length; ++i) {
            work.attestation.verifiers[i - 1] = words[i];
        }
        work.attestation.verifiers[0] += count << 64;
        attest(work);
        _totals(work, omitted, 0, uint8(TestTrees.depth(work.verdicts.length)));
        _assertCoordinatorFault(work, 3);
    }

    /// @notice Verdicts of a large batch do not fit one transaction: the sum may be made piece by piece, by each prover
    /// for itself.
    function testFuzz_R20_totals_inPieces(uint8 depth) external {
        Work memory work = _drawn();
        tally(work);
        uint256 k = work.verdicts.length;
        depth = uint8(depth % TestTrees.depth(k));
        address friend = address(uint160(work.attestation.verifiers[0] >> 96));
        work.attestation.verifiers[0] += 1;
        attest(work);
        for (uint32 from; from < k; from += uint32(1 << depth)) {
            vm.assertEq(market.batchOf(work.batchId).voided, 0, "not before the last piece");
            _totals(work, friend, from, depth);
        }
        _assertCoordinatorFault(work, 3);
    }

    function test_totals_revertOutOfOrderAndForForeignLeaves() external {
        Work memory work = _drawn();
        tally(work);
        work.attestation.verifiers[0] += 1;
        address friend = address(uint160(work.attestation.verifiers[0] >> 96));
        attest(work);
        vm.expectRevert(abi.encodeWithSelector(IProofs.ChallengePiece.selector, 2, 0));
        _totals(work, friend, 2, 1);
        _totals(work, friend, 0, 1);
        vm.prank(walter.account);
        vm.expectRevert(abi.encodeWithSelector(IProofs.ChallengePiece.selector, 2, 0));
        _totals(work, friend, 2, 1);
        vm.expectRevert(abi.encodeWithSelector(VerdictTree.VerdictPiece.selector, 1, 1, 2));
        _totals(work, friend, 1, 1);
        // A leaf that pays the friend more is not in the tree.
        work.verdictLeaves[2].units += 1;
        vm.expectPartialRevert(VerdictTree.VerdictRoot.selector);
        _totals(work, friend, 2, 1);
    }

    /// @notice Called directly, the code of the proofs can do nothing.
    function test_proofsContract_hasNoRights() external {
        Work memory work = _draft();
        work.leaves[6].units = work.terms.maxUnits + 1;
        seal(work);
        commit(work);
        draw(work);
        IProofs direct = IProofs(vm.computeCreateAddress(address(challenges), 1));
        SignedLeaf memory signed = signedLeafOf(work, 6);
        vm.expectRevert(
            abi.encodeWithSelector(bytes4(keccak256("MarketUnauthorized(address)")), address(direct))
        );
        direct.proveExcessUnits(work.terms, work.batch, work.attestation, signed, 6);
    }

    // -- Inside ------------------------------------------------------------------------------------------------------

    function _draft() internal returns (Work memory) {
        return buildWork(buildTerms(), postJob(buildTerms()));
    }

    function _drawn() internal returns (Work memory work) {
        work = honestWork();
        commit(work);
        draw(work);
        audit(work);
    }

    function _noFault(bytes32 rule) internal {
        vm.expectRevert(abi.encodeWithSelector(IProofs.ChallengeNoFault.selector, rule));
    }

    function _totals(Work memory work, address verifier, uint32 from, uint8 depth) internal {
        uint256 k = work.verdictLeaves.length;
        uint256 width = k - from < 1 << depth ? k - from : 1 << depth;
        VerdictLeaf[] memory leaves = new VerdictLeaf[](width);
        for (uint256 i; i < width; ++i) {
            leaves[i] = work.verdictLeaves[from + i];
        }
        bytes32[] memory proof = TestTrees.proof(work.verdictLevels, from, depth);
        challenges.proveTotals(work.terms, work.batch, work.attestation, verifier, from, depth, leaves, proof);
    }

    function _assertWorkerFault(Work memory work, uint256 position) internal {
        uint256 index = rangeOfPosition(work, position);
        BatchView memory batch = market.batchOf(work.batchId);
        vm.assertEq(batch.slashed, 1 << index, "the worker's C is lost");
        vm.assertEq(batch.penalized, 0, "not the coordinator's");
        audit(work);
        tally(work);
        attest(work);
        mine(WINDOW + 1);
        finalize(work);
        vm.assertEq(owedOf(work.leaves[position].worker), 0, "and its work unpaid");
        assertConserved(jobs(work), 0, "final");
    }

    function _assertCoordinatorFault(Work memory work, uint256 ranges) internal {
        BatchView memory batch = market.batchOf(work.batchId);
        vm.assertEq(batch.penalized, ranges, "the bond's C is lost");
        vm.assertEq(batch.slashed, 0, "no worker's");
        mine(WINDOW + 1);
        finalize(work);
        vm.assertEq(market.batchOf(work.batchId).voided, ranges, "void");
        assertConserved(jobs(work), 0, "final");
    }
}
