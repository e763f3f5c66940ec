// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Float32} from "./Float32.sol";

/// @title EXP, TANH, SIGMOID and ERF as docs/primitives.md writes them out
/// @notice onnxruntime's own polynomials, every step rounded once.
library Transcendental {
    uint256 private constant SIGN = 0x80000000;
    uint256 private constant ONE = 0x3f800000;
    uint256 private constant LOG2E = 0x3fb8aa3b;
    /// @dev 1.5 * 2^23: adding it rounds to an integer, which then stands in the low bits.
    uint256 private constant BIAS = 0x4b400000;
    uint256 private constant LN2_HIGH = 0xbf317200;
    uint256 private constant LN2_LOW = 0xb5bfbe8e;

    function exp(uint256 a) internal pure returns (uint256) {
        if (Float32.isNaN(a)) return Float32.NAN;
        uint256 x = _clamp(a, 0xc2cff1b5, 0x42b18d72);
        uint256 t = Float32.fma(x, LOG2E, BIAS);
        uint256 r = _reduced(x, Float32.sub(t, BIAS));
        // 2^m in two factors, since m reaches from -150 to 128 and one exponent does not.
        int256 shifted = int32(uint32(t << 23));
        int256 normal = shifted > 0x3f800000 ? int256(0x3f800000) : shifted;
        int256 least = int32(uint32(0xc1000000));
        if (normal < least) normal = least;
        uint256 first = uint32(int32(shifted - normal + 0x3f800000));
        uint256 second = uint32(int32(normal + 0x3f800000));
        uint256 p = _horner(r, 0x3ab4a0003c092f6e3d2aadad3e2aaa283efffffb3f800000, 6);
        return Float32.mul(Float32.fma(p, Float32.mul(r, first), first), second);
    }

    function tanh(uint256 a) internal pure returns (uint256) {
        if (Float32.isNaN(a)) return Float32.NAN;
        uint256 x = _clamp(a, 0xc1100000, 0x41100000);
        uint256 q = Float32.mul(x, x);
        uint256 top = _horner(q, 0xa59f25c02a61337eaebd37ff335c00413779434a3a270ded3ba059dc, 7);
        return Float32.div(Float32.mul(top, x), _horner(q, 0x35a0d3d838f895d63b14aa053ba059dd, 4));
    }

    function sigmoid(uint256 a) internal pure returns (uint256) {
        if (Float32.isNaN(a)) return Float32.NAN;
        uint256 x = _clamp(a, 0xc1900000, 0x41900000);
        uint256 q = Float32.mul(x, x);
        uint256 top = Float32.mul(_horner(q, 0x000000002e40355133f84ecb387f413b3c0b7d583e7e3f32, 5), x);
        uint256 half = Float32.div(top, _horner(q, 0x2b2bc4f531c5f27b36d317dd3adf153f3def3e183f7e3f34, 6));
        return _clamp(Float32.add(half, 0x3f000000), 0, ONE);
    }

    function erf(uint256 a) internal pure returns (uint256) {
        if (Float32.isNaN(a)) return Float32.NAN;
        uint256 x = a & ~SIGN;
        if (x > 0x407b3333) x = 0x407b3333;
        return (a & SIGN) | (x <= 0x3f6c0000 ? _erfSmall(x) : _erfBig(x));
    }

    function _erfSmall(uint256 x) private pure returns (uint256) {
        uint256 q = Float32.mul(x, x);
        return Float32.fma(_horner(q, 0xba1d0d413ba39fa4bcdb45e93de70d23bec093703e0375d3, 6), x, x);
    }

    /// @dev 1 - exp(-p(x))
    function _erfBig(uint256 x) private pure returns (uint256) {
        uint256 z = SIGN ^ Float32.fma(_horner(x, 0x37911480b9c8e9663b7e899bbcc6b1803ddaae583f2285503e03ce86, 7), x, x);
        if (Float32.lessThan(z, 0xc2b0c0a5)) z = 0xc2b0c0a5;
        uint256 t = Float32.fma(LOG2E, z, BIAS);
        uint256 r = _reduced(z, Float32.sub(t, BIAS));
        uint256 p = _horner(r, 0x3ab54c6d3c0939653d2aad103e2aaa173efffffb3f8000003f800000, 7);
        // t = 1.5 * 2^23 + m, m from -128 to 0.
        int256 m = int256(t & 0x7fffff) - 0x400000;
        uint256 power = m >= -126 ? uint256(m + 127) << 23 : 1 << uint256(m + 149);
        return Float32.sub(ONE, Float32.mul(p, power));
    }

    /// @dev x less m times ln 2, in two parts.
    function _reduced(uint256 x, uint256 m) private pure returns (uint256) {
        return Float32.fma(m, LN2_LOW, Float32.fma(m, LN2_HIGH, x));
    }

    /// @dev Coefficients are 32 bits each, the first one highest.
    function _horner(uint256 x, uint256 coefficients, uint256 count) private pure returns (uint256 p) {
        uint256 at_ = 32 * (count - 1);
        p = coefficients >> at_;
        while (at_ != 0) {
            at_ -= 32;
            p = Float32.fma(p, x, (coefficients >> at_) & 0xffffffff);
        }
    }

    function _clamp(uint256 a, uint256 low, uint256 high) private pure returns (uint256) {
        if (Float32.lessThan(a, low)) return low;
        return Float32.lessThan(high, a) ? high : a;
    }
}
