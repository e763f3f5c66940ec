// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";

/// @title Seats of one capability, numbered from 0 without a hole (R20, R25)
/// @notice Past owners stay readable, so that a draw asks who owned a seat when the batch was committed.
library Seats {
    using Checkpoints for Checkpoints.Trace160;

    struct Book {
        uint32 seats;
        uint32 owners;
        Checkpoints.Trace160 counts;
        mapping(uint256 seat => Checkpoints.Trace160) ownerOf;
        mapping(address account => uint256) held;
    }

    /// @notice Appends seats for an account; the first gets the number that is returned.
    function add(Book storage self, address account, uint32 count) internal returns (uint256 first) {
        first = self.seats;
        if (self.held[account] == 0) self.owners += 1;
        self.held[account] += count;
        for (uint256 i; i < count; ++i) {
            _setOwner(self, first + i, account);
        }
        _setCount(self, first + count);
    }

    /// @notice Removes a seat; the highest one takes its number. Returns who had the removed and the moved seat.
    function remove(Book storage self, bytes32 capability, uint256 seat)
        internal
        returns (address owner, address moved, uint256 last)
    {
        if (seat >= self.seats) revert IRegistry.SeatUnknown(capability, seat, self.seats);
        last = self.seats - 1;
        owner = ownerNow(self, seat);
        if (seat != last) {
            moved = ownerNow(self, last);
            _setOwner(self, seat, moved);
        }
        _setOwner(self, last, address(0));
        _setCount(self, last);
        if (--self.held[owner] == 0) self.owners -= 1;
    }

    function ownerNow(Book storage self, uint256 seat) internal view returns (address) {
        return address(self.ownerOf[seat].latest());
    }

    function ownerAt(Book storage self, uint256 seat, uint256 blockNumber) internal view returns (address) {
        return address(self.ownerOf[seat].upperLookupRecent(SafeCast.toUint96(blockNumber)));
    }

    function countAt(Book storage self, uint256 blockNumber) internal view returns (uint256) {
        return self.counts.upperLookupRecent(SafeCast.toUint96(blockNumber));
    }

    function _setOwner(Book storage self, uint256 seat, address owner) private {
        self.ownerOf[seat].push(uint96(block.number), uint160(owner));
    }

    function _setCount(Book storage self, uint256 count) private {
        self.seats = SafeCast.toUint32(count);
        self.counts.push(uint96(block.number), uint160(count));
    }
}
