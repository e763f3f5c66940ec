// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {VerdictLeaf} from "../types/Disputes.sol";
import {Hashes} from "./Hashes.sol";
import {Trees} from "./Trees.sol";

/// @title The tree over a batch's verdicts, in sample order (R24)
library VerdictTree {
    /// @notice What was opened does not hash to the attested verdict root.
    error VerdictRoot(bytes32 computed, bytes32 root);
    /// @notice The piece does not begin at a multiple of its width, is not filled as far as the tree goes, or is wider
    /// than the tree.
    error VerdictPiece(uint256 from, uint256 depth, uint256 leaves);

    function hash(uint32 sample, VerdictLeaf memory value) internal pure returns (bytes32) {
        return Hashes.verdict(sample, value.verifier, value.units, value.verdictHash);
    }

    function requireLeaf(bytes32 leaf, uint32 sample, uint256 samples, bytes32[] calldata proof, bytes32 root)
        internal
        pure
    {
        bytes32 computed = Trees.pairRoot(leaf, sample, samples, proof);
        if (computed != root) revert VerdictRoot(computed, root);
    }

    /// @notice Checks the subtree of `2^depth` leaves that begins at sample `from`; beyond the last sample it is padding.
    function requirePiece(
        uint256 from,
        uint256 depth,
        VerdictLeaf[] calldata leaves,
        uint256 samples,
        bytes32[] calldata proof,
        bytes32 root
    ) internal pure {
        uint256 levels = Trees.depth(samples);
        if (depth > levels || from >= samples || from & ((1 << depth) - 1) != 0) {
            revert VerdictPiece(from, depth, leaves.length);
        }
        uint256 width = samples - from < 1 << depth ? samples - from : 1 << depth;
        if (leaves.length != width) revert VerdictPiece(from, depth, leaves.length);
        if (proof.length != levels - depth) revert Trees.TreeDepth(proof.length, levels - depth);

        bytes32[] memory row = new bytes32[](width);
        for (uint256 i; i < width; ++i) {
            row[i] = hash(uint32(from + i), leaves[i]);
        }
        bytes32 node = Trees.pairRoot(row);
        // The last piece may fill less than half of its subtree: the rest is padding.
        bytes32 empty = Hashes.empty();
        for (uint256 level; level < depth; ++level) {
            if (level >= Trees.depth(width)) node = Hashes.pair(node, empty);
            empty = Hashes.pair(empty, empty);
        }
        uint256 position = from >> depth;
        for (uint256 i; i < proof.length; ++i) {
            node = (position >> i) & 1 == 0 ? Hashes.pair(node, proof[i]) : Hashes.pair(proof[i], node);
        }
        if (node != root) revert VerdictRoot(node, root);
    }
}
