// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IReferee} from "../interfaces/IReferee.sol";

/// @title Row-major indices
/// @notice Sizes are bounded, so that no product or offset computed from them overflows.
library Shapes {
    uint256 internal constant MAX_RANK = 16;
    uint256 internal constant MAX_DIM = 1 << 40;
    uint256 internal constant MAX_ELEMENTS = 1 << 48;

    /// @notice Elements of dims[from..to).
    function count(uint64[] calldata dims, uint256 from, uint256 to) internal pure returns (uint256 product) {
        product = 1;
        for (uint256 i = from; i < to; ++i) product *= dims[i];
    }

    /// @notice Reverts for a shape beyond the limits; returns its elements.
    function check(uint64[] calldata dims) internal pure returns (uint256 elements) {
        if (dims.length > MAX_RANK) revert IReferee.RefereeUnjudgeable("rank");
        elements = 1;
        for (uint256 i; i < dims.length; ++i) {
            if (dims[i] > MAX_DIM) revert IReferee.RefereeUnjudgeable("dim");
            elements *= dims[i];
            if (elements > MAX_ELEMENTS) revert IReferee.RefereeUnjudgeable("elements");
        }
    }

    /// @notice The index of an element along each dim of dims[0..rank).
    function unravel(uint64[] calldata dims, uint256 rank, uint256 element)
        internal
        pure
        returns (uint256[] memory index)
    {
        index = new uint256[](rank);
        for (uint256 i = rank; i != 0; --i) {
            index[i - 1] = element % dims[i - 1];
            element /= dims[i - 1];
        }
    }

    /// @notice The element of an operand that an index of the result reads under ONNX broadcasting; only the first `rank`
    /// dims of the operand count, aligned at the right to the index.
    function broadcast(uint64[] calldata dims, uint256 rank, uint256[] memory index)
        internal
        pure
        returns (uint256 element)
    {
        if (rank > index.length) revert IReferee.RefereeUnjudgeable("broadcast");
        uint256 shift = index.length - rank;
        for (uint256 i; i < rank; ++i) {
            uint256 at_ = dims[i] == 1 ? 0 : index[shift + i];
            if (at_ >= dims[i]) revert IReferee.RefereeUnjudgeable("broadcast");
            element = element * dims[i] + at_;
        }
    }
}
