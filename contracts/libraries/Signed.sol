// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Lease, Receipt, Release, Verdict} from "../types/Messages.sol";

/// @title EIP-712 hashes of what coordinators, workers and verifiers sign (R8, R14, R21)
/// @dev The domain is the Market's: {name "Assay", version "1", chainId, verifyingContract}.
library Signed {
    bytes32 internal constant LEASE =
        keccak256("Lease(uint192 jobId,uint32 shard,address worker,uint64 start,uint64 expiry)");
    bytes32 internal constant RECEIPT = keccak256("Receipt(bytes32 leaseHash,bytes32 shardRoot,uint64 units)");
    bytes32 internal constant RELEASE = keccak256("Release(bytes32 leaseHash,uint64 at)");
    bytes32 internal constant VERDICT = keccak256(
        "Verdict(uint256 batchId,uint32 sample,uint32 position,address verifier,uint32 units,bytes32 outputCommitment,bytes32 keyedDigest)"
    );
    bytes32 internal constant TRACE = keccak256("Trace(uint256 disputeId,bytes32 traceRoot)");
    bytes32 private constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    /// @notice The Market's domain separator, for contracts that check signatures given under it.
    function domainSeparator(address market) internal view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN, keccak256("Assay"), keccak256("1"), block.chainid, market));
    }

    function digest(bytes32 separator, bytes32 structHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", separator, structHash));
    }

    function hash(Lease calldata value) internal pure returns (bytes32) {
        return keccak256(abi.encode(LEASE, value));
    }

    function hash(Receipt calldata value) internal pure returns (bytes32) {
        return keccak256(abi.encode(RECEIPT, value));
    }

    function hash(Release calldata value) internal pure returns (bytes32) {
        return keccak256(abi.encode(RELEASE, value));
    }

    function hash(Verdict calldata value) internal pure returns (bytes32) {
        return keccak256(abi.encode(VERDICT, value));
    }

    function traceHash(uint256 disputeId, bytes32 traceRoot) internal pure returns (bytes32) {
        return keccak256(abi.encode(TRACE, disputeId, traceRoot));
    }
}
