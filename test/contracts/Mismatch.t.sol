// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IJury} from "../../contracts/interfaces/IJury.sol";
import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {IProofs} from "../../contracts/interfaces/IProofs.sol";
import {Openings} from "../../contracts/libraries/Openings.sol";
import {BatchState, BatchView} from "../../contracts/types/Batch.sol";
import {SignedLeaf} from "../../contracts/types/Disputes.sol";
import {Verdict} from "../../contracts/types/Messages.sol";
import {JuryBase} from "./support/JuryBase.t.sol";

/// @notice Who may open a dispute, with what, and when (R8, R14, R20, R24a).
contract MismatchTest is JuryBase {
    // -- Reverts -----------------------------------------------------------------------------------------------------

    function test_postMismatch_revertsBeforeTheDraw() external {
        Work memory work = honestWork();
        commit(work);
        work.attestation.seed = "any";
        SignedLeaf memory signed = signedLeafOf(work, positionOf(work, 0));
        Verdict memory verdict = verdictOf(work, 0, verifiers[0].account);
        bytes memory signature = signVerdict(verdict);
        vm.expectRevert(
            abi.encodeWithSelector(IProofs.ChallengeState.selector, work.batchId, BatchState.Committed)
        );
        challenges.postMismatch(work.terms, work.batch, work.attestation, signed, verdict, signature);
    }

    function test_postMismatch_revertsAfterTheWindow() external {
        Work memory work = cheatedWork();
        tally(work);
        attest(work);
        uint256 end = market.batchOf(work.batchId).clock;
        vm.warp(end + 1);
        _expect(work, sampleOf(work, mallory.account), abi.encodeWithSelector(IProofs.ChallengeOver.selector, work.batchId, end));
    }

    function test_postMismatch_revertsIfTheSeedIsNotTheBatchs() external {
        Work memory work = cheatedWork();
        uint256 sample = sampleOf(work, mallory.account);
        SignedLeaf memory signed = signedLeafOf(work, positionOf(work, sample));
        work.attestation.seed = "other";
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchMismatch.selector, work.batchId));
        challenges.postMismatch(
            work.terms, work.batch, work.attestation, signed, work.verdicts[sample], work.verdictSignatures[sample]
        );
    }

    function test_postMismatch_revertsIfTheVerdictAgrees() external {
        Work memory work = cheatedWork();
        _expect(
            work,
            sampleOf(work, walter.account),
            abi.encodeWithSelector(IProofs.ChallengeNoFault.selector, bytes32("mismatch"))
        );
    }

    function test_R20_postMismatch_revertsIfTheVerifierWasNotDrawn() external {
        Work memory work = cheatedWork();
        uint256 sample = sampleOf(work, mallory.account);
        address[] memory candidates = candidatesOf(work, sample);
        address stranger;
        for (uint256 i; i < verifiers.length; ++i) {
            if (!contains(candidates, verifiers[i].account)) stranger = verifiers[i].account;
        }
        setVerdict(work, verdictOf(work, sample, stranger));
        _expect(
            work, sample, abi.encodeWithSelector(IProofs.ChallengeNotDrawn.selector, stranger, uint32(sample))
        );
    }

    /// @notice The executor owns seats, and signs by a second key: it is the same account, and is never drawn for it.
    function test_R20_postMismatch_revertsForTheExecutorUnderAnotherKey() external {
        uint256 secret = uint256(keccak256("mallory's second key"));
        vm.startPrank(mallory.account);
        registry.stake(CAPABILITY, 24);
        registry.registerKey(vm.addr(secret), sign(secret, registryDigest(mallory.account, vm.addr(secret))));
        vm.stopPrank();
        mine(1);
        Work memory work = cheatedWork();
        uint256 sample = sampleOf(work, mallory.account);
        work.verdicts[sample] = verdictOf(work, sample, mallory.account);
        work.verdictSignatures[sample] = sign(secret, typed(keccak256(abi.encode(VERDICT_TYPE, work.verdicts[sample]))));
        _expect(
            work,
            sample,
            abi.encodeWithSelector(IProofs.ChallengeNotDrawn.selector, mallory.account, uint32(sample))
        );
    }

    /// @notice A key counts from the block after its registration, and the commit block decides.
    function test_R8_postMismatch_revertsIfTheKeyCameAfterTheCommit() external {
        Work memory work = cheatedWork();
        uint256 sample = sampleOf(work, mallory.account);
        address verifier = work.verdicts[sample].verifier;
        uint256 secret = uint256(keccak256("a late key"));
        vm.prank(verifier);
        registry.registerKey(vm.addr(secret), sign(secret, registryDigest(verifier, vm.addr(secret))));
        mine(1);
        work.verdictSignatures[sample] = sign(secret, typed(keccak256(abi.encode(VERDICT_TYPE, work.verdicts[sample]))));
        _expect(
            work,
            sample,
            abi.encodeWithSelector(IProofs.ChallengeVerdictSigner.selector, vm.addr(secret), verifier)
        );
    }

    /// @notice A signature that its signer cannot unsign: revoking a key leaves what it signed before.
    function test_R8_postMismatch_countsAKeyRevokedAfterTheCommit() external {
        Work memory work = cheatedWork();
        vm.prank(mallory.account);
        registry.revokeKey(mallory.key);
        mine(5);
        uint256 id = accuse(work, sampleOf(work, mallory.account));
        vm.assertEq(uint256(phaseOf(id)), uint256(IJury.Phase.Seed), "the dispute is open");
    }

    function testFuzz_postMismatch_revertsForAnotherPosition(uint32 position) external {
        Work memory work = cheatedWork();
        uint256 sample = sampleOf(work, mallory.account);
        vm.assume(position != work.verdicts[sample].position);
        SignedLeaf memory signed = signedLeafOf(work, work.verdicts[sample].position);
        work.verdicts[sample].position = position;
        setVerdict(work, work.verdicts[sample]);
        vm.expectRevert(
            abi.encodeWithSelector(
                IProofs.ChallengeVerdict.selector, work.batchId, uint32(sample), position
            )
        );
        challenges.postMismatch(
            work.terms, work.batch, work.attestation, signed, work.verdicts[sample], work.verdictSignatures[sample]
        );
    }

    function test_R14_postMismatch_revertsWithoutTheWorkersSignature() external {
        Work memory work = cheatedWork();
        uint256 sample = sampleOf(work, mallory.account);
        uint256 o = ordinalOf(work, positionOf(work, sample));
        // What a coordinator could forge: everything but the worker's key.
        work.receiptSignatures[o] =
            sign(coordinator.secret, typed(keccak256(abi.encode(RECEIPT_TYPE, work.receipts[o]))));
        _expect(
            work,
            sample,
            abi.encodeWithSelector(Openings.OpeningSigner.selector, false, coordinator.key, mallory.account)
        );
    }

    function test_R14_postMismatch_revertsWithoutTheCoordinatorsLease() external {
        Work memory work = cheatedWork();
        uint256 sample = sampleOf(work, mallory.account);
        uint256 o = ordinalOf(work, positionOf(work, sample));
        work.leaseSignatures[o] = sign(mallory.secret, typed(keccak256(abi.encode(LEASE_TYPE, work.leases[o]))));
        _expect(
            work,
            sample,
            abi.encodeWithSelector(Openings.OpeningSigner.selector, true, mallory.key, coordinator.account)
        );
    }

    function test_R14_postMismatch_revertsForAReceiptOfAnotherShard() external {
        Work memory work = cheatedWork();
        uint256 sample = sampleOf(work, mallory.account);
        uint256 o = ordinalOf(work, positionOf(work, sample));
        uint256 other = o == 1 ? 3 : 1;
        work.receipts[o] = work.receipts[other];
        work.receiptSignatures[o] = work.receiptSignatures[other];
        _expectPartial(work, sample, Openings.OpeningReceipt.selector);
        work.leases[o] = work.leases[other];
        work.leaseSignatures[o] = work.leaseSignatures[other];
        _expect(
            work,
            sample,
            abi.encodeWithSelector(Openings.OpeningLease.selector, work.jobId, work.leases[other].shard)
        );
    }

    /// @notice With sorted pairs any good leaf would answer for any drawn position (R3).
    function testFuzz_R3_postMismatch_revertsForAnyOtherLeaf(uint256 seed) external {
        Work memory work = cheatedWork();
        uint256 sample = sampleOf(work, mallory.account);
        uint256 position = positionOf(work, sample);
        uint256 other = seed % work.leaves.length;
        vm.assume(other != position);
        SignedLeaf memory signed = signedLeafOf(work, other);
        vm.expectRevert(abi.encodeWithSelector(Openings.OpeningTask.selector, other, position));
        challenges.postMismatch(
            work.terms, work.batch, work.attestation, signed, work.verdicts[sample], work.verdictSignatures[sample]
        );
        // Not even under the drawn task's name.
        signed.leaf.taskIndex = work.leaves[position].taskIndex;
        signed.leaf.worker = work.leaves[position].worker;
        vm.expectPartialRevert(Openings.OpeningRoot.selector);
        challenges.postMismatch(
            work.terms, work.batch, work.attestation, signed, work.verdicts[sample], work.verdictSignatures[sample]
        );
    }

    function testFuzz_R4_postMismatch_revertsIfOneBitOfThePathIsWrong(uint256 level, uint8 bit) external {
        Work memory work = cheatedWork();
        uint256 sample = sampleOf(work, mallory.account);
        SignedLeaf memory signed = signedLeafOf(work, positionOf(work, sample));
        level %= signed.path.length;
        if (bit < 64) signed.path[level].units ^= uint64(1) << (bit % 8);
        else signed.path[level].hash ^= bytes32(1 << bit);
        vm.expectPartialRevert(Openings.OpeningRoot.selector);
        challenges.postMismatch(
            work.terms, work.batch, work.attestation, signed, work.verdicts[sample], work.verdictSignatures[sample]
        );
    }

    function test_postMismatch_revertsTheSecondTime() external {
        Work memory work = cheatedWork();
        uint256 sample = sampleOf(work, mallory.account);
        uint256 id = accuse(work, sample);
        _expect(work, sample, abi.encodeWithSelector(IJury.JuryDisputeExists.selector, id));
    }

    // -- What it does ------------------------------------------------------------------------------------------------

    /// @notice The verifier's signature is what counts: it need not come from the verifier.
    function test_R20_postMismatch_isForAnyone() external {
        Work memory work = cheatedWork();
        vm.prank(requester.account);
        uint256 id = accuse(work, sampleOf(work, mallory.account));
        (IJury.Case memory dispute,) = jury.disputeOf(id);
        uint256 sample = sampleOf(work, mallory.account);
        vm.assertEq(dispute.verifier, work.verdicts[sample].verifier, "the finder is who signed");
        vm.assertEq(dispute.executor, mallory.account, "executor");
        vm.assertEq(dispute.leafOutput, wrongOutputOf(taskOf(work, sample)), "the leaf's output");
        vm.assertEq(dispute.verdictOutput, outputOf(taskOf(work, sample)), "the verdict's output");
        vm.assertEq(id, jury.disputeIdOf(work.batchId, uint32(sample), dispute.verifier), "id");
    }

    function test_R24a_postMismatch_holdsTheBatchAndNoOtherMoneyMoves() external {
        Work memory work = cheatedWork();
        tally(work);
        attest(work);
        uint256 sample = sampleOf(work, mallory.account);
        accuse(work, sample);
        BatchView memory batch = market.batchOf(work.batchId);
        vm.assertEq(batch.frozen, 1 << rangeOfPosition(work, positionOf(work, sample)), "that range alone");
        vm.assertEq(batch.count, 1, "held once");
        vm.assertEq(batch.voided, 0, "nothing is void yet");
        mine(WINDOW + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchHeld.selector, work.batchId, 1));
        market.finalize(work.terms, work.batch, work.attestation);
    }

    function test_R27_disputesOfARange_runInParallel() external {
        Work memory work = cheatedWork();
        uint256 k = samplesOf(work);
        uint256[] memory ids = new uint256[](k);
        uint256 count;
        for (uint256 sample; sample < k; ++sample) {
            if (work.leaves[positionOf(work, sample)].worker == mallory.account) ids[count++] = accuse(work, sample);
        }
        vm.assertGt(count, 1, "several samples hit");
        vm.assertEq(market.batchOf(work.batchId).count, count, "all are open");
        uint256 supply = token.totalSupply();
        uint256 found;
        for (uint256 sample; sample < k; ++sample) {
            if (work.leaves[positionOf(work, sample)].worker != mallory.account) continue;
            unanimous(work, ids[found++], outputOf(taskOf(work, sample)));
        }
        vm.assertEq(market.batchOf(work.batchId).count, 0, "none is left");
        vm.assertLe(supply - token.totalSupply(), collateralOf(work.terms), "C is lost once");
        tally(work);
        attest(work);
        mine(WINDOW + 1);
        finalize(work);
        assertConserved(jobs(work), 0, "final");
    }

    // -- Inside ------------------------------------------------------------------------------------------------------

    function _expect(Work memory work, uint256 sample, bytes memory reason) internal {
        SignedLeaf memory signed = signedLeafOf(work, positionOf(work, sample));
        vm.expectRevert(reason);
        challenges.postMismatch(
            work.terms, work.batch, work.attestation, signed, work.verdicts[sample], work.verdictSignatures[sample]
        );
    }

    function _expectPartial(Work memory work, uint256 sample, bytes4 selector) internal {
        SignedLeaf memory signed = signedLeafOf(work, positionOf(work, sample));
        vm.expectPartialRevert(selector);
        challenges.postMismatch(
            work.terms, work.batch, work.attestation, signed, work.verdicts[sample], work.verdictSignatures[sample]
        );
    }
}
