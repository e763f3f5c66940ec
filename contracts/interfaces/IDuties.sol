// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Attestation, Batch} from "../types/Batch.sol";
import {VerdictLeaf} from "../types/Disputes.sol";
import {Lease, Release, Verdict} from "../types/Messages.sol";
import {Terms} from "../types/Terms.sol";
import {ChunkOpening, DigestList, TensorBytes} from "../types/Verdicts.sol";

/// @title What verifiers and coordinators owe beyond one verdict: re-audits, calls, one lease a shard (R14, R20, R22, R25)
/// @notice Part of the Jury's address. Calls resubmit what they are about; in state Drawn the attestation carries the seed
/// alone.
interface IDuties {
    /// @notice A second seed for all batches that are attested before its block.
    struct Round {
        uint64 blockNumber;
        bytes32 seed; // kept once somebody needed it: block hashes are forgotten
    }

    /// @notice What was checked when samples of a batch were called first.
    struct Calling {
        bytes32 batchHash;
        bytes32 seed;
    }

    enum ClaimState {
        None,
        Open,
        Answered,
        Proved
    }

    /// @notice Two leases that overlap, until the first one's release is shown.
    struct Claim {
        address claimer;
        uint96 deposit; // wei
        address coordinator;
        uint40 until; // block timestamp
        ClaimState state;
        address first;
        uint40 start; // of the second lease
        address second;
        bytes32 firstHash;
        bool tied; // both leases start at once: each worker is the other's second
    }

    // -- Errors ------------------------------------------------------------------------------------------------------

    /// @notice The batch, its state or its terms are not what this call needs.
    error DutyBatch(uint256 batchId);
    /// @notice The verdict is on another batch or place, or was not signed by a key of its verifier (R8).
    error DutyVerdict(uint256 batchId, address key, address verifier);
    /// @notice What was opened does not lead to the verdict's output commitment.
    error DigestOutput(bytes32 computed, bytes32 signed);
    /// @notice What was opened does not lead to the verdict's keyed digest.
    error DigestKeyed(bytes32 computed, bytes32 signed);
    /// @notice What was opened is not the tensor of the list.
    error DigestTensor(uint256 tensor, bytes32 computed);
    /// @notice The keyed digest is as it should be.
    error DigestTrue(uint256 batchId, uint32 sample, address verifier);
    /// @notice The verdict has cost its C_v already.
    error DigestPunished(uint256 batchId, uint32 sample, address verifier);
    /// @notice A round begins in a block of its own.
    error RoundExists(uint256 round, uint256 blockNumber);
    /// @notice The round's seed does not exist yet, or is lost; or the round began before the batch was committed.
    error RoundSeed(uint256 round);
    /// @notice The second seed did not draw this verdict, or this account for it.
    error NotReaudited(uint256 round, uint256 batchId, uint32 sample, address account);
    /// @notice Called seats must have their time before the attest limit.
    error CallTooLate(uint256 batchId, uint256 until);
    /// @notice The sample was called before, or was not (yet, or any more) when it should have been.
    error CallState(uint256 batchId, uint32 sample, uint256 until);
    /// @notice The account was not called for the sample, or has moved, or has paid for this batch.
    error CallAccount(uint256 batchId, uint32 sample, address account);
    /// @notice The leases do not overlap, are of one worker, or are not of one shard.
    error LeasesApart();
    /// @notice The leases were not signed by keys of one account.
    error LeaseSigners(address first, address second);
    /// @notice The claim is in another state, or its clock says otherwise.
    error ClaimRefused(bytes32 claimId, ClaimState state, uint256 until);
    /// @notice Less native coin than an answer costs, wei.
    error ClaimDeposit(uint256 given, uint256 needed);
    /// @notice The release is of another lease, too late, or not signed by its worker.
    error ClaimRelease(bytes32 leaseHash, uint256 at_, address signer);
    error DutyRefused(address account, uint256 amount);

    // -- Events ------------------------------------------------------------------------------------------------------

    event RoundStarted(uint256 indexed round, uint64 blockNumber);
    event RoundSeeded(uint256 indexed round, bytes32 seed);
    event ReauditorSeated(uint256 indexed batchId, uint32 sample, address indexed account, uint256 round);
    /// @notice A verdict whose keyed digest is not its verifier's own work. `finder` is 0 where nobody was paid.
    event DigestFalse(
        uint256 indexed batchId, uint32 sample, address indexed verifier, uint96 taken, address finder
    );
    /// @notice The called seats answer at `url` (empty: the coordinator's) or here until `until`.
    event SamplesCalled(uint256 indexed batchId, uint32[] samples, uint40 until, string url);
    event CallAnswered(uint256 indexed batchId, uint32 sample, address indexed verifier, Verdict verdict, bytes signature);
    event CallUnserved(uint256 indexed batchId, uint32 sample, address indexed account);
    event SeatSilent(uint256 indexed batchId, uint32 sample, address indexed account, uint96 taken);
    event EquivocationClaimed(
        bytes32 indexed claimId,
        address indexed coordinator,
        uint192 jobId,
        uint32 shard,
        bytes32 firstHash,
        bytes32 secondHash,
        uint40 until
    );
    event EquivocationAnswered(bytes32 indexed claimId, address indexed coordinator);
    event EquivocationProved(bytes32 indexed claimId, address indexed coordinator, address second, uint96 taken);
    event DutyDepositsWithdrawn(address indexed account, uint256 amount);

    // -- Re-audits (R22) ---------------------------------------------------------------------------------------------

    /// @notice Anyone: a second seed, which draws verdicts of every batch that is attested by then. One for many batches.
    function startRound() external returns (uint256 round);

    /// @notice Anyone: stores a round's seed before block hashes forget it.
    function keepRound(uint256 round) external returns (bytes32 seed);

    function roundOf(uint256 round) external view returns (Round memory);

    /// @notice Whom a round draws to audit the verdict on a sample again; none if it does not draw that verdict.
    function reauditorsOf(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 sample,
        uint256 round,
        address first
    ) external view returns (address[] memory accounts);

    /// @notice Makes `account`, drawn by a round to audit the attested verdict on `sample` again, a candidate of that
    /// sample: its verdict may be posted as a mismatch, and it may be paid for what it finds. In the window as it was when
    /// the first one was seated; the window ends no earlier than a clock after this.
    /// @param first what the verdict tree says of the sample, opened by `proof`
    function seatReauditor(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 sample,
        uint256 round,
        address account,
        VerdictLeaf calldata first,
        bytes32[] calldata proof
    ) external;

    /// @notice The keyed digest that was signed opens, in the place of one chunk, to something else than that chunk under
    /// its verifier's key: it was copied. The chunk is bound by the output commitment in the same verdict, so honest work
    /// cannot be accused. Costs C_v; at any time that the seat still has something.
    /// @param finder a seated re-auditor of the sample, who gets what does not burn; 0: nobody
    function proveCopied(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        Verdict calldata verdict,
        bytes calldata signature,
        DigestList calldata list,
        ChunkOpening calldata opening,
        address finder
    ) external;

    /// @notice The same from all bytes of the list, where nobody can open what was signed because it was made up.
    /// `list.roots` stays empty.
    function proveMadeUp(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        Verdict calldata verdict,
        bytes calldata signature,
        DigestList calldata list,
        TensorBytes[] calldata tensors,
        address finder
    ) external;

    // -- Calls (R20, R25) --------------------------------------------------------------------------------------------

    /// @notice The committer calls the candidates of silent samples and five more of the panel, who from now on are
    /// candidates too. Drawn, and early enough that they have a third of the attest limit.
    function callSamples(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32[] calldata samples,
        string calldata url
    ) external;

    /// @notice A called seat's verdict, posted by anyone.
    function answerCall(
        Terms calldata terms,
        Batch calldata batch,
        Verdict calldata verdict,
        bytes calldata signature
    ) external;

    /// @notice A called seat says that it was not served the task: it pays nothing, and gives no verdict either.
    function declareUnserved(uint256 batchId, uint32[] calldata samples) external;

    /// @notice Anyone, when the time is over: the liveness slash of a called seat that did not move, once a batch.
    function chargeSilent(Terms calldata terms, Batch calldata batch, uint32 sample, address account) external;

    /// @notice Owners who are called, or would be.
    function calledOf(Terms calldata terms, Batch calldata batch, bytes32 seed, uint32 sample)
        external
        view
        returns (address[] memory accounts);

    /// @notice Until when a called sample may be answered; 0 if it was not called.
    function calledUntil(uint256 batchId, uint32 sample) external view returns (uint256);

    function hasMoved(uint256 batchId, uint32 sample, address account) external view returns (bool);

    // -- Equivocation (R14) ------------------------------------------------------------------------------------------

    /// @notice Two leases for one shard, signed by one account's keys, to two workers, whose times overlap. Holds the
    /// standing bond until the claim is over. Prepaid like a demand; what is too much comes back.
    /// @param first the lease that starts first
    function claimEquivocation(
        Lease calldata first,
        bytes calldata firstSignature,
        Lease calldata second,
        bytes calldata secondSignature
    ) external payable returns (bytes32 claimId);

    /// @notice Anyone: the first worker gave its lease back before the second began.
    function answerEquivocation(
        bytes32 claimId,
        Release calldata release,
        bytes calldata signature
    ) external;

    /// @notice Anyone, when the clock is over: the standing bond is forfeit, and what does not burn is the second worker's.
    function settleEquivocation(bytes32 claimId) external;

    function claimOf(bytes32 claimId) external view returns (Claim memory);
    /// @notice What a claim costs in this block, wei.
    function claimDeposit() external view returns (uint256);
    /// @notice Native coin that `account` can withdraw here, wei.
    function dutyDepositsOf(address account) external view returns (uint256);
    function withdrawDutyDeposits() external returns (uint256 amount);
}
