// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Attestation, Batch} from "../types/Batch.sol";
import {SignedLeaf} from "../types/Disputes.sol";
import {Verdict} from "../types/Messages.sol";
import {Opened, Operation, Program} from "../types/Program.sol";
import {Terms} from "../types/Terms.sol";

/// @title The game by which the chain finds out who is wrong about an exact result (R26 to R31)
/// @notice One dispute is one challenger against one statement: a leaf that its worker signed, or a verdict that its
/// verifier signed (the defendant). The defendant publishes a trace root tied to that statement; the challenger opens one
/// element that does not follow from its operands, and the referee recomputes it. If the defendant hides its trace, moves
/// alternate: the challenger picks a node, anyone reveals what lies below it. Silence loses.
/// @dev Holds no tokens: bonds lie in the Registry. What a dispute is about is stored as one hash and resubmitted.
interface IDisputeGame {
    /// @notice Whose move it is: the defendant's in Publish, Reveal, Tensor and Chunk, the challenger's in Pick and Prove.
    enum Phase {
        None,
        Publish, // waits for `publish`
        Pick, // waits for `pick`
        Reveal, // waits for `reveal`
        Tensor, // waits for `revealTensor` or `revealInput`
        Chunk, // waits for `revealChunk`
        Prove, // everything is on the table
        Over
    }

    enum Outcome {
        None,
        Refuted, // the defendant lost
        Upheld, // the challenger lost
        Void // the program cannot be judged: nobody lost
    }

    enum Kind {
        Find, // anyone, with a bond, against a leaf
        Mismatch, // a drawn verifier, with its seat, against a leaf
        Verdict // anyone, with a bond, against a verdict
    }

    enum Link {
        Input,
        Output,
        Digest
    }

    /// @notice What a dispute is about. `keccak256(abi.encode(dispute))` is stored; whoever needs it resubmits it.
    struct Case {
        Kind kind;
        bytes32 batchHash; // keccak256(abi.encode(batch))
        bytes32 programRoot;
        bytes32 inputCommitment; // of the leaf; for a verdict, of the job
        bytes32 outputCommitment; // what the defendant signed
        uint256 batchId;
        address challenger;
        address defendant;
        uint64 commitBlock; // as of which its keys count
        uint32 position;
        uint32 taskIndex;
        uint8 rangeIndex;
    }

    /// @notice What only whoever computed the task knows, and what binds its trace to the statement (R6).
    struct Links {
        bytes32 salt; // salt_i
        bytes32[] inputs; // tensor roots in the program's order
        bytes32[] outputs;
        bytes32[] digests;
    }

    /// @notice What `publish` fixes. `keccak256(abi.encode(published))` is stored; whoever needs it resubmits it.
    struct Published {
        bytes32 programRoot;
        bytes32 operationsRoot;
        bytes32 traceRoot;
        bytes32 links; // keccak256(abi.encode(links))
        uint32 inputs; // input wires
        uint32 operations;
    }

    /// @notice A dispute as it stands. The node is at `level` above the leaves of its tree, the `index`-th there.
    struct View {
        Phase phase; // None: unknown
        Outcome outcome;
        bool inside; // in a tensor's tree; false: in the trace's
        uint8 level;
        uint8 restarts; // clocks that parts of a long chain have used
        uint8 moves; // made for the defendant
        uint40 deadline; // last second of whose move it is
        uint32 index;
        uint32 count; // leaves of the tree
        uint96 deposit;
        bytes32 node;
        bytes32 published; // keccak256(abi.encode(Published)), 0 before
        bytes32 dispute; // keccak256(abi.encode(Case))
    }

    /// @notice An operand opened to the trace (a wire) or to the operation (a constant). Empty where it is not read.
    struct OperandPath {
        bytes32[] tracePath; // of the wire; empty for a constant
        bytes32[] chunkPath; // siblings of the opened chunks, level by level, ascending; those that are opened are left out
    }

    /// @notice Everything that shows one element of one operation.
    struct ElementProof {
        uint32 index; // of the operation
        Operation operation;
        bytes32[] path; // to Published.operationsRoot
        uint64 element; // row-major
        Opened[] opened; // one entry an operand
        OperandPath[] operands; // one entry an operand
        bytes32[] tracePath; // of the output's wire
        bytes chunk; // the 1,024 bytes that hold the element
        bytes32[] chunkPath;
        uint64 upTo; // 0: judge at once; else go on with a long chain until so many terms are done
    }

    // -- Errors ------------------------------------------------------------------------------------------------------

    error DisputeUnauthorized(address caller);
    /// @notice This challenger has disputed this statement before.
    error DisputeExists(uint256 disputeId);
    /// @notice The job's program is not of version 1: a jury judges it.
    error DisputeVersion(uint8 version);
    /// @notice The batch is not attested, or its window is over.
    error DisputeClosed(uint256 batchId, uint256 until);
    /// @notice Drawn verifiers come first: others may dispute this position only from then on (R12).
    error DisputeDrawn(uint32 position, uint256 from);
    /// @notice No `commitFind` of an earlier block says so (R12).
    error DisputeNotFound(bytes32 find);
    /// @notice The native coin sent is less than the deposit at this base fee.
    error DisputeDeposit(uint256 sent, uint256 needed);
    /// @notice What was resubmitted is not this dispute, or is not what was published in it.
    error DisputeCase(uint256 disputeId);
    error DisputeBatch(uint256 batchId);
    error DisputeTerms(uint192 jobId);
    error DisputePublished(uint256 disputeId);
    /// @notice Only the challenger moves here.
    error DisputeNotChallenger(address caller, address challenger);
    /// @notice Neither the defendant nor a key of its as of the commit block says so.
    error DisputeSigner(address signer, address defendant);
    /// @notice The program header does not hash to the job's program root.
    error DisputeProgram(bytes32 computed, bytes32 needed);
    /// @notice Salt and roots do not hash to the commitment of the statement.
    error DisputeLinks(Link what, bytes32 computed, bytes32 needed);
    /// @notice What was opened does not hash to what it must.
    error DisputeOpening(bytes32 what, bytes32 computed, bytes32 needed);
    /// @notice The verdict is on another batch or position, or not by a candidate, or not by its verifier's key.
    error DisputeVerdict(bytes32 why);
    /// @notice What was shown is right.
    error DisputeNoFault();
    /// @notice The referee can judge this operation.
    error DisputeJudgeable();
    /// @notice The dispute is not over, or nobody moved for pay.
    error DisputeNoPay(uint256 disputeId);
    error DisputeRefused(address account, uint256 amount);

    // -- Events ------------------------------------------------------------------------------------------------------

    event FindCommitted(address indexed finder, bytes32 indexed hash);
    event DisputeOpened(
        uint256 indexed disputeId, uint256 indexed batchId, address indexed defendant, Case dispute, uint256 deadline
    );
    /// @notice The first row of the trace tree is the nodes at most six levels below its root, paddings left out.
    event TracePublished(
        uint256 indexed disputeId, Published published, Links links, bytes32[] row, uint256 deadline
    );
    event NodePicked(uint256 indexed disputeId, uint8 level, uint32 index, bytes32 node, uint256 deadline);
    event RowRevealed(uint256 indexed disputeId, uint8 level, uint32 index, bytes32[] row, uint256 deadline);
    event TensorRevealed(
        uint256 indexed disputeId, uint32 wire, bytes32 treeRoot, uint32 chunks, bytes32[] row, uint256 deadline
    );
    event ChunkRevealed(uint256 indexed disputeId, uint32 chunk, bytes data, uint256 deadline);
    event ChainExtended(
        uint256 indexed disputeId, uint32 operation, uint64 element, uint64 upTo, uint256 state, uint256 deadline
    );
    /// @notice What the referee says of the element that decided. `defined` false: no claim could be right.
    event ElementJudged(
        uint256 indexed disputeId,
        uint32 operation,
        uint16 code,
        uint64 element,
        uint256 claimed,
        uint256 right,
        bool defined
    );
    /// @notice `reason`, as ASCII bytes: "element", "fill", "link", "input", "silent defendant", "silent challenger",
    /// "unjudgeable".
    event DisputeEnded(uint256 indexed disputeId, uint256 indexed batchId, Outcome outcome, bytes32 reason);
    event CoinsWithdrawn(address indexed account, uint256 amount);

    // -- Opening -----------------------------------------------------------------------------------------------------

    /// @notice Says that the caller has found something, and not what: `keccak256(abi.encode(bytes32("assay.find"), finder,
    /// batchId, position, salt))`. Counts from the next block (R12).
    function commitFind(bytes32 hash) external;

    /// @notice Disputes a leaf of an attested batch inside its window. Takes a bond of C_v in tokens (allowance to the
    /// Registry) and `deposit()` in native coin; more comes back by `withdrawCoins`. Freezes the range.
    function open(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        SignedLeaf calldata signed,
        uint32 position,
        bytes32 salt
    ) external payable returns (uint256 disputeId);

    /// @notice Disputes a drawn verifier's verdict, in the same way. `inputProof` opens `inputCommitment` in the job's
    /// inputs. A defendant that loses pays C_v (R22).
    function openVerdict(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        Verdict calldata verdict,
        bytes calldata signature,
        bytes32 inputCommitment,
        bytes32[] calldata inputProof,
        bytes32 salt
    ) external payable returns (uint256 disputeId);

    /// @notice Challenges only: a drawn verifier's verdict differs from the leaf. Its seat stands behind it.
    function openMismatch(Case calldata dispute) external returns (uint256 disputeId);

    // -- Moves for the defendant: anyone, but only the defendant can fix its trace root ---------------------------------

    /// @notice Fixes the trace. `signature` is empty if the defendant calls, else by a key of its as of the commit block, over
    /// EIP-712 `Trace(uint256 disputeId,bytes32 traceRoot)` in the Market's domain.
    function publish(
        uint256 disputeId,
        Case calldata dispute,
        Program calldata program,
        Links calldata links,
        bytes32 traceRoot,
        bytes32[] calldata row,
        bytes calldata signature
    ) external;

    /// @notice The row under the picked node: at most six levels below it, paddings left out.
    function reveal(uint256 disputeId, bytes32[] calldata row) external;

    /// @notice The picked wire is an operation's: its tensor has the program's header and this tree; the tree's first row.
    function revealTensor(
        uint256 disputeId,
        Published calldata published,
        Operation calldata operation,
        bytes32[] calldata path,
        bytes32 treeRoot,
        bytes32[] calldata row
    ) external;

    /// @notice The same for a wire that is an input of the program.
    function revealInput(
        uint256 disputeId,
        Published calldata published,
        Program calldata program,
        bytes32 treeRoot,
        bytes32[] calldata row
    ) external;

    /// @notice The 1,024 bytes under the picked node.
    function revealChunk(uint256 disputeId, bytes calldata chunk) external;

    // -- Moves of the challenger -------------------------------------------------------------------------------------

    /// @notice Picks a node of the last row: the `index`-th of its level. `path` leads from it to the node that the row lies
    /// under.
    function pick(uint256 disputeId, Case calldata dispute, uint32 index, bytes32 node, bytes32[] calldata path)
        external;

    /// @notice The element is not what the referee computes from its operands, or a byte behind the tensor's end is not 0.
    function proveElement(
        uint256 disputeId,
        Case calldata dispute,
        Terms calldata terms,
        Batch calldata batch,
        Published calldata published,
        ElementProof calldata proof
    ) external;

    /// @notice A wire of the trace is not the input, output or digest tensor that was published against the statement.
    /// @param index of the tensor among those of its kind
    /// @param leaf of the wire in the trace, with its path
    function proveLink(
        uint256 disputeId,
        Case calldata dispute,
        Terms calldata terms,
        Batch calldata batch,
        Published calldata published,
        Program calldata program,
        Links calldata links,
        Link kind,
        uint256 index,
        bytes32 leaf,
        bytes32[] calldata path
    ) external;

    /// @notice The leaf's input is not the job's (R1). Also while the defendant has not published.
    function proveInput(
        uint256 disputeId,
        Case calldata dispute,
        Terms calldata terms,
        Batch calldata batch,
        bytes32 inputCommitment,
        bytes32[] calldata path
    ) external;

    /// @notice An operation of the program cannot be judged, whatever is opened: ends the dispute without a slash.
    function voidUnjudgeable(
        uint256 disputeId,
        Case calldata dispute,
        Terms calldata terms,
        Batch calldata batch,
        Published calldata published,
        uint32 index,
        Operation calldata operation,
        bytes32[] calldata path
    ) external;

    // -- Ends and pay ------------------------------------------------------------------------------------------------

    /// @notice Whose move it was let its clock run out. Anyone.
    function timeout(uint256 disputeId, Case calldata dispute, Terms calldata terms, Batch calldata batch) external;

    /// @notice Credits the caller with its share of the deposit for moves that it made for a defendant who won.
    function claimMoves(uint256 disputeId) external returns (uint256 amount);

    /// @notice Pays out native coin: deposits that came back, shares for moves.
    function withdrawCoins() external returns (uint256 amount);

    // -- Views -------------------------------------------------------------------------------------------------------

    function disputeOf(uint256 disputeId) external view returns (View memory);
    /// @notice Id of a dispute of kind Find or Mismatch.
    function disputeIdOf(uint256 batchId, uint32 position, address challenger) external pure returns (uint256);
    /// @notice Id of a dispute of kind Verdict.
    function verdictDisputeIdOf(uint256 batchId, uint32 position, address challenger, address verifier)
        external
        pure
        returns (uint256);
    /// @notice Block of a `commitFind`; 0 if there was none.
    function findOf(bytes32 hash) external view returns (uint256 blockNumber);
    function movesOf(uint256 disputeId, address account) external view returns (uint256);
    function coinsOf(address account) external view returns (uint256);
    /// @notice Native coin that an `open` takes in this block: 2 x base fee x MOVES_GAS (R26).
    function deposit() external view returns (uint256);

    function referee() external view returns (address);
    /// @notice Seconds of one move.
    function CLOCK() external view returns (uint256);
    /// @notice Seconds of a batch's window.
    function WINDOW() external view returns (uint256);
    /// @notice The longest life of a dispute, in clocks.
    function LIFE() external view returns (uint256);
    /// @notice What a defendant's moves may cost in gas.
    function MOVES_GAS() external view returns (uint256);
}
