// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IChallenges} from "../../contracts/interfaces/IChallenges.sol";
import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {IProofs} from "../../contracts/interfaces/IProofs.sol";
import {Draw} from "../../contracts/libraries/Draw.sol";
import {Openings} from "../../contracts/libraries/Openings.sol";
import {Positions} from "../../contracts/libraries/Positions.sol";
import {VerdictTree} from "../../contracts/libraries/VerdictTree.sol";
import {BatchState, BatchView, Leaf, LeafNode} from "../../contracts/types/Batch.sol";
import {DemandKind} from "../../contracts/types/Disputes.sol";
import {Verdict} from "../../contracts/types/Messages.sol";
import {JuryBase} from "./support/JuryBase.t.sol";
import {TestTrees} from "./support/TestTrees.sol";

/// @dev An asker that takes no native coin.
contract Refuser {
    function withdraw(IChallenges challenges) external returns (uint256) {
        return challenges.withdrawDeposits();
    }
}

/// @notice Demands and their answers (R26, R30, R10).
contract DemandsTest is JuryBase {
    address internal asker = address(0xA5CE12);

    function setUp() public override {
        super.setUp();
        vm.deal(asker, 100 ether);
    }

    // -- Reverts -----------------------------------------------------------------------------------------------------

    function test_demandLeaf_revertsBeforeTheAttestation() external {
        Work memory work = honestWork();
        commit(work);
        draw(work);
        vm.expectRevert(abi.encodeWithSelector(IProofs.ChallengeState.selector, work.batchId, BatchState.Drawn));
        challenges.demandLeaf{value: 1 ether}(work.terms, work.batch, work.attestation, 0);
    }

    function test_demandLeaf_revertsAfterTheWindow() external {
        Work memory work = attestedWork();
        uint256 end = market.batchOf(work.batchId).clock;
        vm.warp(end + 1);
        vm.expectRevert(abi.encodeWithSelector(IProofs.ChallengeOver.selector, work.batchId, end));
        challenges.demandLeaf{value: 1 ether}(work.terms, work.batch, work.attestation, 0);
    }

    function testFuzz_demand_revertsBelowTheDeposit(uint256 baseFee, uint8 kind) external {
        baseFee = 1 + baseFee % 10_000 gwei;
        Work memory work = attestedWork();
        vm.fee(baseFee);
        uint256 gasFigure = challenges.gasFigure(DemandKind(kind % 4));
        uint256 deposit = 2 * baseFee * gasFigure;
        vm.assertEq(challenges.depositOf(DemandKind(kind % 4)), deposit, "2 x base fee x gas figure");
        vm.expectRevert(abi.encodeWithSelector(IChallenges.DemandDeposit.selector, deposit - 1, deposit));
        _demand(work, DemandKind(kind % 4), 0, deposit - 1);
    }

    function test_demand_revertsTheSecondTime() external {
        Work memory work = attestedWork();
        bytes32 id = _demand(work, DemandKind.Leaf, 3, 1 ether);
        vm.expectRevert(abi.encodeWithSelector(IChallenges.DemandExists.selector, id));
        _demand(work, DemandKind.Leaf, 3, 1 ether);
        _answerLeaf(work, 3);
        vm.expectRevert(abi.encodeWithSelector(IChallenges.DemandExists.selector, id));
        _demand(work, DemandKind.Leaf, 3, 1 ether);
    }

    function test_demand_revertsOutsideTheBatch() external {
        Work memory work = attestedWork();
        uint256 k = samplesOf(work);
        vm.expectRevert(abi.encodeWithSelector(Positions.PositionOutside.selector, 15, 15));
        _demand(work, DemandKind.Leaf, 15, 1 ether);
        vm.expectRevert(abi.encodeWithSelector(Draw.DrawOutside.selector, k, k));
        _demand(work, DemandKind.Verdict, uint32(k), 1 ether);
        vm.expectRevert(abi.encodeWithSelector(Positions.PositionOutside.selector, 4, 4));
        _demand(work, DemandKind.Signature, 4, 1 ether);
    }

    function test_demand_revertsForARangeThatIsVoidAnyway() external {
        Work memory work = honestWork();
        commit(work);
        draw(work);
        audit(work);
        uint256 index = rangeOfPosition(work, positionOf(work, 0));
        delete work.verdictLeaves[0];
        tally(work);
        work.attestation.silentRanges = uint64(1 << index);
        attest(work);
        vm.expectRevert(abi.encodeWithSelector(IChallenges.DemandVoid.selector, work.batchId, 1 << index));
        _demand(work, DemandKind.Verdict, 0, 1 ether);
    }

    function test_demand_revertsForAnotherAttestation() external {
        Work memory work = attestedWork();
        work.attestation.verdictRoot = "other";
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchMismatch.selector, work.batchId));
        _demand(work, DemandKind.Leaf, 0, 1 ether);
    }

    /// @notice With sorted pairs any good leaf would do; here none but the one asked for does (R3, R5).
    function testFuzz_R3_answerLeaf_revertsForAnyOtherLeaf(uint32 asked, uint32 shown) external {
        Work memory work = attestedWork();
        asked %= 15;
        shown %= 15;
        vm.assume(asked != shown);
        _demand(work, DemandKind.Leaf, asked, 1 ether);
        LeafNode[] memory path = pathOf(work, shown);
        vm.expectRevert(abi.encodeWithSelector(Openings.OpeningTask.selector, shown, asked));
        challenges.answerLeaf(work.terms, work.batch, asked, work.leaves[shown], path);
        path = pathOf(work, asked);
        vm.expectRevert(abi.encodeWithSelector(Openings.OpeningTask.selector, shown, asked));
        challenges.answerLeaf(work.terms, work.batch, asked, work.leaves[shown], path);
    }

    function test_answerLeaf_revertsForAFalseOutput() external {
        Work memory work = attestedWork();
        _demand(work, DemandKind.Leaf, 5, 1 ether);
        LeafNode[] memory path = pathOf(work, 5);
        work.leaves[5].outputCommitment = "other";
        vm.expectPartialRevert(Openings.OpeningRoot.selector);
        challenges.answerLeaf(work.terms, work.batch, 5, work.leaves[5], path);
    }

    function test_answer_revertsAfterItsClockAndWithoutADemand() external {
        Work memory work = attestedWork();
        LeafNode[] memory path = pathOf(work, 5);
        bytes32 id = keccak256(abi.encode(bytes32("assay.demand"), work.batchId, uint8(0), uint32(5)));
        vm.expectRevert(
            abi.encodeWithSelector(IChallenges.DemandNotOpen.selector, id, IChallenges.DemandState.None)
        );
        challenges.answerLeaf(work.terms, work.batch, 5, work.leaves[5], path);
        _demand(work, DemandKind.Leaf, 5, 1 ether);
        uint256 end = challenges.demandOf(id).deadline;
        vm.warp(end + 1);
        vm.expectRevert(abi.encodeWithSelector(IChallenges.DemandOver.selector, id, end));
        challenges.answerLeaf(work.terms, work.batch, 5, work.leaves[5], path);
    }

    function test_expire_revertsBeforeTheClockHasRunOut() external {
        Work memory work = attestedWork();
        bytes32 id = _demand(work, DemandKind.Leaf, 5, 1 ether);
        uint256 end = challenges.demandOf(id).deadline;
        vm.warp(end);
        vm.expectRevert(abi.encodeWithSelector(IChallenges.DemandRunning.selector, id, end));
        challenges.expire(work.terms, work.batch, id);
        _answerLeaf(work, 5);
        vm.warp(end + 1);
        vm.expectRevert(
            abi.encodeWithSelector(IChallenges.DemandNotOpen.selector, id, IChallenges.DemandState.Answered)
        );
        challenges.expire(work.terms, work.batch, id);
    }

    // -- Answers -----------------------------------------------------------------------------------------------------

    /// @notice The asker pays, the answerer earns; what was sent beyond the deposit comes back.
    function testFuzz_R26_answer_earnsTheDeposit(uint96 sent) external {
        Work memory work = attestedWork();
        uint256 deposit = challenges.depositOf(DemandKind.Leaf);
        uint256 value = deposit + sent % 1 ether;
        _demand(work, DemandKind.Leaf, 7, value);
        vm.assertEq(challenges.depositsOf(asker), value - deposit, "the rest is the asker's");
        vm.prank(walter.account);
        _answerLeaf(work, 7);
        vm.assertEq(challenges.depositsOf(walter.account), deposit, "the deposit is the answerer's");
        uint256 before = walter.account.balance;
        vm.prank(walter.account);
        challenges.withdrawDeposits();
        vm.assertEq(walter.account.balance - before, deposit, "and can be taken");
        vm.assertEq(challenges.depositsOf(walter.account), 0, "once");
    }

    function test_R26_everyLeafVerdictAndSignature_canBeShown() external {
        Work memory work = attestedWork();
        for (uint32 i; i < work.leaves.length; ++i) {
            _demand(work, DemandKind.Leaf, i, 1 ether);
            _answerLeaf(work, i);
        }
        for (uint32 i; i < work.verdicts.length; ++i) {
            _demand(work, DemandKind.Verdict, i, 1 ether);
            _answerVerdict(work, i);
        }
        for (uint32 i; i < work.leases.length; ++i) {
            _demand(work, DemandKind.Signature, i, 1 ether);
            _answerSignature(work, i);
        }
        _demand(work, DemandKind.Shards, 0, 1 ether);
        challenges.answerShards(work.terms, work.batch, rowOf(work));
        vm.assertEq(market.batchOf(work.batchId).count, 0, "nothing is open");
        pass(CLOCK + 1);
        finalize(work);
        assertConserved(jobs(work), 0, "final");
    }

    function test_R26_manyAnswers_inOneTransaction() external {
        Work memory work = attestedWork();
        bytes[] memory calls = new bytes[](15);
        for (uint32 i; i < 15; ++i) {
            _demand(work, DemandKind.Leaf, i, 1 ether);
            calls[i] = abi.encodeCall(
                IChallenges.answerLeaf, (work.terms, work.batch, i, work.leaves[i], pathOf(work, i))
            );
        }
        vm.prank(coordinator.account);
        challenges.multicall(calls);
        vm.assertEq(market.batchOf(work.batchId).count, 0, "all are answered");
        vm.assertEq(
            challenges.depositsOf(coordinator.account), 15 * challenges.depositOf(DemandKind.Leaf), "all are paid"
        );
    }

    function test_R14_answerSignature_revertsForAnotherWorkersReceipt() external {
        Work memory work = attestedWork();
        _demand(work, DemandKind.Signature, 0, 1 ether);
        LeafNode[] memory path = TestTrees.path(work.topLevels, 0);
        bytes memory forged =
            sign(coordinator.secret, typed(keccak256(abi.encode(RECEIPT_TYPE, work.receipts[0]))));
        vm.expectRevert(
            abi.encodeWithSelector(
                Openings.OpeningSigner.selector, false, coordinator.key, work.leases[0].worker
            )
        );
        challenges.answerSignature(
            work.terms,
            work.batch,
            0,
            work.leases[0],
            work.leaseSignatures[0],
            work.receipts[0],
            forged,
            path
        );
    }

    function test_answerVerdict_revertsUnlessItIsTheAttestedOne() external {
        Work memory work = attestedWork();
        _demand(work, DemandKind.Verdict, 1, 1 ether);
        bytes32[] memory proof = TestTrees.proof(work.verdictLevels, 1, 0);
        Verdict memory other = verdictOf(work, 1, work.verdicts[1].verifier);
        other.keyedDigest = "copied";
        bytes memory signature = signVerdict(other);
        vm.expectPartialRevert(VerdictTree.VerdictRoot.selector);
        challenges.answerVerdict(work.terms, work.batch, work.attestation, 1, other, signature, proof);
        vm.expectPartialRevert(IProofs.ChallengeVerdict.selector);
        challenges.answerVerdict(
            work.terms, work.batch, work.attestation, 1, work.verdicts[0], work.verdictSignatures[0], proof
        );
        vm.expectPartialRevert(IProofs.ChallengeVerdictSigner.selector);
        challenges.answerVerdict(work.terms, work.batch, work.attestation, 1, work.verdicts[1], signature, proof);
    }

    // -- Clocks ------------------------------------------------------------------------------------------------------

    /// @notice A demand in the window's last second still has a full clock, and holds the pay (R26, R30).
    function test_R30_demand_hasAFullClockAndHoldsFinalize() external {
        Work memory work = attestedWork();
        uint256 end = market.batchOf(work.batchId).clock;
        vm.warp(end);
        bytes32 id = _demand(work, DemandKind.Leaf, 2, 1 ether);
        vm.assertEq(challenges.demandOf(id).deadline, end + CLOCK, "a full clock");
        vm.warp(end + CLOCK);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchHeld.selector, work.batchId, 1));
        market.finalize(work.terms, work.batch, work.attestation);
        _answerLeaf(work, 2);
        // What was shown can be looked at for a clock.
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchTooEarly.selector, work.batchId, end + 2 * CLOCK));
        market.finalize(work.terms, work.batch, work.attestation);
        vm.warp(end + 2 * CLOCK + 1);
        finalize(work);
    }

    /// @notice Whoever asks for leaf after leaf cannot put off the pay for ever.
    function test_R30_demands_endWithTheWindowTheyBeganIn() external {
        Work memory work = attestedWork();
        uint256 end = market.batchOf(work.batchId).clock;
        _demand(work, DemandKind.Leaf, 0, 1 ether);
        vm.warp(end);
        _answerLeaf(work, 0);
        vm.warp(end + 1);
        vm.assertGt(market.batchOf(work.batchId).clock, end, "the window is longer");
        vm.expectRevert(abi.encodeWithSelector(IProofs.ChallengeOver.selector, work.batchId, end));
        _demand(work, DemandKind.Leaf, 1, 1 ether);
    }

    // -- Unanswered --------------------------------------------------------------------------------------------------

    function test_R26_unanswered_costsThatRangesBondAndVoidsItAlone() external {
        Work memory work = attestedWork();
        uint32 position = 0;
        uint256 index = rangeOfPosition(work, position);
        address worker = work.leaves[position].worker;
        bytes32 id = _demand(work, DemandKind.Leaf, position, challenges.depositOf(DemandKind.Leaf));
        uint256 deposit = challenges.demandOf(id).deposit;
        pass(CLOCK + 1);
        uint256 supply = token.totalSupply();
        challenges.expire(work.terms, work.batch, id);
        vm.assertEq(challenges.depositsOf(asker), deposit, "the asker's deposit comes back");
        vm.assertEq(supply - token.totalSupply(), collateralOf(work.terms), "C of the bond is burned whole (R12)");
        finalize(work);
        BatchView memory batch = market.batchOf(work.batchId);
        vm.assertEq(batch.voided, 1 << index, "that range alone");
        vm.assertEq(batch.slashed, 0, "no worker is slashed");
        (uint256 free, uint256 owed,,) = registry.pairOf(worker, coordinator.account);
        vm.assertEq(free, 10_000 ether, "the worker's C comes back");
        vm.assertEq(owed, 0, "unpaid");
        vm.assertGt(
            owedOf(worker == walter.account ? mallory.account : walter.account), 0, "the other worker is paid"
        );
        vm.assertGt(batch.claimable, 0, "R18: its worker alone may commit the shards for a while");
        (uint256 bond,,,) = registry.pairOf(coordinator.account, coordinator.account);
        vm.assertEq(bond, 10_000 ether - collateralOf(work.terms), "the coordinator's bond is what it cost");
        assertConserved(jobs(work), 0, "final");
    }

    function test_R4_unansweredShardRow_voidsEveryRange() external {
        Work memory work = attestedWork();
        bytes32 id = _demand(work, DemandKind.Shards, 0, 1 ether);
        pass(CLOCK + 1);
        uint256 supply = token.totalSupply();
        challenges.expire(work.terms, work.batch, id);
        vm.assertEq(supply - token.totalSupply(), 2 * collateralOf(work.terms), "every range's C");
        finalize(work);
        vm.assertEq(market.batchOf(work.batchId).voided, 3, "all are void");
        assertConserved(jobs(work), 0, "final");
    }

    function test_R10_aRefusedDeposit_blocksNobodyElse() external {
        Work memory work = attestedWork();
        Refuser refuser = new Refuser();
        vm.deal(address(refuser), 10 ether);
        asker = address(refuser);
        bytes32 id = _demand(work, DemandKind.Leaf, 0, 1 ether);
        pass(CLOCK + 1);
        challenges.expire(work.terms, work.batch, id);
        finalize(work);
        vm.expectRevert(abi.encodeWithSelector(IChallenges.DepositRefused.selector, address(refuser), 1 ether));
        refuser.withdraw(challenges);
        vm.assertEq(challenges.depositsOf(address(refuser)), 1 ether, "it is still there");
    }

    // -- Inside ------------------------------------------------------------------------------------------------------

    function _demand(Work memory work, DemandKind kind, uint32 position, uint256 value) internal returns (bytes32) {
        vm.prank(asker);
        if (kind == DemandKind.Leaf) {
            return challenges.demandLeaf{value: value}(work.terms, work.batch, work.attestation, position);
        }
        if (kind == DemandKind.Shards) {
            return challenges.demandShards{value: value}(work.terms, work.batch, work.attestation);
        }
        if (kind == DemandKind.Verdict) {
            return challenges.demandVerdict{value: value}(work.terms, work.batch, work.attestation, position);
        }
        return challenges.demandSignature{value: value}(work.terms, work.batch, work.attestation, position);
    }

    function _answerLeaf(Work memory work, uint32 position) internal {
        challenges.answerLeaf(work.terms, work.batch, position, work.leaves[position], pathOf(work, position));
    }

    function _answerVerdict(Work memory work, uint32 sample) internal {
        challenges.answerVerdict(
            work.terms,
            work.batch,
            work.attestation,
            sample,
            work.verdicts[sample],
            work.verdictSignatures[sample],
            TestTrees.proof(work.verdictLevels, sample, 0)
        );
    }

    function _answerSignature(Work memory work, uint32 ordinal) internal {
        challenges.answerSignature(
            work.terms,
            work.batch,
            ordinal,
            work.leases[ordinal],
            work.leaseSignatures[ordinal],
            work.receipts[ordinal],
            work.receiptSignatures[ordinal],
            TestTrees.path(work.topLevels, ordinal)
        );
    }
}
