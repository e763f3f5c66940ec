// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Attestation, Batch, Leaf, LeafNode} from "../types/Batch.sol";
import {DemandKind, SignedLeaf, VerdictLeaf} from "../types/Disputes.sol";
import {Lease, Receipt, Verdict} from "../types/Messages.sol";
import {Terms} from "../types/Terms.sol";

/// @title Demands, proofs of fault and mismatches of a batch (R20, R22, R26, R29)
/// @notice Holds no token. Native deposits of demands are kept here and taken by `withdrawDeposits` (R10).
/// Every call resubmits what the batch's digest covers. In state Drawn the attestation carries the seed alone.
interface IChallenges {
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
    event LeafShown(uint256 indexed batchId, bytes32 indexed demandId, uint32 position, Leaf leaf, address answerer);
    event ShardsShown(uint256 indexed batchId, bytes32 indexed demandId, LeafNode[] row, address answerer);
    event VerdictShown(
        uint256 indexed batchId, bytes32 indexed demandId, Verdict verdict, bytes signature, address answerer
    );
    event SignatureShown(
        uint256 indexed batchId,
        bytes32 indexed demandId,
        uint32 ordinal,
        Lease lease,
        bytes leaseSignature,
        Receipt receipt,
        bytes receiptSignature,
        address answerer
    );
    event DemandExpired(uint256 indexed batchId, bytes32 indexed demandId, uint64 ranges);
    event DepositsWithdrawn(address indexed account, uint256 amount);
    /// @notice `rule` is the name of the proof, as ASCII bytes: "wrong input", "excess units", "units", "undrawn",
    /// "silent", "totals".
    event FaultProved(uint256 indexed batchId, uint64 ranges, bytes32 rule, address prover);
    /// @notice A part of a totals proof that takes more than one transaction.
    event TotalsCounted(
        uint256 indexed batchId, address indexed prover, address verifier, uint32 next, uint32 count, uint64 units
    );

    // --- demands: in the window (state Attested), prepaid, each with a full clock (R26)

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

    // --- proofs of fault: nobody is paid for them, so that nothing is gained by copying one

    /// @notice The worker signed a leaf whose input is not the job's (R1). `proof` opens `inputCommitment` at the leaf's
    /// task index in the inputs root. Drawn, or Attested and in the window. Cause Worker.
    function proveWrongInput(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        SignedLeaf calldata signed,
        uint32 position,
        bytes32 inputCommitment,
        bytes32[] calldata proof
    ) external;

    /// @notice The worker signed a leaf with more units than the terms allow (R1). Cause Worker.
    function proveExcessUnits(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        SignedLeaf calldata signed,
        uint32 position
    ) external;

    /// @notice The units of some range words are not those of the shard row (R4). Cause Coordinator, for each such range.
    function proveUnits(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        LeafNode[] calldata row
    ) external;

    /// @notice The verdict tree names, for `sample`, an account that was not drawn for it (R20). Cause Coordinator.
    function proveUndrawn(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 sample,
        VerdictLeaf calldata leaf,
        bytes32[] calldata proof
    ) external;

    /// @notice The verdict tree has a SILENT leaf whose range the attestation does not name silent: the same as an
    /// unanswered demand. Cause Coordinator.
    function proveSilent(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 sample,
        bytes32[] calldata proof
    ) external;

    /// @notice The attested word of `verifier` (count and units; none: zero) is not the sum of its verdict leaves (R20).
    /// Counts the subtree of `2^depth` verdict leaves that begins at sample `from`, and remembers the sum for the caller;
    /// with the last one it judges. A small batch takes one call with `depth` of the whole tree. Cause Coordinator,
    /// every range.
    function proveTotals(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        address verifier,
        uint32 from,
        uint8 depth,
        VerdictLeaf[] calldata leaves,
        bytes32[] calldata proof
    ) external;

    /// @notice A verdict of a drawn candidate that differs from the leaf which the worker signed (R20, R24a): opens a
    /// dispute before the jury, whoever posts it. From the draw to the window's end; disputes of a range run in parallel.
    function postMismatch(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        SignedLeaf calldata signed,
        Verdict calldata verdict,
        bytes calldata signature
    ) external returns (uint256 disputeId);

    function multicall(bytes[] calldata data) external returns (bytes[] memory results);

    function demandOf(bytes32 demandId) external view returns (Demand memory);
    /// @notice Native coin that `account` can withdraw, wei.
    function depositsOf(address account) external view returns (uint256);
    /// @notice Until when demands of the batch may begin, once one has (0 before): answers extend the window for proofs
    /// alone.
    function demandsUntil(uint256 batchId) external view returns (uint32);
    function gasFigure(DemandKind kind) external view returns (uint32);
}
