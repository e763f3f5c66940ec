// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IRegistry} from "../interfaces/IRegistry.sol";
import {Batch, Leaf, LeafNode} from "../types/Batch.sol";
import {SignedLeaf} from "../types/Disputes.sol";
import {Lease, Receipt} from "../types/Messages.sol";
import {Range} from "../types/Range.sol";
import {Terms} from "../types/Terms.sol";
import {Hashes} from "./Hashes.sol";
import {Positions} from "./Positions.sol";
import {Signed} from "./Signed.sol";
import {Trees} from "./Trees.sol";

/// @title Opening leaves, shards and signatures of a committed batch (R3, R4, R8, R14)
/// @notice Whatever these functions accept is bound to the batch's root, and what they call signed was signed by keys as
/// of the commit block.
library Openings {
    /// @notice What was opened does not hash to the batch's root.
    error OpeningRoot(bytes32 computed, bytes32 root);
    /// @notice The path has another length than the two trees' depths.
    error OpeningDepth(uint256 given, uint256 needed);
    /// @notice The leaf is for another task than its position says (R5).
    error OpeningTask(uint256 given, uint256 needed);
    /// @notice The leaf or lease names another worker than the range.
    error OpeningWorker(address given, address needed);
    /// @notice The lease is for another job or shard.
    error OpeningLease(uint192 jobId, uint32 shard);
    /// @notice The receipt is not for this lease, shard root or units (R14).
    error OpeningReceipt(bytes32 leaseHash, bytes32 shardRoot, uint64 units);
    /// @notice The lease (true) or receipt (false) was not signed by a key of this account at the commit block.
    error OpeningSigner(bool lease, address key, address account);

    /// @notice Where an opened leaf or shard stands.
    struct Place {
        uint256 ordinal; // of the shard in the batch
        uint256 shard; // of the job
        uint256 rangeIndex;
        address worker;
        bytes32 shardRoot;
        uint64 shardUnits;
    }

    /// @notice Checks a leaf at a position against the batch's root.
    function leaf(
        Terms calldata terms,
        Batch calldata batch,
        uint256 position,
        Leaf calldata value,
        LeafNode[] calldata path
    ) internal pure returns (Place memory place) {
        uint256 task;
        (place.ordinal, place.shard, task) = Positions.locate(terms, batch, position);
        _range(batch, place);
        if (value.taskIndex != task) revert OpeningTask(value.taskIndex, task);
        if (value.worker != place.worker) revert OpeningWorker(value.worker, place.worker);

        uint256 low = Trees.depth(terms.shardSize);
        uint256 high = Trees.depth(Positions.ones(Positions.union(batch.ranges)));
        if (path.length != low + high) revert OpeningDepth(path.length, low + high);
        LeafNode memory node = LeafNode(Hashes.leaf(batch.jobId, value), value.units);
        node = Trees.fold(node, position % terms.shardSize, path, 0, low);
        (place.shardRoot, place.shardUnits) = (node.hash, node.units);
        _requireRoot(batch, Trees.fold(node, place.ordinal, path, low, high));
    }

    /// @notice Checks a shard's root and units at an ordinal against the batch's root.
    function shard(Batch calldata batch, uint256 ordinal, bytes32 root, uint64 units, LeafNode[] calldata path)
        internal
        pure
        returns (Place memory place)
    {
        uint256 bits = Positions.union(batch.ranges);
        uint256 high = Trees.depth(Positions.ones(bits));
        place.ordinal = ordinal;
        place.shard = batch.firstShard + Positions.bitAt(bits, ordinal);
        _range(batch, place);
        if (path.length != high) revert OpeningDepth(path.length, high);
        (place.shardRoot, place.shardUnits) = (root, units);
        _requireRoot(batch, Trees.fold(LeafNode(root, units), ordinal, path, 0, high));
    }

    /// @notice Checks the row of all shard roots against the batch's root.
    function row(Batch calldata batch, LeafNode[] memory nodes) internal pure {
        uint256 needed = Positions.ones(Positions.union(batch.ranges));
        if (nodes.length != needed) revert OpeningDepth(nodes.length, needed);
        _requireRoot(batch, Trees.sumRoot(nodes));
    }

    /// @notice Checks that the worker signed the shard under a lease that the coordinator signed.
    function signatures(
        IRegistry registry,
        bytes32 separator,
        Terms calldata terms,
        Batch calldata batch,
        Place memory place,
        Lease calldata lease,
        bytes calldata leaseSignature,
        Receipt calldata receipt,
        bytes calldata receiptSignature
    ) internal view {
        if (lease.jobId != batch.jobId || lease.shard != place.shard) revert OpeningLease(lease.jobId, lease.shard);
        if (lease.worker != place.worker) revert OpeningWorker(lease.worker, place.worker);
        bytes32 leaseHash = Signed.hash(lease);
        if (
            receipt.leaseHash != leaseHash || receipt.shardRoot != place.shardRoot || receipt.units != place.shardUnits
        ) revert OpeningReceipt(receipt.leaseHash, receipt.shardRoot, receipt.units);

        address key = ECDSA.recoverCalldata(Signed.digest(separator, leaseHash), leaseSignature);
        if (registry.leaserOf(key, batch.commitBlock, lease.start) != terms.coordinator) {
            revert OpeningSigner(true, key, terms.coordinator);
        }
        key = ECDSA.recoverCalldata(Signed.digest(separator, Signed.hash(receipt)), receiptSignature);
        if (registry.accountOf(key, batch.commitBlock) != place.worker) {
            revert OpeningSigner(false, key, place.worker);
        }
    }

    /// @notice A leaf with its worker's own signature: what alone may cost a worker its collateral.
    function signedLeaf(
        IRegistry registry,
        bytes32 separator,
        Terms calldata terms,
        Batch calldata batch,
        uint256 position,
        SignedLeaf calldata value
    ) internal view returns (Place memory place) {
        place = leaf(terms, batch, position, value.leaf, value.path);
        signatures(
            registry,
            separator,
            terms,
            batch,
            place,
            value.lease,
            value.leaseSignature,
            value.receipt,
            value.receiptSignature
        );
    }

    function _range(Batch calldata batch, Place memory place) private pure {
        Range range;
        (place.rangeIndex, range) = Positions.rangeOf(batch.ranges, place.ordinal);
        place.worker = range.worker();
    }

    function _requireRoot(Batch calldata batch, LeafNode memory top) private pure {
        bytes32 computed = Hashes.root(top.hash, top.units);
        if (computed != batch.root) revert OpeningRoot(computed, batch.root);
    }
}
