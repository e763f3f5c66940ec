// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IAssayToken} from "../../contracts/interfaces/IAssayToken.sol";
import {IRegistry} from "../../contracts/interfaces/IRegistry.sol";
import {Reward} from "../../contracts/types/Batch.sol";
import {Base} from "./support/Base.t.sol";

contract RegistryTest is Base {
    bytes32 internal constant OTHER = keccak256("another capability");

    function seats(uint32 first) internal pure returns (uint32[] memory list) {
        list = new uint32[](1);
        list[0] = first;
    }

    function seats(uint32 first, uint32 second) internal pure returns (uint32[] memory list) {
        list = new uint32[](2);
        (list[0], list[1]) = (first, second);
    }

    function nobody() internal pure returns (Reward[] memory) {
        return new Reward[](0);
    }

    // -- The faucet ----------------------------------------------------------------------------------------------------

    function test_faucet_servesOncePerInterval() public {
        IAssayToken money = IAssayToken(create("AssayToken", "", abi.encode(uint256(5 ether), uint256(60))));
        vm.prank(walter.account);
        money.faucet();
        uint256 again = vm.getBlockTimestamp() + 60;
        vm.expectRevert(abi.encodeWithSelector(IAssayToken.FaucetTooSoon.selector, walter.account, again));
        vm.prank(walter.account);
        money.faucet();
        vm.warp(again);
        vm.prank(walter.account);
        money.faucet();
        vm.assertEq(money.balanceOf(walter.account), 10 ether, "two servings");
        vm.prank(walter.account);
        money.burn(4 ether);
        vm.assertEq(money.totalSupply(), 6 ether, "supply after a burn");
    }

    function test_faucet_neverMintsMoreThanTheProtocolsAmountsHold() public {
        uint256 most = type(uint96).max;
        IAssayToken money = IAssayToken(create("AssayToken", "", abi.encode(most, uint256(0))));
        money.faucet();
        vm.expectRevert(abi.encodeWithSelector(IAssayToken.TokenSupplyExceeded.selector, 2 * most, most));
        money.faucet();
    }

    // -- Seats (R20, R22, R25) -----------------------------------------------------------------------------------------

    function test_R25_stake_takesSeatsAndCountsOwners() public {
        vm.prank(walter.account);
        registry.stake(OTHER, 3);
        vm.prank(mallory.account);
        registry.stake(OTHER, 1);
        (uint256 count, uint256 owners) = registry.seatsOf(OTHER);
        vm.assertEq(count, 4, "seats");
        vm.assertEq(owners, 2, "owners");
        vm.assertEq(registry.seatOwner(OTHER, 3), mallory.account, "the fourth seat");
        (uint256 staked,,, uint256 held) = registry.stakerOf(walter.account);
        vm.assertEq(staked, 3 * uint256(SEAT), "staked");
        vm.assertEq(held, 3, "walter's seats");
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryBadAmount.selector, 0));
        vm.prank(walter.account);
        registry.stake(OTHER, 0);
    }

    function test_R25_requestUnstake_leavesTheDrawAtOnce_andMovesTheHighestSeat() public {
        vm.prank(walter.account);
        registry.stake(OTHER, 2);
        vm.prank(mallory.account);
        registry.stake(OTHER, 2);
        uint256 staked = vm.getBlockNumber();
        mine(1);
        vm.prank(walter.account);
        registry.requestUnstake(OTHER, seats(1, 0));
        (uint256 count, uint256 owners) = registry.seatsOf(OTHER);
        vm.assertEq(count, 2, "seats");
        vm.assertEq(owners, 1, "owners");
        vm.assertEq(registry.seatOwner(OTHER, 0), mallory.account, "seat 0 is one that moved");
        vm.assertEq(registry.seatOwner(OTHER, 1), mallory.account, "seat 1 is one that moved");
        vm.assertEq(registry.seatOwner(OTHER, 2), address(0), "seat 2 is gone");
        // R20: a draw asks who owned a seat when the batch was committed.
        vm.assertEq(registry.seatCountAt(OTHER, staked), 4, "seats then");
        vm.assertEq(registry.seatOwnerAt(OTHER, 0, staked), walter.account, "owner then");
        vm.assertEq(registry.seatCountAt(OTHER, staked - 1), 0, "seats before");
    }

    function test_R25_requestUnstake_isTheOwnersAlone_inDescendingOrder() public {
        vm.prank(walter.account);
        registry.stake(OTHER, 2);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SeatNotOwned.selector, OTHER, 0, walter.account));
        vm.prank(mallory.account);
        registry.requestUnstake(OTHER, seats(0));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SeatOrder.selector, 0, 1));
        vm.prank(walter.account);
        registry.requestUnstake(OTHER, seats(0, 1));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.SeatNotOwned.selector, OTHER, 2, address(0)));
        vm.prank(walter.account);
        registry.requestUnstake(OTHER, seats(2));
    }

    function test_R25_completeUnstake_waitsForTheUnbonding() public {
        vm.prank(walter.account);
        registry.stake(OTHER, 1);
        uint256 before = token.balanceOf(walter.account);
        vm.prank(walter.account);
        registry.requestUnstake(OTHER, seats(0));
        uint256 until = vm.getBlockTimestamp() + 600;
        vm.warp(until - 1);
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.UnbondingNotOver.selector, walter.account, uint256(SEAT), until)
        );
        vm.prank(walter.account);
        registry.completeUnstake();
        vm.warp(until);
        vm.prank(walter.account);
        registry.completeUnstake();
        vm.assertEq(token.balanceOf(walter.account) - before, SEAT, "the stake returned");
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnbondingNotOver.selector, walter.account, 0, 0));
        vm.prank(walter.account);
        registry.completeUnstake();
    }

    function test_R22_slashSeat_reachesWhatIsUnbonding() public {
        vm.prank(walter.account);
        registry.stake(OTHER, 1);
        vm.prank(walter.account);
        registry.requestUnstake(OTHER, seats(0));
        uint256 supply = token.totalSupply();
        vm.prank(address(jury));
        uint256 taken = registry.slashSeat(walter.account, address(0), 150 ether, false, "false verdict", nobody());
        vm.assertEq(taken, 150 ether, "taken");
        vm.assertEq(supply - token.totalSupply(), 150 ether, "burned");
        (uint256 staked, uint256 unbonding,,) = registry.stakerOf(walter.account);
        vm.assertEq(staked, 0, "staked");
        vm.assertEq(unbonding, uint256(SEAT) - 150 ether, "unbonding");
    }

    function test_R12_slashSeat_burnsHalfWhoeverIsRewarded() public {
        vm.prank(walter.account);
        registry.stake(OTHER, 1);
        Reward[] memory rewards = new Reward[](2);
        rewards[0] = Reward(mallory.account, 60 ether);
        rewards[1] = Reward(verifiers[0].account, 60 ether);
        uint256 supply = token.totalSupply();
        vm.prank(address(challenges));
        registry.slashSeat(walter.account, coordinator.account, 101 ether, false, "test", rewards);
        (, uint256 first,,) = registry.pairOf(mallory.account, coordinator.account);
        (, uint256 second,,) = registry.pairOf(verifiers[0].account, coordinator.account);
        vm.assertEq(first, 50.5 ether, "the first is cut to what need not burn");
        vm.assertEq(second, 0, "nothing is left for the second");
        vm.assertEq(supply - token.totalSupply(), 50.5 ether, "burned");
    }

    function test_R22_slashSeat_takesNoMoreThanThereIs() public {
        vm.prank(walter.account);
        registry.stake(OTHER, 1);
        vm.prank(address(jury));
        uint256 taken = registry.slashSeat(walter.account, address(0), type(uint256).max, false, "test", nobody());
        vm.assertEq(taken, SEAT, "taken");
    }

    function test_slashSeat_isTheJudgesAlone() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryUnauthorized.selector, coordinator.account));
        vm.prank(coordinator.account);
        registry.slashSeat(walter.account, coordinator.account, 1, false, "test", nobody());
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryUnauthorized.selector, coordinator.account));
        vm.prank(coordinator.account);
        registry.pull(walter.account, 1);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryUnauthorized.selector, coordinator.account));
        vm.prank(coordinator.account);
        registry.credit(coordinator.account, coordinator.account, 1);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryUnauthorized.selector, coordinator.account));
        vm.prank(coordinator.account);
        registry.forfeit(coordinator.account, 1, nobody());
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryUnauthorized.selector, coordinator.account));
        vm.prank(coordinator.account);
        registry.lock(coordinator.account, new uint256[](0), 0, 0, CAPABILITY, 0, 0);
        IRegistry.Settlement memory s;
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryUnauthorized.selector, coordinator.account));
        vm.prank(coordinator.account);
        registry.settle(s, new uint256[](0), new uint256[](0));
    }

    function test_R22_evict_removesASeatThatItsStakeNoLongerCovers() public {
        vm.prank(walter.account);
        registry.stake(OTHER, 2);
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.SeatCovered.selector, walter.account, 2 * uint256(SEAT), 2)
        );
        registry.evict(OTHER, 0);
        vm.prank(address(jury));
        registry.slashSeat(walter.account, address(0), 1 ether, false, "silent", nobody());
        registry.evict(OTHER, 0);
        (uint256 count,) = registry.seatsOf(OTHER);
        vm.assertEq(count, 1, "seats left");
        // One seat's worth still covers the other seat; what is beyond it can leave.
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.SeatCovered.selector, walter.account, 2 * uint256(SEAT) - 1 ether, 1)
        );
        registry.evict(OTHER, 0);
        vm.prank(walter.account);
        registry.requestUnstake(OTHER, new uint32[](0));
        (uint256 staked, uint256 unbonding,,) = registry.stakerOf(walter.account);
        vm.assertEq(staked, SEAT, "staked");
        vm.assertEq(unbonding, uint256(SEAT) - 1 ether, "unbonding");
    }

    function testFuzz_R25_seats_haveNoHoleAndOneOwnerEach(uint256 seed) public {
        for (uint256 i; i < 12; ++i) {
            Actor memory actor = verifiers[uint256(keccak256(abi.encode(seed, i))) % 4];
            (uint256 count,) = registry.seatsOf(OTHER);
            uint256 dice = uint256(keccak256(abi.encode(seed, i, "do")));
            if (dice % 3 != 0 || count == 0) {
                vm.prank(actor.account);
                registry.stake(OTHER, uint32(1 + dice % 4));
            } else {
                uint32 seat = uint32(dice % count);
                vm.prank(registry.seatOwner(OTHER, seat));
                registry.requestUnstake(OTHER, seats(seat));
            }
        }
        (uint256 total, uint256 owners) = registry.seatsOf(OTHER);
        uint256 held;
        uint256 holders;
        for (uint256 i; i < 4; ++i) {
            uint256 own = registry.seatCount(OTHER, verifiers[i].account);
            held += own;
            if (own > 0) ++holders;
            uint256 counted;
            for (uint256 seat; seat < total; ++seat) {
                if (registry.seatOwner(OTHER, seat) == verifiers[i].account) ++counted;
            }
            vm.assertEq(counted, own, "seats of an owner");
        }
        vm.assertEq(held, total, "all seats are somebody's");
        vm.assertEq(holders, owners, "owners");
        vm.assertEq(registry.seatOwner(OTHER, total), address(0), "none beyond the last");
    }

    // -- Keys (R8) -----------------------------------------------------------------------------------------------------

    function test_R8_key_countsFromTheBlockAfterItsRegistration_untilTheBlockOfItsEnd() public {
        uint256 secret = 0x5ec2e7;
        address key = vm.addr(secret);
        vm.assertEq(registry.accountOf(key, vm.getBlockNumber()), address(0), "unknown");
        bytes memory signature = sign(secret, registryDigest(walter.account, key));
        vm.prank(walter.account);
        registry.registerKey(key, signature);
        uint256 from = vm.getBlockNumber();
        vm.assertEq(registry.accountOf(key, from), address(0), "not in its own block");
        vm.assertEq(registry.accountOf(key, from + 1), walter.account, "from the next");
        mine(5);
        vm.prank(walter.account);
        registry.revokeKey(key);
        uint256 until = vm.getBlockNumber();
        vm.assertEq(registry.accountOf(key, until), walter.account, "for batches committed by then");
        vm.assertEq(registry.accountOf(key, until + 1), address(0), "never after");
        vm.expectRevert(abi.encodeWithSelector(IRegistry.KeyTaken.selector, key, walter.account));
        vm.prank(walter.account);
        registry.registerKey(key, signature);
    }

    function test_R8_registerKey_needsTheKeysOwnConsent() public {
        address victim = verifiers[1].key;
        vm.expectRevert(abi.encodeWithSelector(IRegistry.KeyTaken.selector, victim, verifiers[1].account));
        vm.prank(mallory.account);
        registry.registerKey(victim, "");
        uint256 secret = 0x5ec2e7;
        bytes memory signature = sign(secret, registryDigest(walter.account, vm.addr(secret)));
        // Mallory repeats what walter's new key signed: it was signed for walter.
        vm.expectPartialRevert(IRegistry.KeyBadSignature.selector);
        vm.prank(mallory.account);
        registry.registerKey(vm.addr(secret), signature);
        vm.expectPartialRevert(IRegistry.KeyBadSignature.selector);
        vm.prank(mallory.account);
        registry.registerKey(address(0), "not a signature");
    }

    function test_R8_revokeKey_isItsAccountsAlone_andOnce() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.KeyNotHeld.selector, walter.key, mallory.account));
        vm.prank(mallory.account);
        registry.revokeKey(walter.key);
        vm.prank(walter.account);
        registry.revokeKey(walter.key);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.KeyNotHeld.selector, walter.key, walter.account));
        vm.prank(walter.account);
        registry.revokeKey(walter.key);
    }

    // -- Collateral and pay (R10, R13) ---------------------------------------------------------------------------------

    function test_R13_takeOut_needsNotice_eachTimeItsOwn() public {
        address with = coordinator.account;
        vm.expectRevert(abi.encodeWithSelector(IRegistry.CollateralNotice.selector, walter.account, with, 0));
        vm.prank(walter.account);
        registry.takeOut(with, 1 ether);
        vm.prank(walter.account);
        registry.giveNotice(with);
        uint256 from = vm.getBlockTimestamp() + 130;
        vm.warp(from - 1);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.CollateralNotice.selector, walter.account, with, from));
        vm.prank(walter.account);
        registry.takeOut(with, 1 ether);
        vm.warp(from);
        uint256 before = token.balanceOf(walter.account);
        vm.prank(walter.account);
        registry.takeOut(with, 1 ether);
        vm.assertEq(token.balanceOf(walter.account) - before, 1 ether, "taken out");
        vm.expectRevert(abi.encodeWithSelector(IRegistry.CollateralNotice.selector, walter.account, with, 0));
        vm.prank(walter.account);
        registry.takeOut(with, 1 ether);
    }

    function test_R13_takeOut_neverMoreThanIsFree() public {
        vm.prank(walter.account);
        registry.giveNotice(coordinator.account);
        mine(130);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRegistry.CollateralShort.selector,
                walter.account,
                coordinator.account,
                10_000 ether,
                10_000 ether + 1
            )
        );
        vm.prank(walter.account);
        registry.takeOut(coordinator.account, 10_000 ether + 1);
    }

    function test_R13_cancelNotice_keepsTheCollateralIn() public {
        vm.prank(walter.account);
        registry.giveNotice(coordinator.account);
        vm.prank(walter.account);
        registry.cancelNotice(coordinator.account);
        mine(130);
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.CollateralNotice.selector, walter.account, coordinator.account, 0)
        );
        vm.prank(walter.account);
        registry.takeOut(coordinator.account, 1);
    }

    function test_R22_aBar_cannotBeCancelledNoticedOrClearedAway() public {
        address with = coordinator.account;
        vm.prank(address(jury));
        registry.slashSeat(walter.account, with, 0, true, "false verdict", nobody());
        uint256 until = vm.getBlockTimestamp() + 600;
        (,,, uint256 flags) = registry.pairOf(walter.account, with);
        vm.assertEq(flags, 1, "barred");
        vm.expectRevert(abi.encodeWithSelector(IRegistry.CollateralBarred.selector, walter.account, with, until));
        vm.prank(walter.account);
        registry.cancelNotice(with);
        vm.prank(walter.account);
        registry.giveNotice(with);
        (,, uint256 noticeAt,) = registry.pairOf(walter.account, with);
        vm.assertEq(noticeAt, until, "a notice does not shorten it");
        vm.warp(until - 1);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.CollateralBarred.selector, walter.account, with, until));
        vm.prank(walter.account);
        registry.clearFlag(with);
        vm.warp(until);
        vm.prank(walter.account);
        registry.clearFlag(with);
        (,,, flags) = registry.pairOf(walter.account, with);
        vm.assertEq(flags, 0, "cleared");
        vm.expectRevert(abi.encodeWithSelector(IRegistry.CollateralNotBarred.selector, walter.account, with));
        vm.prank(walter.account);
        registry.clearFlag(with);
    }

    function test_R10_withdraw_isPullOnly_andOnce() public {
        vm.prank(address(market));
        registry.credit(walter.account, coordinator.account, 3 ether);
        address[] memory from = new address[](3);
        (from[0], from[1], from[2]) = (coordinator.account, mallory.account, coordinator.account);
        uint256 before = token.balanceOf(walter.account);
        vm.prank(walter.account);
        uint256 amount = registry.withdraw(from);
        vm.assertEq(amount, 3 ether, "amount, though a coordinator is named twice");
        vm.assertEq(token.balanceOf(walter.account) - before, 3 ether, "paid");
        vm.prank(walter.account);
        vm.assertEq(registry.withdraw(from), 0, "nothing is paid twice");
    }

    function test_credit_neverOverflowsItsField() public {
        uint256 most = type(uint96).max;
        vm.prank(address(market));
        registry.credit(walter.account, coordinator.account, most);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryBadAmount.selector, 1));
        vm.prank(address(market));
        registry.credit(walter.account, coordinator.account, 1);
        (uint256 free,, uint256 noticeAt, uint256 flags) = registry.pairOf(walter.account, coordinator.account);
        vm.assertEq(free, 10_000 ether, "free is untouched");
        vm.assertEq(noticeAt + flags, 0, "so are notice and flags");
    }

    // -- Standing bonds (R14) ------------------------------------------------------------------------------------------

    function test_R14_standing_leavesWithNoticeOnly() public {
        uint256 before = token.balanceOf(coordinator.account);
        vm.prank(coordinator.account);
        registry.depositStanding();
        (uint256 amount,) = registry.standingOf(coordinator.account);
        vm.assertEq(amount, 50 ether, "standing bond");
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.StandingState.selector, coordinator.account, 50 ether, 0)
        );
        vm.prank(coordinator.account);
        registry.depositStanding();
        vm.expectRevert(
            abi.encodeWithSelector(IRegistry.StandingState.selector, coordinator.account, 50 ether, 0)
        );
        vm.prank(coordinator.account);
        registry.withdrawStanding();
        vm.prank(coordinator.account);
        registry.noticeStanding();
        mine(130);
        vm.prank(coordinator.account);
        registry.withdrawStanding();
        vm.assertEq(token.balanceOf(coordinator.account), before, "all of it returned");
    }
}
