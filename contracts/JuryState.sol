// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IBound} from "./interfaces/IBound.sol";
import {IDuties} from "./interfaces/IDuties.sol";
import {IJury} from "./interfaces/IJury.sol";
import {Ballot} from "./libraries/Ballot.sol";

/// @title What Jury and its Duties share: addresses and storage
/// @dev Duties runs in the storage of Jury: both have these variables and no others, in this order.
abstract contract JuryState is IBound {
    address public immutable registry;
    address public immutable market;
    address public immutable challenges;
    address public immutable game;

    mapping(uint256 disputeId => IJury.Case) internal _cases;
    mapping(uint256 disputeId => Ballot.State) internal _ballots;
    /// @dev Accusers of a sample, in the order of posting: at most its candidates and re-auditors.
    mapping(uint256 batchId => mapping(uint32 sample => address[])) internal _accusers;
    /// @dev A verdict costs C_v once, however many juries look at its sample. Keyed by its own dispute id.
    mapping(uint256 disputeId => bool) internal _punished;

    IDuties.Round[] internal _rounds;
    /// @dev By the batch's seed, which no two batches share: that is what a candidacy is asked with.
    mapping(bytes32 seed => mapping(uint32 sample => mapping(address account => bool))) internal _reauditors;
    /// @dev Until when re-auditors of a batch may be seated, once one has been: the end of its window then.
    mapping(uint256 batchId => uint256 until) internal _seatsUntil;
    /// @dev Until when the called seats of a sample may answer; 0: not called.
    mapping(bytes32 seed => mapping(uint32 sample => uint40 until)) internal _called;
    mapping(uint256 batchId => IDuties.Calling) internal _callings;
    /// @dev Who moved when called: a verdict, or a word that the task was not served.
    mapping(uint256 batchId => mapping(uint32 sample => mapping(address account => bool))) internal _moved;
    mapping(uint256 batchId => mapping(address account => bool)) internal _charged;
    mapping(bytes32 claimId => IDuties.Claim) internal _claims;
    mapping(address account => uint256 wei_) internal _deposits;

    constructor(address registry_, address market_, address challenges_, address game_) {
        (registry, market, challenges, game) = (registry_, market_, challenges_, game_);
    }

    /// @inheritdoc IBound
    function jury() external view returns (address) {
        return address(this);
    }
}
