// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IReferee} from "../interfaces/IReferee.sol";
import {BOOL, FLOAT32, INT32, INT64, INT8, UINT8} from "../types/Primitives.sol";
import {Opened, Operation} from "../types/Program.sol";

/// @title Elements of operands, out of the chunks that were opened
/// @notice A byte that no opened chunk holds ends the call: nothing is ever taken to be zero.
library Reading {
    uint256 internal constant CHUNK = 1024;

    /// @notice Bytes an element.
    function width(uint8 dtype) internal pure returns (uint256) {
        if (dtype == FLOAT32 || dtype == INT32) return 4;
        if (dtype == UINT8 || dtype == INT8 || dtype == BOOL) return 1;
        if (dtype == INT64) return 8;
        revert IReferee.RefereeUnjudgeable("dtype");
    }

    /// @notice An element's bits, as a little-endian integer.
    function bitsAt(Operation calldata op, Opened[] calldata operands, uint256 operand, uint256 element)
        internal
        pure
        returns (uint256)
    {
        uint256 bytes_ = width(op.inputs[operand].dtype);
        return bitsFrom(pointerOf(operands[operand], operand, element * bytes_), bytes_);
    }

    /// @notice An element as a number: two's complement where the type has a sign.
    function integerAt(Operation calldata op, Opened[] calldata operands, uint256 operand, uint256 element)
        internal
        pure
        returns (int256)
    {
        return integer(op.inputs[operand].dtype, bitsAt(op, operands, operand, element));
    }

    function integer(uint8 dtype, uint256 bits) internal pure returns (int256) {
        if (dtype == INT32) return int32(uint32(bits));
        if (dtype == INT64) return int64(uint64(bits));
        if (dtype == INT8) return int8(uint8(bits));
        return int256(bits);
    }

    /// @notice Where a run of bytes lies in calldata, one after the other: its chunks must be opened without a gap.
    function runAt(Opened calldata opened, uint256 operand, uint256 start, uint256 length)
        internal
        pure
        returns (uint256 pointer)
    {
        pointer = pointerOf(opened, operand, start);
        uint256 first = start / CHUNK;
        uint256 last = (start + length - 1) / CHUNK;
        uint256 index = _indexOf(opened, operand, first, start);
        for (uint256 i = 1; i <= last - first; ++i) {
            if (index + i >= opened.chunks.length || opened.chunks[index + i] != first + i) {
                revert IReferee.RefereeNotOpened(operand, (first + i) * CHUNK);
            }
        }
    }

    /// @notice A run of bytes, copied to memory.
    function copyRun(Opened calldata opened, uint256 operand, uint256 start, uint256 length)
        internal
        pure
        returns (uint256 row)
    {
        uint256 pointer = runAt(opened, operand, start, length);
        row = reserve(length);
        assembly ("memory-safe") {
            calldatacopy(row, pointer, length)
        }
    }

    /// @notice Memory of this length, and a word more: whole words are read and written up to its end.
    function reserve(uint256 length) internal pure returns (uint256 row) {
        bytes memory buffer = new bytes(length + 32);
        assembly ("memory-safe") {
            row := add(buffer, 32)
        }
    }

    /// @notice The bits of an element that begins at a place in calldata.
    function bitsFrom(uint256 pointer, uint256 bytes_) internal pure returns (uint256) {
        uint256 word;
        assembly ("memory-safe") {
            word := calldataload(pointer)
        }
        if (bytes_ == 1) return word >> 248;
        if (bytes_ == 4) return swap32(word) >> 224;
        return swap64(word) >> 192;
    }

    /// @notice Where a byte lies in calldata; the rest of its chunk follows.
    function pointerOf(Opened calldata opened, uint256 operand, uint256 offset)
        internal
        pure
        returns (uint256 pointer)
    {
        uint256 index = _indexOf(opened, operand, offset / CHUNK, offset);
        bytes calldata data = opened.data;
        if (data.length < (index + 1) * CHUNK) revert IReferee.RefereeNotOpened(operand, offset);
        assembly ("memory-safe") {
            pointer := add(data.offset, add(mul(index, 1024), mod(offset, 1024)))
        }
    }

    /// @notice Every group of four bytes turned round: eight little-endian values of 32 bits.
    function swap32(uint256 word) internal pure returns (uint256) {
        word = ((word & 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff) << 8)
            | ((word >> 8) & 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff);
        return ((word & 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff) << 16)
            | ((word >> 16) & 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff);
    }

    /// @notice Every group of eight bytes turned round.
    function swap64(uint256 word) internal pure returns (uint256) {
        word = swap32(word);
        return ((word & 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff) << 32)
            | ((word >> 32) & 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff);
    }

    function _indexOf(Opened calldata opened, uint256 operand, uint256 chunk, uint256 offset)
        private
        pure
        returns (uint256)
    {
        uint256 count = opened.chunks.length;
        if (count != 0) {
            // Chunks are mostly opened in one run.
            uint256 first = opened.chunks[0];
            if (chunk >= first && chunk - first < count && opened.chunks[chunk - first] == chunk) return chunk - first;
            for (uint256 i; i < count; ++i) {
                if (opened.chunks[i] == chunk) return i;
            }
        }
        revert IReferee.RefereeNotOpened(operand, offset);
    }
}
