// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IChallenges} from "../../contracts/interfaces/IChallenges.sol";
import {IJury} from "../../contracts/interfaces/IJury.sol";
import {IProofs} from "../../contracts/interfaces/IProofs.sol";
import {IRegistry} from "../../contracts/interfaces/IRegistry.sol";
import {SignedLeaf} from "../../contracts/types/Disputes.sol";
import {Lease, Verdict} from "../../contracts/types/Messages.sol";
import {JuryBase} from "./support/JuryBase.t.sol";
import {TestTrees} from "./support/TestTrees.sol";

/// @notice Named attacks, from the attacker's side, with his and his friends' wealth before and after. The cheat gains
/// nothing from work that was never done: g = u F + G a wrong leaf is what he would have got.
contract AttacksTest is JuryBase {
    // -- Escaping a slash --------------------------------------------------------------------------------------------

    /// @notice R27: a friend accuses first and loses on purpose, so that the leaf counts as upheld.
    function test_attack_aLostAccusation_protectsNothing() external {
        Work memory work = cheatedWork();
        (uint256 sample, address friend, address honest) = _sampleWithTwo(work);
        uint256 before = wealthOf(mallory.account) + wealthOf(friend) + _locked(work);
        Verdict memory guess = verdictOf(work, sample, friend);
        guess.outputCommitment = "something else";
        setVerdict(work, guess);
        uint256 first = accuse(work, sample);
        // A captured jury upholds the leaf.
        unanimous(work, first, wrongOutputOf(taskOf(work, sample)));
        assertOutcome(first, IJury.Outcome.Upheld);

        setVerdict(work, verdictOf(work, sample, honest));
        uint256 second = accuse(work, sample);
        unanimous(work, second, outputOf(taskOf(work, sample)));
        assertOutcome(second, IJury.Outcome.Refuted);
        _end(work);
        uint256 after_ = wealthOf(mallory.account) + wealthOf(friend);
        vm.assertGe(
            before - after_,
            half(collateralOf(work.terms)) + half(market.verdictCollateralOf(work.terms)),
            "b C, and C_v on top"
        );
    }

    /// @notice R12, friends and re-rolls: the cheat's friend finds the cheat and takes the finder's share.
    function test_attack_aFriendAsFinder_stillLosesBC() external {
        Work memory work = cheatedWork();
        uint256 sample = sampleOf(work, mallory.account);
        address friend = work.verdicts[sample].verifier;
        uint256 before = wealthOf(mallory.account) + wealthOf(friend) + _locked(work);
        uint256 id = accuse(work, sample);
        unanimous(work, id, outputOf(taskOf(work, sample)));
        uint256 after_ = wealthOf(mallory.account) + wealthOf(friend);
        vm.assertGe(before - after_, half(collateralOf(work.terms)), "at least b C has left the coalition");
        _end(work);
        vm.assertEq(owedOf(mallory.account), 0, "and the work is not paid");
    }

    /// @notice Friends on a first jury keep silent, so that the range is void by nobody's fault and C is safe.
    function test_attack_noMajorityFirst_doesNotSaveC() external {
        Work memory work = cheatedWork();
        uint256 first = sampleOf(work, mallory.account);
        uint256 second = first + 1;
        while (work.leaves[positionOf(work, second)].worker != mallory.account) ++second;
        uint256 before = wealthOf(mallory.account) + _locked(work);
        uint256 one = accuse(work, first);
        uint256 two = accuse(work, second);
        drawJury(one);
        pass(CLOCK);
        jury.resolve(one, work.terms, work.batch);
        assertOutcome(one, IJury.Outcome.NoMajority);
        unanimous(work, two, outputOf(taskOf(work, second)));
        _end(work);
        vm.assertEq(before - wealthOf(mallory.account), collateralOf(work.terms), "C is lost all the same");
    }

    /// @notice The coordinator lets a demand expire, so that its friend's range is void before the jury speaks.
    function test_attack_aFaultOfTheCoordinator_doesNotSaveTheWorker() external {
        Work memory work = cheatedWork();
        tally(work);
        attest(work);
        uint256 sample = sampleOf(work, mallory.account);
        uint256 before = wealthOf(mallory.account) + wealthOf(coordinator.account) + 3 * collateralOf(work.terms);
        uint256 id = accuse(work, sample);
        vm.deal(address(this), 10 ether);
        bytes32 demand =
            challenges.demandLeaf{value: 1 ether}(work.terms, work.batch, work.attestation, positionOf(work, sample));
        pass(CLOCK + 1);
        challenges.expire(work.terms, work.batch, demand);
        unanimous(work, id, outputOf(taskOf(work, sample)));
        pass(WINDOW + CLOCK);
        finalize(work);
        uint256 after_ = wealthOf(mallory.account) + wealthOf(coordinator.account);
        vm.assertGe(
            before + work.terms.coordinatorFee * 40 - after_, 2 * collateralOf(work.terms), "both C are lost"
        );
        assertConserved(jobs(work), 0, "final");
    }

    /// @notice R22: the liar asks for its stake back before anybody looks.
    function test_attack_theUnstakeRace_isLost() external {
        Work memory work = slanderedWork(0);
        address liar = work.verdicts[0].verifier;
        uint256 before = wealthOf(liar);
        uint32[] memory seats = _seatsOf(liar);
        vm.prank(liar);
        registry.requestUnstake(CAPABILITY, seats);
        uint256 id = accuse(work, 0);
        unanimous(work, id, outputOf(taskOf(work, 0)));
        vm.assertEq(before - wealthOf(liar), market.verdictCollateralOf(work.terms), "unbonding stake is slashed");
    }

    /// @notice A batch that nobody forfeits is accused when the accuser's stake has left.
    function test_attack_accusingWithoutStake_comesTooLate() external {
        Work memory work = slanderedWork(0);
        uint256 limit = market.batchOf(work.batchId).clock;
        SignedLeaf memory signed = signedLeafOf(work, positionOf(work, 0));
        vm.warp(limit + 1);
        vm.expectRevert(abi.encodeWithSelector(IProofs.ChallengeOver.selector, work.batchId, limit));
        challenges.postMismatch(
            work.terms, work.batch, work.attestation, signed, work.verdicts[0], work.verdictSignatures[0]
        );
    }

    // -- Slandering the honest ---------------------------------------------------------------------------------------

    /// @notice R28: a drawn verifier accuses honest work.
    function test_attack_slander_costsCv() external {
        Work memory work = slanderedWork(0);
        address liar = work.verdicts[0].verifier;
        address victim = work.leaves[positionOf(work, 0)].worker;
        uint256 before = wealthOf(liar);
        uint256 victims = wealthOf(victim) + collateralOf(work.terms);
        uint256 id = accuse(work, 0);
        unanimous(work, id, outputOf(taskOf(work, 0)));
        _end(work);
        vm.assertEq(before - wealthOf(liar), market.verdictCollateralOf(work.terms), "C_v, and no pay for its verdicts");
        vm.assertGt(wealthOf(victim), victims, "the victim is paid in full");
    }

    /// @notice R14: a coordinator writes a wrong leaf in the name of a worker, to take its collateral as a finder's friend.
    function test_attack_aForgedLeaf_slashesNobody() external {
        Work memory work = honestWork();
        uint256 position = 5; // mallory's, who is honest here
        uint256 o = ordinalOf(work, position);
        bytes memory signedByHer = work.receiptSignatures[o];
        work.leaves[position].outputCommitment = "forged";
        seal(work);
        work.receiptSignatures[o] = signedByHer;
        commit(work);
        draw(work);
        uint256 before = wealthOf(mallory.account) + collateralOf(work.terms);
        for (uint256 sample; sample < samplesOf(work); ++sample) {
            if (positionOf(work, sample) != position) continue;
            address[] memory candidates = candidatesOf(work, sample);
            Verdict memory verdict = verdictOf(work, sample, candidates[0]);
            bytes memory signature = signVerdict(verdict);
            SignedLeaf memory signed = signedLeafOf(work, position);
            vm.expectPartialRevert(bytes4(keccak256("OpeningSigner(bool,address,address)")));
            challenges.postMismatch(work.terms, work.batch, work.attestation, signed, verdict, signature);
        }
        audit(work);
        tally(work);
        attest(work);
        // She demands what cannot be shown.
        vm.prank(mallory.account);
        bytes32 demand =
            challenges.demandSignature{value: 1 ether}(work.terms, work.batch, work.attestation, uint32(o));
        pass(CLOCK + 1);
        challenges.expire(work.terms, work.batch, demand);
        finalize(work);
        vm.assertEq(wealthOf(mallory.account), before, "she loses nothing");
        (uint256 bond,,,) = registry.pairOf(coordinator.account, coordinator.account);
        vm.assertEq(bond, 10_000 ether - collateralOf(work.terms), "the forger loses C");
    }

    // -- Capturing the jury ------------------------------------------------------------------------------------------

    /// @notice Caught, the cheat stakes a jury of friends in the very block of the accusation.
    function test_attack_aJuryStakedOnDemand_isNotDrawn() external {
        Work memory work = cheatedWork();
        Actor memory crony = enlist("crony");
        uint256 id = accuse(work, sampleOf(work, mallory.account));
        vm.prank(crony.account);
        registry.stake(CAPABILITY, 2_000);
        (address[] memory jurors,) = drawJury(id);
        vm.assertTrue(jurors.length > 0, "there is a jury");
        vm.assertTrue(!contains(jurors, crony.account), "none of it came after the commit");
    }

    /// @notice Silence in hope of a missing quorum costs each silent friend the liveness slash, and its share of pay.
    function test_attack_silentFriends_pay() external {
        Work memory work = cheatedWork();
        uint256 id = accuse(work, sampleOf(work, mallory.account));
        (address[] memory jurors,) = drawJury(id);
        uint256 before;
        for (uint256 i; i < jurors.length; ++i) {
            before += wealthOf(jurors[i]);
        }
        pass(CLOCK);
        jury.resolve(id, work.terms, work.batch);
        uint256 after_;
        for (uint256 i; i < jurors.length; ++i) {
            after_ += wealthOf(jurors[i]);
        }
        vm.assertEq(before - after_, jurors.length * LIVENESS_SLASH, "every one of them");
    }

    // -- Hiding ------------------------------------------------------------------------------------------------------

    /// @notice The coordinator attests an honest verifier's mismatch, hides it, and shows it when the window is over.
    function test_attack_aMismatchShownAtTheLastSecond_isStillJudged() external {
        Work memory work = cheatedWork();
        tally(work);
        attest(work);
        uint256 sample = sampleOf(work, mallory.account);
        uint256 before = wealthOf(mallory.account) + collateralOf(work.terms);
        uint256 end = market.batchOf(work.batchId).clock;
        vm.warp(end);
        vm.deal(address(this), 10 ether);
        challenges.demandVerdict{value: 1 ether}(work.terms, work.batch, work.attestation, uint32(sample));
        vm.warp(end + CLOCK);
        challenges.answerVerdict(
            work.terms,
            work.batch,
            work.attestation,
            uint32(sample),
            work.verdicts[sample],
            work.verdictSignatures[sample],
            TestTrees.proof(work.verdictLevels, sample, 0)
        );
        vm.warp(end + 2 * CLOCK);
        uint256 id = accuse(work, sample);
        unanimous(work, id, outputOf(taskOf(work, sample)));
        assertOutcome(id, IJury.Outcome.Refuted);
        finalize(work);
        vm.assertEq(before - wealthOf(mallory.account), collateralOf(work.terms), "C is lost");
    }

    /// @notice The coordinator credits friends with all audits and shows no verdict: it would buy the audit budget for one
    /// range's C.
    function test_attack_aHiddenVerdictTree_paysNoFriend() external {
        Work memory work = honestWork();
        commit(work);
        draw(work);
        uint256 k = samplesOf(work);
        Actor memory friend = enlist("friend");
        uint256 before = wealthOf(coordinator.account) + wealthOf(friend.account) + 2 * collateralOf(work.terms);
        work.attestation.verdictRoot = keccak256("nothing");
        work.attestation.verifiers = new uint256[](1);
        work.attestation.verifiers[0] =
            (uint256(uint160(friend.account)) << 96) | (k << 64) | (k * work.terms.maxUnits);
        attest(work);
        vm.deal(address(this), 10 ether);
        bytes32 demand =
            challenges.demandVerdict{value: 1 ether}(work.terms, work.batch, work.attestation, 0);
        pass(CLOCK + 1);
        challenges.expire(work.terms, work.batch, demand);
        finalize(work);
        vm.assertEq(owedOf(friend.account), 0, "the friend gets nothing");
        vm.assertLt(
            wealthOf(coordinator.account) + wealthOf(friend.account), before, "and the coordinator loses"
        );
        assertConserved(jobs(work), 0, "final");
    }

    // -- Locking what is another's -----------------------------------------------------------------------------------

    /// @notice R13: a coordinator keeps a worker's collateral locked, by bogus batches that it withdraws, until the worker
    /// pays it off. No race: from the end of the notice on nothing can be locked.
    function test_attack_ransomOfCollateral_endsWithTheNotice() external {
        vm.prank(walter.account);
        registry.giveNotice(coordinator.account);
        pass(registry.NOTICE() - 5);
        Work memory work = honestWork();
        commit(work); // before the notice has run out this is lawful
        pass(5);
        vm.prank(coordinator.account);
        market.withdrawBatch(work.terms, work.batch);
        mine(1);
        (,, uint256 noticeAt,) = registry.pairOf(walter.account, coordinator.account);
        Work memory again = honestWork();
        vm.prank(coordinator.account);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistry.CollateralLeaving.selector, walter.account, coordinator.account, noticeAt
            )
        );
        market.commitBatch(
            again.terms, again.jobId, again.batch.firstShard, again.batch.root, again.batch.ranges, "data"
        );
        uint256 before = token.balanceOf(walter.account);
        vm.prank(walter.account);
        registry.takeOut(coordinator.account, 10_000 ether);
        vm.assertEq(token.balanceOf(walter.account), before + 10_000 ether, "all of it is out");
    }

    // -- Free compute ------------------------------------------------------------------------------------------------

    /// @notice R18: the coordinator takes its leases back by revoking the key that signed them, once it has the results.
    function test_attack_aRevokedKey_doesNotTakeLeasesBack() external {
        Work memory work = buildWork(buildTerms(), postJob(buildTerms()));
        seal(work);
        mine(1);
        vm.prank(coordinator.account);
        registry.revokeKey(coordinator.key);
        mine(5);
        uint256 before = wealthOf(walter.account);
        _selfCommit(work);
        draw(work);
        audit(work);
        tally(work);
        attest(work);
        // Its lease can be shown, although the key is revoked.
        vm.deal(address(this), 10 ether);
        challenges.demandSignature{value: 1 ether}(work.terms, work.batch, work.attestation, 0);
        challenges.answerSignature(
            work.terms,
            work.batch,
            0,
            work.leases[0],
            work.leaseSignatures[0],
            work.receipts[0],
            work.receiptSignatures[0],
            TestTrees.path(work.topLevels, 0)
        );
        pass(WINDOW + CLOCK + 1);
        finalize(work);
        vm.assertGt(wealthOf(walter.account), before, "the worker is paid");
    }

    /// @notice Whoever steals a revoked key signs no new lease with it.
    function test_attack_aStolenRevokedKey_leasesNothingNew() external {
        vm.prank(coordinator.account);
        registry.revokeKey(coordinator.key);
        mine(5);
        Work memory work = buildWork(buildTerms(), postJob(buildTerms()));
        seal(work);
        _only(work, 0);
        (Lease[] memory leases, bytes[] memory signatures) = (work.leases, work.leaseSignatures);
        vm.prank(walter.account);
        vm.expectRevert(
            abi.encodeWithSelector(bytes4(keccak256("LeaseSigner(uint256,address)")), 0, coordinator.key)
        );
        market.selfCommit(
            work.terms,
            work.jobId,
            0,
            work.batch.root,
            work.batch.ranges[0],
            "data",
            coordinator.account,
            leases,
            signatures,
            "https://walter.example"
        );
    }

    // -- Inside ------------------------------------------------------------------------------------------------------

    /// @dev C of mallory's own range, which is locked.
    function _locked(Work memory work) internal view returns (uint256) {
        return collateralOf(work.terms);
    }

    /// @dev A sample of mallory's with two different candidates.
    function _sampleWithTwo(Work memory work) internal view returns (uint256 sample, address one, address other) {
        for (; sample < samplesOf(work); ++sample) {
            if (work.leaves[positionOf(work, sample)].worker != mallory.account) continue;
            address[] memory candidates = candidatesOf(work, sample);
            for (uint256 c = 1; c < candidates.length; ++c) {
                if (candidates[c] != candidates[0]) return (sample, candidates[0], candidates[c]);
            }
        }
        vm.assertTrue(false, "no sample with two candidates");
    }

    function _seatsOf(address account) internal view returns (uint32[] memory seats) {
        (uint256 count,) = registry.seatsOf(CAPABILITY);
        seats = new uint32[](registry.seatCount(CAPABILITY, account));
        uint256 used;
        for (uint256 i = count; i > 0; --i) {
            if (registry.seatOwner(CAPABILITY, i - 1) == account) seats[used++] = uint32(i - 1);
        }
    }

    function _end(Work memory work) internal {
        tally(work);
        attest(work);
        mine(WINDOW + 1);
        finalize(work);
        assertConserved(jobs(work), 0, "final");
    }

    /// @dev Keeps one shard of walter's alone.
    function _only(Work memory work, uint256 ordinal) internal view {
        Actor[] memory workers = new Actor[](1);
        uint64[] memory masks = new uint64[](1);
        (workers[0], masks[0]) = (walter, uint64(1 << ordinal));
        Work memory alone = buildWork(work.terms, work.jobId, 0, workers, masks);
        seal(alone);
        work.batch = alone.batch;
        work.leaves = alone.leaves;
        work.shardLevels = alone.shardLevels;
        work.topLevels = alone.topLevels;
        work.leases = alone.leases;
        work.leaseSignatures = alone.leaseSignatures;
        work.receipts = alone.receipts;
        work.receiptSignatures = alone.receiptSignatures;
    }

    /// @dev Walter commits the first shard himself, by the lease that was signed when the work was.
    function _selfCommit(Work memory work) internal {
        uint64 start = work.leases[0].start;
        Actor[] memory workers = new Actor[](1);
        uint64[] memory masks = new uint64[](1);
        (workers[0], masks[0]) = (walter, 1);
        Work memory alone = buildWork(work.terms, work.jobId, 0, workers, masks);
        alone.leases[0].start = start;
        alone.leases[0].expiry = start + 30;
        seal(alone);
        work.batch = alone.batch;
        work.batch.committer = walter.account;
        work.leaves = alone.leaves;
        work.shardLevels = alone.shardLevels;
        work.topLevels = alone.topLevels;
        work.leases = alone.leases;
        work.leaseSignatures = alone.leaseSignatures;
        work.receipts = alone.receipts;
        work.receiptSignatures = alone.receiptSignatures;
        vm.prank(walter.account);
        work.batchId = market.selfCommit(
            work.terms,
            work.jobId,
            0,
            work.batch.root,
            work.batch.ranges[0],
            "data",
            coordinator.account,
            work.leases,
            work.leaseSignatures,
            "https://walter.example"
        );
        work.batch.number = uint32(work.batchId);
        work.batch.commitBlock = uint64(vm.getBlockNumber());
    }
}
