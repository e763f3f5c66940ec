// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {JuryState} from "./JuryState.sol";
import {IBeacon} from "./interfaces/IBeacon.sol";
import {IDuties} from "./interfaces/IDuties.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Digests} from "./libraries/Digests.sol";
import {Draw} from "./libraries/Draw.sol";
import {Hashes} from "./libraries/Hashes.sol";
import {KeyedTrees} from "./libraries/KeyedTrees.sol";
import {Positions} from "./libraries/Positions.sol";
import {Signed} from "./libraries/Signed.sol";
import {VerdictTree} from "./libraries/VerdictTree.sol";
import {Attestation, Batch, BatchState, Reward} from "./types/Batch.sol";
import {VerdictLeaf} from "./types/Disputes.sol";
import {Lease, Release, Verdict} from "./types/Messages.sol";
import {Range} from "./types/Range.sol";
import {Terms} from "./types/Terms.sol";
import {ChunkOpening, DigestList, TensorBytes} from "./types/Verdicts.sol";

/// @title Re-audits, calls and equivocation; see IDuties
/// @notice Code of the Jury, in a contract of its own because of the size limit: the Jury makes it, once and for ever, and
/// runs it by delegatecall. Called directly it can do nothing, since Market and Registry know only the Jury.
contract Duties is IDuties, JuryState {
    bytes32 internal constant REASON_DIGEST = "false digest";
    bytes32 internal constant REASON_SILENT = "silent seat";
    /// @dev Measured: an answer with its release costs less (see docs/decisions/0015).
    uint256 internal constant ANSWER_GAS = 120_000;

    constructor(address registry_, address market_, address challenges_, address game_)
        JuryState(registry_, market_, challenges_, game_)
    {}

    // -- Re-audits (R22) ---------------------------------------------------------------------------------------------

    /// @inheritdoc IDuties
    function startRound() external returns (uint256 round) {
        round = _rounds.length;
        if (round != 0 && _rounds[round - 1].blockNumber == block.number) revert RoundExists(round - 1, block.number);
        _rounds.push(Round(uint64(block.number), 0));
        emit RoundStarted(round, uint64(block.number));
    }

    /// @inheritdoc IDuties
    function keepRound(uint256 round) public returns (bytes32 seed) {
        seed = _roundSeed(round);
        if (_rounds[round].seed != 0) return seed;
        _rounds[round].seed = seed;
        emit RoundSeeded(round, seed);
    }

    /// @inheritdoc IDuties
    function roundOf(uint256 round) external view returns (Round memory) {
        return _rounds[round];
    }

    /// @inheritdoc IDuties
    function reauditorsOf(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 sample,
        uint256 round,
        address first
    ) external view returns (address[] memory accounts) {
        (uint256 batchId,) = _attested(terms, batch, attestation);
        return _drawReauditors(terms, batch, attestation.seed, batchId, sample, round, first);
    }

    /// @inheritdoc IDuties
    function seatReauditor(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 sample,
        uint256 round,
        address account,
        VerdictLeaf calldata first,
        bytes32[] calldata proof
    ) external {
        (uint256 batchId, uint256 clock) = _attested(terms, batch, attestation);
        // INVARIANT: the clock that a seat adds cannot be used to seat more; else pay never moves (R30).
        uint256 until = _seatsUntil[batchId];
        if (until == 0) _seatsUntil[batchId] = clock;
        else if (block.timestamp > until) revert DutyBatch(batchId);
        // INVARIANT: who stands in the verdict tree is judged by the first draw alone; else a friend that was not drawn is
        // made a candidate afterwards by as many rounds as it takes.
        VerdictTree.requireLeaf(
            VerdictTree.hash(sample, first), sample, _samples(terms, batch), proof, attestation.verdictRoot
        );
        keepRound(round);
        address[] memory accounts =
            _drawReauditors(terms, batch, attestation.seed, batchId, sample, round, first.verifier);
        if (first.verifier == address(0) || !_contains(accounts, account)) {
            revert NotReaudited(round, batchId, sample, account);
        }
        if (_reauditors[attestation.seed][sample][account]) return;
        _reauditors[attestation.seed][sample][account] = true;
        emit ReauditorSeated(batchId, sample, account, round);
        // What it found shall still be looked at, if it was seated at the last moment.
        IMarket(market).hold(batchId);
        IMarket(market).drop(batchId, block.timestamp + IMarket(market).params().clock);
    }

    /// @inheritdoc IDuties
    function proveCopied(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        Verdict calldata verdict,
        bytes calldata signature,
        DigestList calldata list,
        ChunkOpening calldata opening,
        address finder
    ) external {
        _requireVerdict(batch, verdict, signature);
        bytes32 salt = _openOutput(verdict, list, list.roots);
        _requireKeyed(verdict, salt, opening.keyedRoots);
        uint256 levels = opening.path.length;
        if (levels != opening.keyedPath.length || uint256(opening.index) >> levels != 0) {
            revert KeyedTrees.ChunkPath(opening.index, levels, opening.keyedPath.length);
        }
        bytes32 leaf = KeyedTrees.leaf(KeyedTrees.plainKey(), opening.chunk);
        _requireTensor(list.roots, opening, KeyedTrees.rootOf(leaf, opening.index, opening.path, opening.header));
        leaf = opening.keyedLeaf;
        _requireTensor(
            opening.keyedRoots, opening, KeyedTrees.rootOf(leaf, opening.index, opening.keyedPath, opening.header)
        );
        if (leaf == KeyedTrees.leaf(_key(verdict), opening.chunk)) {
            revert DigestTrue(verdict.batchId, verdict.sample, verdict.verifier);
        }
        _punish(terms, batch, attestation, verdict, finder);
    }

    /// @inheritdoc IDuties
    function proveMadeUp(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        Verdict calldata verdict,
        bytes calldata signature,
        DigestList calldata list,
        TensorBytes[] calldata tensors,
        address finder
    ) external {
        _requireVerdict(batch, verdict, signature);
        bytes32 salt = _openOutput(verdict, list, _roots(KeyedTrees.plainKey(), tensors));
        if (KeyedTrees.commit(salt, _roots(_key(verdict), tensors)) == verdict.keyedDigest) {
            revert DigestTrue(verdict.batchId, verdict.sample, verdict.verifier);
        }
        _punish(terms, batch, attestation, verdict, finder);
    }

    // -- Calls (R20, R25) --------------------------------------------------------------------------------------------

    /// @inheritdoc IDuties
    function callSamples(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32[] calldata samples,
        string calldata url
    ) external {
        (uint256 batchId, BatchState state, uint256 clock) = IMarket(market).checkBatch(terms, batch, attestation);
        if (state != BatchState.Drawn || batch.committer != msg.sender) revert DutyBatch(batchId);
        uint256 until = block.timestamp + IMarket(market).params().attestLimit / 3;
        if (until >= clock) revert CallTooLate(batchId, clock);
        uint256 count = _samples(terms, batch);
        for (uint256 i; i < samples.length; ++i) {
            if (samples[i] >= count) revert Draw.DrawOutside(samples[i], count);
            uint40 before = _called[attestation.seed][samples[i]];
            if (before != 0) revert CallState(batchId, samples[i], before);
            _called[attestation.seed][samples[i]] = uint40(until);
        }
        _callings[batchId] = Calling(Digests.batch(batch), attestation.seed);
        emit SamplesCalled(batchId, samples, uint40(until), url);
    }

    /// @inheritdoc IDuties
    function answerCall(
        Terms calldata terms,
        Batch calldata batch,
        Verdict calldata verdict,
        bytes calldata signature
    ) external {
        (uint256 batchId, bytes32 seed) = _requireCalled(terms, batch);
        _requireVerdict(batch, verdict, signature);
        uint32 sample = verdict.sample;
        uint256 until = _called[seed][sample];
        if (block.timestamp > until) revert CallState(batchId, sample, until);
        if (
            _moved[batchId][sample][verdict.verifier]
                || verdict.position != Draw.position(seed, sample, _leaves(terms, batch))
                || !_contains(_drawCalled(terms, batch, seed, sample), verdict.verifier)
        ) revert CallAccount(batchId, sample, verdict.verifier);
        _moved[batchId][sample][verdict.verifier] = true;
        emit CallAnswered(batchId, sample, verdict.verifier, verdict, signature);
    }

    /// @inheritdoc IDuties
    function declareUnserved(uint256 batchId, uint32[] calldata samples) external {
        bytes32 seed = _callings[batchId].seed;
        for (uint256 i; i < samples.length; ++i) {
            uint256 until = _called[seed][samples[i]];
            if (block.timestamp > until) revert CallState(batchId, samples[i], until);
            _moved[batchId][samples[i]][msg.sender] = true;
            emit CallUnserved(batchId, samples[i], msg.sender);
        }
    }

    /// @inheritdoc IDuties
    function chargeSilent(Terms calldata terms, Batch calldata batch, uint32 sample, address account) external {
        (uint256 batchId, bytes32 seed) = _requireCalled(terms, batch);
        uint256 until = _called[seed][sample];
        if (until == 0 || block.timestamp <= until) revert CallState(batchId, sample, until);
        if (
            _moved[batchId][sample][account] || _charged[batchId][account]
                || !_contains(_drawCalled(terms, batch, seed, sample), account)
        ) revert CallAccount(batchId, sample, account);
        _charged[batchId][account] = true;
        uint256 taken = IRegistry(registry).slashSeat(
            account, address(0), IRegistry(registry).LIVENESS_SLASH(), false, REASON_SILENT, new Reward[](0)
        );
        emit SeatSilent(batchId, sample, account, uint96(taken));
    }

    /// @inheritdoc IDuties
    function calledOf(Terms calldata terms, Batch calldata batch, bytes32 seed, uint32 sample)
        external
        view
        returns (address[] memory)
    {
        return _drawCalled(terms, batch, seed, sample);
    }

    /// @inheritdoc IDuties
    function calledUntil(uint256 batchId, uint32 sample) external view returns (uint256) {
        return _called[_callings[batchId].seed][sample];
    }

    /// @inheritdoc IDuties
    function hasMoved(uint256 batchId, uint32 sample, address account) external view returns (bool) {
        return _moved[batchId][sample][account];
    }

    // -- Equivocation (R14) ------------------------------------------------------------------------------------------

    /// @inheritdoc IDuties
    function claimEquivocation(
        Lease calldata first,
        bytes calldata firstSignature,
        Lease calldata second,
        bytes calldata secondSignature
    ) external payable returns (bytes32 claimId) {
        if (
            first.jobId != second.jobId || first.shard != second.shard || first.worker == second.worker
                || first.start > second.start || second.start >= first.expiry || second.start >= second.expiry
        ) revert LeasesApart();
        (bytes32 firstHash, bytes32 secondHash) = (Signed.hash(first), Signed.hash(second));
        address coordinator = _leaser(firstHash, firstSignature, first.start);
        address other = _leaser(secondHash, secondSignature, second.start);
        if (coordinator == address(0) || coordinator != other) revert LeaseSigners(coordinator, other);
        claimId = keccak256(abi.encode(firstHash, secondHash));
        Claim storage claim = _claims[claimId];
        if (claim.state != ClaimState.None) revert ClaimRefused(claimId, claim.state, claim.until);
        uint256 deposit = claimDeposit();
        if (msg.value < deposit) revert ClaimDeposit(msg.value, deposit);

        uint256 clock = IMarket(market).params().clock;
        uint40 until = SafeCast.toUint40(block.timestamp + clock);
        (claim.claimer, claim.deposit, claim.coordinator) = (msg.sender, uint96(deposit), coordinator);
        (claim.until, claim.state, claim.firstHash) = (until, ClaimState.Open, firstHash);
        (claim.first, claim.second, claim.start) = (first.worker, second.worker, SafeCast.toUint40(second.start));
        claim.tied = first.start == second.start;
        if (msg.value > deposit) _deposits[msg.sender] += msg.value - deposit;
        emit EquivocationClaimed(claimId, coordinator, first.jobId, first.shard, firstHash, secondHash, until);
        // INVARIANT: the bond stays until the claim can be settled, with a clock for who settles it.
        IRegistry(registry).holdStanding(coordinator, SafeCast.toUint40(until + clock));
    }

    /// @inheritdoc IDuties
    function answerEquivocation(bytes32 claimId, Release calldata release, bytes calldata signature) external {
        Claim storage claim = _claims[claimId];
        if (claim.state != ClaimState.Open || block.timestamp > claim.until) {
            revert ClaimRefused(claimId, claim.state, claim.until);
        }
        address key =
            ECDSA.recoverCalldata(Signed.digest(Signed.domainSeparator(market), Signed.hash(release)), signature);
        // A key belongs to one account for ever; whether it still counts matters to nobody but that account.
        (address signer,,) = IRegistry(registry).keyOf(key);
        if (release.leaseHash != claim.firstHash || release.at > claim.start || signer != claim.first) {
            revert ClaimRelease(release.leaseHash, release.at, signer);
        }
        claim.state = ClaimState.Answered;
        _deposits[msg.sender] += claim.deposit;
        emit EquivocationAnswered(claimId, claim.coordinator);
    }

    /// @inheritdoc IDuties
    function settleEquivocation(bytes32 claimId) external {
        Claim storage claim = _claims[claimId];
        if (claim.state != ClaimState.Open || block.timestamp <= claim.until) {
            revert ClaimRefused(claimId, claim.state, claim.until);
        }
        claim.state = ClaimState.Proved;
        _deposits[claim.claimer] += claim.deposit;
        (uint256 bond,) = IRegistry(registry).standingOf(claim.coordinator);
        Reward[] memory rewards = new Reward[](claim.tied ? 2 : 1);
        // Cut by the Registry to what need not burn; halves of a tie are halves of that.
        uint256 most = bond - _burnedUp(bond);
        rewards[0] = Reward(claim.second, uint96(claim.tied ? most / 2 : most));
        if (claim.tied) rewards[1] = Reward(claim.first, uint96(most / 2));
        uint256 taken = IRegistry(registry).slashStanding(claim.coordinator, rewards);
        emit EquivocationProved(claimId, claim.coordinator, claim.second, uint96(taken));
    }

    /// @inheritdoc IDuties
    function claimOf(bytes32 claimId) external view returns (Claim memory) {
        return _claims[claimId];
    }

    /// @inheritdoc IDuties
    function claimDeposit() public view returns (uint256) {
        return 2 * block.basefee * ANSWER_GAS;
    }

    /// @inheritdoc IDuties
    function dutyDepositsOf(address account) external view returns (uint256) {
        return _deposits[account];
    }

    /// @inheritdoc IDuties
    function withdrawDutyDeposits() external returns (uint256 amount) {
        amount = _deposits[msg.sender];
        _deposits[msg.sender] = 0;
        emit DutyDepositsWithdrawn(msg.sender, amount);
        (bool sent,) = msg.sender.call{value: amount}("");
        if (!sent) revert DutyRefused(msg.sender, amount);
    }

    // -- Inside: verdicts --------------------------------------------------------------------------------------------

    /// @dev Leads from the tensors' roots to the output commitment; returns the salt of the digest part.
    function _openOutput(Verdict calldata verdict, DigestList calldata list, bytes32[] memory roots)
        internal
        pure
        returns (bytes32 salt)
    {
        bytes32 computed;
        salt = list.salt;
        if (list.outputPart != 0) {
            computed = Hashes.output(list.outputPart, KeyedTrees.commit(salt, roots));
        } else {
            // The outputs serve only where the list is empty; one salt gives both parts' salts, so it cannot be bent.
            bytes32 outer = keccak256(abi.encode(Hashes.SALT_OUT, salt));
            salt = keccak256(abi.encode(Hashes.SALT_DIGEST, salt));
            computed =
                Hashes.output(KeyedTrees.commit(outer, roots), KeyedTrees.commit(salt, new bytes32[](0)));
        }
        // An empty digest list commits to nothing, and stands in no keyed digest.
        if (computed != verdict.outputCommitment || roots.length == 0) {
            revert DigestOutput(computed, verdict.outputCommitment);
        }
    }

    function _requireKeyed(Verdict calldata verdict, bytes32 salt, bytes32[] calldata roots) internal pure {
        bytes32 computed = KeyedTrees.commit(salt, roots);
        if (computed != verdict.keyedDigest) revert DigestKeyed(computed, verdict.keyedDigest);
    }

    function _requireTensor(bytes32[] calldata roots, ChunkOpening calldata opening, bytes32 computed) internal pure {
        if (opening.tensor >= roots.length || roots[opening.tensor] != computed) {
            revert DigestTensor(opening.tensor, computed);
        }
    }

    function _roots(bytes memory prefix, TensorBytes[] calldata tensors) internal pure returns (bytes32[] memory roots) {
        roots = new bytes32[](tensors.length);
        for (uint256 i; i < roots.length; ++i) {
            roots[i] = KeyedTrees.rootOf(prefix, tensors[i].header, tensors[i].data);
        }
    }

    function _key(Verdict calldata verdict) internal pure returns (bytes memory) {
        return KeyedTrees.key(verdict.verifier, verdict.batchId, verdict.position);
    }

    /// @dev On this batch, and signed by its verifier's key as of the commit block (R8). That it was drawn does not matter:
    /// whose keyed digest is not of the tensors that the same verdict commits to did not recompute, asked or not.
    function _requireVerdict(Batch calldata batch, Verdict calldata verdict, bytes calldata signature) internal view {
        address key = ECDSA.recoverCalldata(Signed.digest(Signed.domainSeparator(market), Signed.hash(verdict)), signature);
        if (
            verdict.batchId != Hashes.batchId(batch.jobId, batch.number)
                || IRegistry(registry).accountOf(key, batch.commitBlock) != verdict.verifier
        ) revert DutyVerdict(verdict.batchId, key, verdict.verifier);
    }

    /// @dev C_v of the seat, once a verdict, and what the verifier was to get with this coordinator (R22). A finder is paid
    /// only if a second seed drew it: nothing is gained by copying what it found (R12).
    function _punish(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        Verdict calldata verdict,
        address finder
    ) internal {
        (uint256 batchId, BatchState state,) = IMarket(market).checkBatch(terms, batch, attestation);
        uint256 id = Hashes.disputeId(batchId, verdict.sample, verdict.verifier);
        if (_punished[id]) revert DigestPunished(batchId, verdict.sample, verdict.verifier);
        _punished[id] = true;
        uint256 amount = IMarket(market).verdictCollateralOf(terms);
        Reward[] memory rewards = new Reward[](finder == address(0) ? 0 : 1);
        if (rewards.length == 1) {
            if (state != BatchState.Attested || !_reauditors[attestation.seed][verdict.sample][finder]) {
                revert NotReaudited(0, batchId, verdict.sample, finder);
            }
            rewards[0] = Reward(finder, uint96(amount));
        }
        uint256 taken = IRegistry(registry).slashSeat(
            verdict.verifier, terms.coordinator, amount, true, REASON_DIGEST, rewards
        );
        emit DigestFalse(batchId, verdict.sample, verdict.verifier, uint96(taken), finder);
    }

    // -- Inside: draws -----------------------------------------------------------------------------------------------

    function _attested(Terms calldata terms, Batch calldata batch, Attestation calldata attestation)
        internal
        view
        returns (uint256 batchId, uint256 clock)
    {
        BatchState state;
        (batchId, state, clock) = IMarket(market).checkBatch(terms, batch, attestation);
        if (state != BatchState.Attested || block.timestamp > clock) revert DutyBatch(batchId);
    }

    function _roundSeed(uint256 round) internal view returns (bytes32 seed) {
        seed = _rounds[round].seed;
        if (seed != 0) return seed;
        seed = IBeacon(IMarket(market).params().beacon).seed(_rounds[round].blockNumber);
        if (seed == 0) revert RoundSeed(round);
    }

    /// @dev Rounds from before the attestation count too: nobody escapes a later one by them, and the batch's clock, which
    /// answers move, need not say when it was attested.
    function _drawReauditors(
        Terms calldata terms,
        Batch calldata batch,
        bytes32 batchSeed,
        uint256 batchId,
        uint32 sample,
        uint256 round,
        address first
    ) internal view returns (address[] memory) {
        if (_rounds[round].blockNumber <= batch.commitBlock) revert RoundSeed(round);
        bytes32 seed = _roundSeed(round);
        if (!Draw.isReaudited(seed, batchId, sample, IMarket(market).params().reauditRate)) return new address[](0);
        return Draw.reauditors(
            IRegistry(registry),
            terms.capability,
            batch.commitBlock,
            seed,
            batchId,
            sample,
            _executor(terms, batch, batchSeed, sample),
            first
        );
    }

    function _drawCalled(Terms calldata terms, Batch calldata batch, bytes32 seed, uint32 sample)
        internal
        view
        returns (address[] memory)
    {
        address executor = _executor(terms, batch, seed, sample);
        return Draw.drawn(
            IRegistry(registry), terms.capability, batch.commitBlock, seed, sample, executor, Draw.CALLED
        );
    }

    function _executor(Terms calldata terms, Batch calldata batch, bytes32 seed, uint32 sample)
        internal
        pure
        returns (address)
    {
        uint256 position = Draw.position(seed, sample, _leaves(terms, batch));
        (, Range range) = Positions.rangeOf(batch.ranges, position / terms.shardSize);
        return range.worker();
    }

    function _leaves(Terms calldata terms, Batch calldata batch) internal pure returns (uint256) {
        return Positions.leaves(terms, batch.firstShard, Positions.union(batch.ranges));
    }

    function _samples(Terms calldata terms, Batch calldata batch) internal pure returns (uint256) {
        return Draw.samples(terms.auditRate, _leaves(terms, batch));
    }

    function _requireCalled(Terms calldata terms, Batch calldata batch)
        internal
        view
        returns (uint256 batchId, bytes32 seed)
    {
        batchId = Hashes.batchId(batch.jobId, batch.number);
        Calling memory calling = _callings[batchId];
        if (
            calling.seed == 0 || Digests.batch(batch) != calling.batchHash
                || Hashes.terms(terms) != IMarket(market).termsHashOf(batch.jobId)
        ) revert DutyBatch(batchId);
        seed = calling.seed;
    }

    // -- Inside: the rest --------------------------------------------------------------------------------------------

    function _leaser(bytes32 leaseHash, bytes calldata signature, uint256 start) internal view returns (address) {
        address key = ECDSA.recoverCalldata(Signed.digest(Signed.domainSeparator(market), leaseHash), signature);
        return IRegistry(registry).leaserOf(key, block.number, start);
    }

    function _burnedUp(uint256 amount) internal view returns (uint256) {
        return (amount * IRegistry(registry).BURN_RATE() + 9_999) / 10_000;
    }

    function _contains(address[] memory accounts, address account) internal pure returns (bool) {
        for (uint256 i; i < accounts.length; ++i) {
            if (accounts[i] == account) return true;
        }
        return false;
    }
}
