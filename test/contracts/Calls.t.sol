// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IDuties} from "../../contracts/interfaces/IDuties.sol";
import {IJury} from "../../contracts/interfaces/IJury.sol";
import {IProofs} from "../../contracts/interfaces/IProofs.sol";
import {Draw} from "../../contracts/libraries/Draw.sol";
import {Verdict} from "../../contracts/types/Messages.sol";
import {JuryBase} from "./support/JuryBase.t.sol";
import {TestTrees} from "./support/TestTrees.sol";

/// @notice Samples whose candidates are silent are called on chain, to them and five more (R20, R25).
contract CallsTest is JuryBase {
    IDuties internal duties;

    function setUp() public override {
        super.setUp();
        duties = IDuties(address(jury));
    }

    /// @dev More owners than a sample has candidates, so that the call reaches others.
    function verifierCount() internal pure override returns (uint256) {
        return 16;
    }

    // -- Calling -------------------------------------------------------------------------------------------------------

    function test_R20_aCall_isTheCommittersAlone_andComesInTime() external {
        Work memory work = _silent();
        uint32[] memory samples = _one(0);
        vm.expectRevert(abi.encodeWithSelector(IDuties.DutyBatch.selector, work.batchId));
        duties.callSamples(work.terms, work.batch, work.attestation, samples, "");
        uint256 limit = market.batchOf(work.batchId).clock;
        vm.warp(limit - ATTEST_LIMIT / 3);
        vm.expectRevert(abi.encodeWithSelector(IDuties.CallTooLate.selector, work.batchId, limit));
        vm.prank(coordinator.account);
        duties.callSamples(work.terms, work.batch, work.attestation, samples, "");
        vm.warp(limit - ATTEST_LIMIT / 3 - 1);
        _call(work, 0);
        vm.assertEq(
            duties.calledUntil(work.batchId, 0), vm.getBlockTimestamp() + ATTEST_LIMIT / 3, "a third of the limit"
        );
        vm.expectPartialRevert(IDuties.CallState.selector);
        vm.prank(coordinator.account);
        duties.callSamples(work.terms, work.batch, work.attestation, samples, "");
        uint32 k = uint32(samplesOf(work));
        samples = _one(k);
        vm.expectRevert(abi.encodeWithSelector(Draw.DrawOutside.selector, k, k));
        vm.prank(coordinator.account);
        duties.callSamples(work.terms, work.batch, work.attestation, samples, "");
    }

    /// @notice R20: the candidates are the first three of the same draw, and nobody is called for its own work.
    function testFuzz_R20_theCalled_areTheCandidatesAndFiveMore(uint8 pick) external {
        Work memory work = _silent();
        uint32 sample = uint32(pick % samplesOf(work));
        address[] memory candidates = candidatesOf(work, sample);
        address[] memory called = _called(work, sample);
        vm.assertEq(candidates.length, 3, "three candidates");
        vm.assertEq(called.length, 8, "and five more");
        for (uint256 i; i < 3; ++i) {
            vm.assertEq(called[i], candidates[i], "the same first three");
        }
        vm.assertTrue(!contains(called, work.leaves[positionOf(work, sample)].worker), "never the executor");
    }

    // -- Answering -----------------------------------------------------------------------------------------------------

    /// @notice A verdict of one of the five more fills the sample: it is paid, and nobody can call it undrawn.
    function test_R20_aCalledVerdict_isAttestedAndPaid() external {
        Work memory work = _silent();
        _call(work, 0);
        address helper = _further(work, 0);
        Verdict memory verdict = verdictOf(work, 0, helper);
        bytes memory signature = signVerdict(verdict);
        vm.prank(mallory.account);
        duties.answerCall(work.terms, work.batch, verdict, signature);
        vm.assertTrue(duties.hasMoved(work.batchId, 0, helper), "answered");
        setVerdict(work, verdict);
        tally(work);
        attest(work);
        bytes32[] memory proof = TestTrees.proof(work.verdictLevels, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IProofs.ChallengeNoFault.selector, bytes32("undrawn")));
        challenges.proveUndrawn(work.terms, work.batch, work.attestation, 0, work.verdictLeaves[0], proof);
        uint256 before = owedOf(helper);
        mine(WINDOW + 1);
        finalize(work);
        vm.assertGt(owedOf(helper), before, "paid like any verifier");
        assertConserved(jobs(work), 0, "final");
    }

    /// @notice Without a call the same verdict is an undrawn friend's.
    function test_R20_attack_aFriendWithoutACall_staysUndrawn() external {
        Work memory work = _silent();
        setVerdict(work, verdictOf(work, 0, _further(work, 0)));
        tally(work);
        attest(work);
        uint256 supply = token.totalSupply();
        challenges.proveUndrawn(
            work.terms,
            work.batch,
            work.attestation,
            0,
            work.verdictLeaves[0],
            TestTrees.proof(work.verdictLevels, 0, 0)
        );
        vm.assertEq(supply - token.totalSupply(), collateralOf(work.terms), "the range's C");
    }

    /// @notice A mismatch of a called seat counts like a candidate's, and its lie costs like one.
    function test_R20_aCalledSeat_mayAccuse_andPaysForALie() external {
        Work memory work = _silent();
        _call(work, 0);
        address helper = _further(work, 0);
        slander(work, 0, helper);
        uint256 before = wealthOf(helper);
        uint256 id = accuse(work, 0);
        unanimous(work, id, outputOf(taskOf(work, 0)));
        assertOutcome(id, IJury.Outcome.Upheld);
        vm.assertEq(before - wealthOf(helper), market.verdictCollateralOf(work.terms), "C_v");
    }

    function test_R20_answerCall_takesOnlyWhatTheCalledSigned() external {
        Work memory work = _silent();
        Verdict memory verdict = verdictOf(work, 0, _further(work, 0));
        bytes memory signature = signVerdict(verdict);
        vm.expectRevert(abi.encodeWithSelector(IDuties.DutyBatch.selector, work.batchId));
        duties.answerCall(work.terms, work.batch, verdict, signature);
        _call(work, 0);
        Verdict memory strange = verdictOf(work, 0, walter.account);
        bytes memory strangers = signVerdict(strange);
        vm.expectRevert(
            abi.encodeWithSelector(IDuties.CallAccount.selector, work.batchId, uint32(0), walter.account)
        );
        duties.answerCall(work.terms, work.batch, strange, strangers);
        verdict.position += 1;
        signature = signVerdict(verdict);
        vm.expectPartialRevert(IDuties.CallAccount.selector);
        duties.answerCall(work.terms, work.batch, verdict, signature);
        verdict.position -= 1;
        vm.expectPartialRevert(IDuties.DutyVerdict.selector);
        duties.answerCall(work.terms, work.batch, verdict, strangers);
        signature = signVerdict(verdict);
        duties.answerCall(work.terms, work.batch, verdict, signature);
        vm.expectPartialRevert(IDuties.CallAccount.selector);
        duties.answerCall(work.terms, work.batch, verdict, signature);
        // A sample that was not called has nothing to answer.
        Verdict memory other = verdictOf(work, 1, _further(work, 1));
        signature = signVerdict(other);
        vm.expectRevert(abi.encodeWithSelector(IDuties.CallState.selector, work.batchId, uint32(1), 0));
        duties.answerCall(work.terms, work.batch, other, signature);
    }

    // -- Silence -------------------------------------------------------------------------------------------------------

    /// @notice R25: every called seat that stays silent pays, once a batch; who answers, or was not served, does not.
    function test_R25_silentSeats_payTheLivenessSlash_andOthersDoNot() external {
        Work memory work = _silent();
        _call(work, 0);
        _call(work, 1);
        address[] memory called = _called(work, 0);
        address answering = _further(work, 0);
        Verdict memory verdict = verdictOf(work, 0, answering);
        duties.answerCall(work.terms, work.batch, verdict, signVerdict(verdict));
        address unserved = _silentOne(called, answering, address(0));
        vm.prank(unserved);
        duties.declareUnserved(work.batchId, _one(0));
        address silent = _silentOne(called, answering, unserved);

        vm.expectPartialRevert(IDuties.CallState.selector);
        duties.chargeSilent(work.terms, work.batch, 0, silent);
        pass(ATTEST_LIMIT / 3 + 1);
        uint256 supply = token.totalSupply();
        uint256 before = stakedOf(silent);
        duties.chargeSilent(work.terms, work.batch, 0, silent);
        vm.assertEq(before - stakedOf(silent), LIVENESS_SLASH, "the liveness slash");
        vm.assertEq(supply - token.totalSupply(), LIVENESS_SLASH, "burned");
        address[3] memory free = [silent, answering, unserved];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IDuties.CallAccount.selector, work.batchId, uint32(0), free[i])
            );
            duties.chargeSilent(work.terms, work.batch, 0, free[i]);
        }
        if (contains(_called(work, 1), silent)) {
            vm.expectPartialRevert(IDuties.CallAccount.selector);
            duties.chargeSilent(work.terms, work.batch, 1, silent);
        }
        vm.expectPartialRevert(IDuties.CallAccount.selector);
        duties.chargeSilent(work.terms, work.batch, 0, walter.account);
        vm.expectPartialRevert(IDuties.CallState.selector);
        duties.chargeSilent(work.terms, work.batch, 2, silent);
        vm.assertEq(stakedOf(unserved), 2 * uint256(SEAT), "who was not served pays nothing");
        vm.assertEq(stakedOf(answering), 2 * uint256(SEAT), "nor who answered");
    }

    /// @notice R20: a sample that nobody answers costs the coordinator that range's C; its worker keeps its own.
    function test_R20_aSampleWithoutAVerdict_costsTheCoordinatorThatRangesC() external {
        Work memory work = _silent();
        _call(work, 0);
        uint256 index = rangeOfPosition(work, positionOf(work, 0));
        delete work.verdictLeaves[0];
        tally(work);
        work.attestation.silentRanges = uint64(1 << index);
        attest(work);
        uint256 supply = token.totalSupply();
        uint256 before = wealthOf(coordinator.account);
        mine(WINDOW + 1);
        finalize(work);
        uint256 c = collateralOf(work.terms);
        vm.assertEq(supply - token.totalSupply(), c, "that range's C burns");
        vm.assertLt(wealthOf(coordinator.account), before + 2 * c, "out of the bond");
        // The silent pay even now.
        address silent = _called(work, 0)[0];
        uint256 staked = stakedOf(silent);
        pass(ATTEST_LIMIT);
        duties.chargeSilent(work.terms, work.batch, 0, silent);
        vm.assertEq(staked - stakedOf(silent), LIVENESS_SLASH, "R25");
    }

    // -- Inside ------------------------------------------------------------------------------------------------------

    /// @notice Drawn, and with true verdicts at hand for the samples that are not tested.
    function _silent() internal returns (Work memory work) {
        work = honestWork();
        commit(work);
        draw(work);
        audit(work);
    }

    function _one(uint32 sample) internal pure returns (uint32[] memory samples) {
        samples = new uint32[](1);
        samples[0] = sample;
    }

    function _call(Work memory work, uint32 sample) internal {
        vm.prank(coordinator.account);
        duties.callSamples(work.terms, work.batch, work.attestation, _one(sample), "");
    }

    function _called(Work memory work, uint32 sample) internal view returns (address[] memory) {
        return duties.calledOf(work.terms, work.batch, work.attestation.seed, sample);
    }

    /// @notice A called account that is no candidate.
    function _further(Work memory work, uint32 sample) internal view returns (address) {
        address[] memory candidates = candidatesOf(work, sample);
        address[] memory called = _called(work, sample);
        for (uint256 i = 3; i < called.length; ++i) {
            if (!contains(candidates, called[i])) return called[i];
        }
        revert("nobody");
    }

    function _silentOne(address[] memory called, address a, address b) internal pure returns (address) {
        for (uint256 i; i < called.length; ++i) {
            if (called[i] != a && called[i] != b) return called[i];
        }
        revert("nobody");
    }
}
