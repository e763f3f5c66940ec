// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Batch} from "../types/Batch.sol";
import {Verdict} from "../types/Messages.sol";
import {Terms} from "../types/Terms.sol";

/// @title The jury that decides mismatches until a referee does (R28, R29)
/// @notice 21 seats of a second seed vote an output commitment by commit and reveal. Seats are those of the commit
/// block, like a verifier's: whoever is caught cannot stake a jury of friends in the block of the accusation. An owner who
/// has left since counts for nothing and is charged nothing. Holds no token.
/// An abstention (output 0) counts as a move and as revealed weight, for nobody.
interface IJury {
    enum Outcome {
        None, // not resolved
        Upheld, // the leaf is right: the accuser loses C_v
        Refuted, // the leaf is wrong: R29
        NoMajority // void by Nobody
    }

    enum Phase {
        None,
        Seed, // waits for the second seed
        Commit,
        Reveal,
        Ripe, // can be resolved
        Resolved
    }

    /// @notice What a dispute is about, written once by Challenges.
    struct Case {
        bytes32 batchHash; // keccak256(abi.encode(batch))
        bytes32 seed; // of the batch
        bytes32 capability; // whose seats judge
        bytes32 leafOutput;
        bytes32 verdictOutput;
        uint256 batchId;
        address verifier; // the accuser
        uint64 openBlock; // its seed draws the jury; written by the Jury
        uint32 sample;
        address executor; // the range's worker
        uint32 position;
        uint8 rangeIndex;
        uint64 commitBlock; // whose seat owners judge, as far as they have seats still
    }

    struct Tally {
        uint32 phaseEnds; // block timestamp of the running phase's end; 0 while the seed is awaited
        uint8 seats; // weight of all jurors
        uint8 jurors; // accounts
        uint8 committed; // accounts
        uint8 revealed; // accounts
        uint8 revealedWeight;
        uint8 bestWeight; // of one output other than 0
        Phase phase;
        Outcome outcome;
        bytes32 best; // that output; once resolved by majority, the right one
    }

    error JuryUnauthorized(address caller);
    /// @notice This verifier's verdict on this sample is before a jury, or was.
    error JuryDisputeExists(uint256 disputeId);
    /// @notice The second seed does not exist yet, or is lost (see `reseed`).
    error JurySeedMissing(uint256 disputeId, uint256 openBlock);
    /// @notice The second seed exists or may still come.
    error JurySeedAlive(uint256 disputeId, uint256 openBlock);
    /// @notice What was resubmitted is not the batch of the dispute.
    error JuryBatch(uint256 batchId);
    error JuryTerms(uint192 jobId);
    /// @notice The verdict is about something else than the dispute.
    error JuryVerdictElsewhere(uint256 disputeId, uint256 batchId, uint32 sample, uint32 position);
    /// @notice The verdict was not signed by a key that was its verifier's at the commit block (R8).
    error JuryVerdictSigner(uint256 disputeId, address key, address verifier);
    /// @notice The verdict says what the jury found.
    error JuryVerdictRight(uint256 disputeId, address verifier);
    /// @notice The verifier was not drawn for the sample, so its word counts for nothing and costs nothing.
    error JuryNotDrawn(uint256 disputeId, address verifier);
    /// @notice No jury majority says what is right.
    error JuryNoMajority(uint256 disputeId, Outcome outcome);
    /// @notice The verdict has cost its C_v already.
    error JuryPunished(uint256 disputeId, address verifier);

    event DisputeOpened(
        uint256 indexed disputeId,
        uint256 indexed batchId,
        uint8 rangeIndex,
        uint32 sample,
        address indexed verifier,
        uint32 position,
        bytes32 leafOutput,
        bytes32 verdictOutput,
        uint64 openBlock
    );
    event JuryDrawn(uint256 indexed disputeId, bytes32 seed, address[] jurors, uint8[] weights, uint32 commitEnds);
    /// @notice The seed was lost because nobody called in time; the jury comes from a later block.
    event DisputeReseeded(uint256 indexed disputeId, uint64 openBlock);
    event JurorStruck(uint256 indexed disputeId, address indexed juror, uint8 weight);
    event VoteCommitted(uint256 indexed disputeId, address indexed juror);
    event RevealStarted(uint256 indexed disputeId, uint32 revealEnds);
    event VoteRevealed(uint256 indexed disputeId, address indexed juror, bytes32 output, uint8 weight);
    event DisputeResolved(uint256 indexed disputeId, uint256 indexed batchId, Outcome outcome, bytes32 output);
    event JurorSilent(uint256 indexed disputeId, address indexed juror, uint96 taken);
    event VerdictFalse(uint256 indexed disputeId, address indexed verifier, uint96 taken);

    /// @notice Challenges only: it has checked leaf, signatures and draw. Holds the batch.
    function open(Case calldata dispute) external returns (uint256 disputeId);

    /// @notice Anyone, once the second seed exists: stores the jurors and starts the clock of the commit phase.
    /// The first vote does so by itself.
    function drawJury(uint256 disputeId) external;

    /// @notice Anyone, when that seed is lost for good.
    function reseed(uint256 disputeId) external;

    /// @notice Anyone, while votes are committed: leaves out a juror who signed a verdict on this very sample.
    function strike(uint256 disputeId, Batch calldata batch, Verdict calldata verdict, bytes calldata signature) external;

    /// @param vote H("assay.vote", disputeId, juror, outputCommitment, salt)
    function commitVote(uint256 disputeId, bytes32 vote) external;

    function revealVote(uint256 disputeId, bytes32 outputCommitment, bytes32 salt) external;

    /// @notice Anyone, once all have moved or the clocks have run out.
    function resolve(uint256 disputeId, Terms calldata terms, Batch calldata batch) external;

    /// @notice Anyone, after a majority: C_v of another drawn candidate who signed, for this sample, an output that the
    /// jury found false.
    function slashFalse(
        uint256 disputeId,
        Terms calldata terms,
        Batch calldata batch,
        Verdict calldata verdict,
        bytes calldata signature
    ) external;

    /// @notice H("assay.dispute", batchId, sample, verifier)
    function disputeIdOf(uint256 batchId, uint32 sample, address verifier) external view returns (uint256);
    /// @notice Whether `account` owns one of the drawn seats that may give the verdict on a sample (R20): of the candidates,
    /// of those who were called, or of those who were drawn to audit it again.
    function isCandidate(
        bytes32 capability,
        uint256 commitBlock,
        bytes32 seed,
        uint32 sample,
        address executor,
        address account
    ) external view returns (bool);
    /// @notice The case and its tally; `phase` as of now.
    function disputeOf(uint256 disputeId) external view returns (Case memory dispute, Tally memory tally);
    /// @notice Jurors with their weight in seats (0: struck), whether each has committed and revealed.
    function jurorsOf(uint256 disputeId)
        external
        view
        returns (address[] memory accounts, uint8[] memory weights, bool[] memory committed, bool[] memory revealed);
}
