// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Leaf, LeafNode} from "./Batch.sol";
import {Lease, Receipt} from "./Messages.sol";

/// @notice A leaf opened to the committed root with its worker's own signature under its shard (R14), so that nobody is
/// slashed for what another wrote in his name.
struct SignedLeaf {
    Leaf leaf;
    LeafNode[] path; // siblings, lowest first: the shard's, then the top tree's
    Lease lease;
    bytes leaseSignature; // by the coordinator's session key
    Receipt receipt;
    bytes receiptSignature; // by the worker's session key
}

/// @notice What a leaf of the verdict tree covers (R24); all zero: SILENT.
struct VerdictLeaf {
    address verifier;
    uint32 units;
    bytes32 verdictHash;
}

/// @notice What a demand asks to see (R26).
enum DemandKind {
    Leaf,
    Shards,
    Verdict,
    Signature
}
