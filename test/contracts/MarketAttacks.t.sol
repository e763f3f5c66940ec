// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {IRegistry} from "../../contracts/interfaces/IRegistry.sol";
import {Draw} from "../../contracts/libraries/Draw.sol";
import {Attestation, Batch} from "../../contracts/types/Batch.sol";
import {Lease} from "../../contracts/types/Messages.sol";
import {Terms} from "../../contracts/types/Terms.sol";
import {Base} from "./support/Base.t.sol";
import {HostileToken} from "./support/HostileToken.sol";

/// @notice From the attacker's side, with what he has before and after.
contract MarketAttacksTest is Base {
    function owed(address account) internal view returns (uint256 amount) {
        (, amount,,) = registry.pairOf(account, coordinator.account);
    }

    /// @dev R18. The requester takes the outputs, closes at once and wants its money back.
    function test_attack_freeComputeByCancellation_paysTheWorkerAllTheSame() public {
        uint256 before = wealthOf(requester.account);
        Work memory work = honestWork();
        mine(5);
        vm.prank(requester.account);
        market.close(work.jobId, work.terms);
        vm.expectPartialRevert(IMarket.JobNotRefundable.selector);
        market.refund(work.jobId, work.terms);
        toAttested(work);
        mine(WINDOW + 1);
        finalize(work);
        market.refund(work.jobId, work.terms);
        uint256 units = uint32(work.batch.ranges[0] >> 64) + uint32(work.batch.ranges[1] >> 64);
        vm.assertLe(wealthOf(requester.account), before - units * 1.05 ether, "the requester paid for every unit");
        vm.assertEq(owed(walter.account) + owed(mallory.account), units * 1 ether, "the workers were paid");
    }

    /// @dev R18. Requester and coordinator are one: commit the work, withdraw, close, and hope for a refund.
    function test_attack_freeComputeByWithdrawal_meetsTheWorkersClaim() public {
        Work memory work = honestWork();
        commit(work);
        vm.prank(coordinator.account);
        market.withdrawBatch(work.terms, work.batch);
        vm.prank(requester.account);
        market.close(work.jobId, work.terms);
        uint256 range = work.batch.ranges[0];
        address worker = address(uint160(range >> 96));
        vm.prank(worker);
        market.reclaim(work.terms, work.batch, 0, 0, keccak256("own"), range, 0, coordinator.account, "https://w");
        vm.warp(vm.getBlockTimestamp() + 121);
        vm.expectPartialRevert(IMarket.JobNotRefundable.selector);
        market.refund(work.jobId, work.terms);
        // Even the worker's own failure to attest ends it; until then its escrow is held.
        (uint256 fees,,, uint256 open,,,,) = market.jobOf(work.jobId);
        vm.assertEq(open, 1, "the worker's batch is open");
        vm.assertEq(fees, 45 * 1.05 ether - uint32(range >> 64) * 1.05 ether, "its fees are reserved");
    }

    /// @dev R13. A coordinator names a rival as worker to lock what the rival has elsewhere.
    function test_attack_lockingARivalsStake_reachesOnlyWhatItAllowed() public {
        Actor memory rival = enlist("rival");
        allow(rival, mallory, 5_000 ether);
        vm.prank(rival.account);
        registry.stake(CAPABILITY, 1);
        uint256 before = wealthOf(rival.account);
        Terms memory terms = buildTerms();
        uint192 jobId = postJob(terms);
        uint256[] memory words = new uint256[](1);
        words[0] = (uint256(uint160(rival.account)) << 96) | (1 << 64) | 1;
        uint256 collateral = market.collateralOf(terms);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistry.CollateralShort.selector, rival.account, coordinator.account, 0, collateral
            )
        );
        vm.prank(coordinator.account);
        market.commitBatch(terms, jobId, 0, 0, words, 0);
        vm.assertEq(wealthOf(rival.account), before, "the rival has all it had");
    }

    /// @dev R10. A payee that cannot receive tokens blocks nobody: nothing is pushed.
    function test_attack_aPayeeThatRefuses_blocksNobody() public {
        Work memory work = attestedWork();
        mine(WINDOW + 1);
        uint256 transfers = token.balanceOf(walter.account) + token.balanceOf(mallory.account);
        finalize(work);
        vm.assertEq(
            token.balanceOf(walter.account) + token.balanceOf(mallory.account), transfers, "finalize sends no token"
        );
    }

    /// @dev R20. The executor also holds seats, under a second key of the same account.
    function testFuzz_attack_anExecutorIsNeverItsOwnVerifier(bytes32 seed, uint32 sample) public {
        vm.prank(mallory.account);
        registry.stake(CAPABILITY, 12);
        uint256 secret = uint256(keccak256("mallory's second key"));
        vm.prank(mallory.account);
        registry.registerKey(vm.addr(secret), sign(secret, registryDigest(mallory.account, vm.addr(secret))));
        uint256 commitBlock = block.number;
        vm.roll(commitBlock + 1);
        address[] memory drawn =
            Draw.candidates(registry, CAPABILITY, commitBlock, seed, sample, mallory.account);
        vm.assertGt(drawn.length, 0, "somebody is drawn");
        for (uint256 i; i < drawn.length; ++i) {
            vm.assertTrue(drawn[i] != mallory.account, "not the executor");
        }
    }

    /// @dev R20. One party owns every seat of the panel: the draw goes on to the first that is not its own.
    function test_attack_anExecutorWithAllSeatsOfThePanel_isAuditedByAnother() public {
        bytes32 capability = keccak256("crowded");
        vm.prank(mallory.account);
        registry.stake(capability, 200);
        vm.prank(walter.account);
        registry.stake(capability, 2);
        uint256 commitBlock = block.number;
        vm.roll(commitBlock + 1);
        uint256 alone;
        for (uint256 i; i < 20; ++i) {
            address[] memory drawn =
                Draw.candidates(registry, capability, commitBlock, keccak256(abi.encode(i)), 0, mallory.account);
            for (uint256 c; c < drawn.length; ++c) {
                vm.assertEq(drawn[c], walter.account, "never the executor");
                ++alone;
            }
        }
        vm.assertGt(alone, 0, "the other owner is found");
    }

    /// @dev Pay, fees and audit pay of a whole job in the smallest amounts: rounding gives nobody a unit too much.
    function testFuzz_attack_roundingLeaksNothing(uint96 fee, uint96 base, uint16 ratio, uint96 commission) public {
        Terms memory terms = buildTerms();
        terms.fee = 1 + fee % 1_000;
        terms.auditBase = base % 1_000;
        terms.auditRatio = ratio % 20_000;
        terms.coordinatorFee = commission % 1_000;
        terms.auditBudget = 1 ether;
        uint256 before = wealthOf(requester.account);
        uint256 vault = token.balanceOf(address(registry));
        uint192 jobId = postJob(terms);
        Work memory work = buildWork(terms, jobId);
        seal(work);
        toAttested(work);
        mine(WINDOW + 1);
        finalize(work);
        market.refund(jobId, terms);
        uint256 paid = before - wealthOf(requester.account);
        uint256 credited = owed(walter.account) + owed(mallory.account) + owed(coordinator.account);
        for (uint256 i; i < work.attestation.verifiers.length; ++i) {
            credited += owed(address(uint160(work.attestation.verifiers[i] >> 96)));
        }
        vm.assertEq(credited, paid, "what the requester paid is what others got");
        uint256 escrow = 45 * (uint256(terms.fee) + terms.coordinatorFee) + 1 ether;
        vm.assertEq(token.balanceOf(address(registry)), vault + escrow, "and nothing left the vault");
    }

    /// @dev R14, R18. Two workers have leases of one shard, one after the other: only one is paid for it.
    function test_attack_aShardIsNeverPaidTwice() public {
        Work memory work = honestWork();
        commit(work);
        Lease[] memory leases = new Lease[](1);
        bytes[] memory signatures = new bytes[](1);
        leases[0] = Lease(
            work.jobId, 1, walter.account, uint64(vm.getBlockTimestamp()), uint64(vm.getBlockTimestamp() + 30)
        );
        signatures[0] = sign(coordinator.secret, typed(keccak256(abi.encode(LEASE_TYPE, leases[0]))));
        uint256 range = (uint256(uint160(walter.account)) << 96) | (1 << 64) | 1;
        vm.expectRevert(abi.encodeWithSelector(IMarket.ShardTaken.selector, work.jobId, 0, 2));
        vm.prank(walter.account);
        market.selfCommit(
            work.terms, work.jobId, 1, 0, range, 0, coordinator.account, leases, signatures, "https://w"
        );
    }

    /// @dev The code of the rare paths stands at an address of its own: called there it must move nothing.
    function test_attack_theRarePathsCalledDirectly_haveNoRights() public {
        Terms memory terms = buildTerms();
        address rare = vm.computeCreateAddress(address(market), 2);
        uint256 before = wealthOf(requester.account);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryUnauthorized.selector, rare));
        vm.prank(requester.account);
        IMarket(rare).post(terms, 0);
        vm.assertEq(wealthOf(requester.account), before, "nothing was pulled");
    }
}

/// @notice The token itself is an account, and calls back in the middle of every transfer.
contract ReentrancyTest is Base {
    function makeToken() internal override returns (address) {
        return address(new HostileToken());
    }

    function hostile() internal view returns (HostileToken) {
        return HostileToken(address(token));
    }

    function from() internal view returns (address[] memory list) {
        list = new address[](1);
        list[0] = coordinator.account;
    }

    function test_attack_withdrawInsideWithdraw_isPaidOnce() public {
        vm.prank(address(market));
        registry.credit(address(token), coordinator.account, 5 ether);
        bytes memory data = abi.encodeCall(IRegistry.withdraw, (from()));
        hostile().arm(address(registry), data);
        uint256 vault = token.balanceOf(address(registry));
        hostile().act(address(registry), data);
        vm.assertEq(hostile().attempts(), 1, "it tried");
        vm.assertEq(hostile().successes(), 0, "and failed");
        vm.assertEq(vault - token.balanceOf(address(registry)), 5 ether, "paid once");
    }

    function test_attack_everyWayOutOfTheVault_isShutWhileTokensMove() public {
        vm.prank(address(market));
        registry.credit(address(token), coordinator.account, 5 ether);
        hostile().act(address(token), abi.encodeCall(HostileToken.faucet, ()));
        hostile().act(address(token), abi.encodeWithSignature("approve(address,uint256)", address(registry), 2 ** 255));
        bytes[] memory calls = new bytes[](5);
        calls[0] = abi.encodeCall(IRegistry.withdraw, (from()));
        calls[1] = abi.encodeCall(IRegistry.takeOut, (coordinator.account, 1));
        calls[2] = abi.encodeCall(IRegistry.completeUnstake, ());
        calls[3] = abi.encodeCall(IRegistry.withdrawStanding, ());
        calls[4] = abi.encodeCall(IRegistry.stake, (CAPABILITY, 1));
        for (uint256 i; i < calls.length; ++i) {
            hostile().arm(address(registry), calls[i]);
            hostile().act(address(registry), abi.encodeCall(IRegistry.allow, (coordinator.account, 1 ether)));
        }
        vm.assertEq(hostile().attempts(), 5, "it tried each");
        vm.assertEq(hostile().successes(), 0, "none went through");
        (uint256 free,,,) = registry.pairOf(address(token), coordinator.account);
        vm.assertEq(free, 5 ether, "five times allowed, no more");
    }

    function test_attack_postAndRefundInsidePost_isRefused() public {
        Terms memory terms = buildTerms();
        terms.requester = address(token);
        hostile().act(address(token), abi.encodeCall(HostileToken.faucet, ()));
        hostile().act(address(token), abi.encodeWithSignature("approve(address,uint256)", address(registry), 2 ** 255));
        hostile().arm(address(market), abi.encodeCall(IMarket.post, (terms, 2)));
        uint256 before = token.balanceOf(address(registry));
        hostile().act(address(market), abi.encodeCall(IMarket.post, (terms, 1)));
        vm.assertEq(hostile().successes(), 0, "refused");
        vm.assertEq(token.balanceOf(address(registry)) - before, 45 * 1.05 ether + 40 ether, "one escrow");
    }

    /// @dev This token cannot be burned: what is slashed goes to the dead address, and the burn calls back.
    function test_R12_aTokenWithoutBurn_isSentToTheDead() public {
        Work memory work = honestWork();
        commit(work);
        mine(ATTEST_LIMIT + 1);
        hostile().arm(address(market), abi.encodeCall(IMarket.forfeit, (work.terms, work.batch, bytes32(0))));
        uint256 collateral = market.collateralOf(work.terms);
        market.forfeit(work.terms, work.batch, 0);
        vm.assertEq(hostile().attempts(), 1, "it tried to forfeit twice");
        vm.assertEq(hostile().successes(), 0, "and failed");
        vm.assertEq(token.balanceOf(0x000000000000000000000000000000000000dEaD), 2 * collateral, "dead");
        uint192[] memory jobs = new uint192[](1);
        jobs[0] = work.jobId;
        assertConserved(jobs, 0, "with a hostile token");
    }
}
