// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IJury} from "../../contracts/interfaces/IJury.sol";
import {BatchState} from "../../contracts/types/Batch.sol";
import {JuryBase} from "./support/JuryBase.t.sol";

/// @notice From escrow to payout with a cheat in between: post, commit, draw, attest, accuse, judge, finalize, commit the
/// shards again, refund, withdraw. The vault holds what it owes after every step (R9).
contract ScenarioTest is JuryBase {
    function test_R9_aCheatIsCaughtAndEverybodyElseIsPaid() external {
        uint256 supply = token.totalSupply();
        Work memory work = _cheat();
        uint192[] memory list = jobs(work);
        uint256 collateral = collateralOf(work.terms);
        assertConserved(list, 0, "posted");

        commit(work);
        uint256 reserved = _reserved(work);
        uint256 locked = 4 * collateral;
        assertConserved(list, locked + reserved, "committed");
        draw(work);
        assertConserved(list, locked + reserved, "drawn");
        audit(work);
        tally(work);
        attest(work);
        assertConserved(list, locked + reserved, "attested");

        uint256 sample = sampleOf(work, mallory.account);
        uint256 id = accuse(work, sample);
        assertConserved(list, locked + reserved, "accused");
        address[] memory jurors;
        (jurors,) = drawJury(id);
        for (uint256 i; i < jurors.length; ++i) {
            commitVote(id, jurors[i], outputOf(taskOf(work, sample)));
        }
        for (uint256 i; i < jurors.length; ++i) {
            revealVote(id, jurors[i], outputOf(taskOf(work, sample)));
        }
        assertConserved(list, locked + reserved, "voted");
        jury.resolve(id, work.terms, work.batch);
        assertOutcome(id, IJury.Outcome.Refuted);
        // Mallory's C is gone, half burned and half awarded; the escrow of her range is the job's again.
        uint256 mallorys = _unitsOf(work, mallory.account) * (work.terms.fee + work.terms.coordinatorFee);
        assertConserved(list, locked - collateral + reserved - mallorys, "resolved");

        mine(WINDOW + 1);
        finalize(work);
        assertConserved(list, 0, "final");
        vm.assertEq(uint256(market.batchOf(work.batchId).state), uint256(BatchState.Final), "final");

        // R29: the shards are free; walter does them right.
        Work memory again = _redo(work);
        toAttested(again);
        mine(WINDOW + 1);
        finalize(again);
        assertConserved(list, 0, "done again");

        uint256 before = owedOf(requester.account);
        market.refund(work.jobId, work.terms);
        vm.assertGt(owedOf(requester.account), before, "what was not used is the requester's");
        assertConserved(list, 0, "refunded");

        address[] memory coordinators = new address[](1);
        coordinators[0] = coordinator.account;
        for (uint256 i; i < accounts.length; ++i) {
            uint256 owed = owedOf(accounts[i]);
            uint256 balance = token.balanceOf(accounts[i]);
            vm.prank(accounts[i]);
            registry.withdraw(coordinators);
            vm.assertEq(token.balanceOf(accounts[i]), balance + owed, "what is owed is paid");
        }
        assertConserved(list, 0, "withdrawn");
        vm.assertEq(owedOf(mallory.account), 0, "the cheat earned nothing");
        vm.assertEq(supply - token.totalSupply(), half(collateral), "and half of her collateral is burned");
    }

    function _cheat() internal returns (Work memory work) {
        work = buildWork(buildTerms(), postJob(buildTerms()));
        for (uint256 i; i < work.leaves.length; ++i) {
            if (work.leaves[i].worker == mallory.account) {
                work.leaves[i].outputCommitment = wrongOutputOf(work.leaves[i].taskIndex);
            }
        }
        seal(work);
    }

    function _redo(Work memory work) internal view returns (Work memory again) {
        Actor[] memory workers = new Actor[](1);
        uint64[] memory masks = new uint64[](1);
        (workers[0], masks[0]) = (walter, 10);
        again = buildWork(work.terms, work.jobId, 0, workers, masks);
        seal(again);
    }

    function _unitsOf(Work memory work, address worker) internal pure returns (uint256 units) {
        for (uint256 i; i < work.leaves.length; ++i) {
            if (work.leaves[i].worker == worker) units += work.leaves[i].units;
        }
    }

    /// @dev What the commit took from the job's free escrow: all units' fees, and k u A + min(16, k) auditBase.
    function _reserved(Work memory work) internal view returns (uint256) {
        uint256 units = _unitsOf(work, walter.account) + _unitsOf(work, mallory.account);
        uint256 k = samplesOf(work);
        uint256 rate = (uint256(work.terms.auditRatio) * work.terms.fee + 9_999) / 10_000;
        return units * (work.terms.fee + work.terms.coordinatorFee) + k * work.terms.maxUnits * rate
            + (k < 16 ? k : 16) * work.terms.auditBase;
    }
}
