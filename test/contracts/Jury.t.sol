// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IJury} from "../../contracts/interfaces/IJury.sol";
import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {Ballot} from "../../contracts/libraries/Ballot.sol";
import {BatchView} from "../../contracts/types/Batch.sol";
import {Verdict} from "../../contracts/types/Messages.sol";
import {JuryBase} from "./support/JuryBase.t.sol";

contract JuryTest is JuryBase {
    // -- Reverts -----------------------------------------------------------------------------------------------------

    function test_open_revertsIfNotChallenges() external {
        IJury.Case memory dispute;
        vm.expectRevert(abi.encodeWithSelector(IJury.JuryUnauthorized.selector, address(this)));
        jury.open(dispute);
    }

    function test_R19_drawJury_revertsBeforeItsSeed() external {
        (, uint256 id) = _accused();
        mine(2);
        uint256 openBlock = _openBlock(id);
        vm.expectRevert(abi.encodeWithSelector(IJury.JurySeedMissing.selector, id, openBlock));
        jury.drawJury(id);
    }

    function test_commitVote_revertsForWhoWasNotDrawn() external {
        (, uint256 id) = _accused();
        drawJury(id);
        bytes32 vote_ = voteOf(id, walter.account, "x");
        vm.prank(walter.account);
        vm.expectRevert(abi.encodeWithSelector(Ballot.BallotNotJuror.selector, walter.account));
        jury.commitVote(id, vote_);
    }

    function test_commitVote_revertsIfEmptyOrTwice() external {
        (, uint256 id) = _accused();
        (address[] memory jurors,) = drawJury(id);
        vm.prank(jurors[0]);
        vm.expectRevert(abi.encodeWithSelector(Ballot.BallotEmptyVote.selector, jurors[0]));
        jury.commitVote(id, 0);
        commitVote(id, jurors[0], "x");
        vm.prank(jurors[0]);
        vm.expectRevert(abi.encodeWithSelector(Ballot.BallotMoved.selector, jurors[0]));
        jury.commitVote(id, "other");
    }

    function test_revealVote_revertsInTheCommitPhase() external {
        (, uint256 id) = _accused();
        (address[] memory jurors,) = drawJury(id);
        commitVote(id, jurors[0], "x");
        vm.prank(jurors[0]);
        vm.expectRevert(
            abi.encodeWithSelector(Ballot.BallotPhase.selector, IJury.Phase.Commit, IJury.Phase.Reveal)
        );
        jury.revealVote(id, "x", saltOf(jurors[0]));
    }

    function test_commitVote_revertsAfterItsClock() external {
        (, uint256 id) = _accused();
        (address[] memory jurors,) = drawJury(id);
        commitVote(id, jurors[0], "x");
        pass(CLOCK);
        bytes32 vote_ = voteOf(id, jurors[1], "x");
        vm.prank(jurors[1]);
        vm.expectRevert(
            abi.encodeWithSelector(Ballot.BallotPhase.selector, IJury.Phase.Reveal, IJury.Phase.Commit)
        );
        jury.commitVote(id, vote_);
    }

    /// @notice A juror who copies another's commitment cannot open it: the vote names its juror.
    function testFuzz_revealVote_revertsUnlessItIsWhatWasCommitted(bytes32 output, bytes32 salt) external {
        (, uint256 id) = _accused();
        (address[] memory jurors,) = drawJury(id);
        bytes32 honest = voteOf(id, jurors[0], "x");
        vm.assume(output != "x" || salt != saltOf(jurors[0]));
        vm.prank(jurors[0]);
        jury.commitVote(id, honest);
        vm.prank(jurors[1]);
        jury.commitVote(id, honest);
        pass(CLOCK);
        vm.prank(jurors[0]);
        vm.expectPartialRevert(Ballot.BallotMismatch.selector);
        jury.revealVote(id, output, salt);
        vm.prank(jurors[1]);
        vm.expectPartialRevert(Ballot.BallotMismatch.selector);
        jury.revealVote(id, "x", saltOf(jurors[0]));
    }

    function test_resolve_revertsBeforeTheVoteIsOverAndTwice() external {
        (Work memory work, uint256 id) = _accused();
        vm.expectRevert(abi.encodeWithSelector(Ballot.BallotPhase.selector, IJury.Phase.Seed, IJury.Phase.Ripe));
        jury.resolve(id, work.terms, work.batch);
        unanimous(work, id, "x");
        vm.expectRevert(
            abi.encodeWithSelector(Ballot.BallotPhase.selector, IJury.Phase.Resolved, IJury.Phase.Ripe)
        );
        jury.resolve(id, work.terms, work.batch);
    }

    function test_resolve_revertsForAnotherBatchOrOtherTerms() external {
        (Work memory work, uint256 id) = _accused();
        drawJury(id);
        pass(CLOCK);
        work.batch.root = "other";
        vm.expectRevert(abi.encodeWithSelector(IJury.JuryBatch.selector, work.batchId));
        jury.resolve(id, work.terms, work.batch);
        (work, id) = _accused();
        drawJury(id);
        pass(CLOCK);
        work.terms.fee += 1;
        vm.expectRevert(abi.encodeWithSelector(IJury.JuryTerms.selector, work.jobId));
        jury.resolve(id, work.terms, work.batch);
    }

    // -- The jury ----------------------------------------------------------------------------------------------------

    function test_R28_jury_leavesOutExecutorAndAccuser() external {
        // The executor owns half of all seats, so that it would be drawn with near certainty.
        vm.prank(mallory.account);
        registry.stake(CAPABILITY, 12);
        mine(1);
        (Work memory work, uint256 id) = _accused();
        (address[] memory jurors, uint8[] memory weights) = drawJury(id);
        (IJury.Case memory dispute, IJury.Tally memory tally) = jury.disputeOf(id);
        vm.assertTrue(!contains(jurors, mallory.account), "the executor does not judge itself");
        vm.assertTrue(!contains(jurors, dispute.verifier), "the accuser does not judge its accusation");
        uint256 sum;
        for (uint256 i; i < weights.length; ++i) {
            sum += weights[i];
            for (uint256 j; j < i; ++j) {
                vm.assertTrue(jurors[i] != jurors[j], "an owner votes once");
            }
        }
        vm.assertEq(sum, tally.seats, "weights are seats");
        vm.assertLe(sum, 21, "of 21 seats");
        work;
    }

    /// @notice Every weight is the number of the 21 drawn seats that the juror owned at the commit.
    function testFuzz_R28_jury_isDrawnFromTheSecondSeed(bytes32 blockHash) external {
        vm.assume(blockHash != 0);
        (Work memory work, uint256 id) = _accused();
        uint256 openBlock = _openBlock(id);
        mine(3);
        vm.setBlockhash(openBlock + 2, blockHash);
        jury.drawJury(id);
        (address[] memory jurors, uint8[] memory weights,,) = jury.jurorsOf(id);
        bytes32 seed = keccak256(abi.encode(bytes32("assay.seed"), blockHash, id));
        for (uint256 i; i < jurors.length; ++i) {
            uint256 seats;
            for (uint256 j; j < 21; ++j) {
                uint256 seat = uint256(keccak256(abi.encode(bytes32("assay.jury"), seed, j)))
                    % registry.seatCountAt(CAPABILITY, work.batch.commitBlock);
                if (registry.seatOwnerAt(CAPABILITY, seat, work.batch.commitBlock) == jurors[i]) ++seats;
            }
            vm.assertEq(weights[i], seats, "weight");
        }
    }

    function test_R28_phases_endEarlyWhenAllHaveMoved() external {
        (Work memory work, uint256 id) = _accused();
        (address[] memory jurors,) = drawJury(id);
        uint256 start = vm.getBlockTimestamp();
        bytes32 right = work.verdicts[sampleOf(work, mallory.account)].outputCommitment;
        for (uint256 i; i < jurors.length; ++i) {
            vm.assertEq(uint256(phaseOf(id)), uint256(IJury.Phase.Commit), "commit phase");
            commitVote(id, jurors[i], right);
        }
        for (uint256 i; i < jurors.length; ++i) {
            vm.assertEq(uint256(phaseOf(id)), uint256(IJury.Phase.Reveal), "reveal phase");
            revealVote(id, jurors[i], right);
        }
        vm.assertEq(uint256(phaseOf(id)), uint256(IJury.Phase.Ripe), "ripe");
        jury.resolve(id, work.terms, work.batch);
        vm.assertEq(vm.getBlockTimestamp(), start, "no clock had to run out");
    }

    function test_commitVote_drawsTheJuryByItself() external {
        (, uint256 id) = _accused();
        uint256 state = vm.snapshotState();
        (address[] memory jurors,) = drawJury(id);
        vm.revertToState(state);
        mine(3);
        commitVote(id, jurors[0], "x");
        vm.assertEq(uint256(phaseOf(id)), uint256(IJury.Phase.Commit), "phase");
    }

    // -- Outcomes ----------------------------------------------------------------------------------------------------

    function test_R29_refutedLeaf_voidsTheRangeAndCostsItsC() external {
        (Work memory work, uint256 id) = _accused();
        uint256 sample = sampleOf(work, mallory.account);
        address finder = work.verdicts[sample].verifier;
        uint256 collateral = collateralOf(work.terms);
        uint256 supply = token.totalSupply();
        uint256 fees;
        {
            (address[] memory jurors, uint8[] memory weights) = unanimous(work, id, outputOf(taskOf(work, sample)));
            assertOutcome(id, IJury.Outcome.Refuted);
            // R12, R28: one audit fee a winning seat, then the drawn verifier who found it.
            for (uint256 i; i < jurors.length; ++i) {
                vm.assertEq(owedOf(jurors[i]), feeOf(work.terms) * weights[i], "a juror's fee");
                fees += feeOf(work.terms) * weights[i];
            }
        }
        vm.assertEq(supply - token.totalSupply(), half(collateral), "b of C is burned");
        vm.assertEq(owedOf(finder), collateral - half(collateral) - fees, "the finder gets the rest");

        tally(work);
        attest(work);
        mine(WINDOW + 1);
        uint256 before = owedOf(finder);
        finalize(work);
        vm.assertEq(owedOf(mallory.account), 0, "wrong work is not paid");
        vm.assertGt(owedOf(walter.account), 0, "right work is");
        vm.assertGt(owedOf(finder), before, "and the finder's verdicts");
        BatchView memory batch = market.batchOf(work.batchId);
        uint256 index = rangeOfPosition(work, positionOf(work, sample));
        vm.assertEq(batch.slashed, 1 << index, "the worker's range alone");
        vm.assertEq(market.shardBits(work.jobId, 0), 5, "its shards are free, walter's are not");
        assertConserved(jobs(work), 0, "final");
    }

    function test_R28_upheldLeaf_costsTheAccuserCv() external {
        Work memory work = slanderedWork(0);
        address liar = work.verdicts[0].verifier;
        uint256 id = accuse(work, 0);
        uint256 supply = token.totalSupply();
        uint256 cv = market.verdictCollateralOf(work.terms);
        uint256 staked = stakedOf(liar);
        (address[] memory jurors, uint8[] memory weights) = unanimous(work, id, outputOf(taskOf(work, 0)));
        assertOutcome(id, IJury.Outcome.Upheld);
        vm.assertEq(stakedOf(liar), staked - cv, "C_v of the seat");
        uint256 fees;
        for (uint256 i; i < jurors.length; ++i) {
            vm.assertEq(owedOf(jurors[i]), feeOf(work.terms) * weights[i], "a juror's fee");
            fees += feeOf(work.terms) * weights[i];
        }
        // R12: nobody was found to have done wrong work, so nobody else has a claim.
        vm.assertEq(supply - token.totalSupply(), cv - fees, "the rest is burned");

        tally(work);
        attest(work);
        mine(WINDOW + 1);
        finalize(work);
        vm.assertEq(owedOf(liar), 0, "R22: audit pay not yet final is lost with it");
        vm.assertGt(owedOf(mallory.account), 0, "the worker is paid");
        assertConserved(jobs(work), 0, "final");
    }

    function test_R28_noMajority_voidsWithoutASlash() external {
        (Work memory work, uint256 id) = _accused();
        uint256 supply = token.totalSupply();
        (address[] memory jurors,) = drawJury(id);
        bytes32[] memory outputs = new bytes32[](jurors.length);
        for (uint256 i; i < jurors.length; ++i) {
            outputs[i] = keccak256(abi.encode("all different", i));
        }
        vote(id, jurors, outputs);
        (uint256 freeBefore,,,) = registry.pairOf(mallory.account, coordinator.account);
        jury.resolve(id, work.terms, work.batch);
        assertOutcome(id, IJury.Outcome.NoMajority);
        vm.assertEq(token.totalSupply(), supply, "nothing is burned");
        tally(work);
        attest(work);
        mine(WINDOW + 1);
        finalize(work);
        (uint256 freeAfter, uint256 owed,,) = registry.pairOf(mallory.account, coordinator.account);
        vm.assertEq(freeAfter, freeBefore + collateralOf(work.terms), "C comes back");
        vm.assertEq(owed, 0, "but the work is not paid");
        vm.assertEq(market.shardBits(work.jobId, 0), 5, "and its shards are free");
        assertConserved(jobs(work), 0, "final");
    }

    /// @notice More than half of the revealed weight: an abstention counts against every output.
    function test_R28_abstentions_weighForNobody() external {
        (Work memory work, uint256 id) = _accused();
        (address[] memory jurors, uint8[] memory weights) = drawJury(id);
        bytes32 right = outputOf(taskOf(work, sampleOf(work, mallory.account)));
        bytes32[] memory outputs = new bytes32[](jurors.length);
        (uint256 voting, uint256 abstaining) = (0, 0);
        for (uint256 i; i < jurors.length; ++i) {
            if (voting + weights[i] > abstaining) {
                abstaining += weights[i];
            } else {
                voting += weights[i];
                outputs[i] = right;
            }
        }
        vote(id, jurors, outputs);
        jury.resolve(id, work.terms, work.batch);
        assertOutcome(id, 2 * voting > voting + abstaining ? IJury.Outcome.Refuted : IJury.Outcome.NoMajority);
        for (uint256 i; i < jurors.length; ++i) {
            vm.assertEq(stakedOf(jurors[i]), 2 * uint256(SEAT), "who abstains is not silent");
        }
    }

    function test_R28_fewerThanEightSeatsRevealed_decideNothing() external {
        (Work memory work, uint256 id) = _accused();
        (address[] memory jurors, uint8[] memory weights) = drawJury(id);
        bytes32 right = outputOf(taskOf(work, sampleOf(work, mallory.account)));
        uint256 revealed;
        for (uint256 i; i < jurors.length; ++i) {
            commitVote(id, jurors[i], right);
        }
        for (uint256 i; i < jurors.length; ++i) {
            if (revealed + weights[i] >= 8) continue;
            revealed += weights[i];
            revealVote(id, jurors[i], right);
        }
        vm.assertGt(revealed, 0, "some did");
        pass(CLOCK);
        jury.resolve(id, work.terms, work.batch);
        assertOutcome(id, IJury.Outcome.NoMajority);
    }

    function test_R25_silentJurors_payTheLivenessSlash() external {
        (Work memory work, uint256 id) = _accused();
        (address[] memory jurors,) = drawJury(id);
        bytes32 right = outputOf(taskOf(work, sampleOf(work, mallory.account)));
        // The last never commits, the first never reveals.
        uint256 last = jurors.length - 1;
        for (uint256 i; i < last; ++i) {
            commitVote(id, jurors[i], right);
        }
        pass(CLOCK);
        for (uint256 i = 1; i < last; ++i) {
            revealVote(id, jurors[i], right);
        }
        pass(CLOCK);
        uint256 supply = token.totalSupply();
        jury.resolve(id, work.terms, work.batch);
        vm.assertEq(stakedOf(jurors[0]), 2 * SEAT - LIVENESS_SLASH, "who did not reveal");
        vm.assertEq(stakedOf(jurors[last]), 2 * SEAT - LIVENESS_SLASH, "who did not commit");
        vm.assertEq(stakedOf(jurors[1]), 2 * SEAT, "who did both");
        vm.assertGe(supply - token.totalSupply(), 2 * LIVENESS_SLASH, "burned whole");
        vm.assertEq(owedOf(jurors[last]), 0, "and earn nothing");
    }

    /// @notice A third answer wins: the leaf is wrong, and so is who accused it with another wrong one.
    function test_R22_thirdAnswer_costsWorkerAndAccuser() external {
        Work memory work = cheatedWork();
        uint256 sample = sampleOf(work, mallory.account);
        address liar = work.verdicts[sample].verifier;
        work.verdicts[sample].outputCommitment = "guessed";
        setVerdict(work, work.verdicts[sample]);
        uint256 id = accuse(work, sample);
        uint256 supply = token.totalSupply();
        unanimous(work, id, outputOf(taskOf(work, sample)));
        assertOutcome(id, IJury.Outcome.Refuted);
        vm.assertEq(stakedOf(liar), 2 * SEAT - market.verdictCollateralOf(work.terms), "the accuser guessed");
        vm.assertEq(owedOf(liar), 0, "and found nothing");
        vm.assertGt(supply - token.totalSupply(), half(collateralOf(work.terms)), "C is lost as well");
        vm.assertEq(market.batchOf(work.batchId).slashed != 0, true, "the range is void");
    }

    function test_R22_slashFalse_costsOtherSignersOfTheFalseAnswer() external {
        (Work memory work, uint256 id, Verdict memory lie) = _refutedWithAccomplice();
        bytes memory signature = signVerdict(lie);
        address finder = work.verdicts[lie.sample].verifier;
        uint256 owed = owedOf(finder);
        uint256 cv = market.verdictCollateralOf(work.terms);
        uint256 supply = token.totalSupply();
        jury.slashFalse(id, work.terms, work.batch, lie, signature);
        vm.assertEq(stakedOf(lie.verifier), 2 * SEAT - cv, "C_v of who signed the false answer");
        vm.assertEq(supply - token.totalSupply(), half(cv), "b is burned");
        vm.assertEq(owedOf(finder) - owed, cv - half(cv), "the rest is the finder's");
        vm.expectRevert(abi.encodeWithSelector(IJury.JuryPunished.selector, id, lie.verifier));
        jury.slashFalse(id, work.terms, work.batch, lie, signature);
    }

    function test_slashFalse_revertsUnlessTheVerdictIsFalseSignedDrawnAndJudged() external {
        (Work memory work, uint256 id, Verdict memory lie) = _refutedWithAccomplice();
        Verdict memory truth = verdictOf(work, lie.sample, lie.verifier);
        bytes memory signature = signVerdict(truth);
        vm.expectRevert(abi.encodeWithSelector(IJury.JuryVerdictRight.selector, id, lie.verifier));
        jury.slashFalse(id, work.terms, work.batch, truth, signature);

        vm.expectPartialRevert(IJury.JuryVerdictSigner.selector);
        jury.slashFalse(id, work.terms, work.batch, lie, signature);

        Verdict memory elsewhere = verdictOf(work, lie.sample, lie.verifier);
        elsewhere.position += 1;
        elsewhere.outputCommitment = "x";
        signature = signVerdict(elsewhere);
        vm.expectRevert(
            abi.encodeWithSelector(
                IJury.JuryVerdictElsewhere.selector, id, work.batchId, lie.sample, elsewhere.position
            )
        );
        jury.slashFalse(id, work.terms, work.batch, elsewhere, signature);

        Verdict memory stranger = verdictOf(work, lie.sample, walter.account);
        stranger.outputCommitment = "x";
        signature = signVerdict(stranger);
        vm.expectRevert(abi.encodeWithSelector(IJury.JuryNotDrawn.selector, id, walter.account));
        jury.slashFalse(id, work.terms, work.batch, stranger, signature);
    }

    function test_slashFalse_revertsWithoutAMajority() external {
        (Work memory work, uint256 id) = _accused();
        drawJury(id);
        pass(CLOCK);
        jury.resolve(id, work.terms, work.batch);
        uint256 sample = sampleOf(work, mallory.account);
        vm.expectRevert(
            abi.encodeWithSelector(IJury.JuryNoMajority.selector, id, IJury.Outcome.NoMajority)
        );
        jury.slashFalse(id, work.terms, work.batch, work.verdicts[sample], work.verdictSignatures[sample]);
    }

    // -- Strikes and seeds -------------------------------------------------------------------------------------------

    function test_R28_strike_leavesOutWhoSignedOnThisSample() external {
        (Work memory work, uint256 id) = _accused();
        uint256 sample = sampleOf(work, mallory.account);
        (address[] memory jurors, uint8[] memory weights) = drawJury(id);
        Verdict memory verdict = verdictOf(work, sample, jurors[0]);
        bytes memory signature = signVerdict(verdict);
        jury.strike(id, work.batch, verdict, signature);
        (, IJury.Tally memory tally) = jury.disputeOf(id);
        uint256 sum;
        for (uint256 i = 1; i < weights.length; ++i) {
            sum += weights[i];
        }
        vm.assertEq(tally.seats, sum, "its seats count no more");
        vm.prank(jurors[0]);
        vm.expectRevert(abi.encodeWithSelector(Ballot.BallotNotJuror.selector, jurors[0]));
        jury.commitVote(id, "x");
        // It is not silent either.
        for (uint256 i = 1; i < jurors.length; ++i) {
            commitVote(id, jurors[i], "x");
        }
        for (uint256 i = 1; i < jurors.length; ++i) {
            revealVote(id, jurors[i], "x");
        }
        jury.resolve(id, work.terms, work.batch);
        vm.assertEq(stakedOf(jurors[0]), 2 * SEAT, "no liveness slash");
    }

    /// @notice A cheat whose coordinator holds honest verdicts cannot strike the jury away (docs/decisions).
    function test_R28_strike_neverBreaksTheQuorum() external {
        (Work memory work, uint256 id) = _accused();
        uint256 sample = sampleOf(work, mallory.account);
        (address[] memory jurors,) = drawJury(id);
        bool refused;
        for (uint256 i; i < jurors.length; ++i) {
            Verdict memory verdict = verdictOf(work, sample, jurors[i]);
            try jury.strike(id, work.batch, verdict, signVerdict(verdict)) {}
            catch {
                refused = true;
            }
        }
        (, IJury.Tally memory tally) = jury.disputeOf(id);
        vm.assertTrue(refused, "some strike was refused");
        vm.assertGe(tally.seats, 8, "the jury can decide");
    }

    function test_strike_revertsWithoutTheJurorsSignature() external {
        (Work memory work, uint256 id) = _accused();
        uint256 sample = sampleOf(work, mallory.account);
        (address[] memory jurors,) = drawJury(id);
        Verdict memory verdict = verdictOf(work, sample, jurors[0]);
        bytes memory forged = work.verdictSignatures[sample];
        vm.expectPartialRevert(IJury.JuryVerdictSigner.selector);
        jury.strike(id, work.batch, verdict, forged);
    }

    /// @notice Nobody called for 256 blocks: the seed is lost, the money is not.
    function test_R19_lostSeed_isDrawnAnewFromALaterBlock() external {
        (Work memory work, uint256 id) = _accused();
        uint256 openBlock = _openBlock(id);
        vm.expectRevert(abi.encodeWithSelector(IJury.JurySeedAlive.selector, id, openBlock));
        jury.reseed(id);
        mine(100);
        vm.expectRevert(abi.encodeWithSelector(IJury.JurySeedAlive.selector, id, openBlock));
        jury.reseed(id);
        mine(159);
        vm.setBlockhash(openBlock + 2, 0);
        vm.expectRevert(abi.encodeWithSelector(IJury.JurySeedMissing.selector, id, openBlock));
        jury.drawJury(id);
        jury.reseed(id);
        uint256 sample = sampleOf(work, mallory.account);
        unanimous(work, id, outputOf(taskOf(work, sample)));
        assertOutcome(id, IJury.Outcome.Refuted);
        vm.assertEq(market.batchOf(work.batchId).count, 0, "nothing is held");
    }

    // -- Inside ------------------------------------------------------------------------------------------------------

    /// @dev A cheat's leaf, accused by a drawn verifier before the attestation.
    function _accused() internal returns (Work memory work, uint256 id) {
        work = cheatedWork();
        id = accuse(work, sampleOf(work, mallory.account));
    }

    function _openBlock(uint256 id) internal view returns (uint256) {
        (IJury.Case memory dispute,) = jury.disputeOf(id);
        return dispute.openBlock;
    }

    /// @dev A leaf was refuted that a second candidate had signed as right.
    function _refutedWithAccomplice() internal returns (Work memory work, uint256 id, Verdict memory lie) {
        work = cheatedWork();
        uint256 k = samplesOf(work);
        for (uint256 sample; sample < k; ++sample) {
            address[] memory candidates = candidatesOf(work, sample);
            if (work.leaves[positionOf(work, sample)].worker != mallory.account) continue;
            for (uint256 c = 1; c < candidates.length; ++c) {
                if (candidates[c] == candidates[0]) continue;
                id = accuse(work, sample);
                lie = verdictOf(work, sample, candidates[c]);
                lie.outputCommitment = work.leaves[lie.position].outputCommitment;
                unanimous(work, id, outputOf(taskOf(work, sample)));
                return (work, id, lie);
            }
        }
        vm.assertTrue(false, "no sample with two candidates");
    }
}
