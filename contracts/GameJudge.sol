// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {GameState} from "./GameState.sol";
import {IDisputeGame} from "./interfaces/IDisputeGame.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IReferee} from "./interfaces/IReferee.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Digests} from "./libraries/Digests.sol";
import {Game} from "./libraries/Game.sol";
import {Hashes} from "./libraries/Hashes.sol";
import {Tensors} from "./libraries/Tensors.sol";
import {Trees} from "./libraries/Trees.sol";
import {Batch, Cause, Reward} from "./types/Batch.sol";
import {Opened, Operand, Operation, Program} from "./types/Program.sol";
import {Terms} from "./types/Terms.sol";

/// @title How disputes of the game end
/// @notice Code of DisputeGame, like GameOpen, deployed before it. Proofs do no less for the challenger when another sends them, so anyone may.
contract GameJudge is GameState {
    using Game for Game.State;

    bytes32 internal constant REASON_FALSE = "false verdict";

    constructor(Config memory config) GameState(config) {}

    /// @notice See IDisputeGame.
    function proveElement(
        uint256 disputeId,
        IDisputeGame.Case calldata dispute,
        Terms calldata terms,
        Batch calldata batch,
        IDisputeGame.Published calldata published,
        IDisputeGame.ElementProof calldata proof
    ) external {
        _requireCase(disputeId, dispute);
        _games[disputeId].requireChallengers();
        _requirePublished(disputeId, published);
        _requireOperation(published, proof.index, proof.operation, proof.path);
        if (_hasFill(published, proof)) {
            _end(disputeId, dispute, terms, batch, IDisputeGame.Outcome.Refuted, "fill");
            return;
        }
        _requireOperands(published, proof);
        if (_isWrong(disputeId, dispute.challenger, proof)) {
            _end(disputeId, dispute, terms, batch, IDisputeGame.Outcome.Refuted, "element");
        }
    }

    /// @notice See IDisputeGame.
    function proveLink(
        uint256 disputeId,
        IDisputeGame.Case calldata dispute,
        Terms calldata terms,
        Batch calldata batch,
        IDisputeGame.Published calldata published,
        Program calldata program,
        IDisputeGame.Links calldata links,
        IDisputeGame.Link kind,
        uint256 index,
        bytes32 leaf,
        bytes32[] calldata path
    ) external {
        _requireCase(disputeId, dispute);
        _games[disputeId].requireChallengers();
        _requirePublished(disputeId, published);
        _programRoot(program, published.programRoot);
        bytes32 hash = keccak256(abi.encode(links));
        if (hash != published.links) revert IDisputeGame.DisputeOpening("links", hash, published.links);
        (uint256 wire, bytes32 root) = kind == IDisputeGame.Link.Input
            ? (index, links.inputs[index])
            : kind == IDisputeGame.Link.Output
                ? (program.outputs[index], links.outputs[index])
                : (program.digests[index], links.digests[index]);
        _requireLeaf(published, wire, leaf, path);
        if (leaf == Hashes.wire(wire, root)) revert IDisputeGame.DisputeNoFault();
        _end(disputeId, dispute, terms, batch, IDisputeGame.Outcome.Refuted, "link");
    }

    /// @notice See IDisputeGame.
    function proveInput(
        uint256 disputeId,
        IDisputeGame.Case calldata dispute,
        Terms calldata terms,
        Batch calldata batch,
        bytes32 inputCommitment,
        bytes32[] calldata path
    ) external {
        _requireCase(disputeId, dispute);
        _games[disputeId].requireAlive();
        _requireInput(terms, dispute.taskIndex, inputCommitment, path);
        if (inputCommitment == dispute.inputCommitment) revert IDisputeGame.DisputeNoFault();
        _end(disputeId, dispute, terms, batch, IDisputeGame.Outcome.Refuted, "input");
    }

    /// @notice See IDisputeGame.
    function voidUnjudgeable(
        uint256 disputeId,
        IDisputeGame.Case calldata dispute,
        Terms calldata terms,
        Batch calldata batch,
        IDisputeGame.Published calldata published,
        uint32 index,
        Operation calldata operation,
        bytes32[] calldata path
    ) external {
        _requireCase(disputeId, dispute);
        _games[disputeId].requireChallengers();
        _requirePublished(disputeId, published);
        _requireOperation(published, index, operation, path);
        if (!_isUnjudgeable(operation)) revert IDisputeGame.DisputeJudgeable();
        _end(disputeId, dispute, terms, batch, IDisputeGame.Outcome.Void, "unjudgeable");
    }

    /// @notice See IDisputeGame.
    function timeout(uint256 disputeId, IDisputeGame.Case calldata dispute, Terms calldata terms, Batch calldata batch) external {
        _requireCase(disputeId, dispute);
        if (_games[disputeId].expire()) {
            _end(disputeId, dispute, terms, batch, IDisputeGame.Outcome.Upheld, "silent challenger");
        } else {
            _end(disputeId, dispute, terms, batch, IDisputeGame.Outcome.Refuted, "silent defendant");
        }
    }

    // -- Inside: openings --------------------------------------------------------------------------------------------

    function _requireLeaf(IDisputeGame.Published calldata published, uint256 wire, bytes32 leaf, bytes32[] calldata path)
        internal
        pure
    {
        uint256 wires = uint256(published.inputs) + published.operations;
        bytes32 root = Trees.pairRoot(leaf, wire, wires, path);
        if (root != published.traceRoot) revert IDisputeGame.DisputeOpening("trace", root, published.traceRoot);
    }

    /// @dev The output's chunk stands in the trace under the program's header.
    /// @return whether a byte behind the tensor's end is not 0: no element, and wrong all the same
    function _hasFill(IDisputeGame.Published calldata published, IDisputeGame.ElementProof calldata proof) internal view returns (bool) {
        uint8 dtype = proof.operation.output.dtype;
        uint64[] calldata dims = proof.operation.output.dims;
        uint256 elements = Tensors.elementsOf(dims);
        if (proof.element >= elements) revert IDisputeGame.DisputeOpening("element", bytes32(uint256(proof.element)), bytes32(elements));
        uint256 size = elements * Tensors.widthOf(dtype);
        uint256 at_ = proof.element * Tensors.widthOf(dtype) / Tensors.CHUNK;
        uint256 wire = uint256(published.inputs) + proof.index;
        bytes32 tree =
            Tensors.treeOf(proof.chunk, at_, Trees.depth(Tensors.chunksOf(size)), proof.chunkPath);
        _requireLeaf(published, wire, Hashes.wire(wire, Tensors.root(dtype, dims, tree)), proof.tracePath);
        return Tensors.hasFill(proof.chunk, size - at_ * Tensors.CHUNK);
    }

    /// @dev Every opened chunk of an operand stands in the trace, or in the program's constant, under the header that the
    /// operation says.
    function _requireOperands(IDisputeGame.Published calldata published, IDisputeGame.ElementProof calldata proof) internal view {
        Operand[] calldata inputs = proof.operation.inputs;
        if (proof.opened.length != inputs.length || proof.operands.length != inputs.length) {
            revert Game.GameLength(proof.opened.length, inputs.length);
        }
        for (uint256 i; i < inputs.length; ++i) {
            _requireOperand(published, inputs[i], proof.opened[i], proof.operands[i]);
        }
    }

    function _requireOperand(
        IDisputeGame.Published calldata published,
        Operand calldata operand,
        Opened calldata opened,
        IDisputeGame.OperandPath calldata paths
    ) internal view {
        if (opened.chunks.length == 0) {
            if (opened.data.length != 0) revert Tensors.TensorChunk(opened.data.length, 0);
            return;
        }
        uint256 count = Tensors.chunksOf(Tensors.elementsOf(operand.dims) * Tensors.widthOf(operand.dtype));
        bytes32 tree = Tensors.treeOf(opened.chunks, opened.data, count, Trees.depth(count), paths.chunkPath);
        bytes32 root = Tensors.root(operand.dtype, operand.dims, tree);
        if (operand.root == 0) {
            _requireLeaf(published, operand.wire, Hashes.wire(operand.wire, root), paths.tracePath);
        } else if (root != operand.root) {
            revert IDisputeGame.DisputeOpening("constant", root, operand.root);
        }
    }

    // -- Inside: judging ---------------------------------------------------------------------------------------------

    /// @dev False only where a part of a long chain was done; what is right reverts.
    function _isWrong(uint256 disputeId, address challenger, IDisputeGame.ElementProof calldata proof) internal returns (bool) {
        (uint256 right, bool defined, bool done) = (0, true, true);
        if (proof.upTo == 0) {
            (right, defined) = IReferee(REFEREE).evaluate(proof.operation, proof.element, proof.opened);
        } else {
            bytes32 key = keccak256(abi.encode(proof.index, proof.element));
            uint256 state;
            (state, done, right) = IReferee(REFEREE).extend(
                proof.operation, proof.element, proof.opened, _chains[disputeId][key], proof.upTo
            );
            if (!done) {
                _chains[disputeId][key] = state;
                // Others may help, but only the challenger's own steps take more time.
                uint256 deadline = msg.sender == challenger
                    ? _games[disputeId].restart(MOVE_CLOCK)
                    : _games[disputeId].turn.deadline;
                emit IDisputeGame.ChainExtended(disputeId, proof.index, proof.element, proof.upTo, state, deadline);
                return false;
            }
        }
        uint256 width = Tensors.widthOf(proof.operation.output.dtype);
        uint256 claimed = _littleEndian(proof.chunk, proof.element * width % Tensors.CHUNK, width);
        if (defined && claimed == right) revert IDisputeGame.DisputeNoFault();
        emit IDisputeGame.ElementJudged(
            disputeId, proof.index, proof.operation.code, proof.element, claimed, right, defined
        );
        return true;
    }

    /// @dev With nothing opened: the operation itself decides, and not what a challenger chose to show of it.
    function _isUnjudgeable(Operation calldata operation) internal view returns (bool) {
        if (Tensors.elementsOf(operation.output.dims) == 0) return false;
        Opened[] memory nothing = new Opened[](operation.inputs.length);
        try IReferee(REFEREE).evaluate(operation, 0, nothing) {
            return false;
        } catch (bytes memory reason) {
            // Out of gas has no reason, and counts for nothing.
            return reason.length >= 4 && bytes4(reason) == IReferee.RefereeUnjudgeable.selector;
        }
    }

    function _littleEndian(bytes calldata data, uint256 from, uint256 width) internal pure returns (uint256 value) {
        for (uint256 i; i < width; ++i) {
            value |= uint256(uint8(data[from + i])) << (8 * i);
        }
    }

    // -- Inside: ends ------------------------------------------------------------------------------------------------

    /// @dev The one way out: the game ends, money moves, the hold is dropped, each once.
    function _end(
        uint256 disputeId,
        IDisputeGame.Case calldata dispute,
        Terms calldata terms,
        Batch calldata batch,
        IDisputeGame.Outcome outcome,
        bytes32 reason
    ) internal {
        if (Digests.batch(batch) != dispute.batchHash) revert IDisputeGame.DisputeBatch(dispute.batchId);
        if (Hashes.terms(terms) != IMarket(market).termsHashOf(batch.jobId)) revert IDisputeGame.DisputeTerms(batch.jobId);
        uint256 coins = _games[disputeId].end(outcome);
        emit IDisputeGame.DisputeEnded(disputeId, dispute.batchId, outcome, reason);

        if (outcome == IDisputeGame.Outcome.Upheld) {
            _chargeChallenger(dispute, terms);
        } else {
            // The bond and the deposit go back; movers of a defendant that lost moved for nothing.
            _coins[dispute.challenger] += coins;
            if (dispute.kind != IDisputeGame.Kind.Mismatch) {
                uint256 bond = IMarket(market).verdictCollateralOf(terms);
                IRegistry(registry).credit(dispute.challenger, terms.coordinator, bond);
            }
            if (outcome == IDisputeGame.Outcome.Refuted) _chargeDefendant(dispute, terms, batch);
            else if (dispute.kind != IDisputeGame.Kind.Verdict) _void(dispute, terms, batch, Cause.Nobody, new Reward[](0));
        }
        IMarket(market).drop(dispute.batchId, 0);
    }

    /// @dev R12: b is burned, the rest is the defendant's.
    function _chargeChallenger(IDisputeGame.Case calldata dispute, Terms calldata terms) internal {
        Reward[] memory rewards = _all(dispute.defendant);
        if (dispute.kind == IDisputeGame.Kind.Mismatch) {
            _punish(dispute, dispute.challenger, terms, rewards);
        } else {
            uint256 bond = IMarket(market).verdictCollateralOf(terms);
            IRegistry(registry).forfeit(terms.coordinator, bond, rewards);
        }
    }

    /// @dev R29, R22. R12: what is not burned is the finder's, unless that is the requester.
    function _chargeDefendant(IDisputeGame.Case calldata dispute, Terms calldata terms, Batch calldata batch) internal {
        Reward[] memory rewards =
            dispute.challenger == terms.requester ? new Reward[](0) : _all(dispute.challenger);
        if (dispute.kind == IDisputeGame.Kind.Verdict) _punish(dispute, dispute.defendant, terms, rewards);
        else _void(dispute, terms, batch, Cause.Worker, rewards);
    }

    /// @dev C_v of the seat, and the pay that is not yet final with this coordinator (R22).
    function _punish(IDisputeGame.Case calldata dispute, address verifier, Terms calldata terms, Reward[] memory rewards) internal {
        bytes32 verdict = keccak256(abi.encode(dispute.batchId, dispute.position, verifier));
        // Another dispute was quicker; this one must not get stuck on it.
        if (_punished[verdict]) return;
        _punished[verdict] = true;
        IRegistry(registry).slashSeat(
            verifier, terms.coordinator, IMarket(market).verdictCollateralOf(terms), true, REASON_FALSE, rewards
        );
    }

    function _void(
        IDisputeGame.Case calldata dispute,
        Terms calldata terms,
        Batch calldata batch,
        Cause cause,
        Reward[] memory rewards
    ) internal {
        IMarket(market).voidRanges(terms, batch, 1 << dispute.rangeIndex, cause, rewards);
    }

    /// @dev The vault cuts it to what need not burn.
    function _all(address account) internal pure returns (Reward[] memory rewards) {
        rewards = new Reward[](1);
        rewards[0] = Reward(account, type(uint96).max);
    }
}
