// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IBeacon} from "../../contracts/interfaces/IBeacon.sol";
import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {IRegistry} from "../../contracts/interfaces/IRegistry.sol";
import {Draw} from "../../contracts/libraries/Draw.sol";
import {Positions} from "../../contracts/libraries/Positions.sol";
import {Attestation, Batch, BatchState, BatchView, Cause, Reward} from "../../contracts/types/Batch.sol";
import {Terms} from "../../contracts/types/Terms.sol";
import {Base} from "./support/Base.t.sol";
import {Vm} from "./support/Vm.sol";

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
            address(game),
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
            "stake + unbonding + collateral + bonds + challengers' bonds + escrow + owed"
        );
        vm.assertEq(token.balanceOf(address(market)), 0, "the Market holds nothing");
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
            if (i % 9 == 0) handler.moveBond(seed >> 16);
            if (i % 50 == 0) {
                invariant_R9_theVaultHoldsWhatItOwes();
                invariant_R5_everyShardIsMarkedOnce();
            }
        }
        invariant_R9_theVaultHoldsWhatItOwes();
        invariant_R5_everyShardIsMarkedOnce();
        vm.assertGt(handler.finals(), 5, "batches that became final");
        vm.assertGt(handler.slashes(), 2, "ranges that were voided");
        vm.assertGt(handler.bondsBack(), 2, "bonds that came back");
        vm.assertGt(handler.bondsLost(), 2, "bonds that were lost");
    }
}

/// @dev In this file because the runner knows the code of a file's own contracts alone.
/// @notice Everything that anyone may do to a Market and a Registry, in bounds: each function does something allowed or
/// nothing, so that a revert is a fault. Keeps the books that no contract keeps: what open batches hold.
contract MarketHandler {
    Vm private constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    IMarket private market;
    IRegistry private registry;
    IBeacon private beacon;
    address private judge;
    address private game;
    address private coordinator;

    address[] public accounts; // the coordinator, workers, verifiers, the requester
    address[] private workers; // ascending
    address[] private verifiers; // ascending
    uint192[] public jobs;
    Batch[] private batches;
    Attestation[] private statements;
    uint256[] private holds;
    /// @dev Open bonds of challengers, oldest first.
    address[] private challengers;
    uint256[] private bonds;
    mapping(uint256 index => uint256) private jobOf;
    mapping(uint256 index => Terms) private termsOf; // by job

    uint256 private constant JOBS = 2;

    uint256 public finals;
    uint256 public slashes;
    uint256 public bondsBack;
    uint256 public bondsLost;

    constructor(
        IMarket market_,
        IRegistry registry_,
        IBeacon beacon_,
        address judge_,
        address game_,
        address coordinator_,
        address requester,
        address[] memory workers_,
        address[] memory verifiers_
    ) {
        (market, registry, beacon, judge, game, coordinator) =
            (market_, registry_, beacon_, judge_, game_, coordinator_);
        (workers, verifiers) = (workers_, verifiers_);
        accounts.push(coordinator_);
        accounts.push(requester);
        for (uint256 i; i < workers_.length; ++i) {
            accounts.push(workers_[i]);
        }
        for (uint256 i; i < verifiers_.length; ++i) {
            accounts.push(verifiers_[i]);
        }
    }

    function add(Terms memory terms, uint192 jobId) external {
        // The campaign calls this too, from any sender.
        if (jobs.length == JOBS) return;
        termsOf[jobs.length] = terms;
        jobs.push(jobId);
    }

    // -- Batches -------------------------------------------------------------------------------------------------------

    function commit(uint256 seed) public {
        uint256 job = seed % jobs.length;
        Terms memory terms = termsOf[job];
        uint256 open = ((1 << shardsOf(terms)) - 1) & ~market.shardBits(jobs[job], 0);
        uint256[] memory words = new uint256[](workers.length);
        uint256 count;
        uint256 units;
        uint256 taken;
        for (uint256 i; i < workers.length; ++i) {
            uint256 mask = open & uint256(keccak256(abi.encode(seed, i))) & uint256(keccak256(abi.encode(i, seed)));
            if (mask == 0 || freeOf(workers[i], coordinator) < collateralOf(terms)) continue;
            if (isLeaving(workers[i])) continue;
            open &= ~mask;
            taken |= mask;
            uint256 own = 1 + seed % Positions.ones(mask);
            units += own;
            words[count++] = (uint256(uint160(workers[i])) << 96) | (own << 64) | mask;
        }
        if (count == 0 || freeOf(coordinator, coordinator) < count * collateralOf(terms)) return;
        if (!fits(job, terms, units, taken)) return;
        uint256[] memory ranges = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            ranges[i] = words[i];
        }
        vm.prank(coordinator);
        uint256 batchId = market.commitBatch(terms, jobs[job], 0, keccak256("root"), ranges, 0);
        keep(job, batchId, coordinator, coordinator, ranges);
    }

    /// @notice Moves a batch one step, whichever it is ripe for.
    function step(uint256 seed) public {
        if (batches.length == 0) return;
        uint256 i = seed % batches.length;
        Batch memory batch = batches[i];
        Terms memory terms = termsOf[jobOf[i]];
        BatchView memory seen = market.batchOf(idOf(batch));
        if (seen.state == BatchState.Committed || seen.state == BatchState.Drawn) {
            beforeAttest(seed, i, batch, terms, seen);
        } else if (seen.state == BatchState.Attested) {
            if (seen.count != 0 || vm.getBlockTimestamp() <= seen.clock) return;
            market.finalize(terms, batch, statements[i]);
            ++finals;
        } else if (seen.claimable != 0) {
            if (vm.getBlockTimestamp() > seen.claimUntil) return market.release(terms, batch);
            reclaim(seed, i, batch, terms, seen.claimable);
        }
    }

    function beforeAttest(uint256 seed, uint256 i, Batch memory batch, Terms memory terms, BatchView memory seen)
        private
    {
        bytes32 drawn = statements[i].seed;
        if (vm.getBlockTimestamp() > seen.clock) {
            if (seen.count == 0) market.forfeit(terms, batch, drawn);
            return;
        }
        if (seen.state == BatchState.Committed) {
            if (vm.getBlockNumber() < beacon.seedBlock(batch.commitBlock)) {
                if (seed % 3 != 0 || seen.count != 0) return;
                vm.prank(batch.committer);
                return market.withdrawBatch(terms, batch);
            }
            bytes32 found = beacon.seed(batch.commitBlock);
            if (found == 0) return;
            if (seed % 5 == 0) {
                statements[i].seed = keccak256(abi.encode(bytes32("assay.seed"), found, idOf(batch)));
                return market.draw(batch);
            }
            statements[i].seed = keccak256(abi.encode(bytes32("assay.seed"), found, idOf(batch)));
        }
        attest(seed, i, batch, terms, drawn);
    }

    function attest(uint256 seed, uint256 i, Batch memory batch, Terms memory terms, bytes32 drawn) private {
        uint256 k = Draw.samples(terms.auditRate, leavesOf(terms, batch));
        uint64 silent = seed % 7 == 0 ? uint64(1 + seed % ((1 << batch.ranges.length) - 1 == 0 ? 1 : (1 << batch.ranges.length) - 1)) : 0;
        uint256 counted = silent == 0 ? k : k - 1;
        uint256 payees = counted < verifiers.length ? counted : verifiers.length;
        uint256[] memory words = new uint256[](payees);
        for (uint256 v; v < payees; ++v) {
            uint256 count = counted / payees + (v < counted % payees ? 1 : 0);
            words[v] = (uint256(uint160(verifiers[v])) << 96) | (count << 64) | (count * (1 + seed % terms.maxUnits));
        }
        statements[i].verifiers = words;
        statements[i].silentRanges = silent;
        vm.prank(batch.committer);
        market.attest(terms, batch, drawn, 0, words, silent);
    }

    function reclaim(uint256 seed, uint256 i, Batch memory batch, Terms memory terms, uint64 claimable) private {
        uint256 index = seed % batch.ranges.length;
        uint256 range = batch.ranges[index];
        address worker = address(uint160(range >> 96));
        uint256 mask = uint64(range) & claimable;
        if (mask == 0 || freeOf(worker, coordinator) < collateralOf(terms) || isLeaving(worker)) return;
        uint256 units = 1;
        if (!fits(jobOf[i], terms, units, mask)) return;
        uint256[] memory ranges = new uint256[](1);
        ranges[0] = (uint256(uint160(worker)) << 96) | (units << 64) | mask;
        vm.prank(worker);
        uint256 batchId =
            market.reclaim(terms, batch, index, 0, keccak256("root"), ranges[0], 0, coordinator, "");
        keep(jobOf[i], batchId, worker, coordinator, ranges);
    }

    // -- Judgement -----------------------------------------------------------------------------------------------------

    function judgeBatch(uint256 seed) public {
        if (batches.length == 0) return;
        uint256 i = seed % batches.length;
        Batch memory batch = batches[i];
        BatchView memory seen = market.batchOf(idOf(batch));
        if (seen.state == BatchState.None || seen.state > BatchState.Attested) return;
        // No demand or dispute comes before the seed.
        if (vm.getBlockNumber() < beacon.seedBlock(batch.commitBlock)) return;
        uint256 what = (seed >> 8) % 4;
        if (what == 0) {
            vm.prank(judge);
            market.freeze(idOf(batch), seed % batch.ranges.length);
            ++holds[i];
        } else if (what == 1) {
            if (holds[i] == 0) return;
            --holds[i];
            vm.prank(judge);
            market.drop(idOf(batch), vm.getBlockTimestamp() + seed % 20);
        } else if (what == 2) {
            vm.prank(judge);
            market.strike(idOf(batch), seed & 0xffff);
        } else {
            Reward[] memory rewards = new Reward[](2);
            rewards[0] = Reward(verifiers[seed % verifiers.length], uint96(seed % 3 ether));
            rewards[1] = Reward(verifiers[(seed >> 4) % verifiers.length], type(uint96).max);
            uint256 mask = 1 << (seed % batch.ranges.length);
            vm.prank(judge);
            market.voidRanges(termsOf[jobOf[i]], batch, mask, Cause((seed >> 16) % 3), rewards);
            ++slashes;
        }
    }

    function slashSeat(uint256 seed) public {
        Reward[] memory rewards = new Reward[](1);
        rewards[0] = Reward(workers[seed % workers.length], uint96(seed % 5 ether));
        vm.prank(judge);
        registry.slashSeat(
            verifiers[seed % verifiers.length], coordinator, seed % 20 ether, seed % 2 == 0, "verdict", rewards
        );
    }

    /// @notice What the game does with bonds: takes one, gives one back, or forfeits it to the defendant.
    function moveBond(uint256 seed) public {
        uint256 what = (seed >> 8) % 3;
        if (what == 0) {
            address account = accounts[seed % accounts.length];
            uint256 amount = 1 + seed % 3 ether;
            vm.prank(game);
            registry.pull(account, amount);
            challengers.push(account);
            bonds.push(amount);
            return;
        }
        if (bonds.length == 0) return;
        (address challenger, uint256 bond) = (challengers[challengers.length - 1], bonds[bonds.length - 1]);
        challengers.pop();
        bonds.pop();
        if (what == 1) {
            vm.prank(game);
            registry.credit(challenger, coordinator, bond);
            ++bondsBack;
        } else {
            Reward[] memory rewards = new Reward[](1);
            rewards[0] = Reward(workers[seed % workers.length], type(uint96).max);
            vm.prank(game);
            registry.forfeit(coordinator, bond, rewards);
            ++bondsLost;
        }
    }

    // -- Money in and out ----------------------------------------------------------------------------------------------

    function moveStake(uint256 seed) public {
        address account = verifiers[seed % verifiers.length];
        bytes32 capability = termsOf[0].capability;
        (uint256 seats,) = registry.seatsOf(capability);
        (uint256 staked, uint256 unbonding, uint256 unbondAt, uint256 held) = registry.stakerOf(account);
        uint256 what = (seed >> 8) % 4;
        vm.startPrank(account);
        if (what == 0 && held < 4) registry.stake(capability, 1);
        if (what == 1 && seats > 6) {
            for (uint256 left = seats; left > 0; --left) {
                uint256 seat = left - 1;
                if (registry.seatOwner(capability, seat) != account || registry.seatCount(capability, account) < 2) {
                    continue;
                }
                uint32[] memory list = new uint32[](1);
                list[0] = uint32(seat);
                registry.requestUnstake(capability, list);
                break;
            }
        }
        if (what == 2 && unbonding != 0 && vm.getBlockTimestamp() >= unbondAt) registry.completeUnstake();
        vm.stopPrank();
        if (what == 3 && held > 1 && staked < held * registry.SEAT()) {
            for (uint256 left = seats; left > 0; --left) {
                uint256 seat = left - 1;
                if (registry.seatOwner(capability, seat) != account) continue;
                registry.evict(capability, uint32(seat));
                break;
            }
        }
    }

    function moveCollateral(uint256 seed) public {
        address account = accounts[seed % accounts.length];
        (uint256 free,, uint256 noticeAt, uint256 flags) = registry.pairOf(account, coordinator);
        uint256 what = (seed >> 8) % 4;
        vm.startPrank(account);
        if (what == 0) registry.allow(coordinator, uint96(1 + seed % 5 ether));
        if (what == 1) registry.giveNotice(coordinator);
        if (what == 2 && noticeAt != 0 && vm.getBlockTimestamp() >= noticeAt && flags == 0 && free != 0) {
            registry.takeOut(coordinator, uint96(1 + seed % (free < 1 ether ? free : 1 ether)));
        }
        if (what == 3 && flags != 0 && vm.getBlockTimestamp() >= noticeAt) registry.clearFlag(coordinator);
        vm.stopPrank();
    }

    function withdraw(uint256 seed) public {
        address[] memory from = new address[](1);
        from[0] = coordinator;
        vm.prank(accounts[seed % accounts.length]);
        registry.withdraw(from);
    }

    function endJob(uint256 seed) public {
        // Rarely: a job that is over has nothing more to show.
        if (seed % 8 != 0) return;
        uint256 job = (seed >> 8) % jobs.length;
        Terms memory terms = termsOf[job];
        (,,, uint256 open, bool closed, uint256 closedAt, uint256 refundAt,) = market.jobOf(jobs[job]);
        if (!closed) {
            vm.prank(terms.requester);
            market.close(jobs[job], terms);
        } else if (open == 0 && vm.getBlockTimestamp() > closedAt + 120 && vm.getBlockTimestamp() > refundAt) {
            market.refund(jobs[job], terms);
        }
    }

    function pass(uint256 seed) public {
        uint256 seconds_ = 1 + seed % (seed % 4 == 0 ? 70 : 6);
        vm.warp(vm.getBlockTimestamp() + seconds_);
        vm.roll(vm.getBlockNumber() + seconds_);
    }

    // -- The books -----------------------------------------------------------------------------------------------------

    /// @notice What open batches hold: collateral and bonds that are neither free nor lost, fees and audit reserves.
    function inBatches() external view returns (uint256 sum) {
        for (uint256 i; i < batches.length; ++i) {
            Batch memory batch = batches[i];
            Terms memory terms = termsOf[jobOf[i]];
            BatchView memory seen = market.batchOf(idOf(batch));
            if (seen.state == BatchState.None || seen.state > BatchState.Attested) continue;
            uint256 collateral = collateralOf(terms);
            sum += reserveOf(terms, batch);
            for (uint256 r; r < batch.ranges.length; ++r) {
                bool slashed = (seen.slashed >> r) & 1 == 1;
                bool penalized = (seen.penalized >> r) & 1 == 1;
                if (batch.committer == coordinator) {
                    if (!slashed) sum += collateral;
                    if (!penalized) sum += collateral;
                } else if (!slashed && !penalized) {
                    sum += collateral;
                }
                if ((seen.voided >> r) & 1 == 0) {
                    sum += uint32(batch.ranges[r] >> 64) * (uint256(terms.fee) + terms.coordinatorFee);
                }
            }
        }
    }

    /// @notice What the Registry owes to all, open bonds of challengers, and what is left of the jobs' escrow.
    function inBooks() external view returns (uint256 sum) {
        for (uint256 i; i < bonds.length; ++i) {
            sum += bonds[i];
        }
        for (uint256 i; i < accounts.length; ++i) {
            (uint256 staked, uint256 unbonding,,) = registry.stakerOf(accounts[i]);
            (uint256 standing,) = registry.standingOf(accounts[i]);
            (uint256 free, uint256 owed,,) = registry.pairOf(accounts[i], coordinator);
            sum += staked + unbonding + standing + free + owed;
        }
        for (uint256 i; i < jobs.length; ++i) {
            (uint256 fees, uint256 audit,,,,,,) = market.jobOf(jobs[i]);
            sum += fees + audit;
        }
    }

    /// @notice Each job's count of open batches, and that every live range's shards are marked, and once only.
    function booksAgree() external view returns (bool) {
        for (uint256 job; job < jobs.length; ++job) {
            uint256 open;
            uint256 marked;
            uint256 finals_;
            for (uint256 i; i < batches.length; ++i) {
                if (jobOf[i] != job) continue;
                Batch memory batch = batches[i];
                BatchView memory seen = market.batchOf(idOf(batch));
                bool live = seen.state != BatchState.None && seen.state <= BatchState.Attested;
                if (live) ++open;
                uint256 holdsShards = seen.claimable;
                for (uint256 r; r < batch.ranges.length; ++r) {
                    bool paid = seen.state == BatchState.Final && (seen.voided >> r) & 1 == 0
                        && (statements[i].silentRanges >> r) & 1 == 0;
                    if (paid) finals_ += Positions.ones(uint64(batch.ranges[r]));
                    if (paid || (live && (seen.cleared >> r) & 1 == 0)) holdsShards |= uint64(batch.ranges[r]);
                }
                if (marked & holdsShards != 0) return false;
                marked |= holdsShards;
            }
            (,,, uint256 counted,,,, uint256 finalShards) = market.jobOf(jobs[job]);
            if (counted != open || finalShards != finals_ || market.shardBits(jobs[job], 0) != marked) return false;
        }
        return true;
    }

    // -- Inside --------------------------------------------------------------------------------------------------------

    function keep(uint256 job, uint256 batchId, address committer, address backer, uint256[] memory ranges) private {
        jobOf[batches.length] = job;
        batches.push(
            Batch(
                jobs[job],
                uint32(batchId),
                0,
                keccak256("root"),
                uint64(vm.getBlockNumber()),
                committer,
                backer,
                ranges
            )
        );
        statements.push();
        holds.push();
    }

    function fits(uint256 job, Terms memory terms, uint256 units, uint256 mask) private view returns (bool) {
        (uint256 fees, uint256 audit,,, bool closed, uint256 closedAt,,) = market.jobOf(jobs[job]);
        if (closed && vm.getBlockTimestamp() > closedAt + 120) return false;
        uint256[] memory ranges = new uint256[](1);
        ranges[0] = mask;
        return fees >= units * (uint256(terms.fee) + terms.coordinatorFee)
            && audit >= reserve(terms, leaves(terms, mask));
    }

    function isLeaving(address account) private view returns (bool) {
        (,, uint256 noticeAt, uint256 flags) = registry.pairOf(account, coordinator);
        return noticeAt != 0 && flags == 0 && vm.getBlockTimestamp() >= noticeAt;
    }

    function freeOf(address account, address with) private view returns (uint256 free) {
        (free,,,) = registry.pairOf(account, with);
    }

    function collateralOf(Terms memory terms) private view returns (uint256) {
        return market.collateralOf(terms);
    }

    function idOf(Batch memory batch) private pure returns (uint256) {
        return (uint256(batch.jobId) << 32) | batch.number;
    }

    function shardsOf(Terms memory terms) private pure returns (uint256) {
        return (uint256(terms.tasks) + terms.shardSize - 1) / terms.shardSize;
    }

    function leavesOf(Terms memory terms, Batch memory batch) private pure returns (uint256) {
        uint256 bits;
        for (uint256 i; i < batch.ranges.length; ++i) {
            bits |= uint64(batch.ranges[i]);
        }
        return leaves(terms, bits);
    }

    function leaves(Terms memory terms, uint256 bits) private pure returns (uint256 total) {
        for (uint256 shard; shard < shardsOf(terms); ++shard) {
            if ((bits >> shard) & 1 == 0) continue;
            uint256 first = shard * terms.shardSize;
            total += terms.tasks - first < terms.shardSize ? terms.tasks - first : terms.shardSize;
        }
    }

    function reserveOf(Terms memory terms, Batch memory batch) private pure returns (uint256) {
        return reserve(terms, leavesOf(terms, batch));
    }

    function reserve(Terms memory terms, uint256 count) private pure returns (uint256) {
        uint256 k = Draw.samples(terms.auditRate, count);
        uint256 rate = (uint256(terms.auditRatio) * terms.fee + 9_999) / 10_000;
        return k * terms.maxUnits * rate + (k < 16 ? k : 16) * terms.auditBase;
    }
}
