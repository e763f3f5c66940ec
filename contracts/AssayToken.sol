// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IAssayToken} from "./interfaces/IAssayToken.sol";

/// @title Testnet money
/// @notice See IAssayToken.
contract AssayToken is ERC20, ERC20Permit, IAssayToken {
    /// @dev Amounts of the protocol have 96 bits; with no more tokens than that, no sum of them can overflow.
    uint256 public constant CAP = type(uint96).max;

    /// @inheritdoc IAssayToken
    uint256 public immutable FAUCET_AMOUNT;
    /// @inheritdoc IAssayToken
    uint256 public immutable FAUCET_INTERVAL;

    /// @inheritdoc IAssayToken
    mapping(address account => uint256 time) public faucetAvailableAt;

    constructor(uint256 faucetAmount, uint256 faucetInterval) ERC20("Assay", "ASY") ERC20Permit("Assay") {
        FAUCET_AMOUNT = faucetAmount;
        FAUCET_INTERVAL = faucetInterval;
    }

    /// @inheritdoc IAssayToken
    function faucet() external {
        uint256 availableAt = faucetAvailableAt[msg.sender];
        if (block.timestamp < availableAt) revert FaucetTooSoon(msg.sender, availableAt);
        availableAt = block.timestamp + FAUCET_INTERVAL;
        faucetAvailableAt[msg.sender] = availableAt;
        _mint(msg.sender, FAUCET_AMOUNT);
        if (totalSupply() > CAP) revert TokenSupplyExceeded(totalSupply(), CAP);
        emit FaucetServed(msg.sender, FAUCET_AMOUNT, availableAt);
    }

    /// @inheritdoc IAssayToken
    function burn(uint256 amount) external {
        _burn(msg.sender, amount);
    }

    /// @inheritdoc IERC20Permit
    function nonces(address owner) public view override(IERC20Permit, ERC20Permit) returns (uint256) {
        return super.nonces(owner);
    }
}
