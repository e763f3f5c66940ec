// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice The part of a batch that one worker made, in one word (R5).
///
///   bits  255..96   95..64   63..0
///         worker    units    mask of shards, bit b = the batch's firstShard + b
///
/// Words ascend strictly, so a worker has one range a batch.
type Range is uint256;

using {worker, units, mask} for Range global;

function worker(Range self) pure returns (address) {
    return address(uint160(Range.unwrap(self) >> 96));
}

function units(Range self) pure returns (uint256) {
    return uint32(Range.unwrap(self) >> 64);
}

function mask(Range self) pure returns (uint256) {
    return uint64(Range.unwrap(self));
}

function toRange(address account, uint32 units_, uint64 mask_) pure returns (Range) {
    return Range.wrap((uint256(uint160(account)) << 96) | (uint256(units_) << 64) | mask_);
}
