// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Batch} from "../types/Batch.sol";
import {Range} from "../types/Range.sol";
import {Terms} from "../types/Terms.sol";

/// @title Position, shard and task of a leaf (R5)
/// @notice Every shard has S tasks but the job's last, which is always last in its batch: positions have no hole, and a
/// leaf's task follows from its position.
library Positions {
    /// @notice The position lies outside the batch.
    error PositionOutside(uint256 position, uint256 leaves);

    /// @notice Shards of a job.
    function shards(Terms calldata terms) internal pure returns (uint256) {
        return (uint256(terms.tasks) + terms.shardSize - 1) / terms.shardSize;
    }

    /// @notice Union of the ranges' shard masks, counting from the batch's first shard.
    function union(uint256[] calldata ranges) internal pure returns (uint256 bits) {
        unchecked {
            for (uint256 i; i < ranges.length; ++i) {
                bits |= Range.wrap(ranges[i]).mask();
            }
        }
    }

    /// @notice Leaves in the shards of a mask that counts from `firstShard`.
    function leaves(Terms calldata terms, uint256 firstShard, uint256 bits) internal pure returns (uint256 total) {
        uint256 size = terms.shardSize;
        uint256 all = shards(terms);
        // Cannot overflow: at most 64 shards of 16 bits; a posted job has a shard, and its last lacks less than a shard.
        unchecked {
            total = ones(bits) * size;
            uint256 last = all - 1;
            // Only the job's last shard can be short.
            if (last >= firstShard && last - firstShard < 64 && (bits >> (last - firstShard)) & 1 == 1) {
                total -= all * size - terms.tasks;
            }
        }
    }

    /// @notice Where a leaf stands: the ordinal of its shard in the batch, the shard, the task.
    function locate(Terms calldata terms, Batch calldata batch, uint256 position)
        internal
        pure
        returns (uint256 ordinal, uint256 shard, uint256 taskIndex)
    {
        uint256 bits = union(batch.ranges);
        uint256 count = leaves(terms, batch.firstShard, bits);
        if (position >= count) revert PositionOutside(position, count);
        ordinal = position / terms.shardSize;
        shard = batch.firstShard + bitAt(bits, ordinal);
        taskIndex = shard * terms.shardSize + position % terms.shardSize;
    }

    /// @notice The range that holds the shard of a given ordinal.
    function rangeOf(uint256[] calldata ranges, uint256 ordinal) internal pure returns (uint256 index, Range range) {
        uint256 bit = 1 << bitAt(union(ranges), ordinal);
        for (; index < ranges.length; ++index) {
            range = Range.wrap(ranges[index]);
            if (range.mask() & bit != 0) return (index, range);
        }
        revert PositionOutside(ordinal, ranges.length);
    }

    /// @notice Index of the `ordinal`-th set bit.
    function bitAt(uint256 bits, uint256 ordinal) internal pure returns (uint256 index) {
        uint256 given = ordinal;
        for (uint256 rest = bits; rest != 0; rest &= rest - 1) {
            if (ordinal == 0) {
                // Lowest set bit: everything below it is the complement's trailing ones.
                return ones((rest & (~rest + 1)) - 1);
            }
            --ordinal;
        }
        revert PositionOutside(given, ones(bits));
    }

    /// @notice Set bits of a mask of at most 64 bits (more are ignored).
    function ones(uint256 bits) internal pure returns (uint256) {
        // Cannot overflow: sums of at most 64 ones in fields of 8 bits, the last product's top byte is cut by the mask.
        unchecked {
            uint256 x = uint64(bits);
            x -= (x >> 1) & 0x5555555555555555;
            x = (x & 0x3333333333333333) + ((x >> 2) & 0x3333333333333333);
            x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f;
            return ((x * 0x0101010101010101) >> 56) & 0xff;
        }
    }
}
