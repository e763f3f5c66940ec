// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Tensor trees with every level kept, to take paths from. Written apart from the contracts' KeyedTrees, which
/// only folds: an error in either shows.
library TestTensors {
    function levels(bytes memory prefix, bytes memory data) internal pure returns (bytes32[][] memory tree) {
        uint256 count = (data.length + 1_023) / 1_024;
        uint256 high;
        while (count > 1 << high) ++high;
        tree = new bytes32[][](high + 1);
        tree[0] = new bytes32[](1 << high);
        for (uint256 i; i < tree[0].length; ++i) {
            tree[0][i] = i < count ? sha256(abi.encodePacked(prefix, chunk(data, i))) : sha256(hex"02");
        }
        for (uint256 l = 1; l <= high; ++l) {
            tree[l] = new bytes32[](tree[l - 1].length / 2);
            for (uint256 i; i < tree[l].length; ++i) {
                tree[l][i] = sha256(abi.encodePacked(uint8(1), tree[l - 1][2 * i], tree[l - 1][2 * i + 1]));
            }
        }
    }

    function chunk(bytes memory data, uint256 index) internal pure returns (bytes memory part) {
        part = new bytes(1_024);
        uint256 from = index * 1_024;
        uint256 size = data.length - from < 1_024 ? data.length - from : 1_024;
        assembly ("memory-safe") {
            mcopy(add(part, 0x20), add(add(data, 0x20), from), size)
        }
    }

    function path(bytes32[][] memory tree, uint256 index) internal pure returns (bytes32[] memory siblings) {
        siblings = new bytes32[](tree.length - 1);
        for (uint256 l; l < siblings.length; ++l) {
            siblings[l] = tree[l][(index >> l) ^ 1];
        }
    }

    function root(bytes memory header, bytes32[][] memory tree) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(uint8(3), header, tree[tree.length - 1][0]));
    }

    function key(address verifier, uint256 batchId, uint32 position) internal pure returns (bytes memory) {
        return abi.encodePacked(uint8(4), verifier, batchId, position);
    }

    function commit(bytes32 salt, bytes32[] memory roots) internal pure returns (bytes32) {
        return keccak256(abi.encode(bytes32("assay.tensors"), salt, roots));
    }
}
