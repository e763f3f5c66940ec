// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {LeafNode} from "../../../contracts/types/Batch.sol";

/// @notice Builds whole trees with every level kept, to take paths from. Written apart from the contracts' Trees, which
/// only fold: an error in either shows.
library TestTrees {
    function depth(uint256 count) internal pure returns (uint256 levels) {
        while (count > 1 << levels) ++levels;
    }

    function sum(LeafNode[] memory nodes) internal pure returns (LeafNode[][] memory levels) {
        uint256 high = depth(nodes.length);
        levels = new LeafNode[][](high + 1);
        levels[0] = new LeafNode[](1 << high);
        for (uint256 i; i < levels[0].length; ++i) {
            levels[0][i] =
                i < nodes.length ? nodes[i] : LeafNode(keccak256(abi.encode(bytes32("assay.pad"))), 0);
        }
        for (uint256 l = 1; l <= high; ++l) {
            LeafNode[] memory below = levels[l - 1];
            levels[l] = new LeafNode[](below.length / 2);
            for (uint256 i; i < levels[l].length; ++i) {
                (LeafNode memory a, LeafNode memory b) = (below[2 * i], below[2 * i + 1]);
                levels[l][i] = LeafNode(
                    keccak256(abi.encode(bytes32("assay.node"), a.hash, a.units, b.hash, b.units)), a.units + b.units
                );
            }
        }
    }

    /// @dev The shard tree has a depth of its own: S, not the count of tasks that a short last shard has.
    function sumTo(LeafNode[] memory nodes, uint256 count) internal pure returns (LeafNode[][] memory) {
        LeafNode[] memory padded = new LeafNode[](count);
        for (uint256 i; i < count; ++i) {
            padded[i] = i < nodes.length ? nodes[i] : LeafNode(keccak256(abi.encode(bytes32("assay.pad"))), 0);
        }
        return sum(padded);
    }

    function path(LeafNode[][] memory levels, uint256 position) internal pure returns (LeafNode[] memory siblings) {
        siblings = new LeafNode[](levels.length - 1);
        for (uint256 l; l < siblings.length; ++l) {
            siblings[l] = levels[l][(position >> l) ^ 1];
        }
    }

    function join(LeafNode[] memory a, LeafNode[] memory b) internal pure returns (LeafNode[] memory both) {
        both = new LeafNode[](a.length + b.length);
        for (uint256 i; i < a.length; ++i) {
            both[i] = a[i];
        }
        for (uint256 i; i < b.length; ++i) {
            both[a.length + i] = b[i];
        }
    }

    function pairs(bytes32[] memory leaves) internal pure returns (bytes32[][] memory levels) {
        uint256 high = depth(leaves.length);
        levels = new bytes32[][](high + 1);
        levels[0] = new bytes32[](1 << high);
        for (uint256 i; i < levels[0].length; ++i) {
            levels[0][i] = i < leaves.length ? leaves[i] : keccak256(abi.encode(bytes32("assay.empty")));
        }
        for (uint256 l = 1; l <= high; ++l) {
            levels[l] = new bytes32[](levels[l - 1].length / 2);
            for (uint256 i; i < levels[l].length; ++i) {
                levels[l][i] =
                    keccak256(abi.encode(bytes32("assay.pair"), levels[l - 1][2 * i], levels[l - 1][2 * i + 1]));
            }
        }
    }

    /// @dev Siblings from level `from` up, of the node that stands above `position` there.
    function proof(bytes32[][] memory levels, uint256 position, uint256 from)
        internal
        pure
        returns (bytes32[] memory siblings)
    {
        siblings = new bytes32[](levels.length - 1 - from);
        for (uint256 l = from; l < levels.length - 1; ++l) {
            siblings[l - from] = levels[l][(position >> l) ^ 1];
        }
    }
}
