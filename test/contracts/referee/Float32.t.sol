// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Float32} from "../../../contracts/referee/Float32.sol";
import {Vm} from "../support/Vm.sol";

/// @notice Identities that binary32 has for every operand, whatever its bits.
contract Float32Test {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant ONE = 0x3f800000;
    uint256 private constant TWO = 0x40000000;

    function testFuzz_addAndMul_commute(uint32 a, uint32 b) external pure {
        vm.assertEq(Float32.add(a, b), Float32.add(b, a), "a + b");
        vm.assertEq(Float32.mul(a, b), Float32.mul(b, a), "a * b");
    }

    function testFuzz_fma_isTheProductOrTheSumWhereOnePartIsNeutral(uint32 a, uint32 b) external pure {
        vm.assertEq(Float32.fma(a, b, Float32.SIGN), Float32.mul(a, b), "a * b - 0");
        vm.assertEq(Float32.fma(ONE, a, b), Float32.add(a, b), "1 * a + b");
    }

    function testFuzz_negation_turnsEverySignRound(uint32 a, uint32 b, uint32 c) external pure {
        uint256 s = Float32.SIGN;
        vm.assertEq(_size(Float32.fma(a ^ s, b, c ^ s)), _size(Float32.fma(a, b, c)), "fma");
        vm.assertEq(_size(Float32.div(a ^ s, b)), _size(Float32.div(a, b)), "a / b");
        vm.assertEq(Float32.sub(a, b), Float32.add(a, b ^ s), "a - b");
    }

    function testFuzz_neutralElements_changeNothing(uint32 a) external pure {
        vm.assertEq(Float32.mul(a, ONE), Float32.canonical(a), "a * 1");
        vm.assertEq(Float32.div(a, ONE), Float32.canonical(a), "a / 1");
        vm.assertEq(Float32.add(a, Float32.SIGN), Float32.canonical(a), "a + -0");
    }

    function testFuzz_doubling_agreesThreeWays(uint32 a) external pure {
        uint256 twice = Float32.add(a, a);
        vm.assertEq(Float32.mul(a, TWO), twice, "a * 2");
        vm.assertEq(Float32.div(a, 0x3f000000), twice, "a / 0.5");
    }

    function testFuzz_sqrt_ofASquareIsTheSize(uint32 a) external pure {
        // Squares that neither overflow nor lose bits below 2^-149.
        uint256 x = (uint256(a) % 0x20000000) + 0x30000000;
        vm.assertEq(Float32.sqrt(Float32.mul(x & 0xfffff000, x & 0xfffff000)), x & 0xfffff000, "sqrt(x * x)");
    }

    function testFuzz_anyNaN_givesTheOneNaN(uint32 a, uint32 b, uint32 c) external pure {
        uint256 nan = uint256(a) | 0x7f800001;
        vm.assertEq(Float32.fma(nan, b, c), Float32.NAN, "fma 1");
        vm.assertEq(Float32.fma(b, c, nan), Float32.NAN, "fma 3");
        vm.assertEq(Float32.div(b, nan), Float32.NAN, "div");
        vm.assertEq(Float32.sqrt(nan), Float32.NAN, "sqrt");
        vm.assertEq(Float32.floor(nan), Float32.NAN, "floor");
        vm.assertEq(Float32.lessThan(nan, b), false, "less");
    }

    function testFuzz_floorAndCeil_encloseAndRoundIsOneOfThem(uint32 a) external pure {
        if (Float32.isNaN(a)) return;
        (uint256 low, uint256 high, uint256 even) = (Float32.floor(a), Float32.ceil(a), Float32.roundEven(a));
        vm.assertEq(Float32.lessThan(a, low), false, "floor is not above");
        vm.assertEq(Float32.lessThan(high, a), false, "ceil is not below");
        vm.assertTrue(even == low || even == high, "round is one of both");
        uint256 wide = Float32.sub(high, low);
        vm.assertTrue(wide & 0x7fffffff == 0 || wide == ONE || a & 0x7fffffff == Float32.INFINITY, "one apart");
    }

    function testFuzz_castsOfSmallIntegers_comeBack(int32 value) external pure {
        int256 x = int256(value) >> 7;
        (int256 back, bool finite) = Float32.toInteger(Float32.fromInteger(x));
        vm.assertTrue(finite, "finite");
        vm.assertTrue(back == x, "the same integer");
    }

    function test_ties_goToTheEvenNeighbour() external pure {
        vm.assertEq(Float32.fromInteger((1 << 24) + 1), 0x4b800000, "2^24 + 1");
        vm.assertEq(Float32.fromInteger((1 << 24) + 3), 0x4b800002, "2^24 + 3");
        vm.assertEq(Float32.roundEven(0x3f000000), 0, "0.5");
        vm.assertEq(Float32.roundEven(0x3fc00000), TWO, "1.5");
        vm.assertEq(Float32.roundEven(0xc0200000), 0xc0000000, "-2.5");
        vm.assertEq(Float32.roundEven(0xbf000000), Float32.SIGN, "-0.5");
    }

    function test_edgesOfTheRange() external pure {
        vm.assertEq(Float32.mul(1, 0x3f000000), 0, "half of the least subnormal is a tie: 0");
        vm.assertEq(Float32.mul(1, 0x3f000001), 1, "a little more is not");
        vm.assertEq(Float32.mul(3, 0x3f000000), 2, "1.5 of them: the even one");
        vm.assertEq(Float32.sub(0x00800000, 1), 0x007fffff, "the greatest subnormal");
        vm.assertEq(Float32.add(0x7f7fffff, 0x73000000), Float32.INFINITY, "a tie beyond the greatest");
        vm.assertEq(Float32.add(0x7f7fffff, 0x72ffffff), 0x7f7fffff, "a little less than the tie");
        vm.assertEq(Float32.sub(ONE, ONE), 0, "an exact zero is +0");
        vm.assertEq(Float32.add(Float32.SIGN, Float32.SIGN), Float32.SIGN, "-0 + -0");
        vm.assertEq(Float32.div(0, 0), Float32.NAN, "0 / 0");
        vm.assertEq(Float32.div(ONE, Float32.SIGN), 0xff800000, "1 / -0");
        vm.assertEq(Float32.fma(Float32.INFINITY, ONE, 0xff800000), Float32.NAN, "inf - inf");
        vm.assertEq(Float32.sqrt(0xbf800000), Float32.NAN, "sqrt(-1)");
        vm.assertEq(Float32.sqrt(Float32.SIGN), Float32.SIGN, "sqrt(-0)");
    }

    /// @dev Without the sign, which a NaN does not have here and an exact zero does not turn.
    function _size(uint256 a) private pure returns (uint256) {
        return a & 0x7fffffff;
    }
}
