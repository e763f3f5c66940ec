// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IDisputeGame} from "../interfaces/IDisputeGame.sol";
import {Hashes} from "./Hashes.sol";
import {Tensors} from "./Tensors.sol";
import {Trees} from "./Trees.sol";

/// @title The moves of one dispute (R27)
/// @notice A descent through two trees: the trace's, whose leaves are tensors, then one tensor's, whose leaves are chunks.
/// Moves alternate, each has a full clock, silence loses.
/// @dev Paddings are never sent: a row has the nodes that exist, and the rest is put in here. So a tree with a false padding
/// cannot be opened, which is silence. No row is stored: its nodes are shown again with a path when one is picked.
library Game {
    /// @notice Levels that one row spans: 64 nodes (R27's reveal is cheapest there).
    uint256 internal constant ROW_LEVELS = 6;
    /// @notice Most levels of a tree: 2^24 wires, or tensors of 16 GiB. Whoever compiles a program refuses more.
    uint256 internal constant MOST_LEVELS = 24;
    /// @notice How often a part of a long chain restarts the challenger's clock.
    uint256 internal constant RESTARTS = 6;
    /// @notice The longest life, in clocks: publish, four rows of each tree and as many picks, the chunk, the proof, and the
    /// restarts: 1 + (3 + 4) + 1 + (3 + 4) + 1 + 1 + 6.
    uint256 internal constant LIFE = 24;

    /// @notice It is not that move's turn.
    error GamePhase(IDisputeGame.Phase actual);
    /// @notice The clock has run out.
    error GameOver(uint256 deadline);
    /// @notice The clock still runs.
    error GameRunning(uint256 deadline);
    /// @notice The picked node does not exist, or does not lie under the current one.
    error GameIndex(uint256 index, uint256 level);
    /// @notice What was shown does not hash to the node that it must.
    error GameNode(bytes32 computed, bytes32 needed);
    /// @notice The row or path has another length than the tree says.
    error GameLength(uint256 given, uint256 needed);
    /// @notice More leaves than a game can descend through.
    error GameTooLarge(uint256 count);

    /// @dev One slot.
    struct Turn {
        IDisputeGame.Phase phase;
        IDisputeGame.Outcome outcome;
        bool inside;
        uint8 level;
        uint8 restarts;
        uint8 moves;
        uint40 deadline;
        uint32 index;
        uint32 count;
        uint96 deposit;
    }

    struct State {
        Turn turn;
        bytes32 node;
        bytes32 published;
        bytes32 dispute;
    }

    // -- Moves -------------------------------------------------------------------------------------------------------

    function start(State storage self, bytes32 dispute, uint256 deposit, uint256 clock) internal returns (uint256) {
        Turn memory turn;
        turn.phase = IDisputeGame.Phase.Publish;
        turn.deposit = uint96(deposit);
        self.dispute = dispute;
        return _store(self, turn, clock);
    }

    /// @notice The defendant fixed its trace of `wires` wires; its first row is known.
    function publish(
        State storage self,
        bytes32 published,
        bytes32 traceRoot,
        uint256 wires,
        bytes32[] calldata row,
        uint256 clock
    ) internal returns (uint256) {
        Turn memory turn = self.turn;
        _require(turn, IDisputeGame.Phase.Publish);
        self.published = published;
        self.node = traceRoot;
        _enter(turn, wires, row, traceRoot);
        return _answer(self, turn, IDisputeGame.Phase.Pick, clock);
    }

    function pick(State storage self, uint256 index, bytes32 node, bytes32[] calldata path, uint256 clock)
        internal
        returns (Turn memory turn)
    {
        turn = self.turn;
        _require(turn, IDisputeGame.Phase.Pick);
        uint256 level = below(turn.level);
        uint256 step = turn.level - level;
        if (index >> step != turn.index || index >= nodesAt(turn.count, level)) revert GameIndex(index, level);
        if (path.length != step) revert GameLength(path.length, step);
        bytes32 hash = node;
        for (uint256 i; i < step; ++i) {
            hash = (index >> i) & 1 == 0 ? join(turn.inside, hash, path[i]) : join(turn.inside, path[i], hash);
        }
        if (hash != self.node) revert GameNode(hash, self.node);
        self.node = node;
        (turn.level, turn.index) = (uint8(level), uint32(index));
        turn.phase = level != 0
            ? IDisputeGame.Phase.Reveal
            : turn.inside ? IDisputeGame.Phase.Chunk : IDisputeGame.Phase.Tensor;
        _store(self, turn, clock);
    }

    function reveal(State storage self, bytes32[] calldata row, uint256 clock) internal returns (Turn memory turn) {
        turn = self.turn;
        _require(turn, IDisputeGame.Phase.Reveal);
        bytes32 computed = rowRoot(turn.inside, turn.count, turn.level, turn.index, row);
        if (computed != self.node) revert GameNode(computed, self.node);
        _answer(self, turn, IDisputeGame.Phase.Pick, clock);
    }

    /// @notice The picked wire is a tensor of that root (header included) and of `chunks` chunks under `treeRoot`.
    function tensor(
        State storage self,
        bytes32 tensorRoot,
        bytes32 treeRoot,
        uint256 chunks,
        bytes32[] calldata row,
        uint256 clock
    ) internal returns (uint256 deadline) {
        Turn memory turn = self.turn;
        _require(turn, IDisputeGame.Phase.Tensor);
        bytes32 leaf = Hashes.wire(turn.index, tensorRoot);
        if (leaf != self.node) revert GameNode(leaf, self.node);
        self.node = treeRoot;
        turn.inside = true;
        _enter(turn, chunks, row, treeRoot);
        return _answer(self, turn, IDisputeGame.Phase.Pick, clock);
    }

    function chunk(State storage self, bytes calldata data, uint256 clock) internal returns (Turn memory turn) {
        turn = self.turn;
        _require(turn, IDisputeGame.Phase.Chunk);
        if (data.length != Tensors.CHUNK) revert Tensors.TensorChunk(data.length, Tensors.CHUNK);
        bytes32 leaf = Tensors.leaf(data);
        if (leaf != self.node) revert GameNode(leaf, self.node);
        _answer(self, turn, IDisputeGame.Phase.Prove, clock);
    }

    /// @notice A part of a long chain is done: the challenger's clock starts anew, a few times.
    function restart(State storage self, uint256 clock) internal returns (uint256) {
        Turn memory turn = self.turn;
        if (turn.restarts == RESTARTS) return turn.deadline;
        turn.restarts += 1;
        return _store(self, turn, clock);
    }

    // -- Ends --------------------------------------------------------------------------------------------------------

    /// @notice Who let its clock run out loses.
    function expire(State storage self) internal view returns (bool challenger) {
        Turn memory turn = self.turn;
        if (turn.phase == IDisputeGame.Phase.None || turn.phase == IDisputeGame.Phase.Over) {
            revert GamePhase(turn.phase);
        }
        if (block.timestamp <= turn.deadline) revert GameRunning(turn.deadline);
        return isChallengers(turn.phase);
    }

    /// @dev INVARIANT: a dispute ends once; whatever follows from its end follows once.
    function end(State storage self, IDisputeGame.Outcome outcome) internal returns (uint256 deposit) {
        Turn memory turn = self.turn;
        if (turn.phase == IDisputeGame.Phase.None || turn.phase == IDisputeGame.Phase.Over) {
            revert GamePhase(turn.phase);
        }
        turn.phase = IDisputeGame.Phase.Over;
        turn.outcome = outcome;
        self.turn = turn;
        return turn.deposit;
    }

    // -- Checks ------------------------------------------------------------------------------------------------------

    /// @notice It is the challenger's turn.
    function requireChallengers(State storage self) internal view {
        Turn memory turn = self.turn;
        if (!isChallengers(turn.phase)) revert GamePhase(turn.phase);
        if (block.timestamp > turn.deadline) revert GameOver(turn.deadline);
    }

    /// @notice The challenger has not lost yet.
    function requireAlive(State storage self) internal view {
        Turn memory turn = self.turn;
        if (turn.phase == IDisputeGame.Phase.None || turn.phase == IDisputeGame.Phase.Over) {
            revert GamePhase(turn.phase);
        }
        if (isChallengers(turn.phase) && block.timestamp > turn.deadline) revert GameOver(turn.deadline);
    }

    function isChallengers(IDisputeGame.Phase phase) internal pure returns (bool) {
        return phase == IDisputeGame.Phase.Pick || phase == IDisputeGame.Phase.Prove;
    }

    // -- Trees -------------------------------------------------------------------------------------------------------

    /// @notice The level of the row under a node.
    function below(uint256 level) internal pure returns (uint256) {
        return level > ROW_LEVELS ? level - ROW_LEVELS : 0;
    }

    /// @notice Nodes of a level that are no paddings.
    function nodesAt(uint256 count, uint256 level) internal pure returns (uint256) {
        return (count + (1 << level) - 1) >> level;
    }

    function join(bool inside, bytes32 left, bytes32 right) internal view returns (bytes32) {
        return inside ? Tensors.node(left, right) : Hashes.pair(left, right);
    }

    /// @notice What a row hashes to, paddings put in.
    function rowRoot(bool inside, uint256 count, uint256 level, uint256 index, bytes32[] calldata row)
        internal
        view
        returns (bytes32)
    {
        uint256 low = below(level);
        uint256 step = level - low;
        uint256 width = nodesAt(count, low) - (index << step);
        if (width > 1 << step) width = 1 << step;
        if (row.length != width) revert GameLength(row.length, width);
        bytes32 pad = inside ? Tensors.pad() : Hashes.empty();
        for (uint256 i; i < low; ++i) {
            pad = join(inside, pad, pad);
        }
        if (width == 0) return pad;
        bytes32[] memory nodes = row;
        for (uint256 i; i < step; ++i) {
            uint256 half = (width + 1) >> 1;
            // Cannot overflow: at most 64 nodes.
            unchecked {
                for (uint256 j; j < half; ++j) {
                    nodes[j] = join(inside, nodes[2 * j], 2 * j + 1 < width ? nodes[2 * j + 1] : pad);
                }
            }
            if (i + 1 < step) pad = join(inside, pad, pad);
            width = half;
        }
        return nodes[0];
    }

    // -- Inside ------------------------------------------------------------------------------------------------------

    /// @dev The descent begins at the root of a tree, whose first row comes with it.
    function _enter(Turn memory turn, uint256 count, bytes32[] calldata row, bytes32 root) private view {
        uint256 levels = Trees.depth(count);
        if (levels > MOST_LEVELS) revert GameTooLarge(count);
        (turn.level, turn.index, turn.count) = (uint8(levels), 0, uint32(count));
        bytes32 computed = rowRoot(turn.inside, count, levels, 0, row);
        if (computed != root) revert GameNode(computed, root);
    }

    function _require(Turn memory turn, IDisputeGame.Phase needed) private view {
        if (turn.phase != needed) revert GamePhase(turn.phase);
        if (block.timestamp > turn.deadline) revert GameOver(turn.deadline);
    }

    function _answer(State storage self, Turn memory turn, IDisputeGame.Phase next, uint256 clock)
        private
        returns (uint256)
    {
        turn.moves += 1;
        turn.phase = next;
        return _store(self, turn, clock);
    }

    function _store(State storage self, Turn memory turn, uint256 clock) private returns (uint256 deadline) {
        deadline = block.timestamp + clock;
        turn.deadline = uint40(deadline);
        self.turn = turn;
    }
}
