// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Leaf} from "../types/Batch.sol";
import {Operation, Program} from "../types/Program.sol";
import {Terms} from "../types/Terms.sol";

/// @title Every tagged hash of the protocol (R3, R4)
/// @notice `H(TAG, ...)` is keccak-256 over `abi.encode` with a tag first: no two kinds of hash can collide.
/// @dev Golden vectors in `protocol/vectors` hold these and the TypeScript twins equal.
library Hashes {
    bytes32 internal constant JOB = "assay.job";
    bytes32 internal constant TERMS = "assay.terms";
    bytes32 internal constant LEAF = "assay.leaf";
    bytes32 internal constant NODE = "assay.node";
    bytes32 internal constant PAD = "assay.pad";
    bytes32 internal constant ROOT = "assay.root";
    bytes32 internal constant PAIR = "assay.pair";
    bytes32 internal constant EMPTY = "assay.empty";
    bytes32 internal constant INPUT = "assay.input";
    bytes32 internal constant SEED = "assay.seed";
    bytes32 internal constant FEISTEL = "assay.feistel";
    bytes32 internal constant PANEL = "assay.panel";
    bytes32 internal constant CANDIDATE = "assay.candidate";
    bytes32 internal constant JURY = "assay.jury";
    bytes32 internal constant VERDICT = "assay.verdict";
    bytes32 internal constant VOTE = "assay.vote";
    bytes32 internal constant DISPUTE = "assay.dispute";
    bytes32 internal constant DEMAND = "assay.demand";
    bytes32 internal constant CAPABILITY = "assay.capability";
    bytes32 internal constant TENSORS = "assay.tensors";
    bytes32 internal constant SALT_OUT = "assay.salt.out";
    bytes32 internal constant SALT_DIGEST = "assay.salt.digest";
    bytes32 internal constant OUTPUT = "assay.output";
    bytes32 internal constant PROGRAM = "assay.program";
    bytes32 internal constant OPERATION = "assay.operation";
    bytes32 internal constant WIRE = "assay.wire";
    bytes32 internal constant FIND = "assay.find";
    bytes32 internal constant GAME = "assay.game";
    bytes32 internal constant GAME_VERDICT = "assay.game.verdict";
    bytes32 internal constant REAUDIT = "assay.reaudit";
    bytes32 internal constant REAUDITOR = "assay.reauditor";

    function jobId(address market, address requester, uint64 nonce) internal view returns (uint192) {
        return uint192(uint256(keccak256(abi.encode(JOB, block.chainid, market, requester, nonce))));
    }

    function batchId(uint192 job, uint32 number) internal pure returns (uint256) {
        return (uint256(job) << 32) | number;
    }

    /// @dev Equal to `keccak256(abi.encode(TERMS, value))`, at a third of the gas. Bytes are hashed as they came: terms
    /// are stored only when posting has decoded every field, so a match proves that these are canonical too.
    function terms(Terms calldata value) internal pure returns (bytes32 hash) {
        bytes32 tag = TERMS;
        assembly ("memory-safe") {
            let at_ := mload(0x40)
            mstore(at_, tag)
            calldatacopy(add(at_, 0x20), value, 640)
            hash := keccak256(at_, 672)
        }
    }

    function leaf(uint192 job, Leaf calldata value) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                LEAF,
                job,
                value.taskIndex,
                value.worker,
                value.units,
                value.inputCommitment,
                value.outputCommitment
            )
        );
    }

    function node(bytes32 left, uint64 leftUnits, bytes32 right, uint64 rightUnits) internal pure returns (bytes32) {
        return keccak256(abi.encode(NODE, left, leftUnits, right, rightUnits));
    }

    /// @notice A missing leaf or shard of a sum tree; it has 0 units.
    function pad() internal pure returns (bytes32) {
        return keccak256(abi.encode(PAD));
    }

    function root(bytes32 treeRoot, uint64 units) internal pure returns (bytes32) {
        return keccak256(abi.encode(ROOT, treeRoot, units));
    }

    /// @dev Equal to `keccak256(abi.encode(PAIR, left, right))`, at a third of the gas: a row of the game has 63 of them.
    function pair(bytes32 left, bytes32 right) internal pure returns (bytes32 hash) {
        bytes32 tag = PAIR;
        assembly ("memory-safe") {
            let at_ := mload(0x40)
            mstore(at_, tag)
            mstore(add(at_, 0x20), left)
            mstore(add(at_, 0x40), right)
            hash := keccak256(at_, 0x60)
        }
    }

    function empty() internal pure returns (bytes32) {
        return keccak256(abi.encode(EMPTY));
    }

    function input(uint32 taskIndex, bytes32 inputCommitment) internal pure returns (bytes32) {
        return keccak256(abi.encode(INPUT, taskIndex, inputCommitment));
    }

    /// @notice The seed of a batch, or of a dispute, from the beacon's.
    function seed(bytes32 beaconSeed, uint256 id) internal pure returns (bytes32) {
        return keccak256(abi.encode(SEED, beaconSeed, id));
    }

    function verdict(uint32 sample, address verifier, uint32 units, bytes32 verdictHash)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(VERDICT, sample, verifier, units, verdictHash));
    }

    /// @notice The leaf of a sample that got no verdict.
    function silent(uint32 sample) internal pure returns (bytes32) {
        return verdict(sample, address(0), 0, bytes32(0));
    }

    function vote(uint256 disputeId_, address juror, bytes32 outputCommitment, bytes32 salt)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(VOTE, disputeId_, juror, outputCommitment, salt));
    }

    function disputeId(uint256 batch, uint32 sample, address verifier) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(DISPUTE, batch, sample, verifier)));
    }

    function demandId(uint256 batch, uint8 kind, uint32 position) internal pure returns (bytes32) {
        return keccak256(abi.encode(DEMAND, batch, kind, position));
    }

    /// @notice Where the two parts of a task's result meet (R6).
    function output(bytes32 outputPart, bytes32 digestPart) internal pure returns (bytes32) {
        return keccak256(abi.encode(OUTPUT, outputPart, digestPart));
    }

    function capability(string memory profile, uint32 memoryGiB) internal pure returns (bytes32) {
        return keccak256(abi.encode(CAPABILITY, profile, memoryGiB));
    }

    // -- Programs, traces and the game (R2, R6, R27) ----------------------------------------------------------------

    /// @notice T(salt, tensors) of R6, over tensor roots.
    function tensors(bytes32 salt, bytes32[] calldata roots) internal pure returns (bytes32) {
        return keccak256(abi.encode(TENSORS, salt, roots));
    }

    /// @notice The output commitment, from the tensor roots of outputs and digests.
    function output(bytes32 salt, bytes32[] calldata outputs, bytes32[] calldata digests)
        internal
        pure
        returns (bytes32)
    {
        bytes32 outputPart = tensors(keccak256(abi.encode(SALT_OUT, salt)), outputs);
        bytes32 digestPart = tensors(keccak256(abi.encode(SALT_DIGEST, salt)), digests);
        return keccak256(abi.encode(OUTPUT, outputPart, digestPart));
    }

    /// @notice The root of a program of version 1.
    function program(Program calldata value) internal pure returns (bytes32) {
        return keccak256(abi.encode(PROGRAM, uint256(1), value));
    }

    function operation(uint256 index, Operation calldata value) internal pure returns (bytes32) {
        return keccak256(abi.encode(OPERATION, index, value));
    }

    function wire(uint256 index, bytes32 tensorRoot) internal pure returns (bytes32) {
        return keccak256(abi.encode(WIRE, index, tensorRoot));
    }

    function find(address finder, uint256 batch, uint32 position, bytes32 salt) internal pure returns (bytes32) {
        return keccak256(abi.encode(FIND, finder, batch, position, salt));
    }

    function gameId(uint256 batch, uint32 position, address challenger) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(GAME, batch, position, challenger)));
    }

    function verdictGameId(uint256 batch, uint32 position, address challenger, address verifier)
        internal
        pure
        returns (uint256)
    {
        return uint256(keccak256(abi.encode(GAME_VERDICT, batch, position, challenger, verifier)));
    }
}
