// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IDisputeGame} from "../../contracts/interfaces/IDisputeGame.sol";
import {IJury} from "../../contracts/interfaces/IJury.sol";
import {Game} from "../../contracts/libraries/Game.sol";
import {Tensors} from "../../contracts/libraries/Tensors.sol";
import {SignedLeaf} from "../../contracts/types/Disputes.sol";
import {Verdict} from "../../contracts/types/Messages.sol";
import {Terms} from "../../contracts/types/Terms.sol";
import {TestTrees} from "./support/TestTrees.sol";
import {GameBase} from "./support/GameBase.t.sol";

/// @notice Attacks on the game, from the attacker's side: what it tries, and what it has afterwards.
contract GameAttacksTest is GameBase {
    Actor internal finder; // an honest watcher
    Actor internal eve; // who lies

    function setUp() public override {
        super.setUp();
        finder = enlist("finder");
        eve = enlist("eve");
        mine(1);
    }

    // -- Of challengers against an honest worker -----------------------------------------------------------------------

    /// @notice A false trace in an honest worker's name would refute it: only its own key fixes a trace.
    function test_attack_aTracePublishedInTheWorkersName() external {
        Play memory play = openedBy(eve, rightTrace(), rightTrace());
        Trace memory lie = buildTrace(Bent(Bend.Element, 4, 299));
        // The lie's outputs are not the leaf's, so she takes the right ones and bends the middle.
        IDisputeGame.Links memory links = linksOf(play.theirs, play.dispute.taskIndex);
        bytes32[] memory row = rowOf(lie.levels, lie.roots.length, lie.levels.length - 1, 0);
        vm.prank(eve.account);
        vm.expectRevert(
            abi.encodeWithSelector(IDisputeGame.DisputeSigner.selector, eve.account, mallory.account)
        );
        game.publish(play.id, play.dispute, lie.program, links, top(lie.levels), row, "");
        bytes memory signature = signTrace(eve, play.id, top(lie.levels));
        vm.expectRevert(
            abi.encodeWithSelector(IDisputeGame.DisputeSigner.selector, eve.account, mallory.account)
        );
        game.publish(play.id, play.dispute, lie.program, links, top(lie.levels), row, signature);
        // Nor does the worker's signature under another dispute help.
        signature = signTrace(mallory, play.id + 1, top(lie.levels));
        vm.expectPartialRevert(IDisputeGame.DisputeSigner.selector);
        game.publish(play.id, play.dispute, lie.program, links, top(lie.levels), row, signature);
        // Anyone brings the worker's own.
        signature = signTrace(mallory, play.id, top(play.theirs.levels));
        row = rowOf(play.theirs.levels, play.theirs.roots.length, play.theirs.levels.length - 1, 0);
        game.publish(play.id, play.dispute, play.theirs.program, links, top(play.theirs.levels), row, signature);
    }

    /// @notice Eve disputes a right leaf, and loses her bond: half is burned, half is the worker's, the deposit the mover's.
    function test_attack_aDisputeOfARightLeaf_costsTheBond() external {
        Actor memory helper = enlist("helper");
        uint256 before = wealthOf(eve.account);
        uint256 coinsBefore = eve.account.balance;
        Play memory play = openedBy(eve, rightTrace(), rightTrace());
        uint256 worker = wealthOf(mallory.account);
        uint256 supply = token.totalSupply();
        uint256 coins = game.deposit();
        publish(play);
        pick(play, 4);
        vm.startPrank(helper.account);
        revealTensor(play);
        vm.stopPrank();
        pick(play, 1);
        vm.startPrank(helper.account);
        revealChunk(play);
        vm.stopPrank();
        IDisputeGame.ElementProof memory proof = elementProof(play, 3, 299);
        vm.prank(eve.account);
        vm.expectRevert(abi.encodePacked(IDisputeGame.DisputeNoFault.selector));
        game.proveElement(play.id, play.dispute, play.work.terms, play.work.batch, play.published, proof);
        pass(CLOCK + 1);
        timeout(play);
        assertEnd(play.id, IDisputeGame.Outcome.Upheld);
        uint256 bond = verdictCollateralOf(play.work.terms);
        vm.assertEq(before - wealthOf(eve.account), bond, "the bond is gone");
        vm.assertEq(supply - token.totalSupply(), half(bond), "b of it is burned");
        vm.assertEq(wealthOf(mallory.account) - worker, bond - half(bond), "the rest is the worker's");
        vm.assertEq(coinsBefore - eve.account.balance, coins, "the deposit is gone");
        vm.prank(helper.account);
        vm.assertEq(game.claimMoves(play.id), coins * 2 / 3, "who made two of three moves has two thirds");
        vm.prank(mallory.account);
        vm.assertEq(game.claimMoves(play.id), coins / 3, "and who published has one");
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.DisputeNoPay.selector, play.id));
        vm.prank(mallory.account);
        game.claimMoves(play.id);
        vm.prank(eve.account);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.DisputeNoPay.selector, play.id));
        game.claimMoves(play.id);
        uint256 had = helper.account.balance;
        vm.prank(helper.account);
        game.withdrawCoins();
        vm.assertEq(helper.account.balance - had, coins * 2 / 3, "paid out once");
        vm.prank(helper.account);
        vm.assertEq(game.withdrawCoins(), 0, "and not twice");
        mine(WINDOW + 1);
        finalize(play.work);
        assertConserved(jobs(play.work), 0, "final");
    }

    function test_attack_aRightElementShownWithOthersOperands() external {
        Play memory play = openedBy(eve, rightTrace(), rightTrace());
        publish(play);
        // Another wire's bytes as operand.
        IDisputeGame.ElementProof memory proof = elementProof(play, 3, 299);
        proof.opened[0] = openedOf(play.theirs.data[2], 1, false);
        proof.operands[0].chunkPath = chunksPath(play.theirs.chunkLevels[2], 1, false);
        _expectProof(play, proof, IDisputeGame.DisputeOpening.selector);
        // Another chunk of the operand.
        proof = elementProof(play, 3, 299);
        proof.opened[0] = openedOf(play.theirs.data[3], 0, false);
        _expectProof(play, proof, IDisputeGame.DisputeOpening.selector);
        // Another constant.
        proof = elementProof(play, 3, 299);
        proof.opened[1].data[4] ^= 0x01;
        _expectProof(play, proof, IDisputeGame.DisputeOpening.selector);
        // A padding as a chunk.
        proof = elementProof(play, 3, 299);
        proof.opened[0].chunks[0] = 3;
        _expectProof(play, proof, Tensors.TensorOrder.selector);
        // Another operation, whose result the element is not.
        proof = elementProof(play, 3, 299);
        proof.operation = play.theirs.operations[2];
        _expectProof(play, proof, IDisputeGame.DisputeOpening.selector);
        proof = elementProof(play, 3, 299);
        proof.index = 2;
        _expectProof(play, proof, IDisputeGame.DisputeOpening.selector);
        // An element behind the end.
        proof = elementProof(play, 3, 599);
        proof.element = 600;
        _expectProof(play, proof, IDisputeGame.DisputeOpening.selector);
        // Bytes that are not the trace's.
        proof = elementProof(play, 3, 299);
        proof.chunk[172] ^= 0x01;
        _expectProof(play, proof, IDisputeGame.DisputeOpening.selector);
        // Something that was never published.
        proof = elementProof(play, 3, 299);
        play.published.traceRoot = keccak256("a trace of eve's");
        _expectProof(play, proof, IDisputeGame.DisputePublished.selector);
    }

    /// @notice An honest worker's zero fill, links and input are no faults.
    function test_attack_faultsThatAreNone() external {
        Play memory play = openedBy(eve, rightTrace(), rightTrace());
        publish(play);
        _expectProof(play, elementProof(play, 3, 599), IDisputeGame.DisputeNoFault.selector);
        for (uint256 kind; kind < 3; ++kind) {
            (uint256 wire, IDisputeGame.Link link) = (kind == 0 ? 0 : kind == 1 ? 9 : 8, IDisputeGame.Link(kind));
            bytes32[] memory path = TestTrees.proof(play.theirs.levels, wire, 0);
            vm.expectRevert(abi.encodePacked(IDisputeGame.DisputeNoFault.selector));
            this.proveLink(play, link, play.theirs.levels[0][wire], path);
        }
        uint256 task = play.dispute.taskIndex;
        bytes32[] memory proof = TestTrees.proof(gameInputs(play.mine, play.work.terms.tasks), task, 0);
        vm.expectRevert(abi.encodePacked(IDisputeGame.DisputeNoFault.selector));
        game.proveInput(
            play.id, play.dispute, play.work.terms, play.work.batch, inputCommitmentOf(play.mine, task), proof
        );
    }

    /// @notice A judgeable operation cannot be called unjudgeable by showing nothing of it.
    function test_attack_aVoidOfAJudgeableOperation() external {
        Play memory play = openedBy(eve, rightTrace(), rightTrace());
        publish(play);
        bytes32[] memory path = TestTrees.proof(play.theirs.operationLevels, 3, 0);
        vm.expectRevert(abi.encodePacked(IDisputeGame.DisputeJudgeable.selector));
        game.voidUnjudgeable(
            play.id, play.dispute, play.work.terms, play.work.batch, play.published, 3, play.theirs.operations[3], path
        );
    }

    function test_attack_theChallengersMovesByAnother() external {
        Play memory play = openedBy(finder, rightTrace(), buildTrace(Bent(Bend.Element, 4, 299)));
        publish(play);
        bytes32[] memory path = between(play.theirs.levels, 0, 1, 4);
        vm.prank(eve.account);
        vm.expectRevert(
            abi.encodeWithSelector(IDisputeGame.DisputeNotChallenger.selector, eve.account, finder.account)
        );
        game.pick(play.id, play.dispute, 1, play.theirs.levels[0][1], path);
    }

    // -- Of a wrong worker against an honest challenger ----------------------------------------------------------------

    function test_attack_aHiddenNode_isSilence() external {
        _loses(openedBy(finder, rightTrace(), buildTrace(Bent(Bend.Element, 4, 299))), 1);
    }

    function test_attack_aHiddenChunk_isSilence() external {
        _loses(openedBy(finder, rightTrace(), buildTrace(Bent(Bend.Element, 4, 299))), 3);
    }

    /// @notice The tensor's root has another header: there is no tree for it under the program's.
    function test_attack_aWrongHeader_cannotBeRevealed() external {
        Play memory play = openedBy(finder, rightTrace(), buildTrace(Bent(Bend.Header, 8, 0)));
        publish(play);
        pickFault(play);
        vm.expectPartialRevert(Game.GameNode.selector);
        this.externalRevealTensor(play);
        pass(CLOCK + 1);
        timeout(play);
        assertEnd(play.id, IDisputeGame.Outcome.Refuted);
    }

    function test_attack_aFalsePaddingOfATensor_cannotBeRevealed() external {
        Play memory play = openedBy(finder, rightTrace(), buildTrace(Bent(Bend.Padding, 8, 0)));
        publish(play);
        pickFault(play);
        vm.expectPartialRevert(Game.GameNode.selector);
        this.externalRevealTensor(play);
        pass(CLOCK + 1);
        timeout(play);
        assertEnd(play.id, IDisputeGame.Outcome.Refuted);
    }

    function test_attack_aFalsePaddingOfTheTrace_cannotBePublished() external {
        Play memory play = openedBy(finder, rightTrace(), buildTrace(Bent(Bend.TracePadding, 0, 0)));
        vm.expectPartialRevert(Game.GameNode.selector);
        this.externalPublish(play);
        pass(CLOCK + 1);
        timeout(play);
        assertEnd(play.id, IDisputeGame.Outcome.Refuted);
    }

    function test_attack_aNonzeroFill_isWrong() external {
        Play memory play = openedBy(finder, rightTrace(), buildTrace(Bent(Bend.Fill, 8, 700)));
        publish(play);
        pickFault(play);
        revealTensor(play);
        pickFault(play);
        revealChunk(play);
        prove(play, 7, 599);
        assertEnd(play.id, IDisputeGame.Outcome.Refuted);
    }

    /// @notice The trace is right, and the leaf's output is another.
    function test_attack_anOutputThatIsNotTheTraces() external {
        Play memory play = openedBy(finder, rightTrace(), buildTrace(Bent(Bend.Link, 9, 0)));
        publish(play);
        proveLink(play, IDisputeGame.Link.Output, play.theirs.levels[0][9], TestTrees.proof(play.theirs.levels, 9, 0));
        assertEnd(play.id, IDisputeGame.Outcome.Refuted);
    }

    /// @notice The right program on a wrong input: the trace is right, and the game would acquit the cheat.
    function test_attack_aWrongInput() external {
        Trace memory right = rightTrace();
        Play memory play;
        (play.mine, play.theirs) = (right, right);
        Terms memory terms = gameTerms(right);
        play.work = buildWork(terms, postJob(terms));
        // Every leaf is of the input of another task.
        for (uint256 i; i < play.work.leaves.length; ++i) {
            play.work.leaves[i].inputCommitment = inputCommitmentOf(right, 99);
            play.work.leaves[i].outputCommitment = outputCommitmentOf(right, 99);
        }
        seal(play.work);
        toAttested(play.work);
        play.position = positionOfMallory(play.work, false);
        openAt(play, finder);
        uint256 task = play.dispute.taskIndex;
        game.proveInput(
            play.id,
            play.dispute,
            play.work.terms,
            play.work.batch,
            inputCommitmentOf(right, task),
            TestTrees.proof(gameInputs(right, terms.tasks), task, 0)
        );
        assertEnd(play.id, IDisputeGame.Outcome.Refuted);
    }

    // -- Of copycats and friends ---------------------------------------------------------------------------------------

    /// @notice Eve sees the find in the mempool: she has no commitment of an earlier block.
    function test_R12_attack_aCopiedFind() external {
        Play memory play = _attested();
        commitFind(play.work, play.position, finder);
        mine(1);
        commitFind(play.work, play.position, eve);
        bytes32 hash = keccak256(
            abi.encode(
                bytes32("assay.find"),
                eve.account,
                play.work.batchId,
                uint32(play.position),
                saltOfFind(eve.account)
            )
        );
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.DisputeNotFound.selector, hash));
        this.externalOpen(play, eve);
        open(play.work, play.position, finder);
    }

    function test_R12_aDrawnPosition_isItsVerifiersFirst() external {
        Play memory play = _attested();
        play.position = positionOfMallory(play.work, true);
        uint256 from = market.batchOf(play.work.batchId).clock - WINDOW + WINDOW / 2;
        commitFind(play.work, play.position, finder);
        mine(1);
        vm.expectRevert(
            abi.encodeWithSelector(IDisputeGame.DisputeDrawn.selector, uint32(play.position), from)
        );
        this.externalOpen(play, finder);
        vm.warp(from);
        open(play.work, play.position, finder);
    }

    /// @notice A friend disputes the same leaf and loses on purpose: the honest dispute goes on.
    function test_R27_attack_aFriendsLostDispute_protectsNothing() external {
        Play memory play = _attested();
        Play memory friends = _copy(play);
        commitFind(play.work, play.position, eve);
        openAt(play, finder);
        friends.id = open(play.work, play.position, eve);
        friends.dispute = caseOf(play.work, play.position, eve.account, IDisputeGame.Kind.Find);
        vm.assertEq(market.batchOf(play.work.batchId).count, 2, "both are open");
        publish(friends);
        publish(play);
        pass(CLOCK);
        pickFault(play);
        pass(1);
        timeout(friends);
        assertEnd(friends.id, IDisputeGame.Outcome.Upheld);
        revealTensor(play);
        pickFault(play);
        revealChunk(play);
        prove(play, 3, 299);
        assertEnd(play.id, IDisputeGame.Outcome.Refuted);
        vm.assertEq(market.batchOf(play.work.batchId).slashed, 1 << play.dispute.rangeIndex, "C is lost");
        mine(WINDOW + 1);
        finalize(play.work);
        assertConserved(jobs(play.work), 0, "final");
    }

    /// @notice Each dispute takes its own bond, and none gets it twice.
    function test_attack_aBondSpentTwice() external {
        Play memory play = _attested();
        uint256 vault = token.balanceOf(address(registry));
        uint256 bond = verdictCollateralOf(play.work.terms);
        uint256 other = play.position + 1;
        while (play.work.leaves[other].worker != mallory.account) ++other;
        vm.warp(market.batchOf(play.work.batchId).clock);
        commitFind(play.work, play.position, eve);
        commitFind(play.work, other, eve);
        vm.roll(vm.getBlockNumber() + 1);
        uint256 allowed = bond;
        vm.prank(eve.account);
        token.approve(address(registry), allowed);
        open(play.work, play.position, eve);
        vm.assertEq(token.balanceOf(address(registry)) - vault, bond, "one bond");
        vm.expectPartialRevert(bytes4(keccak256("ERC20InsufficientAllowance(address,uint256,uint256)")));
        this.externalOpenAt(play.work, other, eve);
        vm.expectPartialRevert(IDisputeGame.DisputeExists.selector);
        this.externalOpen(play, eve);
    }

    function test_attack_aDisputeEndsOnce() external {
        Play memory play = openedBy(finder, rightTrace(), buildTrace(Bent(Bend.Element, 4, 299)));
        pass(CLOCK + 1);
        timeout(play);
        vm.expectRevert(abi.encodeWithSelector(Game.GamePhase.selector, IDisputeGame.Phase.Over));
        game.timeout(play.id, play.dispute, play.work.terms, play.work.batch);
        vm.expectRevert(abi.encodeWithSelector(Game.GamePhase.selector, IDisputeGame.Phase.Over));
        this.externalPublish(play);
    }

    /// @notice R12: a requester gets its own money back, never a share.
    function test_R12_attack_aRequesterFindsItsOwnWorkersFault() external {
        Play memory play = openedBy(requester, rightTrace(), buildTrace(Bent(Bend.Element, 4, 299)));
        uint256 before = wealthOf(requester.account);
        publish(play);
        prove(play, 3, 299);
        vm.assertEq(
            wealthOf(requester.account) - before, verdictCollateralOf(play.work.terms), "the bond and nothing else"
        );
    }

    function test_R26_open_revertsWithoutTheDeposit() external {
        Play memory play = _attested();
        commitFind(play.work, play.position, finder);
        mine(1);
        SignedLeaf memory signed = signedLeafOf(play.work, play.position);
        uint256 needed = game.deposit();
        vm.prank(finder.account);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.DisputeDeposit.selector, needed - 1, needed));
        game.open{value: needed - 1}(
            play.work.terms,
            play.work.batch,
            play.work.attestation,
            signed,
            uint32(play.position),
            saltOfFind(finder.account)
        );
    }

    // -- Verifiers -----------------------------------------------------------------------------------------------------

    /// @notice R20, R27: a verdict that differs opens the game, with the seat behind it.
    function test_R27_aMismatch_isPlayedByTheVerifier() external {
        Play memory play;
        (play.mine, play.theirs) = (rightTrace(), buildTrace(Bent(Bend.Element, 4, 299)));
        play.work = gameWork(play.mine, play.theirs);
        uint256 sample = sampleOf(play.work, mallory.account);
        play.position = positionOf(play.work, sample);
        address verifier = play.work.verdicts[sample].verifier;
        play.id = accuse(play.work, sample);
        play.dispute = caseOf(play.work, play.position, verifier, IDisputeGame.Kind.Mismatch);
        vm.assertEq(play.id, game.disputeIdOf(play.work.batchId, uint32(play.position), verifier), "id");
        uint256 before = wealthOf(verifier);
        publish(play);
        prove(play, 3, 299);
        uint256 c = collateralOf(play.work.terms);
        vm.assertEq(wealthOf(verifier) - before, c - half(c), "the drawn verifier alone is paid");
    }

    /// @notice A verifier that accuses a right leaf loses C_v of its seat, once, and its pay that is not final.
    function test_R22_attack_aSlanderingVerifier() external {
        Play memory play;
        (play.mine, play.theirs) = (rightTrace(), rightTrace());
        play.work = gameWork(play.mine, play.theirs);
        uint256 sample = sampleOf(play.work, mallory.account);
        play.position = positionOf(play.work, sample);
        Verdict memory verdict = play.work.verdicts[sample];
        verdict.outputCommitment = keccak256("slander");
        setVerdict(play.work, verdict);
        play.id = accuse(play.work, sample);
        play.dispute = caseOf(play.work, play.position, verdict.verifier, IDisputeGame.Kind.Mismatch);
        uint256 staked = stakedOf(verdict.verifier);
        publish(play);
        pass(CLOCK + 1);
        timeout(play);
        assertEnd(play.id, IDisputeGame.Outcome.Upheld);
        vm.assertEq(staked - stakedOf(verdict.verifier), verdictCollateralOf(play.work.terms), "C_v");
        (,,, uint256 flags) = registry.pairOf(verdict.verifier, coordinator.account);
        vm.assertEq(flags, 1, "barred");
    }

    /// @notice A verifier signs the cheat's answer: its verdict is disputed for itself, and costs C_v.
    function test_R22_attack_aVerifierThatSignsTheCheatsAnswer() external {
        Play memory play;
        (play.mine, play.theirs) = (rightTrace(), buildTrace(Bent(Bend.Element, 4, 299)));
        play.work = gameWork(play.mine, play.theirs);
        uint256 sample = sampleOf(play.work, mallory.account);
        Verdict memory verdict = play.work.verdicts[sample];
        play.position = verdict.position;
        verdict.outputCommitment = play.work.leaves[verdict.position].outputCommitment;
        setVerdict(play.work, verdict);
        tally(play.work);
        attest(play.work);
        commitFind(play.work, verdict.position, finder);
        mine(1);
        uint256 task = play.work.leaves[verdict.position].taskIndex;
        bytes32[] memory proof = TestTrees.proof(gameInputs(play.mine, play.work.terms.tasks), task, 0);
        uint256 coins = game.deposit();
        vm.prank(finder.account);
        play.id = game.openVerdict{value: coins}(
            play.work.terms,
            play.work.batch,
            play.work.attestation,
            verdict,
            play.work.verdictSignatures[sample],
            inputCommitmentOf(play.mine, task),
            proof,
            saltOfFind(finder.account)
        );
        play.dispute = caseOf(play.work, play.position, finder.account, IDisputeGame.Kind.Verdict);
        play.dispute.defendant = verdict.verifier;
        uint256 staked = stakedOf(verdict.verifier);
        uint256 before = wealthOf(finder.account);
        publish(play);
        prove(play, 3, 299);
        assertEnd(play.id, IDisputeGame.Outcome.Refuted);
        uint256 cv = verdictCollateralOf(play.work.terms);
        vm.assertEq(staked - stakedOf(verdict.verifier), cv, "C_v");
        vm.assertEq(wealthOf(finder.account) - before, cv + cv - half(cv), "bond back, and what is not burned");
        vm.assertEq(market.batchOf(play.work.batchId).voided, 0, "the range is another matter");
        mine(WINDOW + 1);
        finalize(play.work);
        assertConserved(jobs(play.work), 0, "final");
    }

    /// @notice Jobs of files (version 0) keep their jury, in the same deployment.
    function test_R27_version0_keepsItsJury() external {
        Work memory work = cheatedWork();
        uint256 id = accuse(work, sampleOf(work, mallory.account));
        vm.assertEq(uint256(phaseOf(id)), uint256(IJury.Phase.Seed), "a jury's");
        tally(work);
        attest(work);
        uint256 position = positionOfMallory(work, false);
        commitFind(work, position, finder);
        mine(1);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.DisputeVersion.selector, uint8(0)));
        this.externalOpenAt(work, position, finder);
    }

    /// @notice An operation that no referee can judge ends the dispute without a slash, and nobody is paid for the range.
    function test_R27_anUnjudgeableOperation_voidsWithoutASlash() external {
        Trace memory right = rightTrace();
        right.operations[3].code = 999;
        bytes32[] memory leaves = new bytes32[](right.operations.length);
        for (uint256 i; i < leaves.length; ++i) {
            leaves[i] = keccak256(abi.encode(bytes32("assay.operation"), i, right.operations[i]));
        }
        right.operationLevels = TestTrees.pairs(leaves);
        right.program.operationsRoot = top(right.operationLevels);
        Play memory play;
        (play.mine, play.theirs) = (right, right);
        play.work = gameWork(right, right);
        tally(play.work);
        attest(play.work);
        play.position = positionOfMallory(play.work, false);
        uint256 before = wealthOf(finder.account);
        uint256 worker = wealthOf(mallory.account);
        openAt(play, finder);
        publish(play);
        game.voidUnjudgeable(
            play.id,
            play.dispute,
            play.work.terms,
            play.work.batch,
            play.published,
            3,
            right.operations[3],
            TestTrees.proof(right.operationLevels, 3, 0)
        );
        assertEnd(play.id, IDisputeGame.Outcome.Void);
        vm.assertEq(wealthOf(finder.account), before, "the bond is back");
        mine(WINDOW + 1);
        finalize(play.work);
        vm.assertEq(wealthOf(mallory.account) - worker, collateralOf(play.work.terms), "C is back, and no pay");
        assertConserved(jobs(play.work), 0, "final");
    }

    // -- Long chains ---------------------------------------------------------------------------------------------------

    /// @notice A chain that is too long for one transaction is judged in parts; only the challenger's take more time.
    function test_R27_aLongChain_isJudgedInParts() external {
        Play memory play = openedBy(finder, rightTrace(), buildTrace(Bent(Bend.Element, 9, 0)));
        publish(play);
        IDisputeGame.ElementProof memory proof = elementProof(play, 8, 0);
        proof.upTo = 200;
        pass(5);
        uint256 deadline = game.disputeOf(play.id).deadline;
        _prove(play, proof, eve);
        vm.assertEq(game.disputeOf(play.id).deadline, deadline, "another's part takes no more time");
        proof.upTo = 400;
        _prove(play, proof, finder);
        vm.assertEq(game.disputeOf(play.id).deadline, deadline + 5, "the challenger's does");
        vm.assertEq(game.disputeOf(play.id).restarts, 1, "and is counted");
        proof.upTo = 600;
        _prove(play, proof, finder);
        assertEnd(play.id, IDisputeGame.Outcome.Refuted);
    }

    function test_R27_attack_partsWithoutEnd() external {
        Play memory play = openedBy(eve, rightTrace(), rightTrace());
        publish(play);
        IDisputeGame.ElementProof memory proof = elementProof(play, 8, 0);
        for (uint256 i = 1; i <= 8; ++i) {
            proof.upTo = uint64(10 * i);
            _prove(play, proof, eve);
            pass(1);
        }
        vm.assertEq(game.disputeOf(play.id).restarts, Game.RESTARTS, "six, and no more");
        vm.assertEq(
            game.disputeOf(play.id).deadline, vm.getBlockTimestamp() - 3 + CLOCK, "the sixth was the last"
        );
        proof.upTo = 600;
        _expectProof(play, proof, IDisputeGame.DisputeNoFault.selector);
    }

    // -- Inside --------------------------------------------------------------------------------------------------------

    function proveLink(Play memory play, IDisputeGame.Link kind, bytes32 leaf, bytes32[] memory path) public {
        game.proveLink(
            play.id,
            play.dispute,
            play.work.terms,
            play.work.batch,
            play.published,
            play.theirs.program,
            linksOf(play.theirs, play.dispute.taskIndex),
            kind,
            0,
            leaf,
            path
        );
    }

    function externalRevealTensor(Play memory play) external {
        revealTensor(play);
    }

    function externalPublish(Play memory play) external {
        publish(play);
    }

    function externalOpen(Play memory play, Actor memory by) external {
        open(play.work, play.position, by);
    }

    function externalOpenAt(Work memory work, uint256 position, Actor memory by) external {
        open(work, position, by);
    }

    function _prove(Play memory play, IDisputeGame.ElementProof memory proof, Actor memory by) internal {
        vm.prank(by.account);
        game.proveElement(play.id, play.dispute, play.work.terms, play.work.batch, play.published, proof);
    }

    function _expectProof(Play memory play, IDisputeGame.ElementProof memory proof, bytes4 selector) internal {
        vm.expectPartialRevert(selector);
        game.proveElement(play.id, play.dispute, play.work.terms, play.work.batch, play.published, proof);
    }

    /// @dev Attested work in which mallory's leaves have a wrong element, and a position that was not drawn.
    function _attested() internal returns (Play memory play) {
        (play.mine, play.theirs) = (rightTrace(), buildTrace(Bent(Bend.Element, 4, 299)));
        play.work = gameWork(play.mine, play.theirs);
        tally(play.work);
        attest(play.work);
        play.position = positionOfMallory(play.work, false);
    }

    function _copy(Play memory play) internal pure returns (Play memory copy) {
        (copy.work, copy.position, copy.mine, copy.theirs) = (play.work, play.position, play.mine, play.theirs);
    }

    /// @dev The defendant goes silent after `moves` of both sides.
    function _loses(Play memory play, uint256 moves) internal {
        uint256 supply = token.totalSupply();
        publish(play);
        if (moves > 1) {
            pickFault(play);
            revealTensor(play);
        }
        pickFault(play);
        pass(CLOCK + 1);
        timeout(play);
        assertEnd(play.id, IDisputeGame.Outcome.Refuted);
        vm.assertEq(supply - token.totalSupply(), half(collateralOf(play.work.terms)), "C is lost");
    }
}
