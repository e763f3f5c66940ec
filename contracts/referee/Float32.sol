// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title IEEE 754 binary32 in integers
/// @notice Round to nearest, ties to even; subnormals are kept; every NaN result is 0x7fc00000. Values are their 32 bits
/// in the low end of a word, the other bits zero.
/// @dev A finite value is m * 2^(e - 150) with m below 2^24 and e at least 1 (a subnormal has e = 1 as well). Exact results
/// are held as magnitude * 2^(base - 149), so that a result's exponent field cannot be below 0 when `base + shift` is not.
library Float32 {
    uint256 internal constant NAN = 0x7fc00000;
    uint256 internal constant INFINITY = 0x7f800000;
    uint256 internal constant SIGN = 0x80000000;
    uint256 internal constant ONE = 0x3f800000;

    /// @notice a * b + c, rounded once.
    function fma(uint256 a, uint256 b, uint256 c) internal pure returns (uint256) {
        // Cannot overflow: magnitudes stay below 2^150, exponents below 2^10.
        unchecked {
            uint256 ea = (a >> 23) & 0xff;
            uint256 eb = (b >> 23) & 0xff;
            uint256 ec = (c >> 23) & 0xff;
            if (ea == 255 || eb == 255 || ec == 255) return _fmaSpecial(a, b, c);
            uint256 ma = a & 0x7fffff;
            uint256 mb = b & 0x7fffff;
            uint256 mc = c & 0x7fffff;
            if (ea == 0) ea = 1;
            else ma |= 0x800000;
            if (eb == 0) eb = 1;
            else mb |= 0x800000;
            if (ec == 0) ec = 1;
            else mc |= 0x800000;

            int256 product = int256(ma * mb);
            if ((a ^ b) & SIGN != 0) product = -product;
            int256 addend = int256(mc);
            if (c & SIGN != 0) addend = -addend;
            // How far the product's last bit stands above the addend's.
            int256 apart = int256(ea + eb) - int256(ec + 150);
            int256 sum;
            int256 base;
            if (apart >= 0) {
                if (apart <= 100) {
                    sum = (product << uint256(apart)) + addend;
                    base = int256(ec) - 1;
                } else {
                    // The addend is below 2^-76 of the product's last bit: only its sign can matter.
                    sum = (product << 30) + _sign(addend);
                    base = int256(ea + eb) - 181;
                    if (product == 0) return mc == 0 ? _zero(a ^ b, c) : c;
                }
            } else if (apart >= -100) {
                sum = product + (addend << uint256(-apart));
                base = int256(ea + eb) - 151;
            } else {
                sum = (addend << 40) + _sign(product);
                base = int256(ec) - 41;
                if (mc == 0) {
                    if (product == 0) return _zero(a ^ b, c);
                    sum = product;
                    base = int256(ea + eb) - 151;
                }
            }
            if (sum == 0) return _zero(a ^ b, c);
            return sum < 0 ? SIGN | round(uint256(-sum), base) : round(uint256(sum), base);
        }
    }

    function add(uint256 a, uint256 b) internal pure returns (uint256) {
        return fma(a, ONE, b);
    }

    function sub(uint256 a, uint256 b) internal pure returns (uint256) {
        return fma(a, ONE, b ^ SIGN);
    }

    function mul(uint256 a, uint256 b) internal pure returns (uint256) {
        // Adding -0 changes no product, not even a zero's sign.
        return fma(a, b, SIGN);
    }

    function div(uint256 a, uint256 b) internal pure returns (uint256) {
        // Cannot overflow: 24 bits moved by 64, exponents below 2^9.
        unchecked {
            uint256 sign = (a ^ b) & SIGN;
            if (isNaN(a) || isNaN(b)) return NAN;
            uint256 x = a & ~SIGN;
            uint256 y = b & ~SIGN;
            if (x == INFINITY) return y == INFINITY ? NAN : sign | INFINITY;
            if (y == INFINITY) return sign;
            if (y == 0) return x == 0 ? NAN : sign | INFINITY;
            if (x == 0) return sign;
            (uint256 mx, int256 ex) = _parts(x);
            (uint256 my, int256 ey) = _parts(y);
            // A subnormal's quotient, too, has more bits than are kept: what is cut off goes into the last one.
            uint256 quotient = (mx << 64) / my;
            if (quotient * my != mx << 64) quotient |= 1;
            return sign | round(quotient, ex - ey + 85);
        }
    }

    function sqrt(uint256 a) internal pure returns (uint256) {
        // Cannot overflow: 24 bits moved by 101.
        unchecked {
            if (isNaN(a)) return NAN;
            if (a & ~SIGN == 0 || a == INFINITY) return a;
            if (a & SIGN != 0) return NAN;
            (uint256 m, int256 e) = _parts(a);
            uint256 odd = uint256(e) & 1;
            // m * 2^(e - 150): 150 is even, so an odd e lends one bit to m.
            uint256 wide = m << (100 + odd);
            uint256 r = Math.sqrt(wide);
            uint256 sticky = r * r == wide ? 0 : 1;
            return round((r << 1) | sticky, (e - int256(odd) - 250) / 2 - 1 + 149);
        }
    }

    /// @notice -0 equals +0; false if either is a NaN.
    function lessThan(uint256 a, uint256 b) internal pure returns (bool) {
        return !isNaN(a) && !isNaN(b) && ordered(a) < ordered(b);
    }

    function equal(uint256 a, uint256 b) internal pure returns (bool) {
        return !isNaN(a) && !isNaN(b) && ordered(a) == ordered(b);
    }

    /// @notice An integer in the order of the values; of a NaN it means nothing.
    function ordered(uint256 a) internal pure returns (int256) {
        int256 size = int256(a & 0x7fffffff);
        return a & SIGN != 0 ? -size : size;
    }

    function isNaN(uint256 a) internal pure returns (bool) {
        return a & 0x7fffffff > INFINITY;
    }

    function floor(uint256 a) internal pure returns (uint256) {
        (bool whole, uint256 q, uint256 rest,) = _split(a);
        if (whole) return canonical(a);
        return _integral(a, a & SIGN != 0 && rest != 0 ? q + 1 : q);
    }

    function ceil(uint256 a) internal pure returns (uint256) {
        (bool whole, uint256 q, uint256 rest,) = _split(a);
        if (whole) return canonical(a);
        return _integral(a, a & SIGN == 0 && rest != 0 ? q + 1 : q);
    }

    /// @notice To the nearest integer, ties to the even one.
    function roundEven(uint256 a) internal pure returns (uint256) {
        (bool whole, uint256 q, uint256 rest, uint256 half) = _split(a);
        if (whole) return canonical(a);
        return _integral(a, rest > half || (rest == half && q & 1 == 1) ? q + 1 : q);
    }

    /// @notice An integer of at most 64 bits and a sign, rounded.
    function fromInteger(int256 value) internal pure returns (uint256) {
        if (value == 0) return 0;
        return value < 0 ? SIGN | round(uint256(-value), 149) : round(uint256(value), 149);
    }

    /// @notice Truncated towards zero.
    /// @return value the integer; of NaN and infinities it means nothing
    /// @return finite false for those
    function toInteger(uint256 a) internal pure returns (int256 value, bool finite) {
        uint256 e = (a >> 23) & 0xff;
        if (e == 255) return (0, false);
        (uint256 m, int256 exponent) = _parts(a & ~SIGN);
        uint256 size = exponent >= 150 ? m << uint256(exponent - 150) : m >> uint256(150 - exponent);
        return (a & SIGN != 0 ? -int256(size) : int256(size), true);
    }

    /// @notice The same bits, but one NaN for all.
    function canonical(uint256 a) internal pure returns (uint256) {
        return isNaN(a) ? NAN : a;
    }

    /// @notice A positive magnitude * 2^(base - 149) as the nearest float, ties to even; overflow gives infinity.
    function round(uint256 magnitude, int256 base) internal pure returns (uint256 bits) {
        // Cannot overflow: magnitudes are below 2^160.
        unchecked {
            int256 shift = int256(232 - leadingZeros(magnitude));
            // A float's last bit is worth 2^-149 at least.
            if (shift < -base) shift = -base;
            uint256 kept;
            if (shift <= 0) {
                kept = magnitude << uint256(-shift);
            } else {
                uint256 by = uint256(shift);
                // Half a unit less one, and one more for an odd last bit: carries exactly when rounding goes up.
                kept = (magnitude + (1 << (by - 1)) - 1 + ((magnitude >> by) & 1)) >> by;
            }
            // A significand of 2^24 carries into the exponent, and one below 2^23 stands for a subnormal.
            bits = (uint256(base + shift) << 23) + kept;
            if (bits > INFINITY) bits = INFINITY;
        }
    }

    /// @notice 256 for zero.
    function leadingZeros(uint256 x) internal pure returns (uint256 zeros) {
        assembly ("memory-safe") {
            zeros := clz(x)
        }
    }

    function _fmaSpecial(uint256 a, uint256 b, uint256 c) private pure returns (uint256) {
        if (isNaN(a) || isNaN(b) || isNaN(c)) return NAN;
        uint256 x = a & ~SIGN;
        uint256 y = b & ~SIGN;
        uint256 sign = (a ^ b) & SIGN;
        if (x == INFINITY || y == INFINITY) {
            if (x == 0 || y == 0) return NAN;
            if (c & ~SIGN == INFINITY && c & SIGN != sign) return NAN;
            return sign | INFINITY;
        }
        return c;
    }

    /// @dev An exact zero is negative only if both parts are.
    function _zero(uint256 productSign, uint256 c) private pure returns (uint256) {
        return productSign & c & SIGN;
    }

    function _sign(int256 value) private pure returns (int256) {
        return value > 0 ? int256(1) : value < 0 ? int256(-1) : int256(0);
    }

    /// @dev m * 2^(e - 150) of a positive finite value.
    function _parts(uint256 a) private pure returns (uint256 m, int256 e) {
        m = a & 0x7fffff;
        uint256 field = a >> 23;
        if (field == 0) return (m, 1);
        return (m | 0x800000, int256(field));
    }

    /// @dev Integer part, rest, and what half is worth in the rest; `whole` for what has no fraction, or is no number.
    function _split(uint256 a) private pure returns (bool whole, uint256 q, uint256 rest, uint256 half) {
        (uint256 m, int256 e) = _parts(a & ~SIGN);
        if (e >= 150) return (true, 0, 0, 0);
        // Below a quarter the integer part is 0 and the rest less than half, however small.
        uint256 by = e < 120 ? 30 : uint256(150 - e);
        half = 1 << (by - 1);
        (q, rest) = (m >> by, m & ((1 << by) - 1));
    }

    function _integral(uint256 a, uint256 q) private pure returns (uint256) {
        return (a & SIGN) | (q == 0 ? 0 : round(q, 149));
    }
}
