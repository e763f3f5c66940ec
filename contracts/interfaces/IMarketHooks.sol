// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Batch, Cause, Reward} from "../types/Batch.sol";
import {Terms} from "../types/Terms.sol";

/// @notice What Challenges and Jury may do to a batch; any other caller is refused.
/// The Market trusts them to have checked that `terms` and `batch` are those of the id (they compare the job's terms
/// hash and the batch's digest, or a batch hash kept since they did).
interface IMarketHooks {
    /// @notice Counts a demand or dispute of a batch that is Drawn or Attested: neither `forfeit` nor `finalize` runs
    /// while one is open (R26, R27, R30). Attesting stays possible.
    function hold(uint256 batchId) external;

    /// @notice One demand or dispute less. In state Attested the window's end becomes `until` where that is later
    /// (block timestamp, 0: leave it), so that an answer that came late can be looked at before pay moves.
    function drop(uint256 batchId, uint32 until) external;

    /// @notice Voids every range of the mask `ranges` (bit i is `batch.ranges[i]`) for `cause`. Idempotent per range and
    /// cause; never reverts because a range is void already.
    /// A range keeps its two locks (worker's C, that C of the bond) until the batch is final or forfeited, so that a
    /// milder cause never protects from a graver one: Worker after Nobody or Coordinator still takes the worker's C,
    /// Coordinator after Nobody or Worker still burns that C of the bond. (A self-commit has one lock: the first takes it.)
    /// @param rewards for Cause.Worker alone: credited in order from the part of C that is not burned, each to the pair
    /// (account, terms.coordinator), capped at what is left; what remains is burned. Empty for the other causes.
    /// @return charged the ranges whose C this very call took (always 0 for Nobody).
    function voidRanges(
        Terms calldata terms,
        Batch calldata batch,
        uint64 ranges,
        Cause cause,
        Reward[] calldata rewards
    ) external returns (uint64 charged);

    /// @notice C of a range of such a job (R11), rounded up.
    function collateralOf(Terms calldata terms) external view returns (uint96);

    /// @notice C_v, what a false verdict costs (R22), rounded up.
    function verdictCollateralOf(Terms calldata terms) external view returns (uint96);
}
