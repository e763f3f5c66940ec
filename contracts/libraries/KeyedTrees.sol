// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Hashes} from "./Hashes.sol";

/// @title Tensor trees, plain and keyed (R6, R21)
/// @notice Leaf, node, padding and root have tags of their own, so an opening of another depth, or a node that passes for a
/// chunk, would be a collision of SHA-256: lengths of paths need no check against the shape.
library KeyedTrees {
    uint256 internal constant CHUNK = 1_024;

    /// @notice A chunk has 1,024 bytes, the last one filled up with zeros.
    error ChunkLength(uint256 given);
    /// @notice The two paths differ in length, or the chunk lies beside the tree.
    error ChunkPath(uint256 index, uint256 levels, uint256 keyedLevels);

    /// @notice What a keyed leaf begins with; a plain one begins with one zero byte.
    function key(address verifier, uint256 batchId, uint32 position) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(4), verifier, batchId, position);
    }

    function plainKey() internal pure returns (bytes memory) {
        return hex"00";
    }

    function leaf(bytes memory prefix, bytes calldata chunk) internal pure returns (bytes32) {
        if (chunk.length != CHUNK) revert ChunkLength(chunk.length);
        return sha256(abi.encodePacked(prefix, chunk));
    }

    /// @notice Tensor root above a leaf.
    function rootOf(bytes32 node, uint256 index, bytes32[] calldata path, bytes calldata header)
        internal
        pure
        returns (bytes32)
    {
        for (uint256 i; i < path.length; ++i) {
            node = (index >> i) & 1 == 0 ? _node(node, path[i]) : _node(path[i], node);
        }
        return _root(header, node);
    }

    /// @notice Tensor root of all its bytes.
    function rootOf(bytes memory prefix, bytes calldata header, bytes calldata data) internal pure returns (bytes32) {
        uint256 count = (data.length + CHUNK - 1) / CHUNK;
        uint256 levels;
        while (count > 1 << levels) ++levels;
        bytes32[] memory row = new bytes32[](1 << levels);
        for (uint256 i; i < row.length; ++i) {
            row[i] = i < count ? _chunk(prefix, data, i * CHUNK) : sha256(hex"02");
        }
        for (uint256 width = row.length; width > 1; width >>= 1) {
            for (uint256 i; i < width; i += 2) {
                row[i >> 1] = _node(row[i], row[i + 1]);
            }
        }
        return _root(header, row[0]);
    }

    /// @notice T(salt, tensors) over their roots.
    function commit(bytes32 salt, bytes32[] memory roots) internal pure returns (bytes32) {
        return keccak256(abi.encode(Hashes.TENSORS, salt, roots));
    }

    function _chunk(bytes memory prefix, bytes calldata data, uint256 from) private pure returns (bytes32) {
        if (from + CHUNK <= data.length) return sha256(abi.encodePacked(prefix, data[from:from + CHUNK]));
        return sha256(abi.encodePacked(prefix, data[from:], new bytes(from + CHUNK - data.length)));
    }

    function _node(bytes32 left, bytes32 right) private pure returns (bytes32) {
        return sha256(abi.encodePacked(uint8(1), left, right));
    }

    function _root(bytes calldata header, bytes32 tree) private pure returns (bytes32) {
        return sha256(abi.encodePacked(uint8(3), header, tree));
    }
}
