// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IDisputeGame} from "../../contracts/interfaces/IDisputeGame.sol";
import {TestTrees} from "./support/TestTrees.sol";
import {GameBase} from "./support/GameBase.t.sol";

/// @notice The two halves of soundness, over the real contracts: whatever a hostile challenger does, a worker that answers
/// honestly does not lose; whatever a wrong worker does, a challenger that plays by its own trace wins.
contract GameSoundnessTest is GameBase {
    uint256 internal constant MOST_MOVES = 24;

    Actor internal finder;

    function setUp() public override {
        super.setUp();
        finder = enlist("finder");
        mine(1);
    }

    function testFuzz_R27_anHonestWorkerNeverLoses(uint256 seed) external {
        Play memory play = openedBy(finder, rightTrace(), rightTrace());
        for (uint256 i; i < MOST_MOVES; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            if (_honestAnswer(play)) continue;
            IDisputeGame.Phase phase = game.disputeOf(play.id).phase;
            if (phase == IDisputeGame.Phase.Over) break;
            _hostileMove(play, seed);
        }
        if (game.disputeOf(play.id).phase != IDisputeGame.Phase.Over) {
            // The last pick has its answer too.
            _honestAnswer(play);
            pass(CLOCK + 1);
            timeout(play);
        }
        assertEnd(play.id, IDisputeGame.Outcome.Upheld);
        vm.assertEq(market.batchOf(play.work.batchId).voided, 0, "the worker's range stands");
    }

    function testFuzz_R27_aWrongWorkerNeverWins(uint256 seed) external {
        Bent memory bent;
        bent.kind = Bend(1 + seed % 6);
        bent.wire = bent.kind == Bend.Padding || bent.kind == Bend.Fill ? (seed >> 8) % 9 : (seed >> 8) % 10;
        bent.element = bent.kind == Bend.Fill ? 600 + (seed >> 16) % 168 : bent.wire == 9 ? 0 : (seed >> 16) % 600;
        Play memory play = openedBy(finder, rightTrace(), buildTrace(bent));
        for (uint256 i; i < MOST_MOVES; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            if (game.disputeOf(play.id).phase == IDisputeGame.Phase.Over) break;
            if (_honestChallenge(play)) continue;
            _wrongAnswer(play, seed);
        }
        assertEnd(play.id, IDisputeGame.Outcome.Refuted);
        vm.assertEq(
            market.batchOf(play.work.batchId).slashed, 1 << play.dispute.rangeIndex, "the worker's range is slashed"
        );
    }

    // -- The worker ----------------------------------------------------------------------------------------------------

    /// @dev Answers if it is the worker's turn.
    function _honestAnswer(Play memory play) internal returns (bool) {
        IDisputeGame.Phase phase = game.disputeOf(play.id).phase;
        if (phase == IDisputeGame.Phase.Publish) publish(play);
        else if (phase == IDisputeGame.Phase.Reveal) reveal(play);
        else if (phase == IDisputeGame.Phase.Tensor) revealTensor(play);
        else if (phase == IDisputeGame.Phase.Chunk) revealChunk(play);
        else return false;
        return true;
    }

    /// @dev What it has, something else, or nothing.
    function _wrongAnswer(Play memory play, uint256 seed) internal {
        // Where only the trace is wrong, and not the leaf, a worker that publishes the right one is no wrong worker.
        bool wrongLeaf = outputCommitmentOf(play.theirs, 0) != outputCommitmentOf(play.mine, 0);
        if (seed % 4 == 0 && wrongLeaf) {
            Trace memory own = play.theirs;
            // The right trace, or another wrong one: neither is what it published or signed.
            play.theirs = seed % 8 == 0 ? rightTrace() : buildTrace(Bent(Bend.Element, 1 + (seed >> 8) % 8, (seed >> 16) % 600));
            IDisputeGame.Published memory published = play.published;
            try this.externalAnswer(play) returns (IDisputeGame.Published memory made) {
                // It happened to say the same, for nothing below that node is bent.
                if (published.traceRoot == 0) play.published = made;
                else play.theirs = own;
            } catch {
                play.theirs = own;
            }
            return;
        }
        if (seed % 4 < 3) {
            try this.externalAnswer(play) returns (IDisputeGame.Published memory made) {
                play.published = made;
                return;
            } catch {}
        }
        pass(CLOCK + 1);
        timeout(play);
    }

    function externalAnswer(Play memory play) external returns (IDisputeGame.Published memory) {
        _honestAnswer(play);
        return play.published;
    }

    // -- The challenger ------------------------------------------------------------------------------------------------

    /// @dev The strategy of a player with the right trace. False where it is not its turn.
    function _honestChallenge(Play memory play) internal returns (bool) {
        IDisputeGame.View memory at_ = game.disputeOf(play.id);
        if (at_.phase == IDisputeGame.Phase.Pick) {
            if (!at_.inside && top(play.mine.levels) == top(play.theirs.levels)) {
                // The trace is right, so the output cannot be the leaf's.
                bytes32[] memory path = TestTrees.proof(play.theirs.levels, 9, 0);
                proveLink(play, IDisputeGame.Link.Output, 9, path);
            } else {
                pickFault(play);
            }
            return true;
        }
        if (at_.phase != IDisputeGame.Phase.Prove) return false;
        // The first element of the chunk that differs; behind the tensor's end, the last one stands for the fill.
        uint256 element = uint256(at_.index) * 256;
        bytes memory own = play.mine.data[wireAt];
        bytes memory other = play.theirs.data[wireAt];
        while (element < own.length / 4 && _read(own, element) == _read(other, element)) ++element;
        uint256 last = wireAt == 9 ? 0 : WIDTH - 1;
        prove(play, wireAt - 1, element > last ? last : element);
        return true;
    }

    function _hostileMove(Play memory play, uint256 seed) internal {
        uint256 what = seed % 8;
        uint256 pick_ = seed >> 64;
        if (what < 3) {
            try this.externalPick(play, pick_ % 12) returns (uint256 wire) {
                wireAt = wire;
            } catch {}
        } else if (what == 3) {
            try this.externalProve(play, pick_ % 9, pick_ % 600, seed >> 128) {} catch {}
        } else if (what == 4) {
            try this.externalLink(play, pick_ % 3, pick_ % 10, seed >> 128) {} catch {}
        } else if (what == 5) {
            try this.externalInput(play, seed >> 128) {} catch {}
        } else if (what == 6) {
            try this.externalVoid(play, pick_ % 9) {} catch {}
        } else if (seed >> 250 == 0) {
            pass(CLOCK + 1);
            timeout(play);
        } else {
            try this.externalTimeout(play) {} catch {}
        }
    }

    function externalPick(Play memory play, uint256 index) external returns (uint256) {
        pick(play, index);
        return wireAt;
    }

    /// @dev A true opening with at most one thing bent.
    function externalProve(Play memory play, uint256 operation, uint256 element, uint256 bend) external {
        IDisputeGame.ElementProof memory proof =
            elementProof(play, operation, operation == additions() ? 0 : element);
        uint256 what = bend % 8;
        if (what == 1) proof.chunk[(bend >> 8) % 1_024] ^= 0x01;
        if (what == 2) proof.opened[0].data[(bend >> 8) % 1_024] ^= 0x01;
        if (what == 3) proof.opened[1].data[(bend >> 8) % 1_024] ^= 0x01;
        if (what == 4) proof.element = uint64((bend >> 8) % 700);
        if (what == 5) proof.index = uint32((bend >> 8) % 9);
        if (what == 6) proof.operation.output.dtype = 1;
        if (what == 7) proof.opened[0].chunks[0] = uint32((bend >> 8) % 4);
        if ((bend >> 64) % 4 == 0) proof.upTo = uint64((bend >> 72) % 700);
        vm.prank(play.dispute.challenger);
        game.proveElement(play.id, play.dispute, play.work.terms, play.work.batch, play.published, proof);
    }

    function externalLink(Play memory play, uint256 kind, uint256 wire, uint256 bend) external {
        proveLink(play, IDisputeGame.Link(kind), wire, TestTrees.proof(play.theirs.levels, (wire + bend % 2) % 10, 0));
    }

    function externalInput(Play memory play, uint256 bend) external {
        uint256 task = play.dispute.taskIndex;
        uint256 shown = bend % 2 == 0 ? task : (bend >> 8) % 15;
        game.proveInput(
            play.id,
            play.dispute,
            play.work.terms,
            play.work.batch,
            inputCommitmentOf(play.mine, shown),
            TestTrees.proof(gameInputs(play.mine, play.work.terms.tasks), shown, 0)
        );
    }

    function externalVoid(Play memory play, uint256 index) external {
        game.voidUnjudgeable(
            play.id,
            play.dispute,
            play.work.terms,
            play.work.batch,
            play.published,
            uint32(index),
            play.theirs.operations[index],
            TestTrees.proof(play.theirs.operationLevels, index, 0)
        );
    }

    function externalTimeout(Play memory play) external {
        timeout(play);
    }

    function proveLink(Play memory play, IDisputeGame.Link kind, uint256 wire, bytes32[] memory path) internal {
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
            play.theirs.levels[0][wire],
            path
        );
    }
}
