// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IBound} from "./interfaces/IBound.sol";
import {IChallenges} from "./interfaces/IChallenges.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IProofs} from "./interfaces/IProofs.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Draw} from "./libraries/Draw.sol";
import {Positions} from "./libraries/Positions.sol";
import {Signed} from "./libraries/Signed.sol";
import {Attestation, Batch, BatchState, Cause, Reward} from "./types/Batch.sol";
import {Verdict} from "./types/Messages.sol";
import {Terms} from "./types/Terms.sol";

/// @title What Challenges and its Proofs share: addresses, storage, and the check of what a call resubmits
abstract contract ChallengeBase is IBound {
    /// @dev The sum of one verifier's verdict leaves so far, by who counts them.
    struct Sum {
        uint32 next;
        uint32 count;
        uint64 units;
    }

    /// @dev A batch whose resubmitted parts were checked.
    struct Checked {
        uint256 batchId;
        BatchState state;
        uint256 clock;
        uint256 leaves;
        uint256 samples;
    }

    address public immutable registry;
    address public immutable market;
    address public immutable jury;
    address public immutable game;

    // Proofs runs in the storage of Challenges: both have these variables and no others, in this order.
    mapping(bytes32 demandId => IChallenges.Demand) internal _demands;
    mapping(address account => uint256 wei_) internal _deposits;
    mapping(uint256 batchId => uint32 until) internal _demandsUntil;
    mapping(uint256 batchId => mapping(address prover => mapping(address verifier => Sum))) internal _sums;

    constructor(address registry_, address market_, address jury_, address game_) {
        (registry, market, jury, game) = (registry_, market_, jury_, game_);
    }

    /// @inheritdoc IBound
    function challenges() external view returns (address) {
        return address(this);
    }

    function _check(Terms calldata terms, Batch calldata batch, Attestation calldata attestation)
        internal
        view
        returns (Checked memory checked)
    {
        (checked.batchId, checked.state, checked.clock) = IMarket(market).checkBatch(terms, batch, attestation);
        checked.leaves = Positions.leaves(terms, batch.firstShard, Positions.union(batch.ranges));
        checked.samples = Draw.samples(terms.auditRate, checked.leaves);
    }

    /// @dev Attested, and the window is open.
    function _window(Terms calldata terms, Batch calldata batch, Attestation calldata attestation)
        internal
        view
        returns (Checked memory checked)
    {
        checked = _check(terms, batch, attestation);
        if (checked.state != BatchState.Attested) revert IProofs.ChallengeState(checked.batchId, checked.state);
        if (block.timestamp > checked.clock) revert IProofs.ChallengeOver(checked.batchId, checked.clock);
    }

    /// @dev The verdict is on this batch and a sample of it, and signed by its verifier's key as of the commit block.
    function _requireVerdict(
        Checked memory checked,
        Batch calldata batch,
        bytes32 seed,
        Verdict calldata verdict,
        bytes calldata signature
    ) internal view {
        if (
            verdict.batchId != checked.batchId || verdict.sample >= checked.samples
                || verdict.position != Draw.position(seed, verdict.sample, checked.leaves)
        ) revert IProofs.ChallengeVerdict(verdict.batchId, verdict.sample, verdict.position);
        address key = ECDSA.recoverCalldata(Signed.digest(Signed.domainSeparator(market), Signed.hash(verdict)), signature);
        if (IRegistry(registry).accountOf(key, batch.commitBlock) != verdict.verifier) {
            revert IProofs.ChallengeVerdictSigner(key, verdict.verifier);
        }
    }

    function _positionOf(Checked memory checked, bytes32 seed, uint32 sample) internal pure returns (uint256) {
        if (sample >= checked.samples) revert Draw.DrawOutside(sample, checked.samples);
        return Draw.position(seed, sample, checked.leaves);
    }

    function _allRanges(Batch calldata batch) internal pure returns (uint256) {
        return (1 << batch.ranges.length) - 1;
    }

    function _void(Terms calldata terms, Batch calldata batch, uint256 ranges, Cause cause) internal {
        IMarket(market).voidRanges(terms, batch, ranges, cause, new Reward[](0));
    }
}
