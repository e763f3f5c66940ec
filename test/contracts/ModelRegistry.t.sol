// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {IERC1155Receiver} from "@openzeppelin/contracts/token/ERC1155/IERC1155Receiver.sol";
import {IModelRegistry} from "../../contracts/interfaces/IModelRegistry.sol";
import {BatchState, Cause, Reward} from "../../contracts/types/Batch.sol";
import {Terms} from "../../contracts/types/Terms.sol";
import {Base} from "./support/Base.t.sol";

/// @dev Claims again while it is being given shares.
contract Greedy is IERC1155Receiver {
    IModelRegistry private immutable MODELS;

    constructor(IModelRegistry models) {
        MODELS = models;
    }

    function onERC1155Received(address, address, uint256 id, uint256, bytes calldata) external returns (bytes4) {
        uint256[] memory ids = new uint256[](1);
        ids[0] = id;
        MODELS.claim(ids);
        return this.onERC1155Received.selector;
    }

    function onERC1155BatchReceived(address, address, uint256[] calldata, uint256[] calldata, bytes calldata)
        external
        pure
        returns (bytes4)
    {
        revert();
    }

    function supportsInterface(bytes4) external pure returns (bool) {
        return true;
    }
}

/// @notice Shares follow paid work, and income follows shares.
contract ModelRegistryTest is Base {
    uint256 private constant GRACE = 100;
    IModelRegistry private models;
    IERC1155 private shares;
    uint256 private modelId;

    function setUp() public override {
        super.setUp();
        address made = create("ModelRegistry", "", abi.encode(address(market), address(token), GRACE));
        (models, shares) = (IModelRegistry(made), IERC1155(made));
        vm.label(made, "models");
        vm.prank(requester.account);
        modelId = models.open(plan(1_000, 10), 0, "a model");
        vm.prank(requester.account);
        token.approve(made, type(uint256).max);
        mine(1);
    }

    function plan(uint64 maxShares, uint64 ownShares) private pure returns (IModelRegistry.Plan memory) {
        return IModelRegistry.Plan(keccak256("program"), maxShares, ownShares, 500);
    }

    function ids() private view returns (uint256[] memory list) {
        list = new uint256[](1);
        list[0] = modelId;
    }

    function finalWork() private returns (Work memory work) {
        work = attestedWork();
        mine(WINDOW + 1);
        finalize(work);
    }

    function sharesOf(address account) private view returns (uint256) {
        return shares.balanceOf(account, modelId);
    }

    function unitsIn(Work memory work, uint256 range) private pure returns (uint256) {
        return uint32(work.batch.ranges[range] >> 64);
    }

    function workerIn(Work memory work, uint256 range) private pure returns (address) {
        return address(uint160(work.batch.ranges[range] >> 96));
    }

    function pay(uint256 amount) private {
        vm.prank(requester.account);
        models.pay(modelId, 7, amount);
    }

    function claim(address account) private returns (uint256) {
        vm.prank(account);
        return models.claim(ids());
    }

    function move(address from, address to, uint256 amount) private {
        vm.prank(from);
        shares.safeTransferFrom(from, to, modelId, amount, "");
    }

    // -- Shares --------------------------------------------------------------------------------------------------------

    function test_credit_givesAShareForEachUnitThatWasPaid() public {
        Work memory work = finalWork();
        models.credit(modelId, work.terms, work.batch);
        uint256 worked;
        for (uint256 i; i < work.batch.ranges.length; ++i) {
            vm.assertEq(sharesOf(workerIn(work, i)), unitsIn(work, i), "a share a unit");
            (, uint256 owed,,) = registry.pairOf(workerIn(work, i), coordinator.account);
            vm.assertEq(owed, unitsIn(work, i) * 1 ether, "of which each was paid");
            worked += unitsIn(work, i);
        }
        vm.assertEq(models.modelOf(modelId).worked, worked, "worked");
        vm.assertEq(models.sharesOf(modelId), worked + 10, "with the owner's own");
        vm.assertEq(sharesOf(requester.account), 10, "the owner's");
    }

    function test_attack_creditTwice() public {
        Work memory work = finalWork();
        models.credit(modelId, work.terms, work.batch);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CreditTwice.selector, modelId, work.batchId));
        models.credit(modelId, work.terms, work.batch);
    }

    function test_attack_creditBeforeItIsFinal() public {
        Work memory work = attestedWork();
        // The Market takes no attested batch without its attestation.
        vm.expectPartialRevert(bytes4(keccak256("BatchMismatch(uint256)")));
        models.credit(modelId, work.terms, work.batch);
        Work memory committed = honestWork();
        commit(committed);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CreditNotFinal.selector, committed.batchId));
        models.credit(modelId, committed.terms, committed.batch);
    }

    function test_attack_creditWhatTheBatchDoesNotSay() public {
        Work memory work = finalWork();
        work.batch.ranges[0] += 1 << 64;
        vm.expectPartialRevert(bytes4(keccak256("BatchMismatch(uint256)")));
        models.credit(modelId, work.terms, work.batch);
    }

    function test_attack_creditAnothersWork() public {
        Terms memory terms = buildTerms();
        terms.programRoot = keccak256("another program");
        Work memory work = buildWork(terms, postJob(terms));
        seal(work);
        toAttested(work);
        mine(WINDOW + 1);
        finalize(work);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CreditForeign.selector, modelId, work.batchId));
        models.credit(modelId, work.terms, work.batch);

        Work memory own = finalWork();
        vm.prank(mallory.account);
        uint256 stolen = models.open(plan(1_000, 0), 0, "another's run");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CreditForeign.selector, stolen, own.batchId));
        models.credit(stolen, own.terms, own.batch);
    }

    function test_attack_creditWorkOfBeforeItWasOpened() public {
        Work memory work = finalWork();
        vm.prank(requester.account);
        uint256 later = models.open(plan(1_000, 0), 1, "opened afterwards");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CreditForeign.selector, later, work.batchId));
        models.credit(later, work.terms, work.batch);
    }

    function test_attack_creditARangeThatWasVoided() public {
        Work memory work = attestedWork();
        vm.prank(address(jury));
        market.voidRanges(work.terms, work.batch, 1, Cause.Worker, new Reward[](0));
        mine(WINDOW + 1);
        finalize(work);
        models.credit(modelId, work.terms, work.batch);
        vm.assertEq(sharesOf(workerIn(work, 0)), 0, "the cheat has none");
        vm.assertEq(sharesOf(workerIn(work, 1)), unitsIn(work, 1), "the other all of its own");
    }

    function test_attack_creditASilentRange_evenOnceItIsReclaimed() public {
        Work memory work = honestWork();
        commit(work);
        draw(work);
        audit(work);
        uint256 range = rangeOfPosition(work, positionOf(work, 0));
        delete work.verdictLeaves[0];
        tally(work);
        work.attestation.silentRanges = uint64(1 << range);
        attest(work);
        mine(WINDOW + 1);
        finalize(work);
        uint256 snapshot = vm.snapshotState();
        models.credit(modelId, work.terms, work.batch);
        vm.assertEq(sharesOf(workerIn(work, range)), 0, "silent, so unpaid");
        vm.assertEq(models.modelOf(modelId).worked, unitsIn(work, 1 - range), "the other range");
        vm.revertToState(snapshot);
        mine(100);
        market.release(work.terms, work.batch);
        models.credit(modelId, work.terms, work.batch);
        vm.assertEq(sharesOf(workerIn(work, range)), 0, "nor when its shards are free again");
    }

    function test_credit_neverMoreThanThePlan() public {
        Work memory work = honestWork();
        vm.prank(requester.account);
        uint256 small = models.open(plan(3, 0), 1, "a small one");
        mine(1);
        toAttested(work);
        mine(WINDOW + 1);
        finalize(work);
        vm.expectPartialRevert(IModelRegistry.CreditOverPlan.selector);
        models.credit(small, work.terms, work.batch);
    }

    function test_complete_isTheOwnersOnce_andLeavesTimeToCredit() public {
        Work memory work = finalWork();
        Work memory late = finalWork();
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelUnauthorized.selector, modelId, mallory.account)
        );
        vm.prank(mallory.account);
        models.complete(modelId, "state", "manifest", "model");
        vm.prank(requester.account);
        models.complete(modelId, "state", "manifest", "model");
        uint256 until = vm.getBlockTimestamp() + GRACE;
        vm.assertEq(models.modelOf(modelId).creditUntil, until, "until");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelComplete.selector, modelId, until));
        vm.prank(requester.account);
        models.complete(modelId, "other", "other", "other");
        models.credit(modelId, work.terms, work.batch);
        mine(GRACE + 1);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelComplete.selector, modelId, until));
        models.credit(modelId, late.terms, late.batch);
    }

    function test_open_onceAndWithinBounds() public {
        vm.startPrank(requester.account);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelExists.selector, modelId));
        models.open(plan(1, 0), 0, "again");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelBadPlan.selector, bytes32("maxShares")));
        models.open(plan(0, 0), 1, "none");
        IModelRegistry.Plan memory greedy = plan(1, 0);
        greedy.royalty = 10_001;
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelBadPlan.selector, bytes32("royalty")));
        models.open(greedy, 1, "more than all");
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelUnknown.selector, uint256(1)));
        models.pay(1, 0, 1);
    }

    // -- Income --------------------------------------------------------------------------------------------------------

    function test_pay_belongsToThoseWhoHoldSharesThen() public {
        Work memory work = finalWork();
        pay(10 ether); // the owner's ten shares are all there are
        models.credit(modelId, work.terms, work.batch);
        uint256 total = models.sharesOf(modelId);
        pay(total * 1 ether);
        for (uint256 i; i < work.batch.ranges.length; ++i) {
            address worker = workerIn(work, i);
            uint256 before = token.balanceOf(worker);
            vm.assertEq(claim(worker), unitsIn(work, i) * 1 ether, "a token a share");
            vm.assertEq(token.balanceOf(worker) - before, unitsIn(work, i) * 1 ether, "and it came");
            vm.assertEq(claim(worker), 0, "once");
        }
        vm.assertEq(claim(requester.account), 20 ether, "the owner's shares earned from the start");
        vm.assertEq(token.balanceOf(address(models)), 0, "nothing is left");
    }

    function test_attack_sellTheShareAndKeepTheIncomeTwice() public {
        pay(10 ether);
        move(requester.account, mallory.account, 10);
        vm.assertEq(claim(mallory.account), 0, "bought shares bring nothing of before");
        vm.assertEq(claim(requester.account), 10 ether, "who held them has it");
        pay(3 ether);
        move(mallory.account, mallory.account, 10);
        move(mallory.account, requester.account, 4);
        vm.assertEq(claim(mallory.account), 3 ether, "to oneself, or in part: nothing is made");
        vm.assertEq(claim(requester.account), 0, "nor taken");
    }

    function test_attack_claimWhileReceiving() public {
        Greedy greedy = new Greedy(models);
        pay(10 ether);
        move(requester.account, address(greedy), 5);
        vm.assertEq(token.balanceOf(address(greedy)), 0, "what was earned before is not the receiver's");
        vm.assertEq(claim(requester.account), 10 ether, "but the sender's");
    }

    function test_pay_toNobodyReverts() public {
        vm.prank(requester.account);
        uint256 empty = models.open(plan(1, 0), 1, "nobody's");
        vm.startPrank(requester.account);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.RoyaltyNobodys.selector, empty));
        models.pay(empty, 0, 1);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.RoyaltyBadAmount.selector, uint256(0)));
        models.pay(modelId, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.RoyaltyBadAmount.selector, uint256(1) << 96));
        models.pay(modelId, 0, 1 << 96);
        vm.stopPrank();
    }

    function test_royalty_isOfAllFeesThatAJobCanCost() public view {
        Terms memory terms = buildTerms();
        vm.assertEq(models.royaltyUp(modelId, terms), 15 * 3 * 1 ether / 20, "5 % of 45 tokens");
        terms.fee = 1;
        terms.tasks = 1;
        terms.maxUnits = 1;
        vm.assertEq(models.royaltyUp(modelId, terms), 1, "rounded up");
    }

    /// @dev INVARIANT: the contract holds what it owes, and never a whole unit a holder and payment more.
    function testFuzz_R9_income_isConserved(uint256 seed) public {
        Work memory work = finalWork();
        address[3] memory holders = [requester.account, workerIn(work, 0), workerIn(work, 1)];
        uint256 paid;
        uint256 claimed;
        for (uint256 i; i < 24; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            address one = holders[(seed >> 8) % 3];
            address other = holders[(seed >> 16) % 3];
            uint256 choice = seed % 5;
            if (choice == 0 && !models.isCredited(modelId, work.batchId)) {
                models.credit(modelId, work.terms, work.batch);
            } else if (choice <= 1) {
                uint256 amount = (seed >> 32) % 1_000 + 1;
                pay(amount);
                paid += amount;
            } else if (choice <= 3) {
                uint256 has = sharesOf(one);
                move(one, other, has == 0 ? 0 : (seed >> 64) % (has + 1));
            } else {
                claimed += claim(one);
            }
            uint256 owed;
            for (uint256 h; h < 3; ++h) {
                owed += models.booked(holders[h]) + models.claimable(holders[h], modelId);
            }
            vm.assertEq(token.balanceOf(address(models)), paid - claimed, "it holds what came and did not go");
            vm.assertLe(owed, paid - claimed, "and owes no more");
            vm.assertLe(paid - claimed - owed, 1 + i * 3, "but for what does not divide");
        }
    }
}
