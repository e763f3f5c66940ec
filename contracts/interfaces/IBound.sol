// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title The contracts that a contract was built for
/// @notice Addresses are predicted before deployment; the Market, deployed last, checks that all name each other.
interface IBound {
    function registry() external view returns (address);
    function market() external view returns (address);
    function challenges() external view returns (address);
    function jury() external view returns (address);
    function game() external view returns (address);
}
