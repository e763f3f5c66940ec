// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Opened, Operation} from "../types/Program.sol";

/// @title Recomputes one element of one operation
/// @notice Knows nothing of disputes: whoever calls has checked that the opened chunks belong to the operands' roots.
/// Pure: the same arguments give the same bits for ever.
interface IReferee {
    /// @notice The operation, element or opening cannot be judged; the argument says why.
    error RefereeUnjudgeable(bytes32 why);
    /// @notice A byte was needed that no opened chunk of this operand holds.
    error RefereeNotOpened(uint256 operand, uint256 byteOffset);

    /// @notice The bits of output element `element` (row-major), as a little-endian integer of the output's width.
    /// @param operands one entry an input of `operation`; empty for those that this element does not read
    /// @return bits the value, float32 NaN always as 0x7fc00000
    /// @return defined false where no value is right (an index out of range, a division by zero): any claim is wrong
    function evaluate(Operation calldata operation, uint256 element, Opened[] calldata operands)
        external
        view
        returns (uint256 bits, bool defined);

    /// @notice Goes on with a float32 chain that is too long for one transaction.
    /// @param state 0 to begin with, then what the last call returned
    /// @param upTo how many terms of the chain shall be done after this call
    /// @return next the state after it: terms done, sum of whole blocks, sum of the open block
    /// @return done all terms are in
    /// @return bits the element, once done
    function extend(
        Operation calldata operation,
        uint256 element,
        Opened[] calldata operands,
        uint256 state,
        uint256 upTo
    ) external view returns (uint256 next, bool done, uint256 bits);
}
