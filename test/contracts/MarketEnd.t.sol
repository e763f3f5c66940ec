// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {BatchState, BatchView, Cause, Reward} from "../../contracts/types/Batch.sol";
import {Base} from "./support/Base.t.sol";

contract MarketEndTest is Base {
    function nobody() internal pure returns (Reward[] memory) {
        return new Reward[](0);
    }

    function void(Work memory work, uint256 ranges, Cause cause, Reward[] memory rewards) internal returns (uint256) {
        vm.prank(address(challenges));
        return market.voidRanges(work.terms, work.batch, ranges, cause, rewards);
    }

    function workerOf(Work memory work, uint256 range) internal pure returns (address) {
        return address(uint160(work.batch.ranges[range] >> 96));
    }

    function unitsOfRange(Work memory work, uint256 range) internal pure returns (uint256) {
        return uint32(work.batch.ranges[range] >> 64);
    }

    function free(address account) internal view returns (uint256 amount) {
        (amount,,,) = registry.pairOf(account, coordinator.account);
    }

    function owed(address account) internal view returns (uint256 amount) {
        (, amount,,) = registry.pairOf(account, coordinator.account);
    }

    function stateOf(Work memory work) internal view returns (uint256) {
        return uint256(market.batchOf(work.batchId).state);
    }

    function conserved(Work memory work, uint256 locked, string memory when) internal view {
        uint192[] memory jobs = new uint192[](1);
        jobs[0] = work.jobId;
        assertConserved(jobs, locked, when);
    }

    // -- Finalize (R30) ------------------------------------------------------------------------------------------------

    function test_R30_finalize_waitsForTheWindowAndForEveryHold() public {
        Work memory work = attestedWork();
        uint256 until = market.batchOf(work.batchId).clock;
        vm.warp(until);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchTooEarly.selector, work.batchId, until));
        finalize(work);
        vm.warp(until + 1);
        vm.prank(address(challenges));
        market.hold(work.batchId);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchHeld.selector, work.batchId, 1));
        finalize(work);
        vm.prank(address(challenges));
        market.drop(work.batchId, 0);
        finalize(work);
        vm.expectRevert(
            abi.encodeWithSelector(IMarket.BatchWrongState.selector, work.batchId, BatchState.Final)
        );
        finalize(work);
    }

    function test_R26_drop_mayLengthenTheWindow_neverShortenIt() public {
        Work memory work = attestedWork();
        uint256 until = market.batchOf(work.batchId).clock;
        vm.prank(address(challenges));
        market.hold(work.batchId);
        vm.prank(address(challenges));
        market.drop(work.batchId, until + 20);
        vm.assertEq(market.batchOf(work.batchId).clock, until + 20, "longer");
        vm.prank(address(challenges));
        market.hold(work.batchId);
        vm.prank(address(challenges));
        market.drop(work.batchId, until);
        vm.assertEq(market.batchOf(work.batchId).clock, until + 20, "not shorter");
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchHeld.selector, work.batchId, 0));
        vm.prank(address(challenges));
        market.drop(work.batchId, 0);
    }

    function test_R30_finalize_refusesAnotherStatement() public {
        Work memory work = attestedWork();
        mine(WINDOW + 1);
        work.attestation.verifiers[0] += 1;
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchMismatch.selector, work.batchId));
        finalize(work);
        work.attestation.verifiers[0] -= 1;
        work.batch.ranges[0] += 1 << 64;
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchMismatch.selector, work.batchId));
        finalize(work);
        work.batch.ranges[0] -= 1 << 64;
        work.terms.fee += 1;
        vm.expectRevert(abi.encodeWithSelector(IMarket.TermsMismatch.selector, work.jobId));
        finalize(work);
    }

    function test_judges_alone_holdFreezeDropStrikeAndVoid() public {
        Work memory work = attestedWork();
        bytes memory reason = abi.encodeWithSelector(IMarket.MarketUnauthorized.selector, address(this));
        vm.expectRevert(reason);
        market.hold(work.batchId);
        vm.expectRevert(reason);
        market.freeze(work.batchId, 0);
        vm.expectRevert(reason);
        market.drop(work.batchId, 0);
        vm.expectRevert(reason);
        market.strike(work.batchId, 1);
        vm.expectRevert(reason);
        market.voidRanges(work.terms, work.batch, 1, Cause.Worker, nobody());
    }

    // -- Voided ranges (R20, R26, R29) ---------------------------------------------------------------------------------

    function test_R29_aWrongLeaf_costsItsWorkerC_andFreesItsShards() public {
        Work memory work = attestedWork();
        uint256 collateral = market.collateralOf(work.terms);
        address cheat = workerOf(work, 0);
        uint256 before = wealthOf(cheat);
        uint256 supply = token.totalSupply();
        Reward[] memory rewards = new Reward[](1);
        rewards[0] = Reward(verifiers[0].account, type(uint96).max);
        vm.assertEq(void(work, 1, Cause.Worker, rewards), collateral, "lost");
        vm.assertEq(wealthOf(cheat), before, "nothing of it was free");
        uint256 burned = (collateral + 1) / 2;
        vm.assertEq(supply - token.totalSupply(), burned, "at least half is burned");
        vm.assertEq(owed(verifiers[0].account), collateral - burned, "the finder has the rest");
        vm.assertEq(
            market.shardBits(work.jobId, 0), uint64(work.batch.ranges[1]), "the other worker's shards stay marked"
        );
        vm.assertEq(void(work, 1, Cause.Worker, rewards), 0, "C is lost once");

        mine(WINDOW + 1);
        finalize(work);
        vm.assertEq(owed(cheat), 0, "unpaid");
        vm.assertEq(free(cheat), 10_000 ether - collateral, "its collateral is gone");
        vm.assertEq(owed(workerOf(work, 1)), unitsOfRange(work, 1) * 1 ether, "the other worker is paid");
        vm.assertEq(free(coordinator.account), 10_000 ether, "the coordinator's bond is whole");
        conserved(work, 0, "after a slash");
    }

    function test_R26_theCoordinatorsFault_burnsThatBondShare_andRewardsNobody() public {
        Work memory work = attestedWork();
        uint256 collateral = market.collateralOf(work.terms);
        uint256 supply = token.totalSupply();
        Reward[] memory rewards = new Reward[](1);
        rewards[0] = Reward(workerOf(work, 0), type(uint96).max);
        vm.assertEq(void(work, 1, Cause.Coordinator, rewards), collateral, "lost");
        vm.assertEq(supply - token.totalSupply(), collateral, "all of it is burned");
        vm.assertEq(owed(workerOf(work, 0)), 0, "no friend is paid");
        mine(WINDOW + 1);
        finalize(work);
        vm.assertEq(free(workerOf(work, 0)), 10_000 ether, "the worker's collateral came back");
        vm.assertEq(free(coordinator.account), 10_000 ether - collateral, "the bond lost one share");
        vm.assertEq(owed(workerOf(work, 0)), 0, "unpaid");
        conserved(work, 0, "after a penalty");
    }

    function test_R27_aLostDispute_protectsNothing() public {
        Work memory work = attestedWork();
        uint256 collateral = market.collateralOf(work.terms);
        void(work, 1, Cause.Nobody, nobody());
        vm.assertEq(void(work, 1, Cause.Coordinator, nobody()), collateral, "the bond share is lost all the same");
        vm.assertEq(void(work, 1, Cause.Worker, nobody()), collateral, "and the collateral");
        mine(WINDOW + 1);
        finalize(work);
        vm.assertEq(free(workerOf(work, 0)), 10_000 ether - collateral, "worker's");
        vm.assertEq(free(coordinator.account), 10_000 ether - collateral, "coordinator's");
        conserved(work, 0, "after three causes");
    }

    function test_R29_shardsThatAnotherBatchHoldsSince_areNotFreedTwice() public {
        Work memory work = attestedWork();
        void(work, 1, Cause.Nobody, nobody());
        uint256[] memory words = new uint256[](1);
        words[0] = work.batch.ranges[0];
        vm.prank(coordinator.account);
        market.commitBatch(work.terms, work.jobId, 0, keccak256("again"), words, 0);
        uint256 bits = market.shardBits(work.jobId, 0);
        void(work, 1, Cause.Worker, nobody());
        vm.assertEq(market.shardBits(work.jobId, 0), bits, "the new batch keeps its shards");
    }

    function test_R20_struckVerifiers_getNothing() public {
        Work memory work = attestedWork();
        uint256 last = work.attestation.verifiers.length - 1;
        vm.prank(address(challenges));
        market.strike(work.batchId, 1 << last);
        mine(WINDOW + 1);
        finalize(work);
        vm.assertEq(owed(address(uint160(work.attestation.verifiers[last] >> 96))), 0, "struck");
        conserved(work, 0, "with a verifier struck");
    }

    function test_R22_aBarredVerifier_getsNothing_andTheBudgetKeepsIt() public {
        Work memory work = attestedWork();
        address barred = address(uint160(work.attestation.verifiers[0] >> 96));
        vm.prank(address(jury));
        registry.slashSeat(barred, coordinator.account, 10 ether, true, "false verdict", nobody());
        mine(WINDOW + 1);
        finalize(work);
        vm.assertEq(owed(barred), 0, "unpaid");
        conserved(work, 0, "with a verifier barred");
    }

    function test_R20_aSilentRange_isVoidedAtTheCoordinatorsCost() public {
        Work memory work = honestWork();
        commit(work);
        draw(work);
        audit(work);
        // The first sample of range 0 got no verdict.
        uint256 range = rangeOfPosition(work, positionOf(work, 0));
        delete work.verdictLeaves[0];
        tally(work);
        work.attestation.silentRanges = uint64(1 << range);
        attest(work);
        uint256 collateral = market.collateralOf(work.terms);
        uint256 supply = token.totalSupply();
        mine(WINDOW + 1);
        finalize(work);
        address worker = workerOf(work, range);
        vm.assertEq(free(worker), 10_000 ether, "the worker keeps its collateral");
        vm.assertEq(owed(worker), 0, "unpaid");
        vm.assertEq(free(coordinator.account), 10_000 ether - collateral, "the coordinator lost that share");
        vm.assertEq(supply - token.totalSupply(), collateral, "burned");
        BatchView memory batch = market.batchOf(work.batchId);
        vm.assertEq(batch.claimable, uint64(work.batch.ranges[range]), "its worker may commit for itself");
        conserved(work, 0, "with a silent range");
    }

    // -- Withdraw and forfeit (R12, R17, R24a) -------------------------------------------------------------------------

    function test_R17_withdraw_neverOnceTheSeedCanBeKnown() public {
        Work memory work = honestWork();
        commit(work);
        uint256 seedBlock = uint256(work.batch.commitBlock) + 2;
        vm.roll(seedBlock);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchTooLate.selector, work.batchId, seedBlock));
        vm.prank(coordinator.account);
        market.withdrawBatch(work.terms, work.batch);
        vm.roll(seedBlock - 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.MarketUnauthorized.selector, mallory.account));
        vm.prank(mallory.account);
        market.withdrawBatch(work.terms, work.batch);
        vm.prank(coordinator.account);
        market.withdrawBatch(work.terms, work.batch);
        vm.assertEq(stateOf(work), uint256(BatchState.Withdrawn), "state");
        vm.assertEq(free(coordinator.account), 10_000 ether, "bond");
        vm.assertEq(free(walter.account), 10_000 ether, "collateral");
        conserved(work, 0, "after a withdrawal");
    }

    function test_R12_forfeit_burnsTheWholeBond_andPaysNobody() public {
        Work memory work = honestWork();
        commit(work);
        uint256 until = market.batchOf(work.batchId).clock;
        vm.warp(until);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchTooEarly.selector, work.batchId, until));
        market.forfeit(work.terms, work.batch, 0);
        vm.warp(until + 1);
        uint256 supply = token.totalSupply();
        uint256 collateral = market.collateralOf(work.terms);
        market.forfeit(work.terms, work.batch, 0);
        vm.assertEq(supply - token.totalSupply(), 2 * collateral, "burned");
        vm.assertEq(free(coordinator.account), 10_000 ether - 2 * collateral, "bond");
        vm.assertEq(free(walter.account), 10_000 ether, "walter's collateral");
        vm.assertEq(free(mallory.account), 10_000 ether, "mallory's collateral");
        (uint256 fees, uint256 auditing,,,,,,) = market.jobOf(work.jobId);
        vm.assertEq(fees + auditing, 45 * 1.05 ether + 40 ether, "the escrow is whole");
        conserved(work, 0, "after a forfeit");
    }

    function test_R24a_forfeit_ofADrawnBatch_needsItsSeed_andWaitsForDisputes() public {
        Work memory work = honestWork();
        commit(work);
        draw(work);
        vm.prank(address(challenges));
        market.freeze(work.batchId, 0);
        mine(ATTEST_LIMIT);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchMismatch.selector, work.batchId));
        market.forfeit(work.terms, work.batch, 0);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchHeld.selector, work.batchId, 1));
        market.forfeit(work.terms, work.batch, work.attestation.seed);
        vm.prank(address(challenges));
        market.drop(work.batchId, 0);
        void(work, 1, Cause.Worker, nobody());
        market.forfeit(work.terms, work.batch, work.attestation.seed);
        uint256 collateral = market.collateralOf(work.terms);
        vm.assertEq(free(workerOf(work, 0)), 10_000 ether - collateral, "a slash before the forfeit stands");
        vm.assertEq(free(coordinator.account), 10_000 ether - 2 * collateral, "the whole bond");
        vm.assertEq(market.batchOf(work.batchId).claimable, uint64(work.batch.ranges[1]), "for the honest one alone");
        conserved(work, 0, "after a slash and a forfeit");
    }

    // -- Refund (R18) --------------------------------------------------------------------------------------------------

    function test_R18_refund_waitsForLeasesAndBatches() public {
        Work memory work = honestWork();
        uint256 before = wealthOf(requester.account);
        vm.prank(requester.account);
        market.close(work.jobId, work.terms);
        uint256 until = vm.getBlockTimestamp() + 120;
        vm.expectRevert(abi.encodeWithSelector(IMarket.JobNotRefundable.selector, work.jobId, 0, until));
        market.refund(work.jobId, work.terms);
        commit(work);
        vm.warp(until + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.JobNotRefundable.selector, work.jobId, 1, until));
        market.refund(work.jobId, work.terms);
        market.forfeit(work.terms, work.batch, 0);
        // The workers of what the coordinator let go may still commit for themselves.
        vm.expectRevert(
            abi.encodeWithSelector(IMarket.JobNotRefundable.selector, work.jobId, 0, vm.getBlockTimestamp() + 60)
        );
        market.refund(work.jobId, work.terms);
        mine(61);
        market.refund(work.jobId, work.terms);
        vm.assertEq(wealthOf(requester.account) - before, 45 * 1.05 ether + 40 ether, "all of it returns");
        market.refund(work.jobId, work.terms);
        vm.assertEq(wealthOf(requester.account) - before, 45 * 1.05 ether + 40 ether, "once");
        conserved(work, 0, "after a refund");
    }

    function test_R18_release_freesUnclaimedShards_afterTheClaimPeriod() public {
        Work memory work = honestWork();
        commit(work);
        vm.prank(coordinator.account);
        market.withdrawBatch(work.terms, work.batch);
        uint256 until = vm.getBlockTimestamp() + 60;
        vm.assertEq(market.shardBits(work.jobId, 0), 15, "marked for their workers");
        vm.warp(until);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchTooEarly.selector, work.batchId, until));
        market.release(work.terms, work.batch);
        vm.warp(until + 1);
        market.release(work.terms, work.batch);
        vm.assertEq(market.shardBits(work.jobId, 0), 0, "free");
        market.release(work.terms, work.batch);
    }

    function testFuzz_R9_everyEnd_conservesTheVault(uint8 causes, bool silent, bool forfeited) public {
        Work memory work = honestWork();
        commit(work);
        draw(work);
        if (!forfeited) {
            audit(work);
            if (silent) {
                uint256 range = rangeOfPosition(work, positionOf(work, 0));
                delete work.verdictLeaves[0];
                work.attestation.silentRanges = uint64(1 << range);
            }
            tally(work);
            attest(work);
        }
        Reward[] memory rewards = new Reward[](1);
        rewards[0] = Reward(verifiers[0].account, 7 ether);
        if (causes & 1 != 0) void(work, 1, Cause.Coordinator, rewards);
        if (causes & 2 != 0) void(work, 2, Cause.Nobody, rewards);
        if (causes & 4 != 0) void(work, 1, Cause.Worker, rewards);
        if (causes & 8 != 0) void(work, 3, Cause.Coordinator, rewards);
        if (causes & 16 != 0) void(work, 2, Cause.Worker, rewards);
        mine(ATTEST_LIMIT + 1);
        if (forfeited) market.forfeit(work.terms, work.batch, work.attestation.seed);
        else finalize(work);
        conserved(work, 0, "at any end");
        (,,, uint256 open,,,,) = market.jobOf(work.jobId);
        vm.assertEq(open, 0, "no batch is open");
    }
}
