// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Attestation, Batch, Leaf, LeafNode} from "../types/Batch.sol";
import {DemandKind} from "../types/Disputes.sol";
import {Lease, Receipt, Verdict} from "../types/Messages.sol";
import {Terms} from "../types/Terms.sol";
import {IProofs} from "./IProofs.sol";

/// @title Demands, proofs of fault and mismatches of a batch (R20, R22, R26, R29)
/// @notice Holds no token. Native deposits of demands are kept here and taken by `withdrawDeposits` (R10).
/// Every call resubmits what the batch's digest covers. In state Drawn the attestation carries the seed alone.
interface IChallenges is IProofs {
    enum DemandState {
        None,
        Open,
        Answered,
        Expired
    }

    struct Demand {
        address asker;
        uint96 deposit; // wei
        bytes32 batchHash; // keccak256(abi.encode(batch))
        uint32 deadline; // block timestamp; a full clock after the demand
        uint32 position; // leaf position, sample, shard ordinal; 0 for the shard row
        DemandKind kind;
        DemandState state;
        uint64 ranges; // mask of the ranges that an unanswered demand voids
        uint8 verifiers; // verifier words that an unanswered demand for a verdict strikes
    }

    /// @notice What was resubmitted is not the batch of the demand.
    error ChallengeBatch(uint256 batchId);
    error ChallengeTerms(uint192 jobId);
    /// @notice Less native coin than the demand costs, wei.
    error DemandDeposit(uint256 given, uint256 needed);
    /// @notice This was asked before; what was shown lies in the log.
    error DemandExists(bytes32 demandId);
    error DemandNotOpen(bytes32 demandId, DemandState state);
    /// @notice The clock of the demand still runs, and has run out.
    error DemandRunning(bytes32 demandId, uint256 until);
    error DemandOver(bytes32 demandId, uint256 until);
    /// @notice The ranges are void already.
    error DemandVoid(uint256 batchId, uint256 ranges);
    /// @notice The account does not take its native coin.
    error DepositRefused(address account, uint256 amount);

    event DemandOpened(
        uint256 indexed batchId,
        bytes32 indexed demandId,
        address indexed asker,
        DemandKind kind,
        uint32 position,
        uint64 ranges,
        uint32 deadline,
        uint96 deposit
    );
    /// @notice `answer` is the answering call's data: its selector says which, and it holds what was shown.
    event DemandAnswered(uint256 indexed batchId, bytes32 indexed demandId, address indexed answerer, bytes answer);
    event DemandExpired(uint256 indexed batchId, bytes32 indexed demandId, uint64 ranges);
    event DepositsWithdrawn(address indexed account, uint256 amount);
    // -- Demands: in the window (state Attested), prepaid, each with a full clock (R26)

    /// @notice What `kind` costs in this block: 2 x base fee x its gas figure, wei. More may be sent; the rest comes back.
    function depositOf(DemandKind kind) external view returns (uint256);

    function demandLeaf(Terms calldata terms, Batch calldata batch, Attestation calldata attestation, uint32 position)
        external
        payable
        returns (bytes32 demandId);

    /// @notice The row of shard roots with their units, by which every range's units can be checked (R4).
    function demandShards(Terms calldata terms, Batch calldata batch, Attestation calldata attestation)
        external
        payable
        returns (bytes32 demandId);

    function demandVerdict(Terms calldata terms, Batch calldata batch, Attestation calldata attestation, uint32 sample)
        external
        payable
        returns (bytes32 demandId);

    /// @notice Lease and receipt of the shard with this ordinal in the batch.
    function demandSignature(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 ordinal
    ) external payable returns (bytes32 demandId);

    function answerLeaf(
        Terms calldata terms,
        Batch calldata batch,
        uint32 position,
        Leaf calldata leaf,
        LeafNode[] calldata path
    ) external;

    function answerShards(Terms calldata terms, Batch calldata batch, LeafNode[] calldata row) external;

    function answerVerdict(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 sample,
        Verdict calldata verdict,
        bytes calldata signature,
        bytes32[] calldata proof
    ) external;

    function answerSignature(
        Terms calldata terms,
        Batch calldata batch,
        uint32 ordinal,
        Lease calldata lease,
        bytes calldata leaseSignature,
        Receipt calldata receipt,
        bytes calldata receiptSignature,
        LeafNode[] calldata topPath
    ) external;

    /// @notice Anyone, once the clock of an unanswered demand has run out: the asker's deposit comes back, its ranges are
    /// void by the coordinator's fault.
    function expire(Terms calldata terms, Batch calldata batch, bytes32 demandId) external;

    /// @notice Sends the caller his deposits, earned or returned.
    function withdrawDeposits() external returns (uint256 amount);

    function multicall(bytes[] calldata data) external returns (bytes[] memory results);

    function demandOf(bytes32 demandId) external view returns (Demand memory);
    /// @notice Native coin that `account` can withdraw, wei.
    function depositsOf(address account) external view returns (uint256);
    /// @notice Until when demands of the batch may begin, once one has (0 before): answers extend the window for proofs
    /// alone.
    function demandsUntil(uint256 batchId) external view returns (uint32);
    /// @notice Gas that an answer costs, as the deployment says.
    function gasFigure(DemandKind kind) external view returns (uint256);
}
