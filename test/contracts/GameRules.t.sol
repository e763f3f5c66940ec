// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IDisputeGame} from "../../contracts/interfaces/IDisputeGame.sol";
import {Draw} from "../../contracts/libraries/Draw.sol";
import {Game} from "../../contracts/libraries/Game.sol";
import {GameBase} from "./support/GameBase.t.sol";

/// @notice The pure rules of a descent, against a bare storage variable, and what the game is built with.
contract GameRulesTest is GameBase {
    using Game for Game.State;

    Game.State internal state;

    function setUp() public override {}

    function sampleAt(bytes32 seed, uint256 position, uint256 leaves) external pure returns (uint256) {
        return Draw.sampleAt(seed, position, leaves);
    }

    function testFuzz_R19_sampleAt_isTheInverseOfPosition(bytes32 seed, uint256 leaves, uint256 i) external pure {
        leaves = 1 + leaves % 70_000;
        i %= leaves;
        vm.assertEq(Draw.sampleAt(seed, Draw.position(seed, i, leaves), leaves), i, "sample");
    }

    function test_R19_sampleAt_revertsOutsideTheBatch() external {
        vm.expectRevert(abi.encodeWithSelector(Draw.DrawOutside.selector, 8, 8));
        this.sampleAt("seed", 8, 8);
    }

    /// @notice A descent through the tallest trees that a game takes uses no more than its life in clocks.
    function test_R31_theLongestGame_fitsItsLife() external pure {
        uint256 rows = (Game.MOST_LEVELS + Game.ROW_LEVELS - 1) / Game.ROW_LEVELS;
        // publish brings the first row of the trace, the tensor its own; each row is picked from, the others revealed.
        uint256 defendant = 1 + (rows - 1) + 1 + (rows - 1) + 1;
        uint256 challenger = rows + rows + 1;
        vm.assertEq(defendant + challenger + Game.RESTARTS, Game.LIFE, "clocks");
    }

    /// @notice Rows of any tree lead to its root, with every padding put in.
    function testFuzz_R3_rows_leadToTheRoot(uint256 count, uint256 leaf, bool inside) external view {
        count = 1 + count % 300;
        leaf %= count;
        bytes32[][] memory levels = _levels(count, inside);
        uint256 level = levels.length - 1;
        uint256 index;
        while (true) {
            bytes32[] memory row = rowOf(levels, count, level, index);
            vm.assertEq(this.rowRoot(inside, count, level, index, row), levels[level][index], "row");
            if (level == 0) break;
            level = level > 6 ? level - 6 : 0;
            index = leaf >> level;
        }
    }

    function testFuzz_R3_rows_ofAnotherLengthRevert(uint256 count, bool longer) external {
        count = 2 + count % 300;
        bytes32[][] memory levels = _levels(count, false);
        bytes32[] memory row = rowOf(levels, count, levels.length - 1, 0);
        bytes32[] memory other = new bytes32[](longer ? row.length + 1 : row.length - 1);
        for (uint256 i; i < other.length; ++i) {
            other[i] = i < row.length ? row[i] : keccak256(abi.encode(bytes32("assay.empty")));
        }
        vm.expectRevert(abi.encodeWithSelector(Game.GameLength.selector, other.length, row.length));
        this.rowRoot(false, count, levels.length - 1, 0, other);
    }

    function test_moves_revertOutOfTurn() external {
        bytes32[] memory none = new bytes32[](0);
        vm.expectRevert(abi.encodeWithSelector(Game.GamePhase.selector, IDisputeGame.Phase.None));
        this.reveal(none);
        state.start("dispute", 0, 20);
        vm.expectRevert(abi.encodeWithSelector(Game.GamePhase.selector, IDisputeGame.Phase.Publish));
        this.reveal(none);
        vm.expectRevert(abi.encodeWithSelector(Game.GamePhase.selector, IDisputeGame.Phase.Publish));
        this.pick(0, 0, none);
        vm.expectRevert(abi.encodeWithSelector(Game.GameRunning.selector, vm.getBlockTimestamp() + 20));
        this.expire();
    }

    function test_moves_revertAfterTheClock() external {
        state.start("dispute", 0, 20);
        bytes32[] memory row = new bytes32[](1);
        row[0] = "root";
        uint256 deadline = vm.getBlockTimestamp() + 20;
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(Game.GameOver.selector, deadline));
        this.publish("root", 1, row);
        vm.assertEq(this.expire(), false, "it was the defendant's");
    }

    function test_publish_refusesMoreWiresThanAGameDescends() external {
        state.start("dispute", 0, 20);
        uint256 wires = (1 << Game.MOST_LEVELS) + 1;
        vm.expectRevert(abi.encodeWithSelector(Game.GameTooLarge.selector, wires));
        this.publish("root", wires, new bytes32[](0));
    }

    // -- Inside --------------------------------------------------------------------------------------------------------

    function rowRoot(bool inside, uint256 count, uint256 level, uint256 index, bytes32[] calldata row)
        external
        view
        returns (bytes32)
    {
        return Game.rowRoot(inside, count, level, index, row);
    }

    function publish(bytes32 root, uint256 wires, bytes32[] calldata row) external {
        state.publish("published", root, wires, row, 20);
    }

    function pick(uint256 index, bytes32 node, bytes32[] calldata path) external {
        state.pick(index, node, path, 20);
    }

    function reveal(bytes32[] calldata row) external {
        state.reveal(row, 20);
    }

    function expire() external view returns (bool) {
        return state.expire();
    }

    function _levels(uint256 count, bool inside) internal pure returns (bytes32[][] memory levels) {
        uint256 depth;
        while (1 << depth < count) ++depth;
        levels = new bytes32[][](depth + 1);
        levels[0] = new bytes32[](1 << depth);
        bytes32 pad = inside ? sha256(hex"02") : keccak256(abi.encode(bytes32("assay.empty")));
        for (uint256 i; i < levels[0].length; ++i) {
            levels[0][i] = i < count ? keccak256(abi.encode(i)) : pad;
        }
        for (uint256 d = 1; d <= depth; ++d) {
            levels[d] = new bytes32[](levels[d - 1].length / 2);
            for (uint256 i; i < levels[d].length; ++i) {
                (bytes32 left, bytes32 right) = (levels[d - 1][2 * i], levels[d - 1][2 * i + 1]);
                levels[d][i] = inside
                    ? sha256(abi.encodePacked(hex"01", left, right))
                    : keccak256(abi.encode(bytes32("assay.pair"), left, right));
            }
        }
    }
}
