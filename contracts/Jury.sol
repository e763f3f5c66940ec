// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {Duties} from "./Duties.sol";
import {JuryState} from "./JuryState.sol";
import {IBeacon} from "./interfaces/IBeacon.sol";
import {IJury} from "./interfaces/IJury.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Ballot} from "./libraries/Ballot.sol";
import {Collateral} from "./libraries/Collateral.sol";
import {Digests} from "./libraries/Digests.sol";
import {Draw} from "./libraries/Draw.sol";
import {Hashes} from "./libraries/Hashes.sol";
import {Signed} from "./libraries/Signed.sol";
import {Batch, Cause, Reward} from "./types/Batch.sol";
import {Verdict} from "./types/Messages.sol";
import {Terms} from "./types/Terms.sol";

/// @title The jury that decides mismatches where no referee can (R28, R29); see IJury
contract Jury is IJury, JuryState {
    using Ballot for Ballot.State;

    bytes32 internal constant REASON_FALSE = "false verdict";
    bytes32 internal constant REASON_SILENT = "silent juror";
    /// @dev How long a block hash lives; a beacon that keeps its seeds for ever never gets here.
    uint256 internal constant SEED_LIFE = 256;

    /// @dev The code of re-audits, calls and equivocation; made here, so that it can never be another.
    address internal immutable DUTIES;

    constructor(address registry_, address market_, address challenges_, address game_)
        JuryState(registry_, market_, challenges_, game_)
    {
        DUTIES = address(new Duties(registry_, market_, challenges_, game_));
    }

    /// @dev What no function here is named for is a duty.
    fallback() external payable {
        _runDuties();
    }

    // -- A dispute's life --------------------------------------------------------------------------------------------

    /// @inheritdoc IJury
    function open(Case calldata dispute) external returns (uint256 disputeId) {
        if (msg.sender != challenges) revert JuryUnauthorized(msg.sender);
        disputeId = Hashes.disputeId(dispute.batchId, dispute.sample, dispute.verifier);
        if (_ballots[disputeId].tally.phase != Phase.None) revert JuryDisputeExists(disputeId);

        Case storage stored = _cases[disputeId];
        _cases[disputeId] = dispute;
        stored.openBlock = uint64(block.number);
        _ballots[disputeId].tally.phase = Phase.Seed;
        _accusers[dispute.batchId][dispute.sample].push(dispute.verifier);
        emit DisputeOpened(
            disputeId,
            dispute.batchId,
            dispute.rangeIndex,
            dispute.sample,
            dispute.verifier,
            dispute.position,
            dispute.leafOutput,
            dispute.verdictOutput,
            uint64(block.number)
        );
        IMarket(market).freeze(dispute.batchId, dispute.rangeIndex);
    }

    /// @inheritdoc IJury
    function drawJury(uint256 disputeId) public {
        Case storage dispute = _cases[disputeId];
        Ballot.State storage ballot = _ballots[disputeId];
        ballot.requirePhase(Phase.Seed);
        bytes32 beaconSeed = _beacon().seed(dispute.openBlock);
        if (beaconSeed == 0) revert JurySeedMissing(disputeId, dispute.openBlock);
        bytes32 seed = Hashes.seed(beaconSeed, disputeId);

        // INVARIANT: neither the executor nor who accuses on this sample judges it (R28).
        address[] memory accusers = _accusers[dispute.batchId][dispute.sample];
        (bytes32 capability, uint256 at_) = (dispute.capability, dispute.commitBlock);
        uint256 seats = IRegistry(registry).seatCountAt(capability, at_);
        for (uint256 j; j < Ballot.SEATS && seats != 0; ++j) {
            address owner = IRegistry(registry).seatOwnerAt(capability, Draw.jurySeat(seed, j, seats), at_);
            if (owner == dispute.executor || _contains(accusers, owner)) continue;
            if (IRegistry(registry).seatCount(capability, owner) != 0) ballot.seat(owner);
        }
        uint32 ends = ballot.start(_clock());
        (address[] memory accounts, uint8[] memory weights,,) = jurorsOf(disputeId);
        emit JuryDrawn(disputeId, seed, accounts, weights, ends);
    }

    /// @inheritdoc IJury
    function reseed(uint256 disputeId) external {
        Case storage dispute = _cases[disputeId];
        _ballots[disputeId].requirePhase(Phase.Seed);
        IBeacon beacon = _beacon();
        if (beacon.seed(dispute.openBlock) != 0 || block.number <= beacon.seedBlock(dispute.openBlock) + SEED_LIFE) {
            revert JurySeedAlive(disputeId, dispute.openBlock);
        }
        dispute.openBlock = uint64(block.number);
        emit DisputeReseeded(disputeId, uint64(block.number));
    }

    /// @inheritdoc IJury
    function strike(uint256 disputeId, Batch calldata batch, Verdict calldata verdict, bytes calldata signature)
        external
    {
        Ballot.State storage ballot = _ballots[disputeId];
        _advance(disputeId);
        ballot.requirePhase(Phase.Commit);
        _requireVerdict(disputeId, batch, verdict, signature);
        uint8 weight = ballot.strike(verdict.verifier);
        emit JurorStruck(disputeId, verdict.verifier, weight);
        // The one whom all waited for may have been struck.
        _advance(disputeId);
    }

    /// @inheritdoc IJury
    function commitVote(uint256 disputeId, bytes32 vote) external {
        Ballot.State storage ballot = _ballots[disputeId];
        if (ballot.tally.phase == Phase.Seed) drawJury(disputeId);
        _advance(disputeId);
        ballot.requirePhase(Phase.Commit);
        ballot.commit(msg.sender, vote);
        emit VoteCommitted(disputeId, msg.sender);
        _advance(disputeId);
    }

    /// @inheritdoc IJury
    function revealVote(uint256 disputeId, bytes32 outputCommitment, bytes32 salt) external {
        Ballot.State storage ballot = _ballots[disputeId];
        _advance(disputeId);
        ballot.requirePhase(Phase.Reveal);
        uint8 weight = ballot.reveal(disputeId, msg.sender, outputCommitment, salt);
        emit VoteRevealed(disputeId, msg.sender, outputCommitment, weight);
        _advance(disputeId);
    }

    /// @inheritdoc IJury
    function resolve(uint256 disputeId, Terms calldata terms, Batch calldata batch) external {
        Case memory dispute = _cases[disputeId];
        Ballot.State storage ballot = _ballots[disputeId];
        _advance(disputeId);
        ballot.requirePhase(Phase.Ripe);
        _requireBatch(dispute, terms, batch);

        Tally memory tally = ballot.tally;
        Outcome outcome = Outcome.NoMajority;
        if (Ballot.hasMajority(tally)) outcome = tally.best == dispute.leafOutput ? Outcome.Upheld : Outcome.Refuted;
        ballot.tally.phase = Phase.Resolved;
        ballot.tally.outcome = outcome;
        emit DisputeResolved(
            disputeId, dispute.batchId, outcome, outcome == Outcome.NoMajority ? bytes32(0) : tally.best
        );

        _chargeSilent(disputeId);
        bool accuserRight = tally.best == dispute.verdictOutput;
        if (outcome == Outcome.NoMajority) {
            IMarket(market).voidRanges(terms, batch, 1 << dispute.rangeIndex, Cause.Nobody, new Reward[](0));
        } else {
            if (outcome == Outcome.Refuted) {
                address finder = accuserRight ? dispute.verifier : address(0);
                Reward[] memory rewards =
                    _rewards(ballot, tally, terms, IMarket(market).collateralOf(terms), finder);
                IMarket(market).voidRanges(terms, batch, 1 << dispute.rangeIndex, Cause.Worker, rewards);
            }
            // A third answer may win: then the leaf is wrong, and so is who accused it (R22).
            if (!accuserRight) {
                Reward[] memory rewards = outcome == Outcome.Upheld
                    ? _rewards(ballot, tally, terms, IMarket(market).verdictCollateralOf(terms), address(0))
                    : new Reward[](0);
                _punish(disputeId, dispute.batchId, dispute.sample, dispute.verifier, terms, rewards);
            }
        }
        IMarket(market).drop(dispute.batchId, 0);
    }

    /// @inheritdoc IJury
    function slashFalse(
        uint256 disputeId,
        Terms calldata terms,
        Batch calldata batch,
        Verdict calldata verdict,
        bytes calldata signature
    ) external {
        Case memory dispute = _cases[disputeId];
        Tally memory tally = _ballots[disputeId].tally;
        if (tally.outcome != Outcome.Upheld && tally.outcome != Outcome.Refuted) {
            revert JuryNoMajority(disputeId, tally.outcome);
        }
        _requireBatch(dispute, terms, batch);
        _requireVerdict(disputeId, batch, verdict, signature);
        if (verdict.outputCommitment == tally.best) revert JuryVerdictRight(disputeId, verdict.verifier);
        if (
            !isCandidate(
                dispute.capability,
                batch.commitBlock,
                dispute.seed,
                dispute.sample,
                dispute.executor,
                verdict.verifier
            )
        ) revert JuryNotDrawn(disputeId, verdict.verifier);

        // Who found the lie gets what is not burned (R12); where nobody did, all burns.
        Reward[] memory rewards = new Reward[](dispute.verdictOutput == tally.best ? 1 : 0);
        if (rewards.length == 1) {
            rewards[0] = Reward(dispute.verifier, uint96(IMarket(market).verdictCollateralOf(terms)));
        }
        _punish(disputeId, dispute.batchId, dispute.sample, verdict.verifier, terms, rewards);
    }

    // -- Views -------------------------------------------------------------------------------------------------------

    /// @inheritdoc IJury
    function disputeIdOf(uint256 batchId, uint32 sample, address verifier) external pure returns (uint256) {
        return Hashes.disputeId(batchId, sample, verifier);
    }

    /// @inheritdoc IJury
    function isCandidate(
        bytes32 capability,
        uint256 commitBlock,
        bytes32 seed,
        uint32 sample,
        address executor,
        address account
    ) public view returns (bool) {
        if (_reauditors[seed][sample][account]) return true;
        uint256 count = _called[seed][sample] == 0 ? Draw.CANDIDATES : Draw.CALLED;
        return _contains(
            Draw.drawn(IRegistry(registry), capability, commitBlock, seed, sample, executor, count), account
        );
    }

    /// @inheritdoc IJury
    function disputeOf(uint256 disputeId) external view returns (Case memory dispute, Tally memory tally) {
        dispute = _cases[disputeId];
        tally = _ballots[disputeId].tally;
        (tally.phase, tally.phaseEnds) = Ballot.current(tally, _clock());
    }

    /// @inheritdoc IJury
    function jurorsOf(uint256 disputeId)
        public
        view
        returns (address[] memory accounts, uint8[] memory weights, bool[] memory committed, bool[] memory revealed)
    {
        Ballot.Juror[] storage jurors = _ballots[disputeId].jurors;
        uint256 count = jurors.length;
        accounts = new address[](count);
        weights = new uint8[](count);
        committed = new bool[](count);
        revealed = new bool[](count);
        for (uint256 i; i < count; ++i) {
            Ballot.Juror memory juror = jurors[i];
            (accounts[i], weights[i], committed[i], revealed[i]) =
                (juror.account, juror.weight, juror.committed, juror.revealed);
        }
    }

    // -- Inside ------------------------------------------------------------------------------------------------------

    /// @dev Runs this very call by the code of Duties and ends it with what that returns.
    function _runDuties() internal {
        address duties = DUTIES;
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            let done := delegatecall(gas(), duties, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if iszero(done) { revert(data, returndatasize()) }
            return(data, returndatasize())
        }
    }

    function _advance(uint256 disputeId) internal {
        Ballot.State storage ballot = _ballots[disputeId];
        if (ballot.advance(_clock())) emit RevealStarted(disputeId, ballot.tally.phaseEnds);
    }

    /// @dev Whoever was drawn and did not both commit and reveal pays for the seat that it kept empty (R25).
    function _chargeSilent(uint256 disputeId) internal {
        uint256 amount = IRegistry(registry).LIVENESS_SLASH();
        Ballot.Juror[] storage jurors = _ballots[disputeId].jurors;
        // A jury too small to ever decide was not called.
        if (_ballots[disputeId].tally.seats < Ballot.QUORUM) return;
        for (uint256 i; i < jurors.length; ++i) {
            Ballot.Juror memory juror = jurors[i];
            if (juror.revealed || juror.weight == 0) continue;
            uint256 taken = IRegistry(registry).slashSeat(
                juror.account, address(0), amount, false, REASON_SILENT, new Reward[](0)
            );
            emit JurorSilent(disputeId, juror.account, uint96(taken));
        }
    }

    /// @dev Of the part of `amount` that is not burned: one audit fee a winning seat, cut alike if it is too little;
    /// then the finder, if there is one (R12).
    function _rewards(
        Ballot.State storage ballot,
        Tally memory tally,
        Terms calldata terms,
        uint256 amount,
        address finder
    ) internal view returns (Reward[] memory rewards) {
        uint256 pot = amount - Collateral.burnedUp(amount, IRegistry(registry).BURN_RATE());
        uint256 fees = Collateral.auditFeeUp(terms) * tally.bestWeight;
        if (fees > pot) fees = pot;

        Ballot.Juror[] storage jurors = ballot.jurors;
        rewards = new Reward[](jurors.length + 1);
        uint256 count;
        for (uint256 i; i < jurors.length; ++i) {
            Ballot.Juror memory juror = jurors[i];
            if (!juror.revealed || ballot.outputs[juror.account] != tally.best) continue;
            rewards[count++] = Reward(juror.account, uint96(fees * juror.weight / tally.bestWeight));
        }
        if (finder != address(0) && pot > fees) rewards[count++] = Reward(finder, uint96(pot - fees));
        assembly ("memory-safe") {
            mstore(rewards, count) // rewards.length = count; it only shrinks
        }
    }

    /// @dev C_v of the seat, and what the verifier was to get with this coordinator and is not final (R22).
    function _punish(
        uint256 disputeId,
        uint256 batchId,
        uint32 sample,
        address verifier,
        Terms calldata terms,
        Reward[] memory rewards
    ) internal {
        uint256 own = Hashes.disputeId(batchId, sample, verifier);
        if (_punished[own]) {
            // Another jury on this sample was quicker; a resolution must not get stuck on it.
            if (own == disputeId) return;
            revert JuryPunished(disputeId, verifier);
        }
        _punished[own] = true;
        uint256 taken = IRegistry(registry).slashSeat(
            verifier, terms.coordinator, IMarket(market).verdictCollateralOf(terms), true, REASON_FALSE, rewards
        );
        emit VerdictFalse(disputeId, verifier, uint96(taken));
    }

    function _requireBatch(Case memory dispute, Terms calldata terms, Batch calldata batch) internal view {
        if (dispute.batchHash == 0 || Digests.batch(batch) != dispute.batchHash) revert JuryBatch(dispute.batchId);
        if (Hashes.terms(terms) != IMarket(market).termsHashOf(batch.jobId)) revert JuryTerms(batch.jobId);
    }

    /// @dev The verdict is on this very sample and signed by its verifier's key as of the commit block (R8).
    function _requireVerdict(
        uint256 disputeId,
        Batch calldata batch,
        Verdict calldata verdict,
        bytes calldata signature
    ) internal view {
        Case storage dispute = _cases[disputeId];
        if (dispute.batchHash == 0 || Digests.batch(batch) != dispute.batchHash) revert JuryBatch(dispute.batchId);
        if (
            verdict.batchId != dispute.batchId || verdict.sample != dispute.sample
                || verdict.position != dispute.position
        ) revert JuryVerdictElsewhere(disputeId, verdict.batchId, verdict.sample, verdict.position);
        address key = ECDSA.recoverCalldata(Signed.digest(Signed.domainSeparator(market), Signed.hash(verdict)), signature);
        if (IRegistry(registry).accountOf(key, batch.commitBlock) != verdict.verifier) {
            revert JuryVerdictSigner(disputeId, key, verdict.verifier);
        }
    }

    function _contains(address[] memory accounts, address account) internal pure returns (bool) {
        for (uint256 i; i < accounts.length; ++i) {
            if (accounts[i] == account) return true;
        }
        return false;
    }

    function _beacon() internal view returns (IBeacon) {
        return IBeacon(IMarket(market).params().beacon);
    }

    function _clock() internal view returns (uint256) {
        return IMarket(market).params().clock;
    }
}
