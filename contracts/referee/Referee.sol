// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IReferee} from "../interfaces/IReferee.sol";
import {
    ABS, ADD, AND, ARG_MAX, ARG_MIN, BOOL, CAST, CEIL, CONV, CONV_INTEGER, DIV, EQUAL, ERF, EXP, FLOAT32, FLOOR,
    GATHER, GREATER, GREATER_OR_EQUAL, INT32, INT64, INT8, LESS, LESS_OR_EQUAL, MATMUL, MATMUL_INTEGER, MAX, MIN, MUL, NEG,
    NOT, OR, PAD, POOL_MAX, QUANTIZE, REDUCE_MAX, REDUCE_MIN, RELU, ROUND, SIGMOID, SQRT, SUB, TANH, UINT8, VIEW, WHERE,
    XOR
} from "../types/Primitives.sol";
import {Opened, Operation} from "../types/Program.sol";
import {Chains} from "./Chains.sol";
import {Float32} from "./Float32.sol";
import {Reading} from "./Reading.sol";
import {Shapes} from "./Shapes.sol";
import {Transcendental} from "./Transcendental.sol";

/// @title The judge of one element; see IReferee and docs/primitives.md
/// @notice Has no state and calls nobody. What an operation states about itself is checked as far as the answer depends on
/// it: an ill-formed operation is unjudgeable, never answered.
contract Referee is IReferee {
    using Chains for Chains.Chain;

    /// @dev A window of CONV, CONV_INTEGER or POOL_MAX over (N, C, H, W).
    struct Window {
        uint256 plane; // of the operand: element 0 of its first row
        uint256 kernelH;
        uint256 kernelW;
        int256 top; // row of the window's first cell, which may be a pad
        int256 left;
        uint256 dilationH;
        uint256 dilationW;
        uint256 height;
        uint256 width;
    }

    /// @inheritdoc IReferee
    function evaluate(Operation calldata op, uint256 element, Opened[] calldata operands)
        external
        pure
        returns (uint256 bits, bool defined)
    {
        _check(op, element, operands);
        uint16 code = op.code;
        if (code < VIEW) return _elementwise(op, element, operands);
        if (code <= GATHER) return _moved(op, element, operands);
        if (code <= ARG_MIN) return (_reduced(op, element, operands), true);
        if (code == POOL_MAX) return (_pooled(op, element, operands), true);
        if (code == MATMUL || code == CONV) {
            Chains.Chain memory chain;
            _extend(op, element, operands, chain, type(uint256).max);
            return (chain.value(_block(op)), true);
        }
        if (code == MATMUL_INTEGER) return (_integerProduct(op, element, operands), true);
        if (code == CONV_INTEGER) return (_integerConvolution(op, element, operands), true);
        revert RefereeUnjudgeable("code");
    }

    /// @inheritdoc IReferee
    function extend(
        Operation calldata op,
        uint256 element,
        Opened[] calldata operands,
        uint256 state,
        uint256 upTo
    ) external pure returns (uint256 next, bool done, uint256 bits) {
        _check(op, element, operands);
        if (op.code != MATMUL && op.code != CONV) revert RefereeUnjudgeable("no chain");
        Chains.Chain memory chain = Chains.Chain(state >> 64, (state >> 32) & 0xffffffff, state & 0xffffffff);
        uint256 length = _extend(op, element, operands, chain, upTo);
        next = (chain.done << 64) | (chain.total << 32) | chain.open;
        done = chain.done == length;
        if (done) bits = chain.value(_block(op));
    }

    /// @dev What every primitive relies on: shapes inside limits, an element that exists, whole chunks.
    function _check(Operation calldata op, uint256 element, Opened[] calldata operands) internal pure {
        if (element >= Shapes.check(op.output.dims)) revert RefereeUnjudgeable("element");
        if (operands.length != op.inputs.length || operands.length == 0) revert RefereeUnjudgeable("operands");
        for (uint256 i; i < operands.length; ++i) {
            Shapes.check(op.inputs[i].dims);
            if (operands[i].data.length != operands[i].chunks.length * Reading.CHUNK) {
                revert RefereeUnjudgeable("chunks");
            }
        }
    }

    // -- Elementwise -------------------------------------------------------------------------------------------------

    function _elementwise(Operation calldata op, uint256 element, Opened[] calldata operands)
        internal
        pure
        returns (uint256, bool)
    {
        uint16 code = op.code;
        _requireAttributes(op, code == QUANTIZE ? 2 : 0);
        uint256[] memory index = Shapes.unravel(op.output.dims, op.output.dims.length, element);
        if (code == WHERE) {
            _requireOperands(op, 3);
            if (op.inputs[0].dtype != BOOL || op.inputs[1].dtype != op.output.dtype) revert RefereeUnjudgeable("dtype");
            uint256 chosen = _at(op, index, operands, 0) != 0 ? 1 : 2;
            if (op.inputs[chosen].dtype != op.output.dtype) revert RefereeUnjudgeable("dtype");
            return (_canonical(op.output.dtype, _at(op, index, operands, chosen)), true);
        }
        uint256 a = _at(op, index, operands, 0);
        uint8 dtype = op.inputs[0].dtype;
        if (code == CAST) {
            _requireOperands(op, 1);
            return _cast(dtype, op.output.dtype, a);
        }
        if (code == QUANTIZE) {
            _requireOperands(op, 1);
            return _quantized(op, a);
        }
        bool unary = (code >= NEG && code < LESS) || code == NOT || code == RELU;
        _requireOperands(op, unary ? 1 : 2);
        uint256 b;
        if (!unary) {
            if (op.inputs[1].dtype != dtype) revert RefereeUnjudgeable("dtype");
            b = _at(op, index, operands, 1);
        }
        if (code >= LESS && code <= XOR) {
            if (op.output.dtype != BOOL) revert RefereeUnjudgeable("dtype");
            return (_truth(code, dtype, a, b) ? 1 : 0, true);
        }
        if (op.output.dtype != dtype) revert RefereeUnjudgeable("dtype");
        if (dtype == FLOAT32) return (_float(code, a, b), true);
        if (dtype == INT32 || dtype == INT64) {
            return _integer(code, Reading.integer(dtype, a), Reading.integer(dtype, b), dtype);
        }
        revert RefereeUnjudgeable("dtype");
    }

    function _float(uint16 code, uint256 a, uint256 b) internal pure returns (uint256) {
        if (code == ADD) return Float32.add(a, b);
        if (code == SUB) return Float32.sub(a, b);
        if (code == MUL) return Float32.mul(a, b);
        if (code == DIV) return Float32.div(a, b);
        if (code == NEG) return Float32.canonical(a ^ Float32.SIGN);
        if (code == ABS) return Float32.canonical(a & ~Float32.SIGN);
        if (code == SQRT) return Float32.sqrt(a);
        if (code == FLOOR) return Float32.floor(a);
        if (code == CEIL) return Float32.ceil(a);
        if (code == ROUND) return Float32.roundEven(a);
        if (code == EXP) return Transcendental.exp(a);
        if (code == TANH) return Transcendental.tanh(a);
        if (code == SIGMOID) return Transcendental.sigmoid(a);
        if (code == ERF) return Transcendental.erf(a);
        if (code == RELU) return Float32.lessThan(0, a) ? a : 0;
        revert RefereeUnjudgeable("code");
    }

    function _integer(uint16 code, int256 a, int256 b, uint8 dtype) internal pure returns (uint256, bool) {
        int256 result;
        // Cannot overflow: 64 bits in 256. Wrap-around is that of the type, below.
        unchecked {
            if (code == ADD) {
                result = a + b;
            } else if (code == SUB) {
                result = a - b;
            } else if (code == MUL) {
                result = a * b;
            } else if (code == DIV) {
                if (b == 0) return (0, false);
                result = a / b;
            } else if (code == NEG) {
                result = -a;
            } else if (code == ABS) {
                result = a < 0 ? -a : a;
            } else if (dtype == INT64 && (code == MIN || code == MAX)) {
                // onnxruntime has no right answer there (docs/primitives.md).
                revert RefereeUnjudgeable("dtype");
            } else if (code == MIN) {
                result = a < b ? a : b;
            } else if (code == MAX) {
                result = a > b ? a : b;
            } else {
                revert RefereeUnjudgeable("code");
            }
        }
        return (_low(dtype, result), true);
    }

    function _truth(uint16 code, uint8 dtype, uint256 a, uint256 b) internal pure returns (bool) {
        if (code >= AND) {
            if (dtype != BOOL) revert RefereeUnjudgeable("dtype");
            if (code == NOT) return a == 0;
            if (code == AND) return a != 0 && b != 0;
            if (code == OR) return a != 0 || b != 0;
            return (a != 0) != (b != 0);
        }
        int256 x;
        int256 y;
        if (dtype == FLOAT32) {
            if (Float32.isNaN(a) || Float32.isNaN(b)) return false;
            (x, y) = (Float32.ordered(a), Float32.ordered(b));
        } else {
            (x, y) = (Reading.integer(dtype, a), Reading.integer(dtype, b));
        }
        if (code == LESS) return x < y;
        if (code == GREATER) return x > y;
        if (code == EQUAL) return x == y;
        if (code == LESS_OR_EQUAL) return x <= y;
        if (code == GREATER_OR_EQUAL) return x >= y;
        revert RefereeUnjudgeable("code");
    }

    function _cast(uint8 from, uint8 to, uint256 a) internal pure returns (uint256, bool) {
        if (from == FLOAT32) {
            if (to == FLOAT32) return (Float32.canonical(a), true);
            if (to == BOOL) return (a & ~Float32.SIGN != 0 ? 1 : 0, true);
            (int256 whole, bool finite) = Float32.toInteger(a);
            return (_low(to, whole), finite && _fits(to, whole));
        }
        int256 value = Reading.integer(from, a);
        if (to == FLOAT32) return (Float32.fromInteger(value), true);
        if (to == BOOL) return (value != 0 ? 1 : 0, true);
        return (_low(to, value), true);
    }

    function _quantized(Operation calldata op, uint256 a) internal pure returns (uint256, bool) {
        uint8 dtype = op.output.dtype;
        if (op.inputs[0].dtype != FLOAT32 || (dtype != UINT8 && dtype != INT8)) revert RefereeUnjudgeable("dtype");
        int256 zero = op.attributes[1];
        if (op.attributes[0] <= 0 || uint64(op.attributes[0]) >= Float32.INFINITY || !_fits(dtype, zero)) {
            revert RefereeUnjudgeable("attribute");
        }
        if (Float32.isNaN(a)) return (0, false);
        uint256 steps = Float32.roundEven(Float32.div(a, uint64(op.attributes[0])));
        (int256 value, bool finite) = Float32.toInteger(steps);
        int256 low = dtype == UINT8 ? int256(0) : -128;
        // Where it is infinite the sign alone decides.
        if (!finite) value = steps == Float32.INFINITY ? int256(512) : -512;
        value += zero;
        if (value < low) value = low;
        if (value > low + 255) value = low + 255;
        return (_low(dtype, value), true);
    }

    function _fits(uint8 dtype, int256 value) internal pure returns (bool) {
        return value == Reading.integer(dtype, _low(dtype, value));
    }

    /// @dev The low bits of a two's complement number.
    function _low(uint8 dtype, int256 value) internal pure returns (uint256) {
        return uint256(value) & ((1 << (8 * Reading.width(dtype))) - 1);
    }

    function _at(Operation calldata op, uint256[] memory index, Opened[] calldata operands, uint256 operand)
        internal
        pure
        returns (uint256)
    {
        uint64[] calldata dims = op.inputs[operand].dims;
        return Reading.bitsAt(op, operands, operand, Shapes.broadcast(dims, dims.length, index));
    }

    // -- Data in other places ----------------------------------------------------------------------------------------

    function _moved(Operation calldata op, uint256 element, Opened[] calldata operands)
        internal
        pure
        returns (uint256, bool)
    {
        uint16 code = op.code;
        uint64[] calldata dims = op.output.dims;
        uint256[] memory index = Shapes.unravel(dims, dims.length, element);
        if (code == GATHER) return _gathered(op, index, operands);
        uint256 operand;
        uint256 source;
        if (code == VIEW) {
            _requireOperands(op, 1);
            _requireAttributes(op, dims.length + 1);
            int256 at_ = op.attributes[0];
            for (uint256 i; i < dims.length; ++i) at_ += int256(index[i]) * op.attributes[i + 1];
            if (at_ < 0) revert RefereeUnjudgeable("view");
            source = uint256(at_);
        } else if (code == PAD) {
            _requireOperands(op, 2);
            _requireAttributes(op, dims.length);
            (operand, source) = _unpadded(op, index);
        } else {
            _requireAttributes(op, 1);
            (operand, source) = _part(op, index);
        }
        if (op.inputs[operand].dtype != op.output.dtype) revert RefereeUnjudgeable("dtype");
        if (source >= Shapes.count(op.inputs[operand].dims, 0, op.inputs[operand].dims.length)) {
            revert RefereeUnjudgeable("outside");
        }
        return (_canonical(op.output.dtype, Reading.bitsAt(op, operands, operand, source)), true);
    }

    function _unpadded(Operation calldata op, uint256[] memory index)
        internal
        pure
        returns (uint256 operand, uint256 source)
    {
        uint64[] calldata inner = op.inputs[0].dims;
        if (inner.length != index.length) revert RefereeUnjudgeable("rank");
        for (uint256 i; i < inner.length; ++i) {
            int256 at_ = int256(index[i]) - op.attributes[i];
            if (at_ < 0 || at_ >= int256(uint256(inner[i]))) return (1, 0);
            source = source * inner[i] + uint256(at_);
        }
    }

    function _part(Operation calldata op, uint256[] memory index)
        internal
        pure
        returns (uint256 operand, uint256 source)
    {
        uint256 axis = _axis(op, index.length);
        uint256 at_ = index[axis];
        while (true) {
            uint64[] calldata part = op.inputs[operand].dims;
            if (part.length != index.length) revert RefereeUnjudgeable("rank");
            if (at_ < part[axis]) break;
            at_ -= part[axis];
            if (++operand == op.inputs.length) revert RefereeUnjudgeable("concat");
        }
        uint64[] calldata dims = op.inputs[operand].dims;
        for (uint256 i; i < dims.length; ++i) {
            uint256 own = i == axis ? at_ : index[i];
            if (own >= dims[i]) revert RefereeUnjudgeable("concat");
            source = source * dims[i] + own;
        }
    }

    function _gathered(Operation calldata op, uint256[] memory index, Opened[] calldata operands)
        internal
        pure
        returns (uint256, bool)
    {
        _requireOperands(op, 2);
        _requireAttributes(op, 1);
        uint64[] calldata dims = op.inputs[0].dims;
        uint256 axis = _axis(op, dims.length);
        uint64[] calldata indexDims = op.inputs[1].dims;
        if (dims.length + indexDims.length != index.length + 1) revert RefereeUnjudgeable("rank");
        uint256 place;
        for (uint256 i; i < indexDims.length; ++i) place = place * indexDims[i] + index[axis + i];
        uint8 dtype = op.inputs[1].dtype;
        if (dtype != INT32 && dtype != INT64) revert RefereeUnjudgeable("dtype");
        int256 found = Reading.integerAt(op, operands, 1, place);
        if (found < 0) found += int256(uint256(dims[axis]));
        if (found < 0 || found >= int256(uint256(dims[axis]))) return (0, false);
        uint256 source;
        for (uint256 i; i < dims.length; ++i) {
            uint256 own = i == axis ? uint256(found) : index[i < axis ? i : i + indexDims.length - 1];
            if (own >= dims[i]) revert RefereeUnjudgeable("gather");
            source = source * dims[i] + own;
        }
        if (op.inputs[0].dtype != op.output.dtype) revert RefereeUnjudgeable("dtype");
        return (_canonical(op.output.dtype, Reading.bitsAt(op, operands, 0, source)), true);
    }

    // -- Reductions --------------------------------------------------------------------------------------------------

    function _reduced(Operation calldata op, uint256 element, Opened[] calldata operands)
        internal
        pure
        returns (uint256)
    {
        _requireOperands(op, 1);
        _requireAttributes(op, 0);
        uint64[] calldata dims = op.inputs[0].dims;
        if (dims.length == 0) revert RefereeUnjudgeable("rank");
        uint256 n = dims[dims.length - 1];
        uint256 rows = Shapes.count(op.output.dims, 0, op.output.dims.length);
        if (n == 0 || Shapes.count(dims, 0, dims.length) != rows * n) revert RefereeUnjudgeable("reduce");
        bool least = op.code == REDUCE_MIN || op.code == ARG_MIN;
        uint256 best;
        int256 bestValue;
        uint8 dtype = op.inputs[0].dtype;
        uint256 width = Reading.width(dtype);
        uint256 pointer = Reading.runAt(operands[0], 0, element * n * width, n * width);
        // Cannot overflow: a row lies in calldata.
        unchecked {
            for (uint256 i; i < n; ++i) {
                int256 value = _comparable(dtype, Reading.bitsFrom(pointer + i * width, width));
                if (i != 0 && (least ? value >= bestValue : value <= bestValue)) continue;
                (best, bestValue) = (i, value);
            }
        }
        if (op.code == ARG_MAX || op.code == ARG_MIN) {
            if (op.output.dtype != INT64) revert RefereeUnjudgeable("dtype");
            return best;
        }
        if (op.code != REDUCE_MAX && op.code != REDUCE_MIN) revert RefereeUnjudgeable("code");
        // onnxruntime has no right answer for it (docs/primitives.md).
        if (dtype == INT64) revert RefereeUnjudgeable("dtype");
        if (op.output.dtype != dtype) revert RefereeUnjudgeable("dtype");
        return Reading.bitsFrom(pointer + best * width, width);
    }

    function _pooled(Operation calldata op, uint256 element, Opened[] calldata operands)
        internal
        pure
        returns (uint256 bits)
    {
        _requireOperands(op, 1);
        _requireAttributes(op, 8);
        if (op.output.dtype != op.inputs[0].dtype) revert RefereeUnjudgeable("dtype");
        (Window memory window, uint256[] memory index) = _window(op, element, 2, _positive(op, 0), _positive(op, 1));
        uint64[] calldata dims = op.inputs[0].dims;
        if (dims[1] != op.output.dims[1]) revert RefereeUnjudgeable("channels");
        window.plane = (index[0] * dims[1] + index[1]) * window.height * window.width;
        bool any;
        int256 best;
        for (uint256 cell; cell < window.kernelH * window.kernelW; ++cell) {
            (bool inside, uint256 at_) = _cell(window, cell);
            if (!inside) continue;
            uint256 found = Reading.bitsAt(op, operands, 0, at_);
            int256 value = _comparable(op.output.dtype, found);
            if (any && value <= best) continue;
            (any, best, bits) = (true, value, found);
        }
        // A window of nothing but pads has no greatest value.
        if (!any) revert RefereeUnjudgeable("pool");
        bits = _canonical(op.output.dtype, bits);
    }

    function _comparable(uint8 dtype, uint256 bits) internal pure returns (int256) {
        if (dtype != FLOAT32) return Reading.integer(dtype, bits);
        // No program lets one get here (docs/primitives.md): its place in the order would be the processor's.
        if (Float32.isNaN(bits)) revert RefereeUnjudgeable("NaN");
        return Float32.ordered(bits);
    }

    // -- Sums of products --------------------------------------------------------------------------------------------

    /// @dev Goes on to `upTo` terms or the end; returns the chain's length.
    function _extend(
        Operation calldata op,
        uint256 element,
        Opened[] calldata operands,
        Chains.Chain memory chain,
        uint256 upTo
    ) internal pure returns (uint256 length) {
        _requireOperands(op, 2);
        if (op.output.dtype != FLOAT32 || op.inputs[0].dtype != FLOAT32 || op.inputs[1].dtype != FLOAT32) {
            revert RefereeUnjudgeable("dtype");
        }
        _requireAttributes(op, op.code == CONV ? 8 : 1);
        uint256 block_ = _block(op);
        if (op.code == CONV) return _convolve(op, element, operands, chain, upTo);
        uint256 x;
        uint256 y;
        (length, x, y) = _rows(op, element);
        if (upTo > length) upTo = length;
        if (chain.done > upTo) revert RefereeUnjudgeable("state");
        if (chain.done == upTo) return length;
        // Only what is read now must be opened now.
        uint256 skip = 4 * chain.done;
        uint256 span = 4 * (upTo - chain.done);
        uint256 px = Reading.copyRun(operands[0], 0, 4 * x + skip, span);
        uint256 py = Reading.copyRun(operands[1], 1, 4 * y + skip, span);
        _walk(chain, block_, px, py, upTo);
    }

    /// @dev On from term chain.done, which is the first of both rows.
    function _walk(Chains.Chain memory chain, uint256 block_, uint256 px, uint256 py, uint256 upTo) internal pure {
        // May wrap around, and comes back where a term is added.
        unchecked {
            uint256 skip = 4 * chain.done;
            chain.walk(block_, px - skip, py - skip, upTo);
        }
    }

    /// @dev The chain's length, and the element at which each factor's row begins.
    function _rows(Operation calldata op, uint256 element)
        internal
        pure
        returns (uint256 length, uint256 x, uint256 y)
    {
        uint64[] calldata a = op.inputs[0].dims;
        uint64[] calldata b = op.inputs[1].dims;
        uint64[] calldata out = op.output.dims;
        if (a.length < 2 || b.length < 2 || out.length < 2) revert RefereeUnjudgeable("rank");
        (uint256 m, uint256 n) = (out[out.length - 2], out[out.length - 1]);
        length = a[a.length - 1];
        if (length == 0 || b[b.length - 1] != length || a[a.length - 2] != m || b[b.length - 2] != n) {
            revert RefereeUnjudgeable("matmul");
        }
        uint256[] memory batch = Shapes.unravel(out, out.length - 2, element / (m * n));
        x = (Shapes.broadcast(a, a.length - 2, batch) * m + (element / n) % m) * length;
        y = (Shapes.broadcast(b, b.length - 2, batch) * n + element % n) * length;
    }

    function _integerProduct(Operation calldata op, uint256 element, Opened[] calldata operands)
        internal
        pure
        returns (uint256)
    {
        _requireOperands(op, 2);
        _requireAttributes(op, 2);
        _requireBytes(op);
        (uint256 length, uint256 x, uint256 y) = _rows(op, element);
        return _low(
            INT32,
            Chains.bytesDot(
                Reading.copyRun(operands[0], 0, x, length),
                Reading.copyRun(operands[1], 1, y, length),
                length,
                op.attributes[0],
                op.attributes[1]
            )
        );
    }

    function _convolve(
        Operation calldata op,
        uint256 element,
        Opened[] calldata operands,
        Chains.Chain memory chain,
        uint256 upTo
    ) internal pure returns (uint256 length) {
        (Window memory window, uint256 weights, uint256 channels) = _convolutionWindow(op, element, 1);
        length = channels * window.kernelH * window.kernelW;
        if (upTo > length) upTo = length;
        if (chain.done > upTo) revert RefereeUnjudgeable("state");
        if (chain.done == upTo) return length;
        // A pad is +0: its product still takes part in the sum.
        uint256 px = _windowRow(window, operands[0], 4, chain.done, upTo, 0);
        uint256 py = Reading.copyRun(operands[1], 1, 4 * (weights + chain.done), 4 * (upTo - chain.done));
        _walk(chain, _block(op), px, py, upTo);
    }

    /// @dev What lies under the cells from..upTo of a window over several channels, one after the other in memory.
    /// `pad` is the byte that stands in the padding.
    function _windowRow(
        Window memory window,
        Opened calldata opened,
        uint256 width,
        uint256 from,
        uint256 upTo,
        uint256 pad
    ) internal pure returns (uint256 row) {
        row = Reading.reserve((upTo - from) * width);
        // Cannot overflow: sizes are below 2^48, a dilation times a kernel's below 2^80.
        unchecked {
            uint256 cells = window.kernelH * window.kernelW;
            uint256 cell = from % cells;
            window.plane += (from / cells) * window.height * window.width;
            uint256 chunk = type(uint256).max;
            uint256 pointer;
            uint256 end = row + (upTo - from) * width;
            for (uint256 to = row; to != end; to += width) {
                (bool inside, uint256 offset) = _cell(window, cell);
                uint256 word = pad << 248;
                if (inside) {
                    offset *= width;
                    // Neighbours are mostly in one chunk.
                    if (offset / Reading.CHUNK != chunk) {
                        chunk = offset / Reading.CHUNK;
                        pointer = Reading.pointerOf(opened, 0, chunk * Reading.CHUNK);
                    }
                    assembly ("memory-safe") {
                        word := calldataload(add(pointer, mod(offset, 1024)))
                    }
                }
                // What is written beyond the element is overwritten by the next one, or lies in the spare word.
                assembly ("memory-safe") {
                    mstore(to, word)
                }
                if (++cell == cells) {
                    cell = 0;
                    window.plane += window.height * window.width;
                }
            }
        }
    }

    function _integerConvolution(Operation calldata op, uint256 element, Opened[] calldata operands)
        internal
        pure
        returns (uint256)
    {
        _requireOperands(op, 2);
        _requireAttributes(op, 9);
        _requireBytes(op);
        (Window memory window, uint256 weights, uint256 channels) = _convolutionWindow(op, element, 2);
        uint256 length = channels * window.kernelH * window.kernelW;
        // A pad counts as the zero point, so it adds nothing.
        uint256 row = _windowRow(window, operands[0], 1, 0, length, uint64(op.attributes[0]));
        uint256 filter = Reading.copyRun(operands[1], 1, weights, length);
        return _low(INT32, Chains.bytesDot(row, filter, length, op.attributes[0], op.attributes[1]));
    }

    /// @dev The window of a convolution's element over its group's first channel, the element at which the filter begins, and
    /// the channels of a group. `from`: where the attributes [group, stride, pad, dilation] begin.
    function _convolutionWindow(Operation calldata op, uint256 element, uint256 from)
        internal
        pure
        returns (Window memory window, uint256 weights, uint256 channels)
    {
        uint64[] calldata filters = op.inputs[1].dims;
        if (filters.length != 4) revert RefereeUnjudgeable("rank");
        uint256[] memory index;
        (window, index) = _window(op, element, from + 1, filters[2], filters[3]);
        uint64[] calldata dims = op.inputs[0].dims;
        channels = filters[1];
        uint256 group = _positive(op, from);
        if (dims[1] != channels * group || filters[0] != op.output.dims[1] || filters[0] % group != 0) {
            revert RefereeUnjudgeable("channels");
        }
        if (channels * window.kernelH * window.kernelW == 0) revert RefereeUnjudgeable("window");
        uint256 firstChannel = (index[1] / (filters[0] / group)) * channels;
        window.plane = (index[0] * dims[1] + firstChannel) * window.height * window.width;
        weights = index[1] * channels * window.kernelH * window.kernelW;
    }

    /// @dev `from`: where the attributes [stride h, w, pad top, left, dilation h, w] begin.
    function _window(Operation calldata op, uint256 element, uint256 from, uint256 kernelH, uint256 kernelW)
        internal
        pure
        returns (Window memory window, uint256[] memory index)
    {
        uint64[] calldata dims = op.inputs[0].dims;
        if (dims.length != 4 || op.output.dims.length != 4 || dims[0] != op.output.dims[0]) {
            revert RefereeUnjudgeable("rank");
        }
        index = Shapes.unravel(op.output.dims, 4, element);
        (window.height, window.width, window.kernelH, window.kernelW) = (dims[2], dims[3], kernelH, kernelW);
        window.top = int256(index[2] * _positive(op, from)) - op.attributes[from + 2];
        window.left = int256(index[3] * _positive(op, from + 1)) - op.attributes[from + 3];
        (window.dilationH, window.dilationW) = (_positive(op, from + 4), _positive(op, from + 5));
    }

    /// @dev The operand's element under a cell of the window, counted row-major.
    function _cell(Window memory window, uint256 cell) internal pure returns (bool inside, uint256 element) {
        // Cannot overflow: sizes are below 2^48, a dilation times a kernel's below 2^80.
        unchecked {
            int256 row = window.top + int256((cell / window.kernelW) * window.dilationH);
            int256 column = window.left + int256((cell % window.kernelW) * window.dilationW);
            if (row < 0 || column < 0 || row >= int256(window.height) || column >= int256(window.width)) {
                return (false, 0);
            }
            return (true, window.plane + uint256(row) * window.width + uint256(column));
        }
    }

    // -- Checks ------------------------------------------------------------------------------------------------------

    function _block(Operation calldata op) internal pure returns (uint256) {
        return _positive(op, 0);
    }

    function _positive(Operation calldata op, uint256 at_) internal pure returns (uint256) {
        int64 value = op.attributes[at_];
        if (value <= 0 || uint64(value) > Shapes.MAX_DIM) revert RefereeUnjudgeable("attribute");
        return uint64(value);
    }

    function _axis(Operation calldata op, uint256 rank) internal pure returns (uint256) {
        int64 axis = op.attributes[0];
        if (axis < 0 || uint64(axis) >= rank) revert RefereeUnjudgeable("axis");
        return uint64(axis);
    }

    function _requireOperands(Operation calldata op, uint256 needed) internal pure {
        if (op.inputs.length != needed) revert RefereeUnjudgeable("operands");
    }

    function _requireAttributes(Operation calldata op, uint256 needed) internal pure {
        if (op.attributes.length != needed) revert RefereeUnjudgeable("attributes");
    }

    function _requireBytes(Operation calldata op) internal pure {
        if (op.inputs[0].dtype != UINT8 || op.inputs[1].dtype != UINT8 || op.output.dtype != INT32) {
            revert RefereeUnjudgeable("dtype");
        }
        // Zero points are bytes, so no sum leaves 256 bits.
        for (uint256 i; i < 2; ++i) {
            if (op.attributes[i] < 0 || op.attributes[i] > 255) revert RefereeUnjudgeable("zero point");
        }
    }

    function _canonical(uint8 dtype, uint256 bits) internal pure returns (uint256) {
        return dtype == FLOAT32 ? Float32.canonical(bits) : bits;
    }
}
