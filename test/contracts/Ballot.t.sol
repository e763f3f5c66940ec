// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IJury} from "../../contracts/interfaces/IJury.sol";
import {Ballot} from "../../contracts/libraries/Ballot.sol";
import {Vm} from "./support/Vm.sol";

/// @notice The vote against a bare storage variable: any jury, any votes, counted again naively (R28).
contract BallotTest {
    using Ballot for Ballot.State;

    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 internal constant CLOCK = 20;

    Ballot.State internal ballot;
    uint256[] internal sums;

    /// @notice Bits of `owners` say who owns each of 21 seats, of `moves` what each owner does: silence, commit alone,
    /// abstain, or vote for one of five outputs.
    function testFuzz_R28_majority_isOfTheRevealedWeight(uint256 owners, uint256 moves) external {
        for (uint256 j; j < 21; ++j) {
            ballot.seat(_owner((owners >> (3 * j)) & 7));
        }
        vm.assertEq(ballot.tally.seats, 21, "seats");
        ballot.start(CLOCK);
        uint256 count = ballot.jurors.length;
        for (uint256 i; i < count; ++i) {
            address juror = ballot.jurors[i].account;
            if (_move(moves, i) != 0) ballot.commit(juror, _vote(juror, _move(moves, i)));
            ballot.advance(CLOCK);
        }
        if (ballot.tally.phase == IJury.Phase.Commit) vm.warp(vm.getBlockTimestamp() + CLOCK);
        ballot.advance(CLOCK);

        sums = new uint256[](8);
        uint256 revealed;
        for (uint256 i; i < count; ++i) {
            uint256 move = _move(moves, i);
            if (move < 2) continue;
            address juror = ballot.jurors[i].account;
            uint256 weight = ballot.reveal(1, juror, _output(move), "salt");
            vm.assertEq(weight, _seatsOf(owners, juror), "an owner's weight is its seats");
            sums[move] += weight;
            revealed += weight;
            ballot.advance(CLOCK);
        }
        vm.warp(vm.getBlockTimestamp() + 2 * CLOCK);
        ballot.advance(CLOCK);
        vm.assertEq(uint256(ballot.tally.phase), uint256(IJury.Phase.Ripe), "every vote comes to an end");

        vm.assertEq(ballot.tally.revealedWeight, revealed, "revealed weight");
        uint256 winner;
        for (uint256 m = 3; m < 8; ++m) {
            if (revealed >= 8 && 2 * sums[m] > revealed) winner = m;
        }
        IJury.Tally memory tally = ballot.tally;
        vm.assertEq(Ballot.hasMajority(tally), winner != 0, "majority");
        if (winner != 0) vm.assertEq(tally.best, _output(winner), "the winning output");
    }

    /// @notice A vote that is over as soon as all have moved, in every order.
    function testFuzz_R28_phases_endWithTheLastMove(uint256 order) external {
        order %= 7;
        for (uint256 j; j < 21; ++j) {
            ballot.seat(_owner(j % 7));
        }
        ballot.start(CLOCK);
        for (uint256 i; i < 7; ++i) {
            vm.assertEq(uint256(ballot.tally.phase), uint256(IJury.Phase.Commit), "committing");
            address juror = _owner((i + order) % 7);
            ballot.commit(juror, _vote(juror, 3));
            ballot.advance(CLOCK);
        }
        for (uint256 i; i < 7; ++i) {
            vm.assertEq(uint256(ballot.tally.phase), uint256(IJury.Phase.Reveal), "revealing");
            ballot.reveal(1, _owner((6 * i + order) % 7), _output(3), "salt");
            ballot.advance(CLOCK);
        }
        vm.assertEq(uint256(ballot.tally.phase), uint256(IJury.Phase.Ripe), "ripe");
    }

    /// @notice A jury too small to decide does not vote at all.
    function testFuzz_R28_fewerSeatsThanTheQuorum_areRipeAtOnce(uint256 seats) external {
        seats = seats % 8;
        for (uint256 j; j < seats; ++j) {
            ballot.seat(_owner(j));
        }
        ballot.start(CLOCK);
        vm.assertEq(uint256(ballot.tally.phase), uint256(IJury.Phase.Ripe), "ripe");
        vm.assertTrue(!Ballot.hasMajority(ballot.tally), "nothing is decided");
    }

    function _owner(uint256 i) internal pure returns (address) {
        return address(uint160(0x1000 + i));
    }

    /// @dev 0 silence, 1 commit and no reveal, 2 abstain, 3 to 7 an output.
    function _move(uint256 moves, uint256 i) internal pure returns (uint256) {
        return (moves >> (3 * i)) & 7;
    }

    function _output(uint256 move) internal pure returns (bytes32) {
        return move < 3 ? bytes32(0) : bytes32(move);
    }

    function _vote(address juror, uint256 move) internal pure returns (bytes32) {
        return keccak256(abi.encode(bytes32("assay.vote"), uint256(1), juror, _output(move), bytes32("salt")));
    }

    function _seatsOf(uint256 owners, address juror) internal pure returns (uint256 seats) {
        for (uint256 j; j < 21; ++j) {
            if (_owner((owners >> (3 * j)) & 7) == juror) ++seats;
        }
    }
}
