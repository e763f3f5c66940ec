// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Multicall} from "@openzeppelin/contracts/utils/Multicall.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Collateral} from "./libraries/Collateral.sol";
import {Seats} from "./libraries/Seats.sol";
import {Reward} from "./types/Batch.sol";
import {PAIR_BARRED, PAIR_NOTICE, PAIR_OWED, PairWord} from "./types/PairWord.sol";
import {Range} from "./types/Range.sol";
import {VerifierWord} from "./types/VerifierWord.sol";

/// @dev Tokens that can be burned have this; for others the dead address serves.
interface IBurnable {
    function burn(uint256 amount) external;
}

/// @title The vault
/// @notice See IRegistry.
contract Registry is IRegistry, EIP712, Multicall, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using Seats for Seats.Book;

    /// @param market the only caller of lock and settle, and with `game`, which has the books of bonds, of forfeit, pull and
    /// credit
    /// @param challenges with `jury` and `game` the only callers of slashSeat
    /// @param unbonding seconds, longer than the life of any batch (the Market's constructor checks)
    /// @param notice seconds, longer than a lease plus the claim period (likewise)
    struct Config {
        address token;
        address market;
        address challenges;
        address jury;
        address game;
        uint96 seat;
        uint96 standingBond;
        uint32 unbonding;
        uint32 notice;
        uint96 livenessSlash;
        uint16 burnRate;
    }

    /// @dev One slot: staked 96, unbonding 96, unbondAt 40, seats 24.
    struct Staker {
        uint96 staked;
        uint96 unbonding;
        uint40 unbondAt;
        uint24 seats;
    }

    /// @dev One slot. A key counts at block n if registered < n and (revoked is 0 or n <= revoked).
    struct Key {
        address account;
        uint32 registered;
        uint32 revoked;
        uint32 revokedAt; // block timestamp
    }

    /// @dev A struct, so that a reference to it hashes its place once for reading and writing.
    struct Pair {
        PairWord word;
    }

    struct Standing {
        uint96 amount;
        uint40 noticeAt;
        uint40 heldUntil; // a claim of equivocation is open
    }

    address private constant DEAD = 0x000000000000000000000000000000000000dEaD;
    bytes32 private constant REGISTER_KEY = keccak256("RegisterKey(address account,address key)");

    address public immutable token;
    address public immutable market;
    address public immutable challenges;
    address public immutable jury;
    address public immutable game;
    uint256 public immutable SEAT;
    uint256 public immutable STANDING_BOND;
    uint256 public immutable UNBONDING;
    uint256 public immutable NOTICE;
    uint256 public immutable LIVENESS_SLASH;
    uint256 public immutable BURN_RATE;

    /// @dev Coordinator first, so that a batch hashes it once for all its workers.
    mapping(address coordinator => mapping(address account => Pair)) private _pairs;
    mapping(address account => Staker) private _stakers;
    mapping(bytes32 capability => Seats.Book) private _books;
    mapping(address key => Key) private _keys;
    mapping(address account => Standing) private _standings;

    modifier onlyMarket() {
        if (msg.sender != market) revert RegistryUnauthorized(msg.sender);
        _;
    }

    modifier onlyBooks() {
        if (msg.sender != market && msg.sender != game) revert RegistryUnauthorized(msg.sender);
        _;
    }

    modifier onlyJudges() {
        if (msg.sender != challenges && msg.sender != jury && msg.sender != game) revert RegistryUnauthorized(msg.sender);
        _;
    }

    constructor(Config memory config) EIP712("Assay Registry", "1") {
        if (config.token == address(0)) revert RegistryBadParameter("token");
        if (config.market == address(0)) revert RegistryBadParameter("market");
        if (config.challenges == address(0)) revert RegistryBadParameter("challenges");
        if (config.jury == address(0)) revert RegistryBadParameter("jury");
        if (config.game == address(0)) revert RegistryBadParameter("game");
        if (config.seat == 0) revert RegistryBadParameter("seat");
        if (config.livenessSlash > config.seat) revert RegistryBadParameter("livenessSlash");
        // R11: at least half of every slash leaves the system, whoever his friends are.
        if (config.burnRate < 5_000 || config.burnRate > 10_000) revert RegistryBadParameter("burnRate");
        token = config.token;
        market = config.market;
        challenges = config.challenges;
        jury = config.jury;
        game = config.game;
        SEAT = config.seat;
        STANDING_BOND = config.standingBond;
        UNBONDING = config.unbonding;
        NOTICE = config.notice;
        LIVENESS_SLASH = config.livenessSlash;
        BURN_RATE = config.burnRate;
    }

        function registry() external view returns (address) {
        return address(this);
    }

    // -- Seats -------------------------------------------------------------------------------------------------------

    /// @inheritdoc IRegistry
    function stake(bytes32 capability, uint32 count) external nonReentrant {
        if (count == 0) revert RegistryBadAmount(0);
        uint256 amount = count * SEAT;
        Staker storage staker = _stakers[msg.sender];
        staker.staked = SafeCast.toUint96(staker.staked + amount);
        staker.seats = SafeCast.toUint24(uint256(staker.seats) + count);
        uint256 first = _books[capability].add(msg.sender, count);
        emit Staked(msg.sender, capability, first, count);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IRegistry
    function requestUnstake(bytes32 capability, uint32[] calldata seats) external {
        Seats.Book storage book = _books[capability];
        for (uint256 i; i < seats.length; ++i) {
            // Descending: a seat that moves into a freed number is never one that is still to be removed.
            if (i > 0 && seats[i] >= seats[i - 1]) revert SeatOrder(seats[i - 1], seats[i]);
            address owner = book.ownerNow(seats[i]);
            if (owner != msg.sender) revert SeatNotOwned(capability, seats[i], owner);
            _removeSeat(book, capability, seats[i]);
        }
        Staker storage staker = _stakers[msg.sender];
        staker.seats -= uint24(seats.length);
        uint256 needed = staker.seats * SEAT;
        uint256 excess = staker.staked > needed ? staker.staked - needed : 0;
        uint256 unbondAt = block.timestamp + UNBONDING;
        staker.staked -= uint96(excess);
        staker.unbonding = SafeCast.toUint96(staker.unbonding + excess);
        staker.unbondAt = SafeCast.toUint40(unbondAt);
        emit UnstakeRequested(msg.sender, capability, seats, unbondAt);
    }

    /// @inheritdoc IRegistry
    function completeUnstake() external nonReentrant {
        Staker storage staker = _stakers[msg.sender];
        uint256 amount = staker.unbonding;
        if (amount == 0 || block.timestamp < staker.unbondAt) {
            revert UnbondingNotOver(msg.sender, amount, staker.unbondAt);
        }
        staker.unbonding = 0;
        staker.unbondAt = 0;
        emit Unstaked(msg.sender, amount);
        IERC20(token).safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IRegistry
    function evict(bytes32 capability, uint32 seat) external {
        Seats.Book storage book = _books[capability];
        if (seat >= book.seats) revert SeatUnknown(capability, seat, book.seats);
        address owner = book.ownerNow(seat);
        Staker storage staker = _stakers[owner];
        if (staker.staked >= staker.seats * SEAT) revert SeatCovered(owner, staker.staked, staker.seats);
        staker.seats -= 1;
        _removeSeat(book, capability, seat);
        emit Evicted(capability, seat, owner);
    }

    function _removeSeat(Seats.Book storage book, bytes32 capability, uint256 seat) private {
        (, address moved, uint256 last) = book.remove(capability, seat);
        if (moved != address(0)) emit SeatMoved(capability, last, seat, moved);
    }

    /// @inheritdoc IRegistry
    function seatsOf(bytes32 capability) external view returns (uint256 seats, uint256 owners) {
        return (_books[capability].seats, _books[capability].owners);
    }

    /// @inheritdoc IRegistry
    function seatCountAt(bytes32 capability, uint256 blockNumber) external view returns (uint256) {
        return _books[capability].countAt(blockNumber);
    }

    /// @inheritdoc IRegistry
    function seatOwnerAt(bytes32 capability, uint256 seat, uint256 blockNumber) external view returns (address) {
        return _books[capability].ownerAt(seat, blockNumber);
    }

    /// @inheritdoc IRegistry
    function seatOwner(bytes32 capability, uint256 seat) external view returns (address) {
        return _books[capability].ownerNow(seat);
    }

    /// @inheritdoc IRegistry
    function seatCount(bytes32 capability, address account) external view returns (uint256) {
        return _books[capability].held[account];
    }

    /// @inheritdoc IRegistry
    function stakerOf(address account)
        external
        view
        returns (uint256 staked, uint256 unbonding, uint256 unbondAt, uint256 seats)
    {
        Staker memory staker = _stakers[account];
        return (staker.staked, staker.unbonding, staker.unbondAt, staker.seats);
    }

    // -- Session keys ------------------------------------------------------------------------------------------------

    /// @inheritdoc IRegistry
    function registerKey(address key, bytes calldata signatureByKey) external {
        // INVARIANT: a key belongs to one account for ever, so that no signature can change hands (R8).
        if (_keys[key].account != address(0)) revert KeyTaken(key, _keys[key].account);
        bytes32 digest = _hashTypedDataV4(keccak256(abi.encode(REGISTER_KEY, msg.sender, key)));
        (address recovered,,) = ECDSA.tryRecover(digest, signatureByKey);
        // The key itself consents: nobody can claim another's key, and with it the blame for its signatures.
        if (recovered == address(0) || recovered != key) revert KeyBadSignature(key, recovered);
        _keys[key] = Key(msg.sender, uint32(block.number), 0, 0);
        emit KeyRegistered(msg.sender, key);
    }

    /// @inheritdoc IRegistry
    function revokeKey(address key) external {
        Key storage held = _keys[key];
        if (held.account != msg.sender || held.revoked != 0) revert KeyNotHeld(key, msg.sender);
        (held.revoked, held.revokedAt) = (uint32(block.number), uint32(block.timestamp));
        emit KeyRevoked(msg.sender, key);
    }

    /// @inheritdoc IRegistry
    function keyOf(address key) external view returns (address account, uint256 from, uint256 until) {
        Key memory held = _keys[key];
        return (held.account, held.registered, held.revoked);
    }

    /// @inheritdoc IRegistry
    function accountOf(address key, uint256 atBlock) external view returns (address) {
        Key memory held = _keys[key];
        bool counts = held.registered < atBlock && (held.revoked == 0 || atBlock <= held.revoked);
        return counts ? held.account : address(0);
    }

    /// @inheritdoc IRegistry
    function leaserOf(address key, uint256 atBlock, uint256 start) external view returns (address) {
        Key memory held = _keys[key];
        bool counts = held.registered < atBlock && (held.revoked == 0 || start <= held.revokedAt);
        return counts ? held.account : address(0);
    }

    // -- Collateral and pay ------------------------------------------------------------------------------------------

    /// @inheritdoc IRegistry
    function allow(address coordinator, uint96 amount) external nonReentrant {
        if (amount == 0) revert RegistryBadAmount(0);
        Pair storage pair = _pairs[coordinator][msg.sender];
        pair.word = _add(pair.word, amount, 0);
        emit Allowed(msg.sender, coordinator, amount);
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IRegistry
    function giveNotice(address coordinator) external {
        PairWord pair = _pairs[coordinator][msg.sender].word;
        uint256 at_ = block.timestamp + NOTICE;
        // A bar's end is never moved forward by a notice.
        if (pair.barred() && pair.noticeAt() > at_) at_ = pair.noticeAt();
        _pairs[coordinator][msg.sender].word = _withNotice(pair, at_);
        emit NoticeGiven(msg.sender, coordinator, at_);
    }

    /// @inheritdoc IRegistry
    function cancelNotice(address coordinator) external {
        PairWord pair = _pairs[coordinator][msg.sender].word;
        if (pair.barred()) revert CollateralBarred(msg.sender, coordinator, pair.noticeAt());
        if (pair.noticeAt() == 0) revert CollateralNotice(msg.sender, coordinator, 0);
        _pairs[coordinator][msg.sender].word = _withNotice(pair, 0);
        emit NoticeCancelled(msg.sender, coordinator);
    }

    /// @inheritdoc IRegistry
    function takeOut(address coordinator, uint96 amount) external nonReentrant {
        PairWord pair = _pairs[coordinator][msg.sender].word;
        uint256 noticeAt = pair.noticeAt();
        if (noticeAt == 0 || block.timestamp < noticeAt) revert CollateralNotice(msg.sender, coordinator, noticeAt);
        if (amount == 0) revert RegistryBadAmount(0);
        if (pair.barred()) revert CollateralBarred(msg.sender, coordinator, noticeAt);
        // R13: the notice is spent; else one old notice would let collateral leave in the middle of any later lease.
        _pairs[coordinator][msg.sender].word = _withNotice(_sub(pair, msg.sender, coordinator, amount), 0);
        emit TakenOut(msg.sender, coordinator, amount);
        IERC20(token).safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IRegistry
    function clearFlag(address coordinator) external {
        PairWord pair = _pairs[coordinator][msg.sender].word;
        if (!pair.barred()) revert CollateralNotBarred(msg.sender, coordinator);
        if (block.timestamp < pair.noticeAt()) revert CollateralBarred(msg.sender, coordinator, pair.noticeAt());
        _pairs[coordinator][msg.sender].word = _withNotice(PairWord.wrap(PairWord.unwrap(pair) & ~PAIR_BARRED), 0);
        emit FlagCleared(msg.sender, coordinator);
    }

    /// @inheritdoc IRegistry
    function pairOf(address account, address coordinator)
        external
        view
        returns (uint256 free, uint256 owed, uint256 noticeAt, uint256 flags)
    {
        PairWord pair = _pairs[coordinator][account].word;
        return (pair.free(), pair.owed(), pair.noticeAt(), pair.flags());
    }

    /// @inheritdoc IRegistry
    function withdraw(address[] calldata coordinators) external nonReentrant returns (uint256 amount) {
        for (uint256 i; i < coordinators.length; ++i) {
            PairWord pair = _pairs[coordinators[i]][msg.sender].word;
            uint256 owed = pair.owed();
            if (owed == 0) continue;
            amount += owed;
            _pairs[coordinators[i]][msg.sender].word = PairWord.wrap(PairWord.unwrap(pair) - (owed << PAIR_OWED));
            emit Withdrawn(msg.sender, coordinators[i], owed);
        }
        if (amount != 0) IERC20(token).safeTransfer(msg.sender, amount);
    }

    // -- Standing bonds ----------------------------------------------------------------------------------------------

    /// @inheritdoc IRegistry
    function depositStanding() external nonReentrant {
        Standing storage standing = _standings[msg.sender];
        if (standing.amount >= STANDING_BOND) revert StandingState(msg.sender, standing.amount, standing.noticeAt);
        uint256 missing = STANDING_BOND - standing.amount;
        standing.amount = uint96(STANDING_BOND);
        standing.noticeAt = 0;
        emit StandingChanged(msg.sender, STANDING_BOND, 0);
        IERC20(token).safeTransferFrom(msg.sender, address(this), missing);
    }

    /// @inheritdoc IRegistry
    function noticeStanding() external {
        Standing storage standing = _standings[msg.sender];
        if (standing.amount == 0) revert StandingState(msg.sender, 0, standing.noticeAt);
        standing.noticeAt = SafeCast.toUint40(block.timestamp + NOTICE);
        emit StandingChanged(msg.sender, standing.amount, standing.noticeAt);
    }

    /// @inheritdoc IRegistry
    function withdrawStanding() external nonReentrant {
        Standing memory standing = _standings[msg.sender];
        if (
            standing.amount == 0 || standing.noticeAt == 0 || block.timestamp < standing.noticeAt
                || block.timestamp < standing.heldUntil
        ) {
            revert StandingState(msg.sender, standing.amount, standing.noticeAt);
        }
        delete _standings[msg.sender];
        emit StandingChanged(msg.sender, 0, 0);
        IERC20(token).safeTransfer(msg.sender, standing.amount);
    }

    /// @inheritdoc IRegistry
    function standingOf(address account) external view returns (uint256 amount, uint256 noticeAt) {
        return (_standings[account].amount, _standings[account].noticeAt);
    }

    /// @inheritdoc IRegistry
    function selfPermit(uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        // A permit seen in the mempool can be used by anyone first; what counts is the allowance that follows.
        try IERC20Permit(token).permit(msg.sender, address(this), value, deadline, v, r, s) {} catch {}
    }

    // -- The Market only, or the game with it ------------------------------------------------------------------------

    /// @inheritdoc IRegistry
    function pull(address from, uint256 amount) external onlyBooks nonReentrant {
        IERC20(token).safeTransferFrom(from, address(this), amount);
    }

    /// @inheritdoc IRegistry
    function lock(
        address coordinator,
        uint256[] calldata ranges,
        uint256 collateral,
        uint256 bond,
        bytes32 capability,
        uint256 minSeats,
        uint256 minOwners
    ) external onlyMarket {
        {
            Seats.Book storage book = _books[capability];
            (uint256 seats, uint256 owners) = (book.seats, book.owners);
            if (seats < minSeats || owners < minOwners) revert SeatsTooFew(capability, seats, owners);
        }
        mapping(address account => Pair) storage pairs = _pairs[coordinator];
        for (uint256 i; i < ranges.length; ++i) {
            address worker = Range.wrap(ranges[i]).worker();
            Pair storage slot = pairs[worker];
            PairWord pair = slot.word;
            // INVARIANT: once its notice has run out, collateral is its owner's alone (R13); else a coordinator that
            // commits and withdraws bogus batches keeps it locked for ever.
            uint256 noticeAt = pair.noticeAt();
            if (noticeAt != 0 && block.timestamp >= noticeAt && !pair.barred()) {
                revert CollateralLeaving(worker, coordinator, noticeAt);
            }
            slot.word = _sub(pair, worker, coordinator, collateral);
        }
        if (bond == 0) return;
        Pair storage own = pairs[coordinator];
        own.word = _sub(own.word, coordinator, coordinator, bond);
    }

    /// @inheritdoc IRegistry
    function settle(Settlement calldata s, uint256[] calldata ranges, uint256[] calldata verifiers)
        external
        onlyMarket
        returns (uint256 audited)
    {
        mapping(address account => Pair) storage pairs = _pairs[s.coordinator];
        {
            (uint256 released, uint256 paid) = (s.released, s.paid);
            (uint256 collateral, uint256 fee) = (s.collateral, s.fee);
            // Cannot overflow: units of 32 bits, a fee of 96.
            unchecked {
                for (uint256 i; i < ranges.length; ++i) {
                    Range range = Range.wrap(ranges[i]);
                    uint256 back = (released >> i) & 1 == 1 ? collateral : 0;
                    uint256 pay = (paid >> i) & 1 == 1 ? range.units() * fee : 0;
                    if (back | pay == 0) continue;
                    Pair storage pair = pairs[range.worker()];
                    pair.word = _add(pair.word, back, pay);
                }
            }
        }
        if (s.bond | s.reward != 0) {
            Pair storage own = pairs[s.coordinator];
            own.word = _add(own.word, s.bond, s.reward);
        }
        pairs = _pairs[s.payer];
        {
            (uint256 struck, uint256 rate, uint256 base) = (s.struck, s.auditRate, s.auditBase);
            // Cannot overflow: units of 64 bits, a rate of 100, a base of 96.
            unchecked {
                for (uint256 i; i < verifiers.length; ++i) {
                    if ((struck >> i) & 1 == 1) continue;
                    VerifierWord word = VerifierWord.wrap(verifiers[i]);
                    Pair storage pair = pairs[word.verifier()];
                    PairWord before = pair.word;
                    // R22: a false verdict costs the pay that is not yet final with this coordinator.
                    if (before.barred()) continue;
                    uint256 pay = word.units() * rate + base;
                    pair.word = _add(before, 0, pay);
                    audited += pay;
                }
            }
        }
        if (s.burned != 0) _burn(s.burned);
    }

    /// @inheritdoc IRegistry
    function forfeit(address coordinator, uint256 amount, Reward[] calldata rewards) external onlyBooks {
        _burn(amount - _reward(coordinator, amount, "forfeit", rewards));
    }

    /// @inheritdoc IRegistry
    function credit(address account, address coordinator, uint256 amount) external onlyBooks {
        Pair storage pair = _pairs[coordinator][account];
        pair.word = _add(pair.word, 0, amount);
    }

    // -- Judges only -----------------------------------------------------------------------------------

    /// @inheritdoc IRegistry
    function slashSeat(
        address account,
        address coordinator,
        uint256 amount,
        bool bar,
        bytes32 reason,
        Reward[] calldata rewards
    ) external onlyJudges nonReentrant returns (uint256 taken) {
        Staker storage staker = _stakers[account];
        (uint256 staked, uint256 unbonding) = (staker.staked, staker.unbonding);
        uint256 fromStake = amount < staked ? amount : staked;
        // Unbonding outlives every verdict given with the seat: leaving does not save the stake.
        uint256 rest = amount - fromStake;
        uint256 fromUnbonding = rest < unbonding ? rest : unbonding;
        staker.staked = uint96(staked - fromStake);
        staker.unbonding = uint96(unbonding - fromUnbonding);
        taken = fromStake + fromUnbonding;
        if (bar) {
            PairWord pair = _pairs[coordinator][account].word;
            uint256 until = block.timestamp + UNBONDING;
            if (pair.noticeAt() > until) until = pair.noticeAt();
            _pairs[coordinator][account].word = _withNotice(PairWord.wrap(PairWord.unwrap(pair) | PAIR_BARRED), until);
        }
        uint256 burned = taken - _reward(coordinator, taken, reason, rewards);
        emit SeatSlashed(account, coordinator, taken, burned, reason);
        _burn(burned);
    }

    /// @inheritdoc IRegistry
    function holdStanding(address account, uint40 until) external onlyJudges {
        if (_standings[account].heldUntil < until) _standings[account].heldUntil = until;
    }

    /// @inheritdoc IRegistry
    function slashStanding(address account, Reward[] calldata rewards) external onlyJudges nonReentrant returns (uint256 taken) {
        taken = _standings[account].amount;
        delete _standings[account];
        emit StandingChanged(account, 0, 0);
        _burn(taken - _reward(account, taken, "equivocation", rewards));
    }

    // -- Inside ------------------------------------------------------------------------------------------------------

    /// @dev Credits rewards in their order, cut to the part of a slash that need not burn (R12).
    function _reward(address coordinator, uint256 amount, bytes32 reason, Reward[] calldata rewards)
        private
        returns (uint256 given)
    {
        uint256 most = amount - Collateral.burnedUp(amount, BURN_RATE);
        for (uint256 i; i < rewards.length && given < most; ++i) {
            uint256 share = rewards[i].amount;
            if (share > most - given) share = most - given;
            if (share == 0) continue;
            given += share;
            address account = rewards[i].account;
            Pair storage pair = _pairs[coordinator][account];
            pair.word = _add(pair.word, 0, share);
            emit Rewarded(account, coordinator, share, reason);
        }
    }

    function _burn(uint256 amount) private {
        if (amount == 0) return;
        emit Burned(amount);
        try IBurnable(token).burn(amount) {}
        catch {
            IERC20(token).safeTransfer(DEAD, amount);
        }
    }

    /// @dev Adds to free and owed. Checked before packing: neither sum may leave its 96 bits.
    function _add(PairWord pair, uint256 toFree, uint256 toOwed) private pure returns (PairWord) {
        // Cannot overflow 256 bits: callers pass at most units (64 bits) * rate (112 bits) + a 96-bit base.
        unchecked {
            if (((pair.free() + toFree) | (pair.owed() + toOwed)) >> 96 != 0) revert RegistryBadAmount(toFree + toOwed);
            return PairWord.wrap(PairWord.unwrap(pair) + toFree + (toOwed << PAIR_OWED));
        }
    }

    /// @dev Takes from free; the word's low field cannot borrow because `amount <= free`.
    function _sub(PairWord pair, address account, address coordinator, uint256 amount) private pure returns (PairWord) {
        if (pair.free() < amount) revert CollateralShort(account, coordinator, pair.free(), amount);
        unchecked {
            return PairWord.wrap(PairWord.unwrap(pair) - amount);
        }
    }

    function _withNotice(PairWord pair, uint256 noticeAt) private pure returns (PairWord) {
        uint256 cleared = PairWord.unwrap(pair) & ~(uint256(type(uint40).max) << PAIR_NOTICE);
        return PairWord.wrap(cleared | (uint256(SafeCast.toUint40(noticeAt)) << PAIR_NOTICE));
    }
}
