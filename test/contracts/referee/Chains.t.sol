// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Chains} from "../../../contracts/referee/Chains.sol";
import {Float32} from "../../../contracts/referee/Float32.sol";
import {Vm} from "../support/Vm.sol";

/// @notice The fast ways along a row against the plain ones.
contract ChainsTest {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 private constant TERMS = 40;

    function testFuzz_walk_isOneMultiplyAddATerm(uint256 seed, uint8 block_, uint8 cut, uint8 manner) external view {
        uint256 blockLength = 1 + uint256(block_) % 48;
        uint256 stop = uint256(cut) % (TERMS + 1);
        bytes memory x = _floats(seed, manner);
        bytes memory y = _floats(~seed, manner);
        uint256 expected = _plain(x, y, blockLength);
        vm.assertEq(this.walk(x, y, blockLength, stop), expected, "in two parts");
    }

    function testFuzz_bytesDot_isTheSumOfProducts(bytes calldata x, bytes calldata y, uint8 za, uint8 zb) external view {
        uint256 length = x.length < y.length ? x.length : y.length;
        int256 expected;
        for (uint256 i; i < length; ++i) {
            expected += (int256(uint256(uint8(x[i]))) - int256(uint256(za)))
                * (int256(uint256(uint8(y[i]))) - int256(uint256(zb)));
        }
        vm.assertTrue(this.bytesDot(x, y, length, za, zb) == expected, "sum of products");
    }

    function test_bytesDot_ofTheGreatestBytesCarriesNowhere() external view {
        bytes memory x = new bytes(4_100);
        for (uint256 i; i < x.length; ++i) x[i] = 0xff;
        vm.assertTrue(this.bytesDot(x, x, x.length, 0, 0) == 4_100 * 255 * 255, "255 * 255 each");
    }

    function test_walk_keepsWhatTheIntegerCannot() external view {
        // Terms that leave the fast way and come back to it: infinite, subnormal, huge, zeros of both signs.
        uint32[8] memory hard =
            [0x00000001, 0x80000000, 0x7f000000, 0xff000000, 0x3f800000, 0x007fffff, 0x00000000, 0xbf800001];
        for (uint256 shift; shift < 8; ++shift) {
            bytes memory x = new bytes(4 * TERMS);
            bytes memory y = new bytes(4 * TERMS);
            for (uint256 i; i < TERMS; ++i) {
                _put(x, i, hard[i % 8]);
                _put(y, i, hard[(i * 3 + shift) % 8]);
            }
            vm.assertEq(this.walk(x, y, TERMS, 13), _plain(x, y, TERMS), "hard terms");
        }
    }

    function walk(bytes memory x, bytes memory y, uint256 block_, uint256 stop) external pure returns (uint256) {
        (uint256 px, uint256 py) = (_offset(x), _offset(y));
        Chains.Chain memory chain;
        Chains.walk(chain, block_, px, py, stop);
        Chains.walk(chain, block_, px, py, TERMS);
        return Chains.value(chain, block_);
    }

    function bytesDot(bytes memory x, bytes memory y, uint256 length, uint256 za, uint256 zb)
        external
        pure
        returns (int256)
    {
        return Chains.bytesDot(_offset(x), _offset(y), length, int256(za), int256(zb));
    }

    function _plain(bytes memory x, bytes memory y, uint256 block_) private pure returns (uint256 total) {
        uint256 acc;
        for (uint256 k; k < TERMS; ++k) {
            acc = Float32.fma(_get(x, k), _get(y, k), acc);
            if ((k + 1) % block_ != 0 && k + 1 != TERMS) continue;
            total = k < block_ ? acc : Float32.add(total, acc);
            acc = 0;
        }
    }

    /// @dev Any bits at all, or numbers around one, or those around the ends of the fast way.
    function _floats(uint256 seed, uint8 manner) private pure returns (bytes memory row) {
        row = new bytes(4 * TERMS);
        for (uint256 i; i < TERMS; ++i) {
            uint256 word = uint256(keccak256(abi.encode(seed, i)));
            uint32 bits = uint32(word);
            if (manner % 4 == 1) bits = (bits & 0x807fffff) | uint32((120 + (word >> 64) % 16) << 23);
            if (manner % 4 == 2) bits = (bits & 0x80700000) | uint32((70 + (word >> 64) % 12) << 23);
            if (manner % 4 == 3) bits = (bits & 0x807fff00) | uint32((160 + (word >> 64) % 20) << 23);
            _put(row, i, bits);
        }
    }

    function _put(bytes memory row, uint256 index, uint32 bits) private pure {
        for (uint256 i; i < 4; ++i) row[4 * index + i] = bytes1(uint8(bits >> (8 * i)));
    }

    function _get(bytes memory row, uint256 index) private pure returns (uint256 bits) {
        for (uint256 i; i < 4; ++i) bits |= uint256(uint8(row[4 * index + i])) << (8 * i);
    }

    function _offset(bytes memory data) private pure returns (uint256 pointer) {
        assembly ("memory-safe") {
            pointer := add(data, 32)
        }
    }
}
