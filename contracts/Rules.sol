// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IBeacon} from "./interfaces/IBeacon.sol";
import {IBound} from "./interfaces/IBound.sol";
import {IDisputeGame} from "./interfaces/IDisputeGame.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Collateral} from "./libraries/Collateral.sol";
import {Positions} from "./libraries/Positions.sol";
import {Signed} from "./libraries/Signed.sol";
import {MAX_SHARDS} from "./types/JobWord.sol";
import {Lease} from "./types/Messages.sol";
import {Terms} from "./types/Terms.sol";

/// @title What a Market allows: its parameters, and the checks of its rare paths
/// @notice Made by the Market's constructor, because all of it in one contract would exceed the code size limit. Holds
/// no state and no money, calls nobody but the Registry's views.
contract Rules {
    uint256 private constant LOCAL_CHAIN = 31337;

    uint96 private immutable MIN_COLLATERAL;
    uint16 private immutable COLLUDING;
    uint16 private immutable BURN_RATE;
    uint16 private immutable REAUDIT_RATE;
    uint32 private immutable ATTEST_LIMIT;
    uint32 private immutable WINDOW;
    uint32 private immutable CLOCK;
    uint32 private immutable MAX_LEASE;
    uint32 private immutable CLAIM_PERIOD;
    uint32 private immutable MIN_SEATS;
    uint32 private immutable MIN_OWNERS;
    uint256 private immutable SEAT;
    address private immutable BEACON;
    address private immutable REGISTRY;
    address private immutable CHALLENGES;
    address private immutable JURY;
    address private immutable GAME;
    address private immutable MARKET;

    constructor(IMarket.Params memory p) {
        if (p.minCollateral == 0) revert IMarket.MarketBadParameter("minCollateral");
        if (p.colluding >= 10_000 || Collateral.detectionDown(p.colluding) == 0) {
            revert IMarket.MarketBadParameter("colluding");
        }
        if (p.reauditRate == 0 || p.reauditRate > 10_000) revert IMarket.MarketBadParameter("reauditRate");
        if (p.attestLimit == 0) revert IMarket.MarketBadParameter("attestLimit");
        if (p.window == 0) revert IMarket.MarketBadParameter("window");
        if (p.clock == 0) revert IMarket.MarketBadParameter("clock");
        if (p.maxLease == 0) revert IMarket.MarketBadParameter("maxLease");
        if (p.claimPeriod == 0) revert IMarket.MarketBadParameter("claimPeriod");
        if (p.minOwners < 2 || p.minSeats < p.minOwners) revert IMarket.MarketBadParameter("minSeats");
        IRegistry vault = IRegistry(p.registry);
        if (p.burnRate != vault.BURN_RATE()) revert IMarket.MarketBadParameter("burnRate");
        // R13: collateral that leaves under notice was never behind a lease that can still be committed.
        if (vault.NOTICE() <= uint256(p.maxLease) + p.claimPeriod) revert IMarket.MarketBadParameter("notice");
        // R25, R31: the stake outlives every verdict given with it: audit, window, a demand, a second audit, and the longest
        // game, each move with a full clock. A jury (seed, votes, reveals) takes less.
        uint256 clocks = 2 + IDisputeGame(p.game).LIFE();
        if (vault.UNBONDING() <= uint256(p.attestLimit) + p.window + clocks * p.clock) {
            revert IMarket.MarketBadParameter("unbonding");
        }
        if (block.chainid != LOCAL_CHAIN) {
            if (p.window < 24 hours) revert IMarket.MarketBadParameter("window");
            if (p.clock < 6 hours) revert IMarket.MarketBadParameter("clock");
            if (IBeacon(p.beacon).usesBlockHash()) revert IMarket.MarketBadParameter("beacon");
        }
        _checkBound(p.registry, p);
        _checkBound(p.challenges, p);
        _checkBound(p.jury, p);
        _checkBound(p.game, p);
        if (IDisputeGame(p.game).CLOCK() != p.clock || IDisputeGame(p.game).WINDOW() != p.window) {
            revert IMarket.MarketUnbound(p.game);
        }
        MIN_COLLATERAL = p.minCollateral;
        COLLUDING = p.colluding;
        BURN_RATE = p.burnRate;
        REAUDIT_RATE = p.reauditRate;
        ATTEST_LIMIT = p.attestLimit;
        WINDOW = p.window;
        CLOCK = p.clock;
        MAX_LEASE = p.maxLease;
        CLAIM_PERIOD = p.claimPeriod;
        MIN_SEATS = p.minSeats;
        MIN_OWNERS = p.minOwners;
        SEAT = vault.SEAT();
        BEACON = p.beacon;
        REGISTRY = p.registry;
        CHALLENGES = p.challenges;
        JURY = p.jury;
        GAME = p.game;
        MARKET = msg.sender;
    }

    /// @dev Each of the five names the other four: a wrong prediction of an address cannot go live.
    function _checkBound(address other, IMarket.Params memory p) private view {
        IBound bound = IBound(other);
        if (
            bound.market() != msg.sender || bound.registry() != p.registry || bound.challenges() != p.challenges
                || bound.jury() != p.jury || bound.game() != p.game
        ) revert IMarket.MarketUnbound(other);
    }

    /// @notice Everything that later arithmetic relies on is refused here: terms never change (R1, R9, R22).
    function checkTerms(Terms calldata terms) external view {
        // 0: a jury judges; 1: the game does.
        if (terms.version > 1) revert IMarket.TermsRefused("version");
        if (terms.kind != 0) revert IMarket.TermsRefused("kind");
        if (terms.class != 0) revert IMarket.TermsRefused("class");
        if (terms.coordinator == address(0)) revert IMarket.TermsRefused("coordinator");
        if (terms.tasks == 0) revert IMarket.TermsRefused("tasks");
        if (terms.shardSize == 0 || terms.shardSize > 1_024) revert IMarket.TermsRefused("shardSize");
        uint256 shards = Positions.shards(terms);
        if (shards > MAX_SHARDS) revert IMarket.TermsRefused("tasks");
        if (terms.fee == 0) revert IMarket.TermsRefused("fee");
        if (terms.maxUnits == 0) revert IMarket.TermsRefused("maxUnits");
        if (terms.auditRate == 0 || terms.auditRate > 10_000) revert IMarket.TermsRefused("auditRate");
        if (terms.deadline <= block.timestamp || terms.deadline > type(uint40).max) {
            revert IMarket.TermsRefused("deadline");
        }
        uint256 fees = uint256(terms.tasks) * terms.maxUnits * (uint256(terms.fee) + terms.coordinatorFee);
        if (fees > type(uint96).max) revert IMarket.TermsRefused("escrow");
        // 64 collaterals are one bond, which has 96 bits.
        if (collateralOf(terms) > type(uint96).max >> 6) revert IMarket.TermsRefused("collateral");
        uint256 budget = Collateral.budgetUp(terms, shards);
        if (terms.auditBudget < budget) revert IMarket.TermsBudgetShort(terms.auditBudget, budget);
        // R22: stated here once, because neither the terms nor the seat can change before a commit.
        uint256 needed = verdictCollateralOf(terms);
        if (SEAT < needed) revert IMarket.TermsSeatShort(SEAT, needed);
    }

    /// @notice R14, R18: one lease for each shard of the range, signed by a key of the coordinator, begun in time, and
    /// ended no longer ago than the claim period.
    /// @param lastLease close or deadline: leases that start from then on do not count
    function checkLeases(
        uint192 jobId,
        uint256 firstShard,
        uint256 mask,
        address coordinator,
        address worker,
        uint256 lastLease,
        Lease[] calldata leases,
        bytes[] calldata signatures
    ) external view {
        uint256 shards = Positions.ones(mask);
        if (leases.length != shards || signatures.length != shards) {
            revert IMarket.LeaseCount(leases.length, signatures.length, shards);
        }
        bytes32 separator = Signed.domainSeparator(MARKET);
        address known;
        uint256 knownStart;
        for (uint256 i; i < shards; ++i) {
            Lease calldata lease = leases[i];
            if (lease.jobId != jobId) revert IMarket.LeaseRefused(i, "jobId");
            if (lease.worker != worker) revert IMarket.LeaseRefused(i, "worker");
            if (lease.shard != firstShard + Positions.bitAt(mask, i)) revert IMarket.LeaseRefused(i, "shard");
            if (lease.start > block.timestamp || lease.start >= lastLease) revert IMarket.LeaseRefused(i, "start");
            if (lease.expiry < lease.start || lease.expiry - lease.start > MAX_LEASE) {
                revert IMarket.LeaseRefused(i, "expiry");
            }
            if (block.timestamp > uint256(lease.expiry) + CLAIM_PERIOD) revert IMarket.LeaseRefused(i, "age");
            (address signer,,) = ECDSA.tryRecover(Signed.digest(separator, Signed.hash(lease)), signatures[i]);
            if (signer == address(0)) revert IMarket.LeaseSigner(i, signer);
            // What counts for a start counts for every earlier one.
            if (signer == known && lease.start <= knownStart) continue;
            if (IRegistry(REGISTRY).leaserOf(signer, block.number, lease.start) != coordinator) {
                revert IMarket.LeaseSigner(i, signer);
            }
            (known, knownStart) = (signer, lease.start);
        }
    }

    /// @notice C (R11).
    function collateralOf(Terms calldata terms) public view returns (uint256) {
        return Collateral.rangeUp(terms, MIN_COLLATERAL, COLLUDING, BURN_RATE);
    }

    /// @notice C_v (R22).
    function verdictCollateralOf(Terms calldata terms) public view returns (uint256) {
        return Collateral.verdictUp(terms, REAUDIT_RATE, COLLUDING, BURN_RATE);
    }

    function params() external view returns (IMarket.Params memory) {
        return IMarket.Params({
            minCollateral: MIN_COLLATERAL,
            colluding: COLLUDING,
            burnRate: BURN_RATE,
            reauditRate: REAUDIT_RATE,
            attestLimit: ATTEST_LIMIT,
            window: WINDOW,
            clock: CLOCK,
            maxLease: MAX_LEASE,
            claimPeriod: CLAIM_PERIOD,
            minSeats: MIN_SEATS,
            minOwners: MIN_OWNERS,
            beacon: BEACON,
            registry: REGISTRY,
            challenges: CHALLENGES,
            jury: JURY,
            game: GAME
        });
    }
}
