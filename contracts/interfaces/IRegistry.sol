// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Reward} from "../types/Batch.sol";
import {IBound} from "./IBound.sol";

/// @title The vault of all tokens: stake and seats, session keys, collateral, pay
/// @notice R9: this contract's token balance is stake + unbonding + collateral and bonds, free and locked + standing
/// bonds + challengers' bonds + open escrow + owed. The Market keeps the books of escrow and of what is locked, the game
/// those of challengers' bonds; neither holds anything.
/// @dev Assumed of the token: `transferFrom` moves exactly the amount or reverts, no fee on transfer, no rebasing, and a
/// supply below 2^96. Otherwise the vault pays the last to leave less than it owes. The token may call back: every
/// function that moves tokens is guarded.
interface IRegistry is IBound {
    // -- Errors ------------------------------------------------------------------------------------------------------

    /// @notice Only the contract(s) named at construction may call this.
    error RegistryUnauthorized(address caller);
    /// @notice A parameter of the constructor that cannot be.
    error RegistryBadParameter(bytes32 name);
    /// @notice An amount of 0 where it makes no sense, or one that does not fit its field.
    error RegistryBadAmount(uint256 amount);
    /// @notice Free collateral of (account, coordinator) is less than what is to be locked or taken (R13).
    error CollateralShort(address account, address coordinator, uint256 free, uint256 needed);
    /// @notice Free collateral leaves only after notice (R13); `noticeAt` is 0 if none was given.
    error CollateralNotice(address account, address coordinator, uint256 noticeAt);
    /// @notice The notice of this collateral has run out, so it can be locked no more (R13).
    error CollateralLeaving(address account, address coordinator, uint256 noticeAt);
    /// @notice The account is barred with this coordinator by a verdict slash until `until` (R22).
    error CollateralBarred(address account, address coordinator, uint256 until);
    /// @notice The account is not barred with this coordinator.
    error CollateralNotBarred(address account, address coordinator);
    /// @notice The caller does not own this seat now.
    error SeatNotOwned(bytes32 capability, uint256 seat, address owner);
    /// @notice Seats must be named in strictly descending order.
    error SeatOrder(uint256 previous, uint256 next);
    /// @notice The seat does not exist.
    error SeatUnknown(bytes32 capability, uint256 seat, uint256 seats);
    /// @notice The owner's stake covers all its seats.
    error SeatCovered(address owner, uint256 staked, uint256 seats);
    /// @notice The capability has too few seats or owners for an audit (R25).
    error SeatsTooFew(bytes32 capability, uint256 seats, uint256 owners);
    /// @notice Nothing is unbonding, or not long enough.
    error UnbondingNotOver(address account, uint256 unbonding, uint256 unbondAt);
    /// @notice The key was registered before, by anyone: keys are never used twice (R8).
    error KeyTaken(address key, address account);
    /// @notice The key is not the caller's, or is revoked already.
    error KeyNotHeld(address key, address account);
    /// @notice The signature is not the key's.
    error KeyBadSignature(address key, address recovered);
    /// @notice The standing bond is (not) there, or its notice has not run out.
    error StandingState(address account, uint256 amount, uint256 noticeAt);

    // -- Events ------------------------------------------------------------------------------------------------------

    event Staked(address indexed account, bytes32 indexed capability, uint256 firstSeat, uint256 count);
    event UnstakeRequested(address indexed account, bytes32 indexed capability, uint32[] seats, uint256 unbondAt);
    event Unstaked(address indexed account, uint256 amount);
    /// @notice A seat left the draw because its owner's stake no longer covers it.
    event Evicted(bytes32 indexed capability, uint256 seat, address indexed owner);
    /// @notice Seat `to` of the capability took the number `seat`, which became free.
    event SeatMoved(bytes32 indexed capability, uint256 from, uint256 seat, address indexed owner);
    event KeyRegistered(address indexed account, address indexed key);
    event KeyRevoked(address indexed account, address indexed key);
    event Allowed(address indexed account, address indexed coordinator, uint256 amount);
    event NoticeGiven(address indexed account, address indexed coordinator, uint256 at);
    event NoticeCancelled(address indexed account, address indexed coordinator);
    event TakenOut(address indexed account, address indexed coordinator, uint256 amount);
    event FlagCleared(address indexed account, address indexed coordinator);
    event Withdrawn(address indexed account, address indexed coordinator, uint256 amount);
    event StandingChanged(address indexed account, uint256 amount, uint256 noticeAt);
    /// @notice A seat stake was slashed. `coordinator` is 0 where none is concerned.
    event SeatSlashed(
        address indexed account, address indexed coordinator, uint256 amount, uint256 burned, bytes32 indexed reason
    );
    event Burned(uint256 amount);
    /// @notice A share of a slash was credited (the rare path; ordinary pay follows from BatchFinalized).
    event Rewarded(address indexed account, address indexed coordinator, uint256 amount, bytes32 indexed reason);

    // -- Seats (R22, R25) --------------------------------------------------------------------------------------------

    /// @notice Takes `count` seats for `count * SEAT` tokens of the caller.
    function stake(bytes32 capability, uint32 count) external;

    /// @notice Gives up seats by number, strictly descending; they leave the draw now. Whatever stake the remaining
    /// seats do not need starts to unbond; an empty list releases what an eviction left behind.
    /// @dev The highest seat takes the number of one that leaves (SeatMoved).
    function requestUnstake(bytes32 capability, uint32[] calldata seats) external;

    /// @notice Pays out what has unbonded.
    function completeUnstake() external;

    /// @notice Removes a seat whose owner's stake was slashed below what its seats need. Anyone.
    function evict(bytes32 capability, uint32 seat) external;

    function seatsOf(bytes32 capability) external view returns (uint256 seats, uint256 owners);
    /// @notice Seats at the end of a past block.
    function seatCountAt(bytes32 capability, uint256 blockNumber) external view returns (uint256);
    /// @notice Owner of a seat at the end of a past block; 0 if it never existed by then.
    function seatOwnerAt(bytes32 capability, uint256 seat, uint256 blockNumber) external view returns (address);
    function seatOwner(bytes32 capability, uint256 seat) external view returns (address);
    /// @notice Seats of one capability that an account owns now.
    function seatCount(bytes32 capability, address account) external view returns (uint256);
    function stakerOf(address account)
        external
        view
        returns (uint256 staked, uint256 unbonding, uint256 unbondAt, uint256 seats);

    // -- Session keys (R8) -------------------------------------------------------------------------------------------

    /// @notice Lets `key` sign for the caller from the next block on. The key signs
    /// `RegisterKey(address account,address key)` under this contract's EIP-712 domain; contract wallets may call.
    function registerKey(address key, bytes calldata signatureByKey) external;

    /// @notice Ends a key: it still counts for batches committed up to this block, never later, and never again.
    function revokeKey(address key) external;

    function keyOf(address key) external view returns (address account, uint256 from, uint256 until);

    /// @notice Whose key this was at a block: registered before it, and not revoked before it; 0 if nobody's.
    function accountOf(address key, uint256 atBlock) external view returns (address);

    /// @notice Whose lease it is that this key signed for work from `start` (block timestamp), in a batch committed at
    /// `atBlock`: a revoked key's leases that began before its end still count, since a coordinator could otherwise take
    /// them back after the work was done (R18); 0 if nobody's.
    function leaserOf(address key, uint256 atBlock, uint256 start) external view returns (address);

    // -- Collateral and pay (R10, R13) -------------------------------------------------------------------------------

    /// @notice Puts collateral that one coordinator may lock, as worker; with oneself as coordinator: the bond.
    function allow(address coordinator, uint96 amount) external;
    /// @notice Announces that free collateral will be taken out, from NOTICE seconds on.
    function giveNotice(address coordinator) external;
    function cancelNotice(address coordinator) external;
    /// @notice Takes free collateral out once notice has run; each time needs its own notice.
    function takeOut(address coordinator, uint96 amount) external;
    /// @notice Ends a bar once UNBONDING seconds have passed since the slash.
    function clearFlag(address coordinator) external;
    function pairOf(address account, address coordinator)
        external
        view
        returns (uint256 free, uint256 owed, uint256 noticeAt, uint256 flags);
    /// @notice Pays the caller what it is owed with each coordinator. Pull only: nobody's refusal blocks another.
    function withdraw(address[] calldata coordinators) external returns (uint256 amount);

    // -- Standing bonds of coordinators (R14) ------------------------------------------------------------------------

    function depositStanding() external;
    function noticeStanding() external;
    function withdrawStanding() external;
    function standingOf(address account) external view returns (uint256 amount, uint256 noticeAt);

    /// @notice Uses the caller's permit for this contract; does nothing if the allowance is there already, so that a
    /// permit used by another first does not block the call that follows in a multicall.
    function selfPermit(uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    // -- Parameters --------------------------------------------------------------------------------------------------

    function token() external view returns (address);
    /// @notice Tokens of one seat.
    function SEAT() external view returns (uint256);
    function STANDING_BOND() external view returns (uint256);
    /// @notice Seconds from requestUnstake to completeUnstake, and of a bar.
    function UNBONDING() external view returns (uint256);
    /// @notice Seconds of notice before free collateral leaves.
    function NOTICE() external view returns (uint256);
    /// @notice What a called seat that stays silent loses.
    function LIVENESS_SLASH() external view returns (uint256);
    /// @notice b, basis points.
    function BURN_RATE() external view returns (uint256);

    // -- The Market only; pull, forfeit and credit also the game ------------------------------------------------------

    /// @notice Pulls escrow from a requester, or a bond from a challenger.
    function pull(address from, uint256 amount) external;

    /// @notice Locks `collateral` in (worker, coordinator) of every range and `bond` in (coordinator, coordinator), and
    /// checks that the capability has enough seats (R11, R13, R17, R25).
    function lock(
        address coordinator,
        uint256[] calldata ranges,
        uint256 collateral,
        uint256 bond,
        bytes32 capability,
        uint256 minSeats,
        uint256 minOwners
    ) external;

    /// @notice What `settle` does with a batch that ends.
    /// @param coordinator whose pairs hold the batch's collateral (the backer)
    /// @param payer whose pairs get the audit pay (the coordinator of the terms)
    /// @param released ranges whose collateral returns
    /// @param paid ranges that are paid units * fee
    /// @param struck verifier words that get nothing
    /// @param bond what returns to (coordinator, coordinator)
    /// @param reward the coordinator's own fee
    /// @param burned what leaves the vault for good
    struct Settlement {
        address coordinator;
        address payer;
        uint256 released;
        uint256 paid;
        uint256 struck;
        uint256 collateral;
        uint256 fee;
        uint256 auditRate;
        uint256 auditBase;
        uint256 bond;
        uint256 reward;
        uint256 burned;
    }

    /// @notice Ends a batch: collateral and bond return, workers, verifiers and the coordinator are credited.
    /// @return audited what the verifiers were credited; a barred one gets nothing (R22)
    function settle(Settlement calldata settlement, uint256[] calldata ranges, uint256[] calldata verifiers)
        external
        returns (uint256 audited);

    /// @notice Burns at least b of a locked amount; of the rest `rewards` are credited in pairs with `coordinator`, cut in
    /// their order to what there is; the remainder is burned too (R12).
    function forfeit(address coordinator, uint256 amount, Reward[] calldata rewards) external;

    /// @notice Credits a refund of escrow, or of a bond.
    function credit(address account, address coordinator, uint256 amount) external;

    // -- Challenges, Jury and game only ------------------------------------------------------------------------------------

    /// @notice Takes up to `amount` from an account's seat stake, then from what is unbonding. At least b is burned; of
    /// the rest `rewards` are credited in pairs with `coordinator`, cut in their order to what there is; the remainder
    /// is burned too (R12, R22).
    /// @param bar also bar the account with this coordinator for UNBONDING: finalize pays it nothing (R22)
    /// @return taken what the account lost
    function slashSeat(
        address account,
        address coordinator,
        uint256 amount,
        bool bar,
        bytes32 reason,
        Reward[] calldata rewards
    ) external returns (uint256 taken);

    /// @notice Keeps a standing bond from leaving before `until`: a claim of equivocation is open (R14).
    function holdStanding(address account, uint40 until) external;

    /// @notice Takes the whole standing bond of a coordinator that gave one shard to two workers at once. At least b is
    /// burned; of the rest `rewards` are credited in pairs with it (R12, R14).
    function slashStanding(address account, Reward[] calldata rewards) external returns (uint256 taken);
}
