// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";

/// @title Testnet money: ERC-20 with permit, burn and a faucet
/// @notice Worth nothing by design. The Market and the Registry know nothing of the faucet.
interface IAssayToken is IERC20Metadata, IERC20Permit {
    /// @notice The account was served less than an interval ago.
    error FaucetTooSoon(address account, uint256 availableAt);
    /// @notice The supply would no longer fit the 96-bit amounts of the protocol.
    error TokenSupplyExceeded(uint256 supply, uint256 cap);

    /// @notice The faucet served an account.
    event FaucetServed(address indexed account, uint256 amount, uint256 nextAt);

    /// @notice Gives the caller `FAUCET_AMOUNT`, once per `FAUCET_INTERVAL`.
    function faucet() external;

    /// @notice Destroys tokens of the caller.
    function burn(uint256 amount) external;

    /// @notice Tokens that one call of the faucet gives, in the smallest unit.
    function FAUCET_AMOUNT() external view returns (uint256);

    /// @notice Seconds between two calls of one account.
    function FAUCET_INTERVAL() external view returns (uint256);

    /// @notice When an account may call the faucet again; 0 if it never did.
    function faucetAvailableAt(address account) external view returns (uint256);
}
