// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IJury} from "../../../contracts/interfaces/IJury.sol";
import {Terms} from "../../../contracts/types/Terms.sol";
import {Verdict} from "../../../contracts/types/Messages.sol";
import {Base} from "./Base.t.sol";

/// @notice Cheats, accusations and whole jury votes.
abstract contract JuryBase is Base {
    /// @notice Half of all leaves are audited, so that a cheat with seven of fifteen is found under every seed that these
    /// tests meet; audits are cheap, so that a slash covers all fees and leaves the finder something.
    function buildTerms() internal view virtual override returns (Terms memory terms) {
        terms = super.buildTerms();
        terms.auditRate = 5_000;
        terms.auditRatio = 1_000;
    }

    /// @notice Mallory's leaves are wrong, all of them (R7). Drawn, with true verdicts, not attested.
    function cheatedWork() internal returns (Work memory work) {
        Terms memory terms = buildTerms();
        work = buildWork(terms, postJob(terms));
        for (uint256 i; i < work.leaves.length; ++i) {
            if (work.leaves[i].worker == mallory.account) {
                work.leaves[i].outputCommitment = wrongOutputOf(work.leaves[i].taskIndex);
            }
        }
        seal(work);
        commit(work);
        draw(work);
        audit(work);
    }

    /// @notice Honest work, drawn, with true verdicts but for a lie of the first candidate on `sample`.
    function slanderedWork(uint256 sample) internal returns (Work memory work) {
        work = honestWork();
        commit(work);
        draw(work);
        audit(work);
        slander(work, sample, work.verdicts[sample].verifier);
    }

    /// @notice The verifier signs a wrong output for the sample.
    function slander(Work memory work, uint256 sample, address verifier) internal view {
        Verdict memory verdict = verdictOf(work, sample, verifier);
        verdict.outputCommitment = wrongOutputOf(work.leaves[verdict.position].taskIndex);
        setVerdict(work, verdict);
    }

    /// @notice The first sample that hit a leaf of this worker.
    function sampleOf(Work memory work, address worker) internal pure returns (uint256 sample) {
        while (work.leaves[positionOf(work, sample)].worker != worker) ++sample;
    }

    function taskOf(Work memory work, uint256 sample) internal pure returns (uint256) {
        return work.leaves[positionOf(work, sample)].taskIndex;
    }

    /// @notice Posts the verdict that `work` holds for the sample; anyone may.
    function accuse(Work memory work, uint256 sample) internal returns (uint256) {
        return challenges.postMismatch(
            work.terms,
            work.batch,
            work.attestation,
            signedLeafOf(work, positionOf(work, sample)),
            work.verdicts[sample],
            work.verdictSignatures[sample]
        );
    }

    function saltOf(address juror) internal pure returns (bytes32) {
        return keccak256(abi.encode("salt", juror));
    }

    function voteOf(uint256 disputeId, address juror, bytes32 output) internal pure returns (bytes32) {
        return keccak256(abi.encode(bytes32("assay.vote"), disputeId, juror, output, saltOf(juror)));
    }

    function drawJury(uint256 disputeId) internal returns (address[] memory jurors, uint8[] memory weights) {
        mine(3);
        jury.drawJury(disputeId);
        (jurors, weights,,) = jury.jurorsOf(disputeId);
    }

    function commitVote(uint256 disputeId, address juror, bytes32 output) internal {
        vm.prank(juror);
        jury.commitVote(disputeId, voteOf(disputeId, juror, output));
    }

    function revealVote(uint256 disputeId, address juror, bytes32 output) internal {
        vm.prank(juror);
        jury.revealVote(disputeId, output, saltOf(juror));
    }

    /// @notice Every juror commits and reveals its own output.
    function vote(uint256 disputeId, address[] memory jurors, bytes32[] memory outputs) internal {
        for (uint256 i; i < jurors.length; ++i) {
            commitVote(disputeId, jurors[i], outputs[i]);
        }
        for (uint256 i; i < jurors.length; ++i) {
            revealVote(disputeId, jurors[i], outputs[i]);
        }
    }

    /// @notice A whole vote in which every juror says `output`; resolved.
    function unanimous(Work memory work, uint256 disputeId, bytes32 output)
        internal
        returns (address[] memory jurors, uint8[] memory weights)
    {
        (jurors, weights) = drawJury(disputeId);
        bytes32[] memory outputs = new bytes32[](jurors.length);
        for (uint256 i; i < jurors.length; ++i) {
            outputs[i] = output;
        }
        vote(disputeId, jurors, outputs);
        jury.resolve(disputeId, work.terms, work.batch);
    }

    function outcomeOf(uint256 disputeId) internal view returns (IJury.Outcome) {
        (, IJury.Tally memory tally) = jury.disputeOf(disputeId);
        return tally.outcome;
    }

    function phaseOf(uint256 disputeId) internal view returns (IJury.Phase) {
        (, IJury.Tally memory tally) = jury.disputeOf(disputeId);
        return tally.phase;
    }

    function assertOutcome(uint256 disputeId, IJury.Outcome expected) internal view {
        vm.assertEq(uint256(outcomeOf(disputeId)), uint256(expected), "outcome");
    }

    function collateralOf(Terms memory terms) internal view returns (uint256) {
        return market.collateralOf(terms);
    }

    function feeOf(Terms memory terms) internal pure returns (uint256) {
        uint256 rate = (uint256(terms.auditRatio) * terms.fee + 9_999) / 10_000;
        return terms.maxUnits * rate + terms.auditBase;
    }

    function half(uint256 amount) internal pure returns (uint256 burnedUp) {
        return (amount * BURN_RATE + 9_999) / 10_000;
    }

    function owedOf(address account) internal view returns (uint256 owed) {
        (, owed,,) = registry.pairOf(account, coordinator.account);
    }

    function stakedOf(address account) internal view returns (uint256 staked) {
        (staked,,,) = registry.stakerOf(account);
    }

    function jobs(Work memory work) internal pure returns (uint192[] memory list) {
        list = new uint192[](1);
        list[0] = work.jobId;
    }

    function contains(address[] memory list, address account) internal pure returns (bool) {
        for (uint256 i; i < list.length; ++i) {
            if (list[i] == account) return true;
        }
        return false;
    }
}
