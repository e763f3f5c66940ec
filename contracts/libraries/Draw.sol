// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IRegistry} from "../interfaces/IRegistry.sol";
import {Hashes} from "./Hashes.sol";

/// @title Samples, panel and candidates of a seed (R19, R20)
library Draw {
    uint256 internal constant PANEL_SEATS = 16;
    uint256 internal constant CANDIDATES = 3;
    /// @dev A sample whose candidates are all silent is called to them and five more.
    uint256 internal constant CALLED = 8;
    /// @dev How many seats are looked at for the re-auditors of a verdict.
    uint256 internal constant REAUDIT_SEATS = 16;
    /// @dev How far past the panel a candidate is looked for when the executor owns all of it.
    uint256 internal constant FALLBACK_SEATS = 256;

    /// @notice The sample is not below k, or the batch has no leaf.
    error DrawOutside(uint256 sample, uint256 count);

    /// @notice k = max(1, ceil(p N)) samples.
    function samples(uint256 auditRate, uint256 leaves) internal pure returns (uint256 k) {
        // Cannot overflow: 16 + 32 bits.
        unchecked {
            k = (auditRate * leaves + 9_999) / 10_000;
        }
        if (k == 0) k = 1;
    }

    /// @notice Position of sample `i`: its image under a Feistel permutation of [0, leaves), walked until inside.
    function position(bytes32 seed, uint256 i, uint256 leaves) internal pure returns (uint256 x) {
        if (i >= leaves) revert DrawOutside(i, leaves);
        uint256 half = 1;
        while (1 << (2 * half) < leaves) ++half;
        uint256 low = (1 << half) - 1;
        x = i;
        do {
            uint256 left = x >> half;
            uint256 right = x & low;
            for (uint8 round; round < 4; ++round) {
                uint256 mixed = uint256(keccak256(abi.encode(Hashes.FEISTEL, seed, round, right))) & low;
                (left, right) = (right, left ^ mixed);
            }
            x = (left << half) | right;
        } while (x >= leaves);
    }

    /// @notice Which sample a position would be: the inverse of `position`. Drawn are those below k.
    function sampleAt(bytes32 seed, uint256 position_, uint256 leaves) internal pure returns (uint256 x) {
        if (position_ >= leaves) revert DrawOutside(position_, leaves);
        uint256 half = 1;
        while (1 << (2 * half) < leaves) ++half;
        uint256 low = (1 << half) - 1;
        x = position_;
        // Backwards along the same walk: whatever lies outside is no sample.
        do {
            uint256 left = x >> half;
            uint256 right = x & low;
            for (uint8 round = 4; round > 0; --round) {
                uint256 mixed = uint256(keccak256(abi.encode(Hashes.FEISTEL, seed, round - 1, left))) & low;
                (left, right) = (right ^ mixed, left);
            }
            x = (left << half) | right;
        } while (x >= leaves);
    }

    /// @notice Seat number of the `j`-th panel seat.
    function panelSeat(bytes32 seed, uint256 j, uint256 seats) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(Hashes.PANEL, seed, j))) % seats;
    }

    /// @notice Seat number of the `j`-th jury seat.
    function jurySeat(bytes32 seed, uint256 j, uint256 seats) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(Hashes.JURY, seed, j))) % seats;
    }

    /// @notice Owners of the seats that may give the verdict on sample `i`: three of the panel that are not the
    /// executor's, drawn without replacement; fewer: all; none: the first beyond the panel.
    function candidates(
        IRegistry registry,
        bytes32 capability,
        uint256 commitBlock,
        bytes32 seed,
        uint32 i,
        address executor
    ) internal view returns (address[] memory owners) {
        return drawn(registry, capability, commitBlock, seed, i, executor, CANDIDATES);
    }

    /// @notice The first `count` of the same draw, which goes on without replacement (R20).
    function drawn(
        IRegistry registry,
        bytes32 capability,
        uint256 commitBlock,
        bytes32 seed,
        uint32 i,
        address executor,
        uint256 count
    ) internal view returns (address[] memory owners) {
        uint256 seats = registry.seatCountAt(capability, commitBlock);
        address[] memory pool = new address[](PANEL_SEATS);
        uint256 size;
        for (uint256 j; j < PANEL_SEATS; ++j) {
            address owner = registry.seatOwnerAt(capability, panelSeat(seed, j, seats), commitBlock);
            if (owner != executor) pool[size++] = owner;
        }
        if (size == 0) return _beyond(registry, capability, commitBlock, seed, executor, seats);
        owners = new address[](size < count ? size : count);
        for (uint8 c; c < owners.length; ++c) {
            uint256 x = uint256(keccak256(abi.encode(Hashes.CANDIDATE, seed, i, c))) % size;
            owners[c] = pool[x];
            pool[x] = pool[--size];
        }
    }

    /// @notice Whether a second seed draws the verdict on sample `i` for a second audit (R22).
    function isReaudited(bytes32 seed, uint256 batchId, uint32 i, uint256 reauditRate) internal pure returns (bool) {
        return uint256(keccak256(abi.encode(Hashes.REAUDIT, seed, batchId, i))) % 10_000 < reauditRate;
    }

    /// @notice Owners of the seats that a second seed draws to audit a sample again: the first three that are neither the
    /// executor's nor the first verifier's.
    function reauditors(
        IRegistry registry,
        bytes32 capability,
        uint256 commitBlock,
        bytes32 seed,
        uint256 batchId,
        uint32 i,
        address executor,
        address first
    ) internal view returns (address[] memory owners) {
        uint256 seats = registry.seatCountAt(capability, commitBlock);
        owners = new address[](CANDIDATES);
        uint256 size;
        for (uint256 j; j < REAUDIT_SEATS && size < CANDIDATES; ++j) {
            uint256 seat = uint256(keccak256(abi.encode(Hashes.REAUDITOR, seed, batchId, i, j))) % seats;
            address owner = registry.seatOwnerAt(capability, seat, commitBlock);
            if (owner != executor && owner != first) owners[size++] = owner;
        }
        assembly ("memory-safe") {
            mstore(owners, size) // owners.length = size; it only shrinks
        }
    }

    function _beyond(
        IRegistry registry,
        bytes32 capability,
        uint256 commitBlock,
        bytes32 seed,
        address executor,
        uint256 seats
    ) private view returns (address[] memory owners) {
        for (uint256 j = PANEL_SEATS; j < PANEL_SEATS + FALLBACK_SEATS; ++j) {
            address owner = registry.seatOwnerAt(capability, panelSeat(seed, j, seats), commitBlock);
            if (owner != executor) {
                owners = new address[](1);
                owners[0] = owner;
                return owners;
            }
        }
    }
}
