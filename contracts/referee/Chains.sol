// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Float32} from "./Float32.sol";
import {Reading} from "./Reading.sol";

/// @title Sums of products: float32 chains in blocks, and integer dot products of bytes
library Chains {
    uint256 private constant LOW_BYTES = 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
    uint256 private constant LANES = 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff;
    uint256 private constant LOW_32 = 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
    uint256 private constant LOW_64 = 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff;

    /// @dev No sum held as an integer (see `_terms`) leaves 255 bits in a block of this length.
    uint256 private constant MAX_FAST_BLOCK = 1 << 15;

    /// @notice A float32 chain under way: terms done, the sum of whole blocks, the open block's sum.
    struct Chain {
        uint256 done;
        uint256 total;
        uint256 open;
    }

    /// @notice The value of a chain whose terms are all in.
    function value(Chain memory self, uint256 block_) internal pure returns (uint256) {
        uint256 rest = self.done % block_;
        if (rest == 0) return self.total;
        return self.done < block_ ? self.open : Float32.add(self.total, self.open);
    }

    /// @notice Goes on to term `upTo` along two rows in memory.
    /// @param x where the first row's term 0 lies, or would lie: rows need not begin with it
    /// @param y the same of the second row
    function walk(Chain memory self, uint256 block_, uint256 x, uint256 y, uint256 upTo) internal pure {
        // Cannot overflow: pointers and counts are below 2^64.
        unchecked {
            uint256 k = self.done;
            while (k < upTo) {
                uint256 end = k + block_ - k % block_;
                if (end > upTo) end = upTo;
                self.open = block_ > MAX_FAST_BLOCK
                    ? _termsPlainly(x, y, k, end, self.open)
                    : _terms(x, y, k, end, self.open);
                self.done = k = end;
                if (k % block_ == 0) _closeBlock(self, block_);
            }
        }
    }

    /// @notice sum over k of (a_k - za)(b_k - zb) for rows of bytes in memory.
    function bytesDot(uint256 x, uint256 y, uint256 length, int256 za, int256 zb) internal pure returns (int256) {
        // Cannot overflow: lengths are below 2^40, so sums stay below 2^60.
        unchecked {
            (uint256 products, uint256 sumX, uint256 sumY) = (0, 0, 0);
            for (uint256 at_; at_ < length; at_ += 32) {
                (uint256 a, uint256 b) = (_load(x + at_), _load(y + at_));
                if (length - at_ < 32) {
                    uint256 beyond = 8 * (32 - (length - at_));
                    (a, b) = ((a >> beyond) << beyond, (b >> beyond) << beyond);
                }
                sumX += _sum32(a);
                sumY += _sum32(b);
                products += _dot32(a, b);
            }
            return int256(products) - zb * int256(sumX) - za * int256(sumY) + int256(length) * za * zb;
        }
    }

    /// @dev The sum of blocks starts with the first block's own sum (-0 stays -0).
    function _closeBlock(Chain memory self, uint256 block_) private pure {
        self.total = self.done == block_ ? self.open : Float32.add(self.total, self.open);
        self.open = 0;
    }

    /// @dev Terms k to end of one block, after those that sum up to `open`.
    /// While factors are normal and no product is far from 1, the sum is held as a two's complement integer in units of
    /// 2^-150. A product of exponent fields p, q is an integer times 2^(p + q - 300), so from p + q = 151 on it is a whole
    /// and even number of units, nothing is ever lost below the last bit of a subnormal (two units), and a sum that
    /// rounds to zero is zero, hence +0. Up to p + q = 340 a product stays below 2^238, and so 2^15 of them below 2^254.
    /// Everything else takes one step of Float32.fma.
    function _terms(uint256 x, uint256 y, uint256 k, uint256 end, uint256 open) private pure returns (uint256) {
        // Cannot overflow: see above; where differences wrap around, they are beyond what they are compared with.
        unchecked {
            // -0 has no integer, and 2^88 or more leaves no room.
            bool fast = _isFast(open);
            int256 acc = fast ? _toUnits(open) : int256(0);
            while (k < end) {
                uint256 a = Reading.swap32(_load(x + 4 * k));
                uint256 b = Reading.swap32(_load(y + 4 * k));
                uint256 wordEnd = k + 8 < end ? k + 8 : end;
                for (; k < wordEnd; ++k) {
                    uint256 p = (a >> 247) & 0xff;
                    uint256 q = (b >> 247) & 0xff;
                    if (fast && p - 1 < 254 && q - 1 < 254 && p + q - 151 < 190) {
                        uint256 product = (((a >> 224) & 0x7fffff) | 0x800000) * (((b >> 224) & 0x7fffff) | 0x800000);
                        product <<= p + q - 150;
                        // All ones where the signs differ: flips and adds one.
                        uint256 minus = uint256(int256(a ^ b) >> 255);
                        acc = _rounded(int256(uint256(acc) + ((product ^ minus) - minus)));
                    } else if (!fast || p == 255 || q == 255 || ((a << 1) >> 225 != 0 && (b << 1) >> 225 != 0)) {
                        // Not so where a factor is zero: it changes no integer, and +0 stays +0.
                        open = Float32.fma(a >> 224, b >> 224, fast ? _fromUnits(acc) : open);
                        fast = _isFast(open);
                        if (fast) acc = _toUnits(open);
                    }
                    a <<= 32;
                    b <<= 32;
                }
            }
            return fast ? _fromUnits(acc) : open;
        }
    }

    function _termsPlainly(uint256 x, uint256 y, uint256 k, uint256 end, uint256 open)
        private
        pure
        returns (uint256)
    {
        // Cannot overflow: pointers and counts are below 2^64.
        unchecked {
            for (; k < end; ++k) {
                open = Float32.fma(
                    Reading.swap32(_load(x + 4 * k)) >> 224, Reading.swap32(_load(y + 4 * k)) >> 224, open
                );
            }
            return open;
        }
    }

    /// @dev To 24 significant bits, ties to even, and never finer than two units, the last bit of a subnormal.
    /// Of a negative sum the bits of -sum - 1 are counted: one too few just for a power of two, which stays as it is.
    function _rounded(int256 sum) private pure returns (int256) {
        unchecked {
            uint256 cut = 232 - Float32.leadingZeros(uint256(sum ^ (sum >> 255)) | (1 << 24));
            uint256 below = (1 << cut) - 1;
            // Half a unit of the last place less one, and one more where that place is odd.
            return int256((uint256(sum) + (below >> 1) + ((uint256(sum) >> cut) & 1)) & ~below);
        }
    }

    function _isFast(uint256 bits) private pure returns (bool) {
        return (bits >> 23) & 0xff < 215 && bits != Float32.SIGN;
    }

    function _toUnits(uint256 bits) private pure returns (int256 units) {
        unchecked {
            uint256 field = (bits >> 23) & 0xff;
            units = field == 0
                ? int256((bits & 0x7fffff) << 1)
                : int256(((bits & 0x7fffff) | 0x800000) << field);
            if (bits & Float32.SIGN != 0) units = -units;
        }
    }

    function _fromUnits(int256 units) private pure returns (uint256) {
        unchecked {
            if (units == 0) return 0;
            return units < 0 ? Float32.SIGN | Float32.round(uint256(-units), -1) : Float32.round(uint256(units), -1);
        }
    }

    /// @dev The dot product of 32 bytes and 32 bytes. Lanes of 32 bits, one factor's backwards: the product's top lane is
    /// the sum of eight products. Lanes hold at most eight products of 16 bits and carry nothing; what is above falls off.
    function _dot32(uint256 a, uint256 b) private pure returns (uint256) {
        unchecked {
            b = (b >> 128) | (b << 128);
            b = ((b >> 64) & LOW_64) | ((b & LOW_64) << 64);
            b = ((b >> 32) & LOW_32) | ((b & LOW_32) << 32);
            return (((a & LANES) * (b & LANES)) >> 224) + ((((a >> 8) & LANES) * ((b >> 8) & LANES)) >> 224)
                + ((((a >> 16) & LANES) * ((b >> 16) & LANES)) >> 224)
                + ((((a >> 24) & LANES) * ((b >> 24) & LANES)) >> 224);
        }
    }

    function _sum32(uint256 word) private pure returns (uint256) {
        unchecked {
            uint256 pairs = (word & LOW_BYTES) + ((word >> 8) & LOW_BYTES);
            return (pairs * 0x0001000100010001000100010001000100010001000100010001000100010001) >> 240;
        }
    }

    function _load(uint256 pointer) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := mload(pointer)
        }
    }
}
