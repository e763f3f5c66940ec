// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {BatchState} from "../../contracts/types/Batch.sol";
import {Terms} from "../../contracts/types/Terms.sol";
import {Base} from "./support/Base.t.sol";

/// @notice Runs in a second and comes first: from escrow to pay and refund.
contract SmokeTest is Base {
    function test_aJob_isPostedCommittedAttestedPaidAndRefunded() public {
        uint256 before = wealthOf(requester.account);
        Work memory work = attestedWork();
        uint256 vault = token.balanceOf(address(registry));
        (,, uint256 batches, uint256 open,,,, uint256 finalShards) = market.jobOf(work.jobId);
        vm.assertEq(batches, 1, "batches");
        vm.assertEq(open, 1, "open batches");
        vm.assertEq(finalShards, 0, "final shards");

        mine(WINDOW + 1);
        finalize(work);

        vm.assertEq(uint256(market.batchOf(work.batchId).state), uint256(BatchState.Final), "state");
        uint256 units;
        for (uint256 i; i < work.batch.ranges.length; ++i) {
            address worker = address(uint160(work.batch.ranges[i] >> 96));
            uint256 done = uint32(work.batch.ranges[i] >> 64);
            (uint256 free, uint256 owed,,) = registry.pairOf(worker, coordinator.account);
            vm.assertEq(owed, done * 1 ether, "worker's pay");
            vm.assertEq(free, 10_000 ether, "worker's collateral");
            units += done;
        }
        uint256 audited;
        for (uint256 i; i < work.attestation.verifiers.length; ++i) {
            uint256 word = work.attestation.verifiers[i];
            (, uint256 owed,,) = registry.pairOf(address(uint160(word >> 96)), coordinator.account);
            vm.assertEq(owed, uint64(word) * 0.5 ether + 0.1 ether, "verifier's pay");
            audited += owed;
        }
        (uint256 bond, uint256 fee,,) = registry.pairOf(coordinator.account, coordinator.account);
        vm.assertEq(fee, units * 0.05 ether, "coordinator's fee");
        vm.assertEq(bond, 10_000 ether, "bond");

        // Every shard is final: what is left returns at once.
        market.refund(work.jobId, work.terms);
        vm.assertEq(
            wealthOf(requester.account), before - units * 1.05 ether - audited, "the requester paid what was done"
        );
        vm.assertEq(token.balanceOf(address(registry)), vault, "nothing left the vault");
        uint192[] memory jobs = new uint192[](1);
        jobs[0] = work.jobId;
        assertConserved(jobs, 0, "at the end");
    }
}
