// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice What one verifier did in a batch, in one word (R24).
///
///   bits  255..96    95..64   63..0
///         verifier   count    units
///
/// Words ascend strictly, so a verifier has one word a batch.
type VerifierWord is uint256;

using {verifier, count, units} for VerifierWord global;

function verifier(VerifierWord self) pure returns (address) {
    return address(uint160(VerifierWord.unwrap(self) >> 96));
}

function count(VerifierWord self) pure returns (uint256) {
    return uint32(VerifierWord.unwrap(self) >> 64);
}

function units(VerifierWord self) pure returns (uint256) {
    return uint64(VerifierWord.unwrap(self));
}

function toVerifierWord(address account, uint32 count_, uint64 units_) pure returns (VerifierWord) {
    return VerifierWord.wrap((uint256(uint160(account)) << 96) | (uint256(count_) << 64) | units_);
}
