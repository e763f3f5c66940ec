// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Reward} from "../types/Batch.sol";

/// @notice What the Jury may do to a seat's stake; any other caller is refused.
interface IRegistryHooks {
    /// @notice A verdict proved false (R22): takes `amount`, or what there is, from the verifier's staked and unbonding
    /// tokens, bars it from pay not yet final with this coordinator (R13), burns at least b of what was taken and credits
    /// `rewards` in order from the rest, each to the pair (account, coordinator), capped at what is left; what remains is
    /// burned. Never reverts for want of stake.
    /// @return taken what was taken
    function slashVerdict(address verifier, address coordinator, uint96 amount, Reward[] calldata rewards)
        external
        returns (uint96 taken);

    /// @notice A juror that was called and stayed silent (R25): LIVENESS_SLASH, or what there is, is burned whole.
    function slashSilent(address juror) external returns (uint96 taken);
}
