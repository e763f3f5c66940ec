// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Attestation, Batch} from "../types/Batch.sol";

/// @title What a batch's slot commits to, by state (R24a)
/// @notice Committed and terminal states: of the batch. Drawn: of the batch's hash and the seed. Attested: of the
/// batch's hash and the attestation. Cut to 192 bits: a committer would need 2^96 hashes for two batches with one digest.
library Digests {
    /// @dev Equal to `keccak256(abi.encode(value))`, at a third of the gas. Bytes are hashed as they came: digests were
    /// stored for canonical bytes, so a match proves that these are canonical too, offset and length included.
    function batch(Batch calldata value) internal pure returns (bytes32 hash) {
        // Eight words of head, the length, the ranges; bounded by calldata, whose length the compiler has checked.
        uint256 size = (9 + value.ranges.length) * 32;
        assembly ("memory-safe") {
            let at_ := mload(0x40)
            mstore(at_, 0x20)
            calldatacopy(add(at_, 0x20), value, size)
            hash := keccak256(at_, add(size, 0x20))
        }
    }

    function committed(bytes32 batchHash) internal pure returns (uint192) {
        return uint192(uint256(batchHash));
    }

    function drawn(bytes32 batchHash, bytes32 seed) internal pure returns (uint192) {
        return uint192(uint256(keccak256(abi.encode(batchHash, seed))));
    }

    function attesting(bytes32 batchHash, Attestation memory attestation) internal pure returns (uint192) {
        return uint192(uint256(keccak256(abi.encode(batchHash, attestation))));
    }

    /// @dev Equal to `attesting`, from calldata hashed as it came (see `batch`).
    function attested(bytes32 batchHash, Attestation calldata attestation) internal pure returns (uint192 digest) {
        uint256 size = (5 + attestation.verifiers.length) * 32;
        assembly ("memory-safe") {
            let at_ := mload(0x40)
            mstore(at_, batchHash)
            mstore(add(at_, 0x20), 0x40)
            calldatacopy(add(at_, 0x40), attestation, size)
            digest := and(keccak256(at_, add(size, 0x40)), 0xffffffffffffffffffffffffffffffffffffffffffffffff)
        }
    }
}
