// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IDuties} from "../../contracts/interfaces/IDuties.sol";
import {IRegistry} from "../../contracts/interfaces/IRegistry.sol";
import {Lease, Release} from "../../contracts/types/Messages.sol";
import {JuryBase} from "./support/JuryBase.t.sol";

/// @notice One shard to two workers at once (R14): the standing bond pays the second.
contract EquivocationTest is JuryBase {
    bytes32 internal constant RELEASE_TYPE = keccak256("Release(bytes32 leaseHash,uint64 at)");
    uint256 internal constant BOND = 50 ether;

    IDuties internal duties;
    uint64 internal start;

    function setUp() public override {
        super.setUp();
        duties = IDuties(address(jury));
        vm.prank(coordinator.account);
        registry.depositStanding();
        start = uint64(vm.getBlockTimestamp());
    }

    // -- What it costs -------------------------------------------------------------------------------------------------

    /// @notice The coordinator has a friend compute what it leased to an honest worker.
    function test_R14_attack_twoLeases_costTheStandingBondAndPayTheSecondWorker() external {
        (Lease memory first, Lease memory second) = (_lease(walter.account, 0), _lease(mallory.account, 10));
        uint256 supply = token.totalSupply();
        uint256 before = wealthOf(coordinator.account);
        uint256 secondBefore = wealthOf(mallory.account);
        uint256 firstBefore = wealthOf(walter.account);
        bytes32 id = _claim(mallory.account, first, second);
        pass(CLOCK + 1);
        vm.prank(requester.account);
        duties.settleEquivocation(id);
        vm.assertEq(before - wealthOf(coordinator.account), BOND, "the whole bond");
        vm.assertEq(supply - token.totalSupply(), BOND / 2, "b burns");
        vm.assertEq(wealthOf(mallory.account) - secondBefore, BOND / 2, "the rest is the second worker's");
        vm.assertEq(wealthOf(walter.account), firstBefore, "the first has its lease, and no more");
        assertConserved(new uint192[](0), 0, "after the proof");
    }

    /// @notice Leases that begin in one second: each worker is the other's second.
    function test_R14_aTie_paysBoth() external {
        (Lease memory first, Lease memory second) = (_lease(walter.account, 0), _lease(mallory.account, 0));
        bytes32 id = _claim(walter.account, first, second);
        pass(CLOCK + 1);
        duties.settleEquivocation(id);
        vm.assertEq(owedOf(walter.account), BOND / 4, "one half of what does not burn");
        vm.assertEq(owedOf(mallory.account), BOND / 4, "and the other");
    }

    /// @notice A coordinator that is about to lose its bond takes it out first.
    function test_R14_attack_theBondIsHeld_whileAClaimIsOpen() external {
        vm.prank(coordinator.account);
        registry.noticeStanding();
        pass(131);
        start = uint64(vm.getBlockTimestamp());
        bytes32 id = _claim(mallory.account, _lease(walter.account, 0), _lease(mallory.account, 10));
        (uint256 amount, uint256 noticeAt) = registry.standingOf(coordinator.account);
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.StandingState.selector, coordinator.account, amount, noticeAt)
        );
        vm.prank(coordinator.account);
        registry.withdrawStanding();
        pass(CLOCK + 1);
        duties.settleEquivocation(id);
        (amount,) = registry.standingOf(coordinator.account);
        vm.assertEq(amount, 0, "it was still there");
        vm.assertEq(owedOf(mallory.account), BOND / 2, "paid");
    }

    function test_R14_theBond_leavesAgainAfterTheClaim() external {
        (Lease memory first, Lease memory second) = (_lease(walter.account, 0), _lease(mallory.account, 10));
        bytes32 id = _claim(mallory.account, first, second);
        _answer(id, walter, _release(first, 10));
        vm.prank(coordinator.account);
        registry.noticeStanding();
        pass(131);
        uint256 before = token.balanceOf(coordinator.account);
        vm.prank(coordinator.account);
        registry.withdrawStanding();
        vm.assertEq(token.balanceOf(coordinator.account) - before, BOND, "whole");
    }

    // -- What an honest coordinator shows --------------------------------------------------------------------------------

    /// @notice The first worker gave its lease back: the next one may begin in that very second.
    function test_R14_aRelease_answersTheClaim_andEarnsItsDeposit() external {
        (Lease memory first, Lease memory second) = (_lease(walter.account, 0), _lease(mallory.account, 10));
        uint256 deposit = duties.claimDeposit();
        vm.assertGt(deposit, 0, "a claim is prepaid");
        bytes32 id = _claim(mallory.account, first, second);
        uint256 coin = coordinator.account.balance;
        _answer(id, walter, _release(first, 10));
        vm.prank(coordinator.account);
        duties.withdrawDutyDeposits();
        vm.assertEq(coordinator.account.balance - coin, deposit, "the answerer is paid");
        pass(CLOCK + 1);
        vm.expectPartialRevert(IDuties.ClaimRefused.selector);
        duties.settleEquivocation(id);
        (uint256 bond,) = registry.standingOf(coordinator.account);
        vm.assertEq(bond, BOND, "nothing is lost");
    }

    function test_R14_aReleaseThatCameLater_answersNothing() external {
        (Lease memory first, Lease memory second) = (_lease(walter.account, 0), _lease(mallory.account, 10));
        bytes32 id = _claim(mallory.account, first, second);
        Release memory release = _release(first, 11);
        bytes memory signature = _signRelease(walter, release);
        vm.expectRevert(
            abi.encodeWithSelector(
                IDuties.ClaimRelease.selector, release.leaseHash, release.at, walter.account
            )
        );
        duties.answerEquivocation(id, release, signature);
    }

    /// @notice A coordinator cannot release in a worker's name, nor show a release of something else.
    function test_R14_anothersRelease_answersNothing() external {
        (Lease memory first, Lease memory second) = (_lease(walter.account, 0), _lease(mallory.account, 10));
        bytes32 id = _claim(mallory.account, first, second);
        Release memory release = _release(first, 5);
        bytes memory signature = _signRelease(coordinator, release);
        vm.expectPartialRevert(IDuties.ClaimRelease.selector);
        duties.answerEquivocation(id, release, signature);
        release = _release(second, 5);
        signature = _signRelease(walter, release);
        vm.expectPartialRevert(IDuties.ClaimRelease.selector);
        duties.answerEquivocation(id, release, signature);
    }

    function test_R14_theClock_isTheAnswerersAlone() external {
        (Lease memory first, Lease memory second) = (_lease(walter.account, 0), _lease(mallory.account, 10));
        bytes32 id = _claim(mallory.account, first, second);
        pass(CLOCK);
        vm.expectPartialRevert(IDuties.ClaimRefused.selector);
        duties.settleEquivocation(id);
        pass(1);
        Release memory release = _release(first, 10);
        bytes memory signature = _signRelease(walter, release);
        vm.expectPartialRevert(IDuties.ClaimRefused.selector);
        duties.answerEquivocation(id, release, signature);
    }

    /// @notice R26: a deposit is twice what the answer costs at the base fee, calldata included.
    function test_R26_theDeposit_coversTheAnswer() external {
        (Lease memory first, Lease memory second) = (_lease(walter.account, 0), _lease(mallory.account, 10));
        bytes32 id = _claim(mallory.account, first, second);
        Release memory release = _release(first, 10);
        bytes memory data = abi.encodeCall(IDuties.answerEquivocation, (id, release, _signRelease(walter, release)));
        uint256 gas = 21_000;
        for (uint256 i; i < data.length; ++i) {
            gas += data[i] == 0 ? 4 : 16;
        }
        uint256 left = gasleft();
        (bool done,) = address(jury).call(data);
        gas += left - gasleft();
        vm.assertTrue(done, "answered");
        vm.assertLe(gas * block.basefee * 2, duties.claimDeposit(), "twice the answer");
    }

    // -- What is no equivocation ---------------------------------------------------------------------------------------

    function testFuzz_R14_leasesThatDoNotOverlap_proveNothing(uint8 gap) external {
        Lease memory first = _lease(walter.account, 0);
        Lease memory second = _lease(mallory.account, uint64(30) + gap);
        _refuse(first, second, IDuties.LeasesApart.selector);
    }

    function test_R14_leasesOfOneWorkerOrOfOtherShards_proveNothing() external {
        Lease memory first = _lease(walter.account, 0);
        _refuse(first, _lease(walter.account, 10), IDuties.LeasesApart.selector);
        Lease memory second = _lease(mallory.account, 10);
        second.shard += 1;
        _refuse(first, second, IDuties.LeasesApart.selector);
        second = _lease(mallory.account, 10);
        second.jobId += 1;
        _refuse(first, second, IDuties.LeasesApart.selector);
        // In the other order the first worker would be paid as the second.
        _refuse(_lease(mallory.account, 10), first, IDuties.LeasesApart.selector);
        second = _lease(mallory.account, 10);
        second.expiry = second.start;
        _refuse(first, second, IDuties.LeasesApart.selector);
    }

    /// @notice A lease that somebody else signed is nobody's promise.
    function test_R14_aForgedLease_provesNothing() external {
        (Lease memory first, Lease memory second) = (_lease(walter.account, 0), _lease(mallory.account, 10));
        bytes memory signature = _signLease(first);
        bytes memory forged = sign(mallory.secret, typed(keccak256(abi.encode(LEASE_TYPE, second))));
        uint256 deposit = duties.claimDeposit();
        vm.expectRevert(
            abi.encodeWithSelector(IDuties.LeaseSigners.selector, coordinator.account, mallory.account)
        );
        duties.claimEquivocation{value: deposit}(first, signature, second, forged);
    }

    function test_R14_aClaim_isMadeOnce_andPrepaid() external {
        (Lease memory first, Lease memory second) = (_lease(walter.account, 0), _lease(mallory.account, 10));
        (bytes memory a, bytes memory b) = (_signLease(first), _signLease(second));
        uint256 deposit = duties.claimDeposit();
        vm.expectRevert(abi.encodeWithSelector(IDuties.ClaimDeposit.selector, deposit - 1, deposit));
        vm.prank(mallory.account);
        duties.claimEquivocation{value: deposit - 1}(first, a, second, b);
        vm.prank(mallory.account);
        duties.claimEquivocation{value: deposit + 5}(first, a, second, b);
        vm.assertEq(duties.dutyDepositsOf(mallory.account), 5, "what is too much comes back");
        vm.expectPartialRevert(IDuties.ClaimRefused.selector);
        vm.prank(mallory.account);
        duties.claimEquivocation{value: deposit}(first, a, second, b);
    }

    function test_registry_standingIsSlashedByJudgesAlone() external {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryUnauthorized.selector, address(this)));
        registry.holdStanding(coordinator.account, type(uint40).max);
    }

    // -- Inside ------------------------------------------------------------------------------------------------------

    function _lease(address worker, uint64 after_) internal view returns (Lease memory) {
        return Lease(7, 3, worker, start + after_, start + after_ + 30);
    }

    function _release(Lease memory lease, uint64 after_) internal view returns (Release memory) {
        return Release(keccak256(abi.encode(LEASE_TYPE, lease)), start + after_);
    }

    function _signLease(Lease memory lease) internal view returns (bytes memory) {
        return sign(coordinator.secret, typed(keccak256(abi.encode(LEASE_TYPE, lease))));
    }

    function _signRelease(Actor memory who, Release memory release) internal view returns (bytes memory) {
        return sign(who.secret, typed(keccak256(abi.encode(RELEASE_TYPE, release))));
    }

    function _claim(address claimer, Lease memory first, Lease memory second) internal returns (bytes32) {
        (bytes memory a, bytes memory b) = (_signLease(first), _signLease(second));
        uint256 deposit = duties.claimDeposit();
        vm.prank(claimer);
        return duties.claimEquivocation{value: deposit}(first, a, second, b);
    }

    function _answer(bytes32 id, Actor memory worker, Release memory release) internal {
        bytes memory signature = _signRelease(worker, release);
        vm.prank(coordinator.account);
        duties.answerEquivocation(id, release, signature);
    }

    function _refuse(Lease memory first, Lease memory second, bytes4 selector) internal {
        (bytes memory a, bytes memory b) = (_signLease(first), _signLease(second));
        uint256 deposit = duties.claimDeposit();
        vm.expectPartialRevert(selector);
        duties.claimEquivocation{value: deposit}(first, a, second, b);
    }

    receive() external payable {}
}
