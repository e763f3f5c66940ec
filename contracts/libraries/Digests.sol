// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Attestation, Batch} from "../types/Batch.sol";

/// @title What a batch's slot commits to, by state (R24a)
/// @notice Committed and terminal states: of the batch. Drawn: of the batch's hash and the seed. Attested: of the
/// batch's hash and the attestation. Cut to 192 bits: a committer would need 2^96 hashes for two batches with one digest.
library Digests {
    function batch(Batch calldata value) internal pure returns (bytes32) {
        return keccak256(abi.encode(value));
    }

    function committed(bytes32 batchHash) internal pure returns (uint192) {
        return uint192(uint256(batchHash));
    }

    function drawn(bytes32 batchHash, bytes32 seed) internal pure returns (uint192) {
        return uint192(uint256(keccak256(abi.encode(batchHash, seed))));
    }

    function attested(bytes32 batchHash, Attestation memory attestation) internal pure returns (uint192) {
        return uint192(uint256(keccak256(abi.encode(batchHash, attestation))));
    }
}
