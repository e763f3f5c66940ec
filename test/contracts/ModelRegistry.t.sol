// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {IERC1155Receiver} from "@openzeppelin/contracts/token/ERC1155/IERC1155Receiver.sol";
import {IModelRegistry} from "../../contracts/interfaces/IModelRegistry.sol";
import {Cause, LeafNode, Reward} from "../../contracts/types/Batch.sol";
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
    uint32 private constant MODEL_NONCE = 7;
    uint32 private constant JOBS = 8;
    uint64 private constant UNITS_PER_JOB = 45; // 15 tasks of at most 3
    IModelRegistry private models;
    IERC1155 private shares;
    uint256 private modelId;
    uint32 private modelNonce;

    function setUp() public override {
        super.setUp();
        address made = create("ModelRegistry", "", abi.encode(address(market), address(token), GRACE));
        (models, shares) = (IModelRegistry(made), IERC1155(made));
        vm.label(made, "models");
        vm.prank(requester.account);
        modelId = models.open(plan(10), MODEL_NONCE, "a model");
        vm.prank(requester.account);
        token.approve(made, type(uint256).max);
        mine(1);
        use(MODEL_NONCE);
    }

    /// @dev Jobs that are posted from now on are that model's, from the first.
    function use(uint32 modelNonce_) private {
        modelNonce = modelNonce_;
        nonce = uint64(modelNonce_) << 32;
    }

    function plan(uint64 ownShares) private pure returns (IModelRegistry.Plan memory) {
        return IModelRegistry.Plan(keccak256("program"), JOBS, UNITS_PER_JOB, ownShares, 500);
    }

    function credit(uint256 id, Work memory work) private {
        models.credit(id, indexOf(work), work.terms, work.batch);
    }

    /// @dev Without a call, so that it can stand after `expectRevert`.
    function indexOf(Work memory work) private view returns (uint32 index) {
        while (jobAt(index) != work.jobId) ++index;
    }

    function jobAt(uint32 index) private view returns (uint192) {
        uint64 jobNonce = (uint64(modelNonce) << 32) | index;
        return uint192(
            uint256(
                keccak256(
                    abi.encode(bytes32("assay.job"), block.chainid, address(market), requester.account, jobNonce)
                )
            )
        );
    }

    function complete() private {
        vm.prank(requester.account);
        models.complete(modelId, "state", "manifest", "model");
    }

    /// @dev Nothing can be credited any more, and what was paid is divided.
    function share() private {
        complete();
        mine(GRACE + 1);
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
        credit(modelId, work);
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
        credit(modelId, work);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CreditTwice.selector, modelId, work.batchId));
        credit(modelId, work);
    }

    function test_attack_creditBeforeItIsFinal() public {
        Work memory work = attestedWork();
        // The Market takes no attested batch without its attestation.
        vm.expectPartialRevert(bytes4(keccak256("BatchMismatch(uint256)")));
        credit(modelId, work);
        Work memory committed = honestWork();
        commit(committed);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CreditNotFinal.selector, committed.batchId));
        credit(modelId, committed);
    }

    function test_attack_creditWhatTheBatchDoesNotSay() public {
        Work memory work = finalWork();
        work.batch.ranges[0] += 1 << 64;
        vm.expectPartialRevert(bytes4(keccak256("BatchMismatch(uint256)")));
        credit(modelId, work);
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
        credit(modelId, work);

        Work memory own = finalWork();
        vm.prank(mallory.account);
        uint256 stolen = models.open(plan(0), MODEL_NONCE, "another's run");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CreditForeign.selector, stolen, own.batchId));
        credit(stolen, own);
    }

    function test_attack_creditWorkOfBeforeItWasOpened() public {
        use(MODEL_NONCE + 1);
        Work memory work = finalWork();
        vm.prank(requester.account);
        uint256 later = models.open(plan(0), MODEL_NONCE + 1, "opened afterwards");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CreditForeign.selector, later, work.batchId));
        credit(later, work);
    }

    function test_attack_creditARangeThatWasVoided() public {
        Work memory work = attestedWork();
        vm.prank(address(jury));
        market.voidRanges(work.terms, work.batch, 1, Cause.Worker, new Reward[](0));
        mine(WINDOW + 1);
        finalize(work);
        credit(modelId, work);
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
        credit(modelId, work);
        vm.assertEq(sharesOf(workerIn(work, range)), 0, "silent, so unpaid");
        vm.assertEq(models.modelOf(modelId).worked, unitsIn(work, 1 - range), "the other range");
        vm.revertToState(snapshot);
        mine(100);
        market.release(work.terms, work.batch);
        credit(modelId, work);
        vm.assertEq(sharesOf(workerIn(work, range)), 0, "nor when its shards are free again");
    }

    function test_jobOf_isWhatThePostingGave() public {
        Terms memory terms = buildTerms();
        vm.assertEq(models.jobOf(modelId, 0), postJob(terms), "the first");
        vm.assertEq(models.jobOf(modelId, 1), postJob(terms), "the second");
    }

    function test_attack_theOwnersOwnWork_takesNoShareFromOthers() public {
        Work memory honest = finalWork();
        // The owner posts all other jobs of the run too, and its own workers do them and are credited first.
        for (uint256 i = 1; i < JOBS; ++i) {
            credit(modelId, finalWork());
        }
        Work memory beyond = finalWork();
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CreditForeign.selector, modelId, beyond.batchId));
        credit(modelId, beyond);
        credit(modelId, honest);
        vm.assertEq(sharesOf(walter.account), JOBS * unitsIn(honest, rangeIn(honest, walter.account)), "all of its own");
        vm.assertLe(models.sharesOf(modelId), uint256(JOBS) * UNITS_PER_JOB + 10, "and no further thinned out than said");
    }

    function rangeIn(Work memory work, address worker) private pure returns (uint256 i) {
        while (workerIn(work, i) != worker) ++i;
    }

    function test_attack_aJobLargerThanItsPart() public {
        Terms memory terms = buildTerms();
        terms.maxUnits = 4;
        Work memory work = buildWork(terms, postJob(terms));
        seal(work);
        toAttested(work);
        mine(WINDOW + 1);
        finalize(work);
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.CreditOverPlan.selector, modelId, work.batchId, 60, UNITS_PER_JOB)
        );
        credit(modelId, work);
    }

    function test_attack_aRangeWithMoreUnitsThanItsTasksCanHave() public {
        Work memory work = honestWork();
        // 15 tasks have 30 units. The Market knows of 45 at most, and 15 are added to one range.
        uint256 favoured = rangeIn(work, mallory.account);
        uint256 other = 1 - favoured;
        work.batch.ranges[favoured] += 15 << 64;
        LeafNode memory top = work.topLevels[work.topLevels.length - 1][0];
        work.batch.root = keccak256(abi.encode(bytes32("assay.root"), top.hash, top.units + 15));
        toAttested(work);
        mine(WINDOW + 1);
        finalize(work);
        credit(modelId, work);
        vm.assertEq(sharesOf(mallory.account), 7 * 3, "seven tasks of three units");
        vm.assertEq(sharesOf(walter.account), unitsIn(work, other), "as it says");
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
        credit(modelId, work);
        mine(GRACE + 1);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelComplete.selector, modelId, until));
        credit(modelId, late);
    }

    function test_open_onceAndWithinBounds() public {
        IModelRegistry.Plan memory bad = plan(0);
        vm.startPrank(requester.account);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelExists.selector, modelId));
        models.open(bad, MODEL_NONCE, "again");
        bad.jobs = 0;
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelBadPlan.selector, bytes32("jobs")));
        models.open(bad, 1, "no job");
        (bad.jobs, bad.unitsPerJob) = (1, 0);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelBadPlan.selector, bytes32("unitsPerJob")));
        models.open(bad, 1, "no share");
        (bad.unitsPerJob, bad.royalty) = (1, 10_001);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelBadPlan.selector, bytes32("royalty")));
        models.open(bad, 1, "more than all");
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelUnknown.selector, uint256(1)));
        models.pay(1, 0, 1);
    }

    // -- Income --------------------------------------------------------------------------------------------------------

    function test_pay_belongsToThoseWhoHoldSharesThen() public {
        Work memory work = finalWork();
        credit(modelId, work);
        share();
        uint256 total = models.sharesOf(modelId);
        pay(total * 1 ether);
        for (uint256 i; i < work.batch.ranges.length; ++i) {
            address worker = workerIn(work, i);
            uint256 before = token.balanceOf(worker);
            vm.assertEq(claim(worker), unitsIn(work, i) * 1 ether, "a token a share");
            vm.assertEq(token.balanceOf(worker) - before, unitsIn(work, i) * 1 ether, "and it came");
            vm.assertEq(claim(worker), 0, "once");
        }
        vm.assertEq(claim(requester.account), 10 ether, "the owner's shares like all others");
        vm.assertEq(token.balanceOf(address(models)), 0, "nothing is left");
    }

    function test_attack_payBeforeOthersAreCredited() public {
        Work memory work = finalWork();
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelIncomplete.selector, modelId));
        pay(1 ether);
        complete();
        pay(40 ether);
        vm.assertEq(claim(requester.account), 0, "the owner alone has shares, and nothing of it yet");
        vm.assertEq(models.claimable(requester.account, modelId), 0, "nor is it claimable");
        credit(modelId, work);
        mine(GRACE + 1);
        vm.assertEq(models.sharesOf(modelId), 40, "of 30 units and the owner's ten");
        for (uint256 i; i < work.batch.ranges.length; ++i) {
            vm.assertEq(claim(workerIn(work, i)), unitsIn(work, i) * 1 ether, "who came last has the same of it");
        }
        vm.assertEq(claim(requester.account), 10 ether, "as who was first");
    }

    function test_attack_sellTheShareAndKeepTheIncomeTwice() public {
        share();
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
        share();
        pay(10 ether);
        move(requester.account, address(greedy), 5);
        vm.assertEq(token.balanceOf(address(greedy)), 0, "what was earned before is not the receiver's");
        vm.assertEq(claim(requester.account), 10 ether, "but the sender's");
    }

    function test_pay_toNobodyReverts() public {
        vm.prank(requester.account);
        uint256 empty = models.open(plan(0), MODEL_NONCE + 1, "nobody's");
        complete();
        vm.startPrank(requester.account);
        models.complete(empty, "state", "manifest", "model");
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
        complete();
        address[3] memory holders = [requester.account, workerIn(work, 0), workerIn(work, 1)];
        uint256 paid;
        uint256 claimed;
        for (uint256 i; i < 24; ++i) {
            seed = uint256(keccak256(abi.encode(seed)));
            address one = holders[(seed >> 8) % 3];
            address other = holders[(seed >> 16) % 3];
            uint256 choice = seed % 5;
            // All may happen before income is divided and after it, but for crediting.
            if (i == 12) mine(GRACE + 1);
            if (choice == 0 && i < 12 && !models.isCredited(modelId, work.batchId)) {
                credit(modelId, work);
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
            if (i < 12) {
                vm.assertEq(owed + claimed, 0, "nobody's before it is divided");
            } else {
                vm.assertLe(owed, paid - claimed, "and owes no more");
                vm.assertLe(paid - claimed - owed, 1 + i * 3, "but for what does not divide");
            }
        }
    }
}
