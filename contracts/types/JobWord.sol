// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice The hot slot of a job: everything that commit and finalize change.
///
///   bits  255..234      233      232      231..216   215..192   191..96   95..0
///         final shards  closed   posted   open       batches    audit     fees
///
/// `fees` and `audit` are escrow that no open batch has reserved; `open` counts batches that are not terminal.
type JobWord is uint256;

using {fees, audit, batches, open, posted, closed, finalShards} for JobWord global;

uint256 constant JOB_AUDIT = 96;
uint256 constant JOB_BATCHES = 192;
uint256 constant JOB_OPEN = 216;
uint256 constant JOB_POSTED = 1 << 232;
uint256 constant JOB_CLOSED = 1 << 233;
uint256 constant JOB_FINAL_SHARDS = 234;
/// @dev 22 bits count final shards, so no job may have more.
uint256 constant MAX_SHARDS = (1 << 22) - 1;

function fees(JobWord self) pure returns (uint256) {
    return uint96(JobWord.unwrap(self));
}

function audit(JobWord self) pure returns (uint256) {
    return uint96(JobWord.unwrap(self) >> JOB_AUDIT);
}

function batches(JobWord self) pure returns (uint256) {
    return uint24(JobWord.unwrap(self) >> JOB_BATCHES);
}

function open(JobWord self) pure returns (uint256) {
    return uint16(JobWord.unwrap(self) >> JOB_OPEN);
}

function posted(JobWord self) pure returns (bool) {
    return JobWord.unwrap(self) & JOB_POSTED != 0;
}

function closed(JobWord self) pure returns (bool) {
    return JobWord.unwrap(self) & JOB_CLOSED != 0;
}

function finalShards(JobWord self) pure returns (uint256) {
    return JobWord.unwrap(self) >> JOB_FINAL_SHARDS;
}
