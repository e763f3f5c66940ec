// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {IRegistry} from "../../contracts/interfaces/IRegistry.sol";
import {BatchState, BatchView} from "../../contracts/types/Batch.sol";
import {Terms} from "../../contracts/types/Terms.sol";
import {Base} from "./support/Base.t.sol";

contract MarketCommitTest is Base {
    Terms internal terms;
    uint192 internal jobId;

    function setUp() public override {
        super.setUp();
        terms = buildTerms();
        jobId = postJob(terms);
    }

    function word(address worker, uint32 units, uint64 mask) internal pure returns (uint256) {
        return (uint256(uint160(worker)) << 96) | (uint256(units) << 64) | mask;
    }

    function one(uint256 value) internal pure returns (uint256[] memory words) {
        words = new uint256[](1);
        words[0] = value;
    }

    /// @dev Walter and Mallory in ascending order.
    function two(uint32 units, uint64 first, uint64 second) internal view returns (uint256[] memory words) {
        words = new uint256[](2);
        bool order = walter.account < mallory.account;
        words[0] = word(order ? walter.account : mallory.account, units, first);
        words[1] = word(order ? mallory.account : walter.account, units, second);
    }

    function tryCommit(uint32 firstShard, uint256[] memory words) internal returns (uint256) {
        vm.prank(coordinator.account);
        return market.commitBatch(terms, jobId, firstShard, keccak256("root"), words, keccak256("data"));
    }

    function test_R17_commit_isTheCoordinatorsAlone() public {
        vm.expectRevert(abi.encodeWithSelector(IMarket.MarketUnauthorized.selector, mallory.account));
        vm.prank(mallory.account);
        market.commitBatch(terms, jobId, 0, 0, one(word(walter.account, 1, 1)), 0);
    }

    function test_R1_commit_forAJobOfAnotherCoordinator_reverts() public {
        Terms memory other = terms;
        other.coordinator = mallory.account;
        vm.expectRevert(abi.encodeWithSelector(IMarket.TermsMismatch.selector, jobId));
        vm.prank(mallory.account);
        market.commitBatch(other, jobId, 0, 0, one(word(walter.account, 1, 1)), 0);
    }

    function test_R5_commit_refusesRangesThatAreNotOneAWorkerInOrder() public {
        vm.expectRevert(abi.encodeWithSelector(IMarket.RangesEmpty.selector));
        tryCommit(0, new uint256[](0));
        uint256[] memory words = two(1, 1, 2);
        (words[0], words[1]) = (words[1], words[0]);
        vm.expectRevert(abi.encodeWithSelector(IMarket.RangeOrder.selector, 1));
        tryCommit(0, words);
        words[0] = words[1];
        vm.expectRevert(abi.encodeWithSelector(IMarket.RangeOrder.selector, 1));
        tryCommit(0, words);
        vm.expectRevert(abi.encodeWithSelector(IMarket.RangeOrder.selector, 0));
        tryCommit(0, one(word(address(0), 1, 1)));
    }

    function test_R5_commit_refusesMasksThatAreEmptyOverlapOrReachBeyondTheJob() public {
        vm.expectRevert(abi.encodeWithSelector(IMarket.RangeMask.selector, 0, 0));
        tryCommit(0, one(word(walter.account, 1, 0)));
        vm.expectRevert(abi.encodeWithSelector(IMarket.RangeMask.selector, 1, 3));
        tryCommit(0, two(1, 1, 3));
        // The job has 4 shards.
        vm.expectRevert(abi.encodeWithSelector(IMarket.RangeMask.selector, 64, 16));
        tryCommit(0, one(word(walter.account, 1, 16)));
        vm.expectRevert(abi.encodeWithSelector(IMarket.RangeMask.selector, 64, 2));
        tryCommit(3, one(word(walter.account, 1, 2)));
        vm.expectRevert(abi.encodeWithSelector(IMarket.RangeMask.selector, 64, 1));
        tryCommit(4, one(word(walter.account, 1, 1)));
        vm.expectRevert(abi.encodeWithSelector(IMarket.RangeMask.selector, 64, 1));
        tryCommit(type(uint32).max, one(word(walter.account, 1, 1)));
    }

    function test_R4_commit_refusesMoreUnitsThanItsTasksCanHave() public {
        vm.expectRevert(abi.encodeWithSelector(IMarket.RangeUnits.selector, 0, 0, 0));
        tryCommit(0, one(word(walter.account, 0, 1)));
        vm.expectRevert(abi.encodeWithSelector(IMarket.RangeUnits.selector, 64, 13, 12));
        tryCommit(0, one(word(walter.account, 13, 1)));
        // The job's last shard has 3 tasks.
        vm.expectRevert(abi.encodeWithSelector(IMarket.RangeUnits.selector, 64, 10, 9));
        tryCommit(3, one(word(walter.account, 10, 1)));
        tryCommit(3, one(word(walter.account, 9, 1)));
    }

    function test_R5_commit_refusesAShardTwice() public {
        tryCommit(0, one(word(walter.account, 1, 2)));
        vm.expectRevert(abi.encodeWithSelector(IMarket.ShardTaken.selector, jobId, 0, 2));
        tryCommit(0, one(word(mallory.account, 1, 3)));
        vm.expectRevert(abi.encodeWithSelector(IMarket.ShardTaken.selector, jobId, 0, 2));
        tryCommit(1, one(word(mallory.account, 1, 1)));
        vm.assertEq(market.shardBits(jobId, 0), 2, "a refused batch marks nothing");
    }

    function test_R5_commit_marksShardsAcrossTwoWords() public {
        terms.tasks = 400;
        terms.shardSize = 1;
        terms.maxUnits = 1;
        terms.auditRate = 1;
        terms.fee = 0.01 ether;
        terms.coordinatorFee = 0;
        terms.auditBudget = uint96(400 * (0.005 ether + 0.1 ether));
        jobId = postJob(terms);
        vm.prank(walter.account);
        registry.allow(coordinator.account, 50_000 ether);
        vm.prank(coordinator.account);
        registry.allow(coordinator.account, 50_000 ether);
        tryCommit(240, one(word(walter.account, 64, type(uint64).max)));
        vm.assertEq(market.shardBits(jobId, 0), uint256(type(uint16).max) << 240, "low word");
        vm.assertEq(market.shardBits(jobId, 1), (1 << 48) - 1, "high word");
        vm.expectRevert(abi.encodeWithSelector(IMarket.ShardTaken.selector, jobId, 1, 1 << 47));
        tryCommit(303, one(word(walter.account, 1, 1)));
        tryCommit(304, one(word(walter.account, 1, 1)));
    }

    function test_R11_commit_locksCForEachRangeAndAsMuchOfTheBond() public {
        // C = (3 * 1) / (0.25 * 0.2963 * 0.5), rounded up.
        uint256 collateral = (3 ether * 1e12 - 1) / (uint256(2_500) * 2_963 * 5_000) + 1;
        vm.assertEq(market.collateralOf(terms), collateral, "C");
        tryCommit(0, two(1, 1, 2));
        (uint256 free,,,) = registry.pairOf(walter.account, coordinator.account);
        vm.assertEq(free, 10_000 ether - collateral, "walter's");
        (free,,,) = registry.pairOf(mallory.account, coordinator.account);
        vm.assertEq(free, 10_000 ether - collateral, "mallory's");
        (free,,,) = registry.pairOf(coordinator.account, coordinator.account);
        vm.assertEq(free, 10_000 ether - 2 * collateral, "bond");
    }

    function test_R11_commit_locksAtLeastTheMinimum() public {
        terms.fee = 1;
        terms.coordinatorFee = 0;
        terms.auditBudget = 40 ether;
        vm.assertEq(market.collateralOf(terms), 1 ether, "Cmin");
    }

    function test_R13_commit_beyondWhatAWorkerAllowed_reverts() public {
        uint256 collateral = market.collateralOf(terms);
        Actor memory poor = enlist("poor");
        allow(poor, coordinator, uint96(collateral - 1));
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistry.CollateralShort.selector, poor.account, coordinator.account, collateral - 1, collateral
            )
        );
        tryCommit(0, one(word(poor.account, 1, 1)));
    }

    function test_R17_commit_beyondTheBond_reverts() public {
        terms.coordinator = mallory.account;
        vm.prank(requester.account);
        jobId = market.post(terms, 99);
        vm.prank(walter.account);
        registry.allow(mallory.account, 1_000 ether);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistry.CollateralShort.selector, mallory.account, mallory.account, 0, market.collateralOf(terms)
            )
        );
        vm.prank(mallory.account);
        market.commitBatch(terms, jobId, 0, 0, one(word(walter.account, 1, 1)), 0);
    }

    function test_R17_commit_withTheCoordinatorAsItsOwnWorker_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IMarket.RangeCoordinator.selector, 0));
        tryCommit(0, one(word(coordinator.account, 1, 1)));
    }

    function test_R25_commit_withTooFewSeatsOrOwners_reverts() public {
        terms.capability = keccak256("nobody has this");
        vm.prank(requester.account);
        jobId = market.post(terms, 99);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SeatsTooFew.selector, terms.capability, 0, 0));
        tryCommit(0, one(word(walter.account, 1, 1)));
        vm.prank(walter.account);
        registry.stake(terms.capability, 3);
        vm.prank(mallory.account);
        registry.stake(terms.capability, 1);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SeatsTooFew.selector, terms.capability, 4, 2));
        tryCommit(0, one(word(walter.account, 1, 1)));
        vm.prank(verifiers[0].account);
        registry.stake(terms.capability, 1);
        tryCommit(0, one(word(walter.account, 1, 1)));
    }

    function test_R23_commit_reservesAuditPayAndFees() public {
        tryCommit(0, two(12, 1, 2));
        (uint256 fees, uint256 auditing, uint256 batches, uint256 open,,,,) = market.jobOf(jobId);
        vm.assertEq(fees, (45 - 24) * 1.05 ether, "fees left");
        // N = 8, k = 2.
        vm.assertEq(auditing, 40 ether - 2 * (1.5 ether + 0.1 ether), "audit budget left");
        vm.assertEq(batches, 1, "batches");
        vm.assertEq(open, 1, "open");
        BatchView memory batch = market.batchOf(uint256(jobId) << 32);
        vm.assertEq(uint256(batch.state), uint256(BatchState.Committed), "state");
        vm.assertEq(batch.clock, vm.getBlockTimestamp() + ATTEST_LIMIT, "attest limit");
    }

    function test_R9_commit_overTheAuditBudget_reverts() public {
        // Batches that are voided may eat the budget; a commit that it cannot audit reverts.
        terms.auditBudget = 4 * 1.6 ether;
        vm.prank(requester.account);
        jobId = market.post(terms, 99);
        for (uint32 shard; shard < 4; ++shard) {
            tryCommit(shard, one(word(walter.account, 1, 1)));
        }
        (, uint256 auditing,,,,,,) = market.jobOf(jobId);
        vm.assertEq(auditing, 0, "every shard could be committed alone");
    }

    function test_R18_commit_afterTheLastLeaseCouldBeCommitted_reverts() public {
        uint256 until = uint256(terms.deadline) + 60 + 60;
        vm.warp(until);
        uint256 before = vm.getBlockTimestamp();
        tryCommit(0, one(word(walter.account, 1, 1)));
        vm.warp(before + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.JobOver.selector, jobId, until));
        tryCommit(1, one(word(walter.account, 1, 1)));
    }

    function test_R18_commit_afterClose_countsAsLongAsALeaseMayRun() public {
        vm.prank(requester.account);
        market.close(jobId, terms);
        uint256 until = vm.getBlockTimestamp() + 120;
        vm.warp(until);
        tryCommit(0, one(word(walter.account, 1, 1)));
        vm.warp(until + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.JobOver.selector, jobId, until));
        tryCommit(1, one(word(walter.account, 1, 1)));
    }

    function testFuzz_R9_commit_neverReservesMoreThanTheEscrow(uint8 mask, uint32 units) public {
        mask = uint8(1 + mask % 15);
        units = 1 + units % 60;
        vm.prank(coordinator.account);
        try market.commitBatch(terms, jobId, 0, 0, one(word(walter.account, units, mask)), 0) {
            (uint256 fees, uint256 auditing,,,,,,) = market.jobOf(jobId);
            vm.assertEq(fees, (45 - uint256(units)) * 1.05 ether, "fees left");
            vm.assertLe(auditing, 40 ether, "audit budget left");
        } catch (bytes memory reason) {
            vm.assertEq(bytes32(bytes4(reason)), bytes32(IMarket.RangeUnits.selector), "the only reason to refuse");
        }
    }
}
