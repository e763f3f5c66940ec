// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {BatchState} from "./Batch.sol";

/// @notice A batch is one slot; what its digest covers is resubmitted as calldata.
///
///   bits  255..232   231..200   199    198..192   191..0
///         count      clock      side   state      digest
///
/// `side` says that the side mapping (voided ranges, marked shards) must be read.
type BatchWord is uint256;

using {digest, state, side, clock, count} for BatchWord global;

uint256 constant BATCH_STATE = 192;
uint256 constant BATCH_SIDE = 1 << 199;
uint256 constant BATCH_CLOCK = 200;
uint256 constant BATCH_COUNT = 232;

function digest(BatchWord self) pure returns (uint192) {
    return uint192(BatchWord.unwrap(self));
}

function state(BatchWord self) pure returns (BatchState) {
    return BatchState((BatchWord.unwrap(self) >> BATCH_STATE) & 0x7f);
}

function side(BatchWord self) pure returns (bool) {
    return BatchWord.unwrap(self) & BATCH_SIDE != 0;
}

function clock(BatchWord self) pure returns (uint256) {
    return uint32(BatchWord.unwrap(self) >> BATCH_CLOCK);
}

function count(BatchWord self) pure returns (uint256) {
    return BatchWord.unwrap(self) >> BATCH_COUNT;
}
