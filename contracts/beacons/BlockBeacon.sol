// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IBeacon} from "../interfaces/IBeacon.sol";

/// @title Seeds from block hashes, for the local chain alone
/// @notice Whoever builds blocks can grind a block hash and so steer every audit (R19, R31): this beacon refuses to
/// exist anywhere but on chain 31337.
contract BlockBeacon is IBeacon {
    /// @notice Blocks from a commit to the block whose hash is its seed.
    uint256 public constant DELAY = 2;

    error BeaconChain(uint256 chainId);

    constructor() {
        if (block.chainid != 31337) revert BeaconChain(block.chainid);
    }

    /// @inheritdoc IBeacon
    /// @dev 0 before the block is mined, and again once the chain has forgotten its hash (256 blocks).
    function seed(uint256 commitBlock) external view returns (bytes32) {
        return blockhash(commitBlock + DELAY);
    }

    /// @inheritdoc IBeacon
    function seedBlock(uint256 commitBlock) external pure returns (uint256) {
        return commitBlock + DELAY;
    }

    /// @inheritdoc IBeacon
    function usesBlockHash() external pure returns (bool) {
        return true;
    }
}
