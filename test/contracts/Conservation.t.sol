// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Terms} from "../../contracts/types/Terms.sol";
import {Base} from "./support/Base.t.sol";
import {MarketHandler} from "./support/MarketHandler.t.sol";

/// @notice R9 under every sequence of moves that anyone may make.
contract ConservationTest is Base {
    MarketHandler internal handler;

    function setUp() public override {
        super.setUp();
        address[] memory workers = new address[](3);
        (workers[0], workers[1], workers[2]) = (walter.account, mallory.account, enlist("wanda").account);
        vm.prank(workers[2]);
        registry.allow(coordinator.account, 10_000 ether);
        address[] memory panel = new address[](4);
        for (uint256 i; i < 4; ++i) {
            panel[i] = verifiers[i].account;
        }
        sort(workers);
        sort(panel);
        handler = new MarketHandler(
            market,
            registry,
            beacon,
            address(challenges),
            coordinator.account,
            requester.account,
            workers,
            panel
        );
        for (uint256 i; i < 2; ++i) {
            Terms memory terms = buildTerms();
            terms.tasks = uint32(37 + i);
            terms.shardSize = 2;
            terms.auditBudget = 200 ether;
            handler.add(terms, postJob(terms));
        }
        mine(1);
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    function sort(address[] memory list) private pure {
        for (uint256 i = 1; i < list.length; ++i) {
            for (uint256 j = i; j > 0 && list[j] < list[j - 1]; --j) {
                (list[j], list[j - 1]) = (list[j - 1], list[j]);
            }
        }
    }

    /// @dev The two seats' owners that the handler does not move are in no sum of its own.
    function apart() private view returns (uint256 sum) {
        for (uint256 i = 4; i < verifiers.length; ++i) {
            (uint256 staked, uint256 unbonding,,) = registry.stakerOf(verifiers[i].account);
            sum += staked + unbonding;
        }
    }

    function invariant_R9_theVaultHoldsWhatItOwes() public view {
        vm.assertEq(
            token.balanceOf(address(registry)),
            handler.inBooks() + handler.inBatches() + apart(),
            "stake + unbonding + collateral + bonds + escrow + owed"
        );
    }

    function invariant_R9_theMarketHoldsNothing() public view {
        vm.assertEq(token.balanceOf(address(market)), 0, "the Market's tokens");
    }

    function invariant_R5_everyShardIsMarkedOnce() public view {
        vm.assertTrue(handler.booksAgree(), "open batches, final shards and shard bits agree");
    }

    /// @notice The same moves in a fixed order reach every end: a campaign that does nothing would prove nothing.
    function test_theHandler_reachesEveryEnd() public {
        for (uint256 i; i < 900; ++i) {
            uint256 seed = uint256(keccak256(abi.encode("campaign", i)));
            uint256 what = seed % 12;
            if (what < 2) handler.commit(seed >> 8);
            else if (what < 6) handler.step(seed >> 8);
            else if (what == 6) handler.judgeBatch(seed >> 8);
            else if (what == 7) handler.slashSeat(seed >> 8);
            else if (what == 8) handler.moveStake(seed >> 8);
            else if (what == 9) handler.moveCollateral(seed >> 8);
            else if (what == 10) handler.withdraw(seed >> 8);
            else handler.pass(seed >> 8);
            if (i % 50 == 0) {
                invariant_R9_theVaultHoldsWhatItOwes();
                invariant_R5_everyShardIsMarkedOnce();
            }
        }
        invariant_R9_theVaultHoldsWhatItOwes();
        invariant_R5_everyShardIsMarkedOnce();
        vm.assertGt(handler.finals(), 5, "batches that became final");
        vm.assertGt(handler.slashes(), 5, "ranges that were voided");
    }
}
