// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice The one hot slot of a pair (account, coordinator) (R13).
///
///   bits  255..232   231..192   191..96   95..0
///         flags      noticeAt   owed      free
///
/// `noticeAt` is the time from which free collateral may leave, 0 without notice. Flag bit 0: barred by a verdict slash.
type PairWord is uint256;

using {free, owed, noticeAt, flags, barred} for PairWord global;

uint256 constant PAIR_OWED = 96;
uint256 constant PAIR_NOTICE = 192;
uint256 constant PAIR_BARRED = 1 << 232;

function free(PairWord self) pure returns (uint256) {
    return uint96(PairWord.unwrap(self));
}

function owed(PairWord self) pure returns (uint256) {
    return uint96(PairWord.unwrap(self) >> PAIR_OWED);
}

function noticeAt(PairWord self) pure returns (uint256) {
    return uint40(PairWord.unwrap(self) >> PAIR_NOTICE);
}

function flags(PairWord self) pure returns (uint256) {
    return PairWord.unwrap(self) >> 232;
}

function barred(PairWord self) pure returns (bool) {
    return PairWord.unwrap(self) & PAIR_BARRED != 0;
}
