// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IDuties} from "../../contracts/interfaces/IDuties.sol";
import {IJury} from "../../contracts/interfaces/IJury.sol";
import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {Draw} from "../../contracts/libraries/Draw.sol";
import {KeyedTrees} from "../../contracts/libraries/KeyedTrees.sol";
import {BatchState} from "../../contracts/types/Batch.sol";
import {SignedLeaf, VerdictLeaf} from "../../contracts/types/Disputes.sol";
import {Verdict} from "../../contracts/types/Messages.sol";
import {ChunkOpening, DigestList} from "../../contracts/types/Verdicts.sol";
import {DutiesBase} from "./support/DutiesBase.t.sol";
import {TestTrees} from "./support/TestTrees.sol";

/// @notice Verdicts whose keyed digest is not their verifier's own work, and verdicts that a second seed draws (R21, R22).
contract ReauditTest is DutiesBase {
    /// @notice Every verdict is audited again, so that no test depends on a seed's mood; the rate has a test of its own.
    function marketParams() internal view override returns (IMarket.Params memory p) {
        p = super.marketParams();
        p.reauditRate = 10_000;
    }

    // -- A copied digest (R21) -----------------------------------------------------------------------------------------

    /// @notice The attack of R21: a friend read the answer on a bulletin board, and the digest with it.
    function test_R21_attack_aCopiedVerdict_costsItsSeatCv() external {
        Work memory work = realWork();
        address liar = work.verdicts[0].verifier;
        address author = otherCandidate(work, 0, liar);
        setVerdict(work, copiedVerdict(work, 0, liar, author));
        _attest(work);
        uint256 staked = stakedOf(liar);
        uint256 before = wealthOf(liar);
        uint256 supply = token.totalSupply();
        uint256 cv = verdictCollateralOf(work);
        ChunkOpening memory opening = openingOf(work, 0, author, 0, 1);
        vm.prank(requester.account);
        proveCopied(work, 0, opening, address(0));
        vm.assertEq(staked - stakedOf(liar), cv, "the seat pays C_v");
        vm.assertEq(supply - token.totalSupply(), cv, "nobody found it, so all of it burns");
        vm.assertEq(before - wealthOf(liar), cv, "and nothing comes back to it");
        mine(WINDOW + 1);
        finalize(work);
        vm.assertEq(before - wealthOf(liar), cv, "R22: nor its pay of this batch");
        assertConserved(jobs(work), 0, "final");
    }

    /// @notice The copy is proved by any chunk of any tensor, the one that ends in zeros too.
    function testFuzz_R21_everyChunk_provesTheCopy(uint8 pick) external {
        Work memory work = realWork();
        address liar = work.verdicts[0].verifier;
        address author = otherCandidate(work, 0, liar);
        setVerdict(work, copiedVerdict(work, 0, liar, author));
        _attest(work);
        (uint32 tensor, uint32 index) = pick % 4 == 3 ? (1, 0) : (0, pick % 4);
        uint256 staked = stakedOf(liar);
        proveCopied(work, 0, openingOf(work, 0, author, tensor, uint32(index)), address(0));
        vm.assertEq(staked - stakedOf(liar), verdictCollateralOf(work), "C_v");
    }

    /// @notice No opening whatever proves an honest verdict copied.
    function testFuzz_R21_anHonestVerdict_isNeverACopy(uint8 pick, uint8 bend) external {
        Work memory work = realWork();
        _attest(work);
        address honest = work.verdicts[0].verifier;
        address other = otherCandidate(work, 0, honest);
        (uint32 tensor, uint32 index) = pick % 4 == 3 ? (1, 0) : (0, pick % 4);
        ChunkOpening memory opening = openingOf(work, 0, honest, tensor, index);
        bend %= 8;
        if (bend == 0) {
            vm.expectRevert(
                abi.encodeWithSelector(IDuties.DigestTrue.selector, work.batchId, uint32(0), honest)
            );
        } else if (bend == 1) {
            opening.keyedLeaf ^= bytes32(uint256(1));
            vm.expectPartialRevert(IDuties.DigestTensor.selector);
        } else if (bend == 2) {
            // Another verifier's leaf in its place.
            opening.keyedLeaf = openingOf(work, 0, other, tensor, index).keyedLeaf;
            vm.expectPartialRevert(IDuties.DigestTensor.selector);
        } else if (bend == 3) {
            opening = openingOf(work, 0, other, tensor, index);
            vm.expectPartialRevert(IDuties.DigestKeyed.selector);
        } else if (bend == 4) {
            opening.chunk[7] ^= 0x01;
            vm.expectPartialRevert(IDuties.DigestTensor.selector);
        } else if (bend == 5) {
            // Another place of the tree: the leaf there is of another chunk.
            opening.index = index ^ 1;
            if (tensor == 1) vm.expectRevert(abi.encodeWithSelector(KeyedTrees.ChunkPath.selector, 1, 0, 0));
            else vm.expectPartialRevert(IDuties.DigestTensor.selector);
        } else if (bend == 6) {
            // A path that ends one level higher, at an inner node.
            opening.keyedLeaf = sha256(
                abi.encodePacked(uint8(1), opening.keyedLeaf, tensor == 1 ? bytes32(0) : opening.keyedPath[0])
            );
            opening.keyedPath = new bytes32[](1);
            vm.expectRevert(
                abi.encodeWithSelector(KeyedTrees.ChunkPath.selector, index, tensor == 1 ? 0 : 2, 1)
            );
        } else {
            opening.chunk = new bytes(1_023);
            vm.expectRevert(abi.encodeWithSelector(KeyedTrees.ChunkLength.selector, 1_023));
        }
        this.tryCopied(work, 0, opening);
    }

    function tryCopied(Work memory work, uint256 sample, ChunkOpening memory opening) external {
        proveCopied(work, sample, opening, address(0));
    }

    /// @notice With another salt or another list an honest verdict would look false: neither is the prover's to choose.
    function test_R21_theOutputCommitment_bindsSaltAndTensors() external {
        Work memory work = realWork();
        _attest(work);
        DigestList memory list = listOf(taskOf(work, 0));
        list.salt = "another";
        ChunkOpening memory opening = openingOf(work, 0, work.verdicts[0].verifier, 0, 0);
        vm.expectPartialRevert(IDuties.DigestOutput.selector);
        duties.proveCopied(
            work.terms,
            work.batch,
            work.attestation,
            work.verdicts[0],
            work.verdictSignatures[0],
            list,
            opening,
            address(0)
        );
        list = listOf(taskOf(work, 1));
        vm.expectPartialRevert(IDuties.DigestOutput.selector);
        duties.proveCopied(
            work.terms,
            work.batch,
            work.attestation,
            work.verdicts[0],
            work.verdictSignatures[0],
            list,
            opening,
            address(0)
        );
        // The list must not be shown as if the outputs served.
        list = listOf(taskOf(work, 0));
        list.outputPart = 0;
        vm.expectPartialRevert(IDuties.DigestOutput.selector);
        duties.proveCopied(
            work.terms,
            work.batch,
            work.attestation,
            work.verdicts[0],
            work.verdictSignatures[0],
            list,
            opening,
            address(0)
        );
    }

    /// @notice A digest that nobody can open, because it was made up, is proved by all bytes of the list.
    function test_R21_attack_aMadeUpDigest_costsItsSeatCv() external {
        Work memory work = realWork();
        address liar = work.verdicts[0].verifier;
        Verdict memory verdict = honestVerdict(work, 0, liar);
        verdict.keyedDigest = "made up";
        setVerdict(work, verdict);
        _attest(work);
        uint256 before = wealthOf(liar);
        proveMadeUp(work, 0, address(0));
        vm.assertEq(before - wealthOf(liar), verdictCollateralOf(work), "C_v");
    }

    function test_R21_allBytes_acquitHonestWork() external {
        Work memory work = realWork();
        _attest(work);
        vm.expectRevert(
            abi.encodeWithSelector(IDuties.DigestTrue.selector, work.batchId, uint32(1), work.verdicts[1].verifier)
        );
        this.tryMadeUp(work, 1);
    }

    function tryMadeUp(Work memory work, uint256 sample) external {
        proveMadeUp(work, sample, address(0));
    }

    /// @notice R8: nobody pays for what another signed, nor for what was signed on another batch.
    function test_R8_aVerdictOfAnotherKey_costsNobody() external {
        Work memory work = realWork();
        address victim = work.verdicts[0].verifier;
        work.verdicts[0] = copiedVerdict(work, 0, victim, otherCandidate(work, 0, victim));
        work.verdictSignatures[0] = sign(mallory.secret, typed(keccak256(abi.encode(VERDICT_TYPE, work.verdicts[0]))));
        tally(work);
        attest(work);
        ChunkOpening memory opening = openingOf(work, 0, otherCandidate(work, 0, victim), 0, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IDuties.DutyVerdict.selector, work.batchId, mallory.key, victim)
        );
        this.tryCopied(work, 0, opening);
    }

    function test_R22_aVerdict_costsOnce() external {
        Work memory work = realWork();
        address liar = work.verdicts[0].verifier;
        address author = otherCandidate(work, 0, liar);
        setVerdict(work, copiedVerdict(work, 0, liar, author));
        _attest(work);
        proveCopied(work, 0, openingOf(work, 0, author, 0, 0), address(0));
        ChunkOpening memory again = openingOf(work, 0, author, 0, 1);
        vm.expectRevert(
            abi.encodeWithSelector(IDuties.DigestPunished.selector, work.batchId, uint32(0), liar)
        );
        this.tryCopied(work, 0, again);
    }

    /// @notice Taking the stake out does not save it, and neither does the end of the batch.
    function test_R22_attack_leavingAfterTheWindow_doesNotSaveTheSeat() external {
        Work memory work = realWork();
        address liar = work.verdicts[0].verifier;
        address author = otherCandidate(work, 0, liar);
        setVerdict(work, copiedVerdict(work, 0, liar, author));
        _attest(work);
        mine(WINDOW + 1);
        finalize(work);
        vm.assertEq(uint8(market.batchOf(work.batchId).state), uint8(BatchState.Final), "final");
        uint32[] memory seats = _seatsOf(liar);
        vm.prank(liar);
        registry.requestUnstake(CAPABILITY, seats);
        uint256 before = wealthOf(liar);
        proveCopied(work, 0, openingOf(work, 0, author, 0, 0), address(0));
        vm.assertEq(before - wealthOf(liar), verdictCollateralOf(work), "C_v, out of what unbonds");
    }

    // -- The second draw (R22) -----------------------------------------------------------------------------------------

    /// @notice The re-auditor that a second seed drew is paid for what it finds; a copier of its transaction only pays gas.
    function test_R12_theDrawnFinder_getsWhatDoesNotBurn() external {
        Work memory work = realWork();
        address liar = work.verdicts[0].verifier;
        address author = otherCandidate(work, 0, liar);
        setVerdict(work, copiedVerdict(work, 0, liar, author));
        _attest(work);
        uint256 round = _round();
        address finder = _reauditor(work, 0, round);
        ChunkOpening memory opening = openingOf(work, 0, author, 0, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IDuties.NotReaudited.selector, 0, work.batchId, uint32(0), finder)
        );
        this.tryFor(work, opening, finder);
        _seat(work, 0, round, finder);
        uint256 cv = verdictCollateralOf(work);
        uint256 supply = token.totalSupply();
        uint256 owed = owedOf(finder);
        vm.prank(mallory.account);
        proveCopied(work, 0, opening, finder);
        vm.assertEq(supply - token.totalSupply(), half(cv), "b burns");
        vm.assertEq(owedOf(finder) - owed, cv - half(cv), "the rest is the finder's, whoever sent it");
        vm.assertEq(owedOf(mallory.account), 0, "nothing for who copied the transaction");
    }

    function tryFor(Work memory work, ChunkOpening memory opening, address finder) external {
        proveCopied(work, 0, opening, finder);
    }

    /// @notice A false leaf, a verifier that was told its answer, and a second audit that finds both.
    function test_R22_attack_aBoughtVerdict_isFoundByTheSecondAudit() external {
        Work memory work = cheatedWork();
        uint256 sample = sampleOf(work, mallory.account);
        address friend = work.verdicts[sample].verifier;
        // The friend vouches for what mallory made up.
        slander(work, sample, friend);
        tally(work);
        attest(work);
        uint256 round = _round();
        address second = _reauditor(work, sample, round);
        Verdict memory found = verdictOf(work, sample, second);
        bytes memory signature = signVerdict(found);
        SignedLeaf memory signed = signedLeafOf(work, found.position);
        vm.expectPartialRevert(bytes4(keccak256("ChallengeNotDrawn(address,uint32)")));
        this.tryMismatch(work, signed, found, signature, sample);
        _seat(work, sample, round, second);
        uint256 friendBefore = wealthOf(friend);
        uint256 id =
            challenges.postMismatch(work.terms, work.batch, work.attestation, signed, found, signature);
        unanimous(work, id, outputOf(taskOf(work, sample)));
        assertOutcome(id, IJury.Outcome.Refuted);
        vm.assertEq(
            market.batchOf(work.batchId).slashed, 1 << rangeOfPosition(work, found.position), "R29: mallory's range"
        );
        jury.slashFalse(id, work.terms, work.batch, work.verdicts[sample], work.verdictSignatures[sample]);
        vm.assertGe(friendBefore + verdictCollateralOf(work), wealthOf(friend), "no gain");
        (, uint256 owed,, uint256 flags) = registry.pairOf(friend, coordinator.account);
        vm.assertEq(flags & 1, 1, "R22: barred with this coordinator");
        vm.assertEq(stakedOf(friend), 2 * uint256(SEAT) - verdictCollateralOf(work), "C_v");
        uint256 owedBefore = owed;
        mine(WINDOW + CLOCK + 1);
        finalize(work);
        vm.assertEq(owedOf(friend), owedBefore, "and no pay");
    }

    function tryMismatch(
        Work memory work,
        SignedLeaf memory signed,
        Verdict memory verdict,
        bytes memory signature,
        uint256
    ) external {
        challenges.postMismatch(work.terms, work.batch, work.attestation, signed, verdict, signature);
    }

    /// @notice A coordinator that paid an undrawn friend makes rounds until the second draw hits him: too late (R20).
    function test_R20_attack_anUndrawnFriend_isNotSeatedAfterwards() external {
        Work memory work = realWork();
        address friend = walter.account;
        setVerdict(work, honestVerdict(work, 2, friend));
        tally(work);
        attest(work);
        uint256 round = _round();
        bytes32[] memory proof = TestTrees.proof(work.verdictLevels, 2, 0);
        VerdictLeaf memory leaf = work.verdictLeaves[2];
        vm.expectRevert(
            abi.encodeWithSelector(IDuties.NotReaudited.selector, round, work.batchId, uint32(2), friend)
        );
        this.trySeat(work, 2, round, friend, leaf, proof);
        uint256 supply = token.totalSupply();
        challenges.proveUndrawn(work.terms, work.batch, work.attestation, 2, leaf, proof);
        vm.assertEq(supply - token.totalSupply(), collateralOf(work.terms), "the range's C");
    }

    function trySeat(
        Work memory work,
        uint32 sample,
        uint256 round,
        address account,
        VerdictLeaf memory leaf,
        bytes32[] memory proof
    ) external {
        duties.seatReauditor(work.terms, work.batch, work.attestation, sample, round, account, leaf, proof);
    }

    /// @notice A find at the last second can still be brought, and nobody keeps a batch open by seating more (R30).
    function test_R30_aSeat_addsAClock_andNoFurtherSeats() external {
        Work memory work = realWork();
        _attest(work);
        uint256 round = _round();
        uint256 end = market.batchOf(work.batchId).clock;
        vm.warp(end);
        _seat(work, 0, round, _reauditor(work, 0, round));
        vm.assertEq(market.batchOf(work.batchId).clock, end + CLOCK, "a clock to look at it");
        vm.assertEq(market.batchOf(work.batchId).count, 0, "nothing is held");
        bytes32[] memory proof = TestTrees.proof(work.verdictLevels, 1, 0);
        address second = _reauditor(work, 1, round);
        vm.warp(end + 1);
        vm.expectRevert(abi.encodeWithSelector(IDuties.DutyBatch.selector, work.batchId));
        this.trySeat(work, 1, round, second, work.verdictLeaves[1], proof);
        vm.warp(end + CLOCK + 1);
        finalize(work);
    }

    /// @notice Another leaf than the tree's, to leave another verifier out of the draw.
    function test_R22_seatReauditor_needsTheAttestedVerdict() external {
        Work memory work = realWork();
        _attest(work);
        uint256 round = _round();
        address account = _reauditor(work, 0, round);
        bytes32[] memory proof = TestTrees.proof(work.verdictLevels, 0, 0);
        VerdictLeaf memory leaf = work.verdictLeaves[0];
        leaf.verifier = account;
        vm.expectPartialRevert(bytes4(keccak256("VerdictRoot(bytes32,bytes32)")));
        this.trySeat(work, 0, round, account, leaf, proof);
    }

    function test_R22_rounds_oneABlock_andNoneFromBeforeTheCommit() external {
        uint256 old = duties.startRound();
        vm.expectRevert(abi.encodeWithSelector(IDuties.RoundExists.selector, old, vm.getBlockNumber()));
        duties.startRound();
        vm.expectRevert(abi.encodeWithSelector(IDuties.RoundSeed.selector, old));
        duties.keepRound(old);
        mine(3);
        duties.keepRound(old);
        Work memory work = realWork();
        _attest(work);
        vm.expectRevert(abi.encodeWithSelector(IDuties.RoundSeed.selector, old));
        duties.reauditorsOf(work.terms, work.batch, work.attestation, 0, old, work.verdicts[0].verifier);
    }

    /// @notice R22: other seats audit again, and a seed that is lost counts for nobody.
    function testFuzz_R22_reauditors_areOthers(uint8 skip) external {
        Work memory work = realWork();
        _attest(work);
        mine(skip % 3);
        uint256 round = _round();
        for (uint32 i; i < work.verdicts.length; ++i) {
            address first = work.verdicts[i].verifier;
            address[] memory accounts =
                duties.reauditorsOf(work.terms, work.batch, work.attestation, i, round, first);
            vm.assertGt(accounts.length, 0, "drawn");
            vm.assertTrue(!contains(accounts, first), "never the first verifier");
            vm.assertTrue(
                !contains(accounts, work.leaves[work.verdicts[i].position].worker), "never the executor"
            );
        }
    }

    /// @notice The share that is drawn is p_v.
    function test_R22_theShareDrawn_isPv() external pure {
        uint256 drawn;
        for (uint32 i; i < 4_000; ++i) {
            if (Draw.isReaudited(keccak256("seed"), 7, i, 1_000)) ++drawn;
        }
        // 400 expected, a standard deviation of 19.
        vm.assertGt(drawn, 320, "not fewer");
        vm.assertLt(drawn, 480, "not more");
    }

    /// @notice Called directly, the code of the duties can do nothing.
    function test_dutiesContract_hasNoRights() external {
        Work memory work = realWork();
        address liar = work.verdicts[0].verifier;
        address author = otherCandidate(work, 0, liar);
        setVerdict(work, copiedVerdict(work, 0, liar, author));
        _attest(work);
        duties = IDuties(vm.computeCreateAddress(address(jury), 1));
        ChunkOpening memory opening = openingOf(work, 0, author, 0, 0);
        vm.expectRevert(
            abi.encodeWithSelector(bytes4(keccak256("RegistryUnauthorized(address)")), address(duties))
        );
        this.tryCopied(work, 0, opening);
    }

    // -- Inside ------------------------------------------------------------------------------------------------------

    function _attest(Work memory work) internal {
        tally(work);
        attest(work);
    }

    function _round() internal returns (uint256 round) {
        mine(1);
        round = duties.startRound();
        mine(3);
    }

    function _reauditor(Work memory work, uint256 sample, uint256 round) internal view returns (address) {
        return duties.reauditorsOf(
            work.terms, work.batch, work.attestation, uint32(sample), round, work.verdicts[sample].verifier
        )[0];
    }

    function _seat(Work memory work, uint256 sample, uint256 round, address account) internal {
        bytes32[] memory proof = TestTrees.proof(work.verdictLevels, sample, 0);
        duties.seatReauditor(
            work.terms,
            work.batch,
            work.attestation,
            uint32(sample),
            round,
            account,
            work.verdictLeaves[sample],
            proof
        );
    }

    function _seatsOf(address account) internal view returns (uint32[] memory seats) {
        (uint256 count,) = registry.seatsOf(CAPABILITY);
        seats = new uint32[](2);
        uint256 found;
        for (uint256 i = count; i > 0; --i) {
            if (registry.seatOwner(CAPABILITY, i - 1) == account) seats[found++] = uint32(i - 1);
        }
    }
}

/// @notice The same where the program names no digest tensors, so that the outputs serve (R7).
contract ReauditOutputsTest is DutiesBase {
    function hasDigests() internal pure override returns (bool) {
        return false;
    }

    function test_R21_copiedDigestOfOutputs_costsCv() external {
        Work memory work = realWork();
        address liar = work.verdicts[0].verifier;
        address author = otherCandidate(work, 0, liar);
        setVerdict(work, copiedVerdict(work, 0, liar, author));
        tally(work);
        attest(work);
        uint256 before = wealthOf(liar);
        proveCopied(work, 0, openingOf(work, 0, author, 0, 2), address(0));
        vm.assertEq(before - wealthOf(liar), verdictCollateralOf(work), "C_v");
    }

    function test_R21_madeUpDigestOfOutputs_costsCv_andHonestOnesDoNot() external {
        Work memory work = realWork();
        Verdict memory verdict = honestVerdict(work, 0, work.verdicts[0].verifier);
        verdict.keyedDigest = "made up";
        setVerdict(work, verdict);
        tally(work);
        attest(work);
        uint256 before = wealthOf(verdict.verifier);
        proveMadeUp(work, 0, address(0));
        vm.assertEq(before - wealthOf(verdict.verifier), verdictCollateralOf(work), "C_v");
        vm.expectRevert(
            abi.encodeWithSelector(IDuties.DigestTrue.selector, work.batchId, uint32(1), work.verdicts[1].verifier)
        );
        this.tryMadeUp(work, 1);
    }

    function tryMadeUp(Work memory work, uint256 sample) external {
        proveMadeUp(work, sample, address(0));
    }
}
