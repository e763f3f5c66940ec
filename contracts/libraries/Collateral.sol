// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Terms} from "../types/Terms.sol";
import {Draw} from "./Draw.sol";

/// @title What is locked, reserved and lost (R9, R11, R22, R23)
/// @notice Collateral, reserves and fees round up, d rounds down: never in favour of who might cheat.
library Collateral {
    uint256 internal constant BPS = 10_000;

    /// @notice d = (1 - r)^3 in basis points, rounded down: all three candidates must be honest in the worst case.
    function detectionDown(uint256 colluding) internal pure returns (uint256) {
        return (BPS - colluding) ** 3 / 1e8;
    }

    /// @notice C = max(Cmin, (u F + G) / (p d b)), rounded up (R11).
    function rangeUp(Terms calldata terms, uint256 minCollateral, uint256 colluding, uint256 burnRate)
        internal
        pure
        returns (uint256 amount)
    {
        // Cannot overflow: 32 + 96 bits and 40 of the scale; rates have 16 bits each. Posting refuses a rate of 0.
        unchecked {
            uint256 gain = uint256(terms.maxUnits) * terms.fee + terms.valueAtRisk;
            amount = ceilDiv(gain * 1e12, uint256(terms.auditRate) * detectionDown(colluding) * burnRate);
        }
        if (amount < minCollateral) amount = minCollateral;
    }

    /// @notice Pay of one audited unit, a F, rounded up (R23).
    function auditRateUp(Terms calldata terms) internal pure returns (uint256) {
        return ceilDiv(uint256(terms.auditRatio) * terms.fee, BPS);
    }

    /// @notice The most that one verdict pays: u a F + auditBase (R22).
    function auditFeeUp(Terms calldata terms) internal pure returns (uint256) {
        return uint256(terms.maxUnits) * auditRateUp(terms) + terms.auditBase;
    }

    /// @notice C_v = audit fee / (p_v d b), rounded up (R22).
    function verdictUp(Terms calldata terms, uint256 reauditRate, uint256 colluding, uint256 burnRate)
        internal
        pure
        returns (uint256)
    {
        return ceilDiv(auditFeeUp(terms) * 1e12, reauditRate * detectionDown(colluding) * burnRate);
    }

    /// @notice What a batch of `leaves` reserves of the audit budget: k u a F + min(16, k) auditBase (R23).
    function reserveUp(Terms calldata terms, uint256 leaves) internal pure returns (uint256) {
        uint256 k = Draw.samples(terms.auditRate, leaves);
        uint256 payees = k < Draw.PANEL_SEATS ? k : Draw.PANEL_SEATS;
        // Cannot overflow: 32 + 32 + 112 bits, and 100.
        unchecked {
            return k * terms.maxUnits * auditRateUp(terms) + payees * terms.auditBase;
        }
    }

    /// @notice The smallest audit budget: every shard can be committed alone (R9).
    function budgetUp(Terms calldata terms, uint256 shards) internal pure returns (uint256) {
        return shards * Draw.samples(terms.auditRate, terms.shardSize) * auditFeeUp(terms);
    }

    /// @notice The burned share of a slash, rounded up.
    function burnedUp(uint256 amount, uint256 burnRate) internal pure returns (uint256) {
        return ceilDiv(amount * burnRate, BPS);
    }

    function ceilDiv(uint256 value, uint256 by) internal pure returns (uint256) {
        // Cannot overflow: callers pass sums of at most 200 bits.
        unchecked {
            return (value + by - 1) / by;
        }
    }
}
