// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {Attestation, Batch, BatchState, Cause, Reward} from "../../contracts/types/Batch.sol";
import {Lease} from "../../contracts/types/Messages.sol";
import {Base} from "./support/Base.t.sol";

contract MarketSelfCommitTest is Base {
    /// @dev What walter commits for himself: shards 0 and 2, with the leases that the coordinator signed.
    struct Own {
        Work work;
        uint256 range;
        Lease[] leases;
        bytes[] signatures;
        Batch batch;
    }

    function own() internal returns (Own memory made) {
        made.work = honestWork();
        made.leases = new Lease[](2);
        made.signatures = new bytes[](2);
        (made.leases[0], made.signatures[0]) = (made.work.leases[0], made.work.leaseSignatures[0]);
        (made.leases[1], made.signatures[1]) = (made.work.leases[2], made.work.leaseSignatures[2]);
        made.range = rangeOfWalter(made.work);
    }

    function rangeOfWalter(Work memory work) internal view returns (uint256) {
        return work.batch.ranges[0] >> 96 == uint160(walter.account) ? work.batch.ranges[0] : work.batch.ranges[1];
    }

    function send(Own memory made) internal returns (uint256 batchId) {
        return send(made, walter.account, coordinator.account);
    }

    function send(Own memory made, address worker, address backer) internal returns (uint256 batchId) {
        vm.prank(worker);
        batchId = market.selfCommit(
            made.work.terms,
            made.work.jobId,
            0,
            keccak256("root"),
            made.range,
            keccak256("data"),
            backer,
            made.leases,
            made.signatures,
            "https://walter.example"
        );
        uint256[] memory words = new uint256[](1);
        words[0] = made.range;
        made.batch = Batch(
            made.work.jobId,
            uint32(batchId),
            0,
            keccak256("root"),
            uint64(vm.getBlockNumber()),
            worker,
            backer,
            words
        );
    }

    function finish(Own memory made, uint64 silent) internal {
        mine(3);
        Attestation memory a;
        a.seed = keccak256(
            abi.encode(
                bytes32("assay.seed"),
                beacon.seed(made.batch.commitBlock),
                (uint256(made.batch.jobId) << 32) | made.batch.number
            )
        );
        // N = 8, k = 2.
        a.verifiers = new uint256[](1);
        a.verifiers[0] = (uint256(uint160(verifiers[0].account)) << 96) | (uint256(silent == 0 ? 2 : 1) << 64) | 3;
        a.silentRanges = silent;
        vm.prank(made.batch.committer);
        market.attest(made.work.terms, made.batch, 0, 0, a.verifiers, silent);
        mine(WINDOW + 1);
        market.finalize(made.work.terms, made.batch, a);
    }

    function test_R18_selfCommit_isPaidLikeAnyOther_andTheFeeOfTheCoordinatorReturns() public {
        Own memory made = own();
        uint256 collateral = market.collateralOf(made.work.terms);
        send(made);
        (uint256 free,,,) = registry.pairOf(walter.account, coordinator.account);
        vm.assertEq(free, 10_000 ether - collateral, "C is locked once");
        (free,,,) = registry.pairOf(coordinator.account, coordinator.account);
        vm.assertEq(free, 10_000 ether, "the coordinator's bond is not touched");
        finish(made, 0);
        uint256 units = uint32(made.range >> 64);
        uint256 owed;
        (free, owed,,) = registry.pairOf(walter.account, coordinator.account);
        vm.assertEq(free, 10_000 ether, "C came back");
        vm.assertEq(owed, units * 1 ether, "pay");
        (, owed,,) = registry.pairOf(verifiers[0].account, coordinator.account);
        vm.assertEq(owed, 3 * 0.5 ether + 0.1 ether, "the verifier's pay");
        (, owed,,) = registry.pairOf(coordinator.account, coordinator.account);
        vm.assertEq(owed, 0, "no fee for a coordinator that did nothing");
        (uint256 fees, uint256 auditing,,,,,, uint256 finalShards) = market.jobOf(made.work.jobId);
        vm.assertEq(fees, 45 * 1.05 ether - units * 1 ether, "fees");
        vm.assertEq(auditing, 40 ether - 1.6 ether, "audit budget");
        vm.assertEq(finalShards, 2, "final shards");
    }

    function test_R18_selfCommit_mayBeBackedByAnyOfTheWorkersSlots() public {
        Own memory made = own();
        vm.prank(walter.account);
        registry.allow(mallory.account, 1_000 ether);
        send(made, walter.account, mallory.account);
        finish(made, 0);
        (, uint256 owed,,) = registry.pairOf(walter.account, mallory.account);
        vm.assertEq(owed, uint32(made.range >> 64) * 1 ether, "pay comes where the collateral lies");
    }

    function test_R18_selfCommit_needsALeaseForEveryShard_inOrder() public {
        Own memory made = own();
        Lease[] memory leases = made.leases;
        made.leases = new Lease[](1);
        made.leases[0] = leases[0];
        vm.expectRevert(abi.encodeWithSelector(IMarket.LeaseCount.selector, 1, 2, 2));
        send(made);
        made.leases = leases;
        (made.leases[0], made.leases[1]) = (made.leases[1], made.leases[0]);
        vm.expectRevert(abi.encodeWithSelector(IMarket.LeaseRefused.selector, 0, bytes32("shard")));
        send(made);
    }

    function test_R14_selfCommit_refusesLeasesOfAnotherWorkerOrJob_orUnsigned() public {
        Own memory made = own();
        made.range = (uint256(uint160(mallory.account)) << 96) | uint96(made.range);
        vm.expectRevert(abi.encodeWithSelector(IMarket.LeaseRefused.selector, 0, bytes32("worker")));
        send(made, mallory.account, coordinator.account);
        made = own();
        made.leases[1].jobId = 1;
        vm.expectRevert(abi.encodeWithSelector(IMarket.LeaseRefused.selector, 1, bytes32("jobId")));
        send(made);
        made = own();
        // Walter signs a lease for himself.
        made.signatures[1] = sign(walter.secret, typed(keccak256(abi.encode(LEASE_TYPE, made.leases[1]))));
        vm.expectRevert(abi.encodeWithSelector(IMarket.LeaseSigner.selector, 1, walter.key));
        send(made);
        made = own();
        made.signatures[0] = "";
        vm.expectRevert(abi.encodeWithSelector(IMarket.LeaseSigner.selector, 0, address(0)));
        send(made);
    }

    function test_R14_selfCommit_refusesLeasesThatAreTooLongOrTooOld() public {
        Own memory made = own();
        made.leases[0].expiry = made.leases[0].start + 61;
        made.signatures[0] = sign(coordinator.secret, typed(keccak256(abi.encode(LEASE_TYPE, made.leases[0]))));
        vm.expectRevert(abi.encodeWithSelector(IMarket.LeaseRefused.selector, 0, bytes32("expiry")));
        send(made);
        made = own();
        uint256 last = uint256(made.leases[0].expiry) + 60;
        vm.warp(last + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.LeaseRefused.selector, 0, bytes32("age")));
        send(made);
        vm.warp(last);
        send(made);
    }

    function test_R18_selfCommit_countsLeasesThatBeganBeforeTheClose() public {
        Own memory made = own();
        mine(5);
        vm.prank(requester.account);
        market.close(made.work.jobId, made.work.terms);
        mine(80);
        send(made);
        Own memory late = own();
        vm.prank(requester.account);
        market.close(late.work.jobId, late.work.terms);
        vm.expectRevert(abi.encodeWithSelector(IMarket.LeaseRefused.selector, 0, bytes32("start")));
        send(late);
    }

    function test_R18_selfCommit_byTheCoordinatorItself_reverts() public {
        Own memory made = own();
        for (uint256 i; i < 2; ++i) {
            made.leases[i].worker = coordinator.account;
            made.signatures[i] = sign(coordinator.secret, typed(keccak256(abi.encode(LEASE_TYPE, made.leases[i]))));
        }
        made.range = (uint256(uint160(coordinator.account)) << 96) | uint96(made.range);
        vm.expectRevert(abi.encodeWithSelector(IMarket.RangeCoordinator.selector, 0));
        send(made, coordinator.account, coordinator.account);
    }

    function test_R18_aSelfCommitThatIsForfeited_burnsItsC_andFreesItsShards() public {
        Own memory made = own();
        uint256 batchId = send(made);
        uint256 collateral = market.collateralOf(made.work.terms);
        mine(ATTEST_LIMIT + 1);
        market.forfeit(made.work.terms, made.batch, 0);
        (uint256 free,,,) = registry.pairOf(walter.account, coordinator.account);
        vm.assertEq(free, 10_000 ether - collateral, "C is burned");
        vm.assertEq(market.shardBits(made.work.jobId, 0), 0, "its shards are free at once");
        // INVARIANT: nobody keeps a requester from its refund by committing and forfeiting again and again.
        (,,,,,, uint256 refundAt,) = market.jobOf(made.work.jobId);
        vm.assertEq(refundAt, 0, "the refund is not put off");
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchWrongState.selector, batchId, BatchState.Forfeited));
        vm.prank(walter.account);
        market.reclaim(made.work.terms, made.batch, 0, 0, 0, made.range, 0, coordinator.account, "");
    }

    function test_R18_aSelfCommitThatLosesTwice_losesOneC() public {
        Own memory made = own();
        send(made);
        uint256 collateral = market.collateralOf(made.work.terms);
        vm.prank(address(challenges));
        uint256 lost =
            market.voidRanges(made.work.terms, made.batch, 1, Cause.Coordinator, new Reward[](0));
        vm.assertEq(lost, collateral, "as committer");
        vm.prank(address(challenges));
        lost = market.voidRanges(made.work.terms, made.batch, 1, Cause.Worker, new Reward[](0));
        vm.assertEq(lost, 0, "there is nothing left to lose as worker");
        mine(ATTEST_LIMIT + 1);
        market.forfeit(made.work.terms, made.batch, 0);
        uint192[] memory jobs = new uint192[](1);
        jobs[0] = made.work.jobId;
        assertConserved(jobs, 0, "after two faults of one C");
    }

    function test_R20_aSilentSampleOfASelfCommit_costsItsC() public {
        Own memory made = own();
        send(made);
        uint256 supply = token.totalSupply();
        finish(made, 1);
        vm.assertEq(supply - token.totalSupply(), market.collateralOf(made.work.terms), "burned");
        (, uint256 owed,,) = registry.pairOf(walter.account, coordinator.account);
        vm.assertEq(owed, 0, "unpaid");
        uint192[] memory jobs = new uint192[](1);
        jobs[0] = made.work.jobId;
        assertConserved(jobs, 0, "after silence");
    }

    // -- Reclaim -------------------------------------------------------------------------------------------------------

    function reclaim(Work memory work, address worker, uint256 rangeIndex, uint256 range) internal returns (uint256) {
        vm.prank(worker);
        return market.reclaim(work.terms, work.batch, rangeIndex, 0, keccak256("own"), range, 0, coordinator.account, "u");
    }

    function test_R18_reclaim_isTheWorkersAlone_forItsOwnShards_inTime() public {
        Work memory work = honestWork();
        commit(work);
        vm.prank(coordinator.account);
        market.withdrawBatch(work.terms, work.batch);
        uint256 until = vm.getBlockTimestamp() + 60;
        uint256 first = work.batch.ranges[0];
        uint256 second = work.batch.ranges[1];
        address worker = address(uint160(first >> 96));
        address other = address(uint160(second >> 96));

        // Neither another's range, nor another's shards under one's own name, nor after the period.
        vm.expectPartialRevert(IMarket.ClaimRefused.selector);
        reclaim(work, other, 0, (uint256(uint160(other)) << 96) | uint96(first));
        vm.expectPartialRevert(IMarket.ClaimRefused.selector);
        reclaim(work, worker, 0, (first >> 64 << 64) | uint64(second));
        vm.warp(until + 1);
        vm.expectPartialRevert(IMarket.ClaimRefused.selector);
        reclaim(work, worker, 0, first);

        vm.warp(until);
        uint256 batchId = reclaim(work, worker, 0, first);
        vm.assertEq(uint256(market.batchOf(batchId).state), uint256(BatchState.Committed), "committed by its worker");
        vm.assertEq(market.batchOf(work.batchId).claimable, uint64(second), "the other's are still marked");
        vm.expectPartialRevert(IMarket.ClaimRefused.selector);
        reclaim(work, worker, 0, first);
        vm.assertEq(market.shardBits(work.jobId, 0), 15, "all stay marked");
    }

    function test_R18_whileShardsAreMarked_theCoordinatorCannotTakeThem() public {
        Work memory work = honestWork();
        commit(work);
        vm.prank(coordinator.account);
        market.withdrawBatch(work.terms, work.batch);
        vm.expectPartialRevert(IMarket.ShardTaken.selector);
        vm.prank(coordinator.account);
        market.commitBatch(work.terms, work.jobId, 0, keccak256("again"), work.batch.ranges, 0);
    }

    function test_R18_reclaim_afterAVoidByTheCoordinatorsFault_isPaid() public {
        Work memory work = attestedWork();
        vm.prank(address(challenges));
        market.voidRanges(work.terms, work.batch, 1, Cause.Coordinator, new Reward[](0));
        mine(WINDOW + 1);
        finalize(work);
        address worker = address(uint160(work.batch.ranges[0] >> 96));
        uint256 range = work.batch.ranges[0];
        uint256 batchId = reclaim(work, worker, 0, range);
        Own memory made;
        made.work = work;
        made.range = range;
        uint256[] memory words = new uint256[](1);
        words[0] = range;
        made.batch = Batch(
            work.jobId,
            uint32(batchId),
            0,
            keccak256("own"),
            uint64(vm.getBlockNumber()),
            worker,
            coordinator.account,
            words
        );
        finish(made, 0);
        (, uint256 owed,,) = registry.pairOf(worker, coordinator.account);
        vm.assertEq(owed, uint32(range >> 64) * 1 ether, "paid after all");
        (,,,,,,, uint256 finalShards) = market.jobOf(work.jobId);
        vm.assertEq(finalShards, 4, "every shard is final");
        market.refund(work.jobId, work.terms);
        uint192[] memory jobs = new uint192[](1);
        jobs[0] = work.jobId;
        assertConserved(jobs, 0, "at the end");
    }
}
