// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IDisputeGame} from "../../contracts/interfaces/IDisputeGame.sol";
import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {BatchView} from "../../contracts/types/Batch.sol";
import {GameBase} from "./support/GameBase.t.sol";

/// @notice Whole disputes, move by move (R26, R27, R29).
contract GameMovesTest is GameBase {
    Actor internal finder;

    function setUp() public override {
        super.setUp();
        finder = enlist("finder");
        mine(1);
    }

    function test_R27_aWrongElement_isProvedWithTheTraceGiven() external {
        Play memory play = openedBy(finder, rightTrace(), buildTrace(Bent(Bend.Element, 4, 299)));
        uint256 before = wealthOf(finder.account);
        uint256 supply = token.totalSupply();
        publish(play);
        prove(play, 3, 299);
        assertEnd(play.id, IDisputeGame.Outcome.Refuted);
        uint256 c = collateralOf(play.work.terms);
        vm.assertEq(supply - token.totalSupply(), half(c), "b of C is burned");
        vm.assertEq(
            wealthOf(finder.account) - before,
            verdictCollateralOf(play.work.terms) + c - half(c),
            "bond back, and what is not burned"
        );
        vm.assertEq(game.coinsOf(finder.account), game.deposit(), "the deposit is back");
        BatchView memory batch = market.batchOf(play.work.batchId);
        vm.assertEq(batch.slashed, 1 << play.dispute.rangeIndex, "that range");
        vm.assertEq(batch.count, 0, "no hold is left");
        mine(WINDOW + 1);
        finalize(play.work);
        assertConserved(jobs(play.work), 0, "final");
    }

    function test_R27_aHiddenTrace_isRevealedMoveByMove() external {
        Play memory play = openedBy(finder, rightTrace(), buildTrace(Bent(Bend.Element, 4, 299)));
        publish(play);
        pickFault(play);
        vm.assertEq(wireAt, 4, "the first wire that differs");
        revealTensor(play);
        pickFault(play);
        revealChunk(play);
        prove(play, 3, 299);
        assertEnd(play.id, IDisputeGame.Outcome.Refuted);
    }

    function test_R30_finalize_revertsWhileADisputeIsOpen() external {
        Play memory play = openedBy(finder, rightTrace(), buildTrace(Bent(Bend.Element, 4, 299)));
        mine(WINDOW + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchHeld.selector, play.work.batchId, 1));
        market.finalize(play.work.terms, play.work.batch, play.work.attestation);
    }

    function test_R27_silence_loses() external {
        Play memory play = openedBy(finder, rightTrace(), buildTrace(Bent(Bend.Element, 4, 299)));
        pass(CLOCK + 1);
        timeout(play);
        assertEnd(play.id, IDisputeGame.Outcome.Refuted);
    }
}
