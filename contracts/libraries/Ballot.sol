// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IJury} from "../interfaces/IJury.sol";
import {Hashes} from "./Hashes.sol";

/// @title One jury's vote by commit and reveal (R28)
/// @notice Phases end early when all have moved: commit when every juror has, reveal when all who committed have.
/// @dev Loops run over at most SEATS jurors.
library Ballot {
    uint256 internal constant SEATS = 21;
    /// @dev A capture of 21 seats at a third of all takes 6 % of draws; of fewer revealed ones it takes more.
    uint256 internal constant QUORUM = 8;

    /// @notice The vote is not in the phase that this call needs.
    error BallotPhase(IJury.Phase actual, IJury.Phase needed);
    /// @notice The account is no juror of this dispute, or was struck.
    error BallotNotJuror(address account);
    /// @notice The juror has committed already, or has revealed already.
    error BallotMoved(address juror);
    /// @notice An empty commitment says nothing.
    error BallotEmptyVote(address juror);
    /// @notice Output and salt are not what the juror committed.
    error BallotMismatch(bytes32 committed, bytes32 revealed);

    /// @notice Without this juror the jury would be below the quorum.
    error BallotTooFew(uint256 seats, uint256 weight);

    struct Juror {
        address account;
        uint8 weight; // seats; 0: struck
        bool committed;
        bool revealed;
    }

    struct State {
        IJury.Tally tally;
        Juror[] jurors;
        mapping(address juror => bytes32) commitments;
        mapping(address juror => bytes32) outputs;
        mapping(bytes32 output => uint8) weights;
    }

    function requirePhase(State storage self, IJury.Phase needed) internal view {
        if (self.tally.phase != needed) revert BallotPhase(self.tally.phase, needed);
    }

    /// @notice Adds a drawn seat; an owner votes once, with the weight of its seats.
    function seat(State storage self, address owner) internal {
        Juror[] storage jurors = self.jurors;
        self.tally.seats += 1;
        for (uint256 i; i < jurors.length; ++i) {
            if (jurors[i].account == owner) {
                jurors[i].weight += 1;
                return;
            }
        }
        jurors.push(Juror(owner, 1, false, false));
        self.tally.jurors += 1;
    }

    /// @notice Starts the commit phase. A jury that can never reach the quorum has nothing to vote about.
    function start(State storage self, uint256 clock) internal returns (uint32 ends) {
        ends = uint32(block.timestamp + clock);
        self.tally.phaseEnds = ends;
        self.tally.phase = self.tally.seats < QUORUM ? IJury.Phase.Ripe : IJury.Phase.Commit;
    }

    /// @notice Brings the phase up to date with the clock.
    /// @return revealing the reveal phase began by this call
    function advance(State storage self, uint256 clock) internal returns (bool revealing) {
        IJury.Tally storage tally = self.tally;
        IJury.Phase before = tally.phase;
        (tally.phase, tally.phaseEnds) = current(tally, clock);
        return before == IJury.Phase.Commit && tally.phase == IJury.Phase.Reveal;
    }

    /// @notice The phase as of now and when it ends.
    function current(IJury.Tally memory tally, uint256 clock)
        internal
        view
        returns (IJury.Phase phase, uint32 ends)
    {
        (phase, ends) = (tally.phase, tally.phaseEnds);
        if (phase == IJury.Phase.Commit) {
            if (tally.committed == tally.jurors) {
                (phase, ends) = (IJury.Phase.Reveal, uint32(block.timestamp + clock));
            } else if (block.timestamp >= ends) {
                (phase, ends) = (IJury.Phase.Reveal, uint32(ends + clock));
            }
        }
        if (phase == IJury.Phase.Reveal && (tally.revealed == tally.committed || block.timestamp >= ends)) {
            phase = IJury.Phase.Ripe;
        }
    }

    /// @notice Leaves a juror out, with what it has committed.
    function strike(State storage self, address account) internal returns (uint8 weight) {
        Juror storage juror = _juror(self, account);
        weight = juror.weight;
        // INVARIANT: striking never makes a jury that could decide into one that cannot; else an executor's friends
        // strike honest verifiers until nobody is left to refute the leaf.
        if (self.tally.seats < QUORUM + weight) revert BallotTooFew(self.tally.seats, weight);
        self.tally.seats -= weight;
        self.tally.jurors -= 1;
        if (juror.committed) self.tally.committed -= 1;
        juror.weight = 0;
    }

    function commit(State storage self, address account, bytes32 vote) internal {
        if (vote == 0) revert BallotEmptyVote(account);
        Juror storage juror = _juror(self, account);
        if (juror.committed) revert BallotMoved(account);
        juror.committed = true;
        self.commitments[account] = vote;
        self.tally.committed += 1;
    }

    function reveal(State storage self, uint256 disputeId, address account, bytes32 output, bytes32 salt)
        internal
        returns (uint8 weight)
    {
        Juror storage juror = _juror(self, account);
        if (juror.revealed) revert BallotMoved(account);
        bytes32 vote = Hashes.vote(disputeId, account, output, salt);
        if (self.commitments[account] != vote) revert BallotMismatch(self.commitments[account], vote);

        weight = juror.weight;
        juror.revealed = true;
        self.outputs[account] = output;
        IJury.Tally storage tally = self.tally;
        tally.revealed += 1;
        tally.revealedWeight += weight;
        // An abstention weighs against every output and wins for none.
        if (output == 0) return weight;
        uint8 sum = self.weights[output] + weight;
        self.weights[output] = sum;
        if (sum > tally.bestWeight) (tally.best, tally.bestWeight) = (output, sum);
    }

    /// @notice More than half of the revealed weight, if at least QUORUM seats revealed.
    function hasMajority(IJury.Tally memory tally) internal pure returns (bool) {
        return tally.revealedWeight >= QUORUM && 2 * uint256(tally.bestWeight) > tally.revealedWeight;
    }

    function _juror(State storage self, address account) private view returns (Juror storage) {
        Juror[] storage jurors = self.jurors;
        for (uint256 i; i < jurors.length; ++i) {
            if (jurors[i].account == account && jurors[i].weight != 0) return jurors[i];
        }
        revert BallotNotJuror(account);
    }
}
