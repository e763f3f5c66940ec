// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title Tensor roots and chunk trees (R6)
/// @notice A positional SHA-256 tree over the little-endian bytes in chunks of 1,024, the last one filled with zeros. Its
/// depth follows from the header, so a header that is not the program's cannot be opened under a good root.
library Tensors {
    uint256 internal constant CHUNK = 1_024;

    /// @notice No element type of the exact class.
    error TensorType(uint8 dtype);
    /// @notice A chunk has another length than 1,024 bytes, or the opened ones another sum.
    error TensorChunk(uint256 given, uint256 needed);
    /// @notice Opened chunks are not in ascending order, or one lies behind the tensor's end.
    error TensorOrder(uint256 chunk, uint256 count);
    /// @notice The path has another length than the tree needs.
    error TensorPath(uint256 given, uint256 used);

    /// @notice Bytes of an element: the types that `docs/primitives.md` knows, by their ONNX numbers.
    function widthOf(uint8 dtype) internal pure returns (uint256) {
        if (dtype == 2 || dtype == 3 || dtype == 9) return 1; // uint8, int8, bool
        if (dtype == 1 || dtype == 6) return 4; // float32, int32
        if (dtype == 7) return 8; // int64
        revert TensorType(dtype);
    }

    function elementsOf(uint64[] calldata dims) internal pure returns (uint256 elements) {
        elements = 1;
        for (uint256 i; i < dims.length; ++i) {
            elements *= dims[i];
        }
    }

    function chunksOf(uint256 size) internal pure returns (uint256) {
        return (size + CHUNK - 1) / CHUNK;
    }

    function leaf(bytes memory chunk) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(hex"00", chunk));
    }

    /// @dev Equal to `sha256(abi.encodePacked(hex"01", left, right))`, at half the gas: a row of the game has 63 of them.
    function node(bytes32 left, bytes32 right) internal view returns (bytes32 hash) {
        assembly ("memory-safe") {
            let at_ := mload(0x40)
            mstore8(at_, 1)
            mstore(add(at_, 0x01), left)
            mstore(add(at_, 0x21), right)
            // The precompile fails only without gas.
            if iszero(staticcall(gas(), 2, at_, 0x41, 0, 0x20)) { revert(0, 0) }
            hash := mload(0)
        }
    }

    function pad() internal pure returns (bytes32) {
        return sha256(hex"02");
    }

    /// @notice The tensor root: header and tree.
    function root(uint8 dtype, uint64[] calldata dims, bytes32 treeRoot) internal pure returns (bytes32) {
        // Packed arrays would take 32 bytes an element.
        bytes memory shape;
        for (uint256 i; i < dims.length; ++i) {
            shape = abi.encodePacked(shape, dims[i]);
        }
        return sha256(abi.encodePacked(hex"03", dtype, uint8(dims.length), shape, treeRoot));
    }

    /// @notice Root of a tree of `count` chunks in which `leaves` stand at `positions`, strictly ascending. `path` holds
    /// the siblings that are not among them, level by level. Overwrites both arrays.
    function rootOf(bytes32[] memory leaves, uint256[] memory positions, uint256 levels, bytes32[] calldata path)
        internal
        view
        returns (bytes32)
    {
        uint256 used;
        uint256 width = leaves.length;
        for (uint256 level; level < levels; ++level) {
            uint256 next;
            for (uint256 i; i < width; ++i) {
                uint256 position = positions[i];
                bytes32 hash;
                if (position & 1 == 1) {
                    hash = node(_take(path, used++), leaves[i]);
                } else if (i + 1 < width && positions[i + 1] == position + 1) {
                    hash = node(leaves[i], leaves[i + 1]);
                    ++i;
                } else {
                    hash = node(leaves[i], _take(path, used++));
                }
                (leaves[next], positions[next]) = (hash, position >> 1);
                ++next;
            }
            width = next;
        }
        if (used != path.length) revert TensorPath(path.length, used);
        return leaves[0];
    }

    /// @notice Tree root that opened chunks lead to. `data` is their bytes one after another.
    function treeOf(uint32[] calldata chunks, bytes calldata data, uint256 count, uint256 levels, bytes32[] calldata path)
        internal
        view
        returns (bytes32)
    {
        if (data.length != chunks.length * CHUNK) revert TensorChunk(data.length, chunks.length * CHUNK);
        bytes32[] memory leaves = new bytes32[](chunks.length);
        uint256[] memory positions = new uint256[](chunks.length);
        for (uint256 i; i < chunks.length; ++i) {
            uint256 chunk = chunks[i];
            if (chunk >= count || (i > 0 && chunk <= positions[i - 1])) revert TensorOrder(chunk, count);
            positions[i] = chunk;
            leaves[i] = leaf(data[i * CHUNK:(i + 1) * CHUNK]);
        }
        return rootOf(leaves, positions, levels, path);
    }

    /// @notice Tree root that a single chunk leads to.
    function treeOf(bytes calldata data, uint256 chunk, uint256 levels, bytes32[] calldata path)
        internal
        view
        returns (bytes32 hash)
    {
        if (data.length != CHUNK) revert TensorChunk(data.length, CHUNK);
        if (path.length != levels) revert TensorPath(path.length, levels);
        hash = leaf(data);
        for (uint256 i; i < levels; ++i) {
            hash = (chunk >> i) & 1 == 0 ? node(hash, path[i]) : node(path[i], hash);
        }
    }

    /// @notice Whether a byte of a chunk is not 0, from an offset on.
    function hasFill(bytes calldata chunk, uint256 from) internal pure returns (bool) {
        for (; from < CHUNK && from & 31 != 0; ++from) {
            if (chunk[from] != 0) return true;
        }
        for (; from < CHUNK; from += 32) {
            if (bytes32(chunk[from:from + 32]) != 0) return true;
        }
        return false;
    }

    function _take(bytes32[] calldata path, uint256 at_) private pure returns (bytes32) {
        if (at_ >= path.length) revert TensorPath(path.length, at_ + 1);
        return path[at_];
    }
}
