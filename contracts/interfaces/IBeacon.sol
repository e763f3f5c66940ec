// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @title Public randomness that comes after a commitment (R19)
interface IBeacon {
    /// @notice Seed for what was committed in a block; 0 until it exists, or when it is lost.
    /// @dev Assumed: nobody can know or choose it at the commit. If a builder can, the audit can be steered.
    function seed(uint256 commitBlock) external view returns (bytes32);

    /// @notice The first block in which the seed may be known; a batch can be withdrawn only before it.
    function seedBlock(uint256 commitBlock) external view returns (uint256);

    /// @notice Whether seeds are plain block hashes, which a builder grinds: refused on any chain but 31337 (R31).
    function usesBlockHash() external view returns (bool);
}
