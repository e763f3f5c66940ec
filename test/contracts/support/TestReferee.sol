// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IReferee} from "../../../contracts/interfaces/IReferee.sol";
import {Opened, Operation} from "../../../contracts/types/Program.sol";

/// @notice An honest referee of a small language: ADD of int32 without broadcasting, and an int32 chain under the code of
/// MATMUL. Everything else is beyond it.
contract TestReferee is IReferee {
    uint16 internal constant ADD = 1;
    uint16 internal constant CHAIN = 60;

    function evaluate(Operation calldata operation, uint256 element, Opened[] calldata operands)
        external
        pure
        returns (uint256 bits, bool defined)
    {
        _check(operation, element, operands);
        if (operation.code == ADD) {
            return (
                uint256(uint32(uint256(_read(operands, 0, element)) + _read(operands, 1, element))), true
            );
        }
        uint256 terms = _terms(operation);
        uint32 sum;
        for (uint256 k; k < terms; ++k) {
            sum = _add(sum, operands, k);
        }
        return (sum, true);
    }

    function extend(
        Operation calldata operation,
        uint256 element,
        Opened[] calldata operands,
        uint256 state,
        uint256 upTo
    ) external pure returns (uint256 next, bool done, uint256 bits) {
        _check(operation, element, operands);
        if (operation.code != CHAIN) revert RefereeUnjudgeable("no chain");
        uint256 k = state >> 128;
        uint32 sum = uint32(state);
        for (; k < upTo && k < _terms(operation); ++k) {
            sum = _add(sum, operands, k);
        }
        return ((k << 128) | sum, k == _terms(operation), sum);
    }

    function _check(Operation calldata operation, uint256 element, Opened[] calldata operands) private pure {
        if ((operation.code != ADD && operation.code != CHAIN) || operation.output.dtype != 6) {
            revert RefereeUnjudgeable("code");
        }
        uint256 elements = 1;
        for (uint256 i; i < operation.output.dims.length; ++i) {
            elements *= operation.output.dims[i];
        }
        if (element >= elements) revert RefereeUnjudgeable("element");
        if (operands.length != 2) revert RefereeUnjudgeable("operands");
    }

    function _terms(Operation calldata operation) private pure returns (uint256) {
        uint64[] calldata dims = operation.inputs[0].dims;
        return dims[dims.length - 1];
    }

    function _add(uint32 sum, Opened[] calldata operands, uint256 k) private pure returns (uint32) {
        return uint32(uint256(sum) + uint256(_read(operands, 0, k)) * _read(operands, 1, k));
    }

    function _read(Opened[] calldata operands, uint256 operand, uint256 element) private pure returns (uint32 value) {
        Opened calldata opened = operands[operand];
        uint256 at_ = element * 4;
        for (uint256 i; i < opened.chunks.length; ++i) {
            if (opened.chunks[i] != at_ / 1_024) continue;
            uint256 from = i * 1_024 + at_ % 1_024;
            for (uint256 b; b < 4; ++b) {
                value |= uint32(uint8(opened.data[from + b])) << uint32(8 * b);
            }
            return value;
        }
        revert RefereeNotOpened(operand, at_);
    }
}
