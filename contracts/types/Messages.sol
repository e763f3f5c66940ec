// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice A coordinator's promise of one shard to one worker until a time (R14).
struct Lease {
    uint192 jobId;
    uint32 shard;
    address worker;
    uint64 start;
    uint64 expiry;
}

/// @notice A worker's signature under the leaves of a shard (R14).
struct Receipt {
    bytes32 leaseHash;
    bytes32 shardRoot;
    uint64 units;
}

/// @notice A worker gives a lease back (R14).
struct Release {
    bytes32 leaseHash;
    uint64 at;
}

/// @notice What a drawn verifier found (R21).
struct Verdict {
    uint256 batchId;
    uint32 sample;
    uint32 position;
    address verifier; // the account that owns the drawn seat
    uint32 units;
    bytes32 outputCommitment;
    bytes32 keyedDigest;
}
