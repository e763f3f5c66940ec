// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice What stands between a verdict's output commitment and the tensors that its keyed digest is over (R6, R7, R21).
struct DigestList {
    bytes32 salt; // of the digest part; where the outputs serve as digest, the task's own
    bytes32 outputPart; // zero where the outputs serve
    bytes32[] roots; // tensor roots in the model's order
}

/// @notice One chunk's place in a plain tree and in the keyed tree of the same tensor.
struct ChunkOpening {
    bytes32[] keyedRoots; // what the keyed digest is over
    uint32 tensor; // index in the list
    uint32 index; // of the chunk
    bytes header; // dtype uint8, rank uint8, dims uint64 each: what a tensor root covers before its tree (R6)
    bytes chunk; // 1,024 bytes
    bytes32[] path; // siblings in the plain tree, lowest first
    bytes32 keyedLeaf; // what stands in the chunk's place in the keyed tree
    bytes32[] keyedPath;
}

/// @notice A whole tensor.
struct TensorBytes {
    bytes header;
    bytes data;
}
