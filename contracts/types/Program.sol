// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice Element type (ONNX number) and shape of a tensor.
struct Header {
    uint8 dtype;
    uint64[] dims;
}

/// @notice What an operation reads: a wire of the trace, or a constant of the program.
/// @dev `dims` are those in which the operand is hashed, which for the second factor of MATMUL is [..., N, K].
struct Operand {
    uint32 wire; // 0 where `root` is set
    bytes32 root; // tensor root (R6) of a constant; zero: a wire
    uint8 dtype;
    uint64[] dims;
}

/// @notice One primitive operation of a normalized program; `docs/primitives.md` defines each code to the bit.
/// @dev Operation i of a program with n inputs puts out wire n + i, and reads lower wires only.
struct Operation {
    uint16 code;
    int64[] attributes;
    Operand[] inputs;
    Header output;
}

/// @notice What a program root of version 1 covers: `keccak256(abi.encode("assay.program", uint256(1), program))`.
struct Program {
    Header[] inputs; // wires 0 to inputs.length - 1
    uint32 operations;
    bytes32 operationsRoot; // plain tree (Trees.pairRoot) of `keccak256(abi.encode("assay.operation", index, operation))`
    uint32[] outputs; // wires, in the model's order
    uint32[] digests; // wires of the work digest (R7)
}

/// @notice Opened chunks of one operand, in ascending order; `data` is their bytes one after another, 1,024 each.
struct Opened {
    uint32[] chunks;
    bytes data;
}
