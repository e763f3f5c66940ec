// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {LeafNode} from "../types/Batch.sol";
import {Hashes} from "./Hashes.sol";

/// @title Positional Merkle trees (R3, R4)
/// @notice Depths follow from stated counts and sides from the bits of the position: a good leaf answers for its own
/// position alone. OpenZeppelin's MerkleProof sorts pairs and would let it answer for any.
library Trees {
    /// @notice The proof has another length than the tree's depth.
    error TreeDepth(uint256 given, uint256 depth);
    /// @notice The position lies outside the tree.
    error TreePosition(uint256 position, uint256 count);

    /// @notice Levels of a tree over `count` leaves.
    function depth(uint256 count) internal pure returns (uint256 levels) {
        while (count > 1 << levels) ++levels;
    }

    /// @notice Folds siblings `path[from..from+levels)` of a sum tree over a node.
    function fold(LeafNode memory found, uint256 position, LeafNode[] calldata path, uint256 from, uint256 levels)
        internal
        pure
        returns (LeafNode memory)
    {
        for (uint256 i; i < levels; ++i) {
            LeafNode calldata sibling = path[from + i];
            bytes32 hash = (position >> i) & 1 == 0
                ? Hashes.node(found.hash, found.units, sibling.hash, sibling.units)
                : Hashes.node(sibling.hash, sibling.units, found.hash, found.units);
            found = LeafNode(hash, found.units + sibling.units);
        }
        return found;
    }

    /// @notice Root of a sum tree over the given nodes, padded to a power of two.
    function sumRoot(LeafNode[] memory nodes) internal pure returns (LeafNode memory) {
        uint256 width = 1 << depth(nodes.length);
        LeafNode[] memory row = new LeafNode[](width);
        for (uint256 i; i < width; ++i) {
            row[i] = i < nodes.length ? nodes[i] : LeafNode(Hashes.pad(), 0);
        }
        for (; width > 1; width >>= 1) {
            for (uint256 i; i < width; i += 2) {
                row[i >> 1] = LeafNode(
                    Hashes.node(row[i].hash, row[i].units, row[i + 1].hash, row[i + 1].units),
                    row[i].units + row[i + 1].units
                );
            }
        }
        return row[0];
    }

    /// @notice Root of a plain tree of `count` leaves in which `leaf` stands at `position`.
    function pairRoot(bytes32 leaf, uint256 position, uint256 count, bytes32[] calldata path)
        internal
        pure
        returns (bytes32)
    {
        if (position >= count) revert TreePosition(position, count);
        uint256 levels = depth(count);
        if (path.length != levels) revert TreeDepth(path.length, levels);
        for (uint256 i; i < levels; ++i) {
            leaf = (position >> i) & 1 == 0 ? Hashes.pair(leaf, path[i]) : Hashes.pair(path[i], leaf);
        }
        return leaf;
    }

    /// @notice Root of a plain tree over the given leaves, padded to a power of two. Overwrites `leaves`.
    function pairRoot(bytes32[] memory leaves) internal pure returns (bytes32) {
        uint256 count = leaves.length;
        if (count == 0) revert TreePosition(0, 0);
        for (uint256 levels = depth(count); levels > 0; --levels) {
            // The padding of a level above the leaves is the hash of two paddings below it, so each is made on demand.
            uint256 half = (count + 1) >> 1;
            for (uint256 i; i < half; ++i) {
                bytes32 right = 2 * i + 1 < count ? leaves[2 * i + 1] : _emptyAt(depth(leaves.length) - levels);
                leaves[i] = Hashes.pair(leaves[2 * i], right);
            }
            count = half;
        }
        return leaves[0];
    }

    function _emptyAt(uint256 level) private pure returns (bytes32 hash) {
        hash = Hashes.empty();
        for (; level > 0; --level) {
            hash = Hashes.pair(hash, hash);
        }
    }
}
