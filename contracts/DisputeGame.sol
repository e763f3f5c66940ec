// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {GameOpen} from "./GameOpen.sol";
import {GameState} from "./GameState.sol";
import {IDisputeGame} from "./interfaces/IDisputeGame.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Game} from "./libraries/Game.sol";
import {Hashes} from "./libraries/Hashes.sol";
import {Signed} from "./libraries/Signed.sol";
import {Tensors} from "./libraries/Tensors.sol";
import {Attestation, Batch} from "./types/Batch.sol";
import {SignedLeaf} from "./types/Disputes.sol";
import {Verdict} from "./types/Messages.sol";
import {Operation, Program} from "./types/Program.sol";
import {Terms} from "./types/Terms.sol";

/// @title The game that judges the exact class; see IDisputeGame
contract DisputeGame is IDisputeGame, GameState {
    using Game for Game.State;

    /// @dev The code that disputes begin and end by.
    address internal immutable OPEN;
    address internal immutable JUDGE;

    /// @param judge a GameJudge of the same configuration: with it, this contract's creation code would exceed its limit
    constructor(Config memory config, address judge) GameState(config) {
        if (GameState(judge).configHash() != configHash()) revert DisputeUnauthorized(judge);
        OPEN = address(new GameOpen(config));
        JUDGE = judge;
    }

    // -- Opening -----------------------------------------------------------------------------------------------------

    /// @inheritdoc IDisputeGame
    function commitFind(bytes32 hash) external {
        // The first one counts: nobody can make another's find younger.
        if (_finds[hash] == 0) _finds[hash] = block.number;
        emit FindCommitted(msg.sender, hash);
    }

    // -- Moves for the defendant -------------------------------------------------------------------------------------

    /// @inheritdoc IDisputeGame
    function publish(
        uint256 disputeId,
        Case calldata dispute,
        Program calldata program,
        Links calldata links,
        bytes32 traceRoot,
        bytes32[] calldata row,
        bytes calldata signature
    ) external {
        _requireCase(disputeId, dispute);
        // INVARIANT: only the defendant fixes its trace; else a challenger publishes a false one and refutes it.
        _requireDefendant(disputeId, dispute, traceRoot, signature);
        Published memory published;
        published.programRoot = _programRoot(program, dispute.programRoot);
        published.operationsRoot = program.operationsRoot;
        published.traceRoot = traceRoot;
        published.links = keccak256(abi.encode(links));
        published.inputs = uint32(program.inputs.length);
        published.operations = program.operations;
        _requireLinks(dispute, program, links);
        uint256 deadline = _games[disputeId].publish(
            keccak256(abi.encode(published)),
            traceRoot,
            program.inputs.length + program.operations,
            row,
            MOVE_CLOCK
        );
        _moves[disputeId][msg.sender] += 1;
        emit TracePublished(disputeId, published, links, row, deadline);
    }

    /// @inheritdoc IDisputeGame
    function reveal(uint256 disputeId, bytes32[] calldata row) external {
        Game.Turn memory turn = _games[disputeId].reveal(row, MOVE_CLOCK);
        _moves[disputeId][msg.sender] += 1;
        emit RowRevealed(disputeId, turn.level, turn.index, row, turn.deadline);
    }

    /// @inheritdoc IDisputeGame
    function revealTensor(
        uint256 disputeId,
        Published calldata published,
        Operation calldata operation,
        bytes32[] calldata path,
        bytes32 treeRoot,
        bytes32[] calldata row
    ) external {
        _requirePublished(disputeId, published);
        uint256 wire = _games[disputeId].turn.index;
        if (wire < published.inputs) revert DisputeOpening("wire", bytes32(wire), bytes32(uint256(published.inputs)));
        _requireOperation(published, wire - published.inputs, operation, path);
        _revealTensor(disputeId, operation.output.dtype, operation.output.dims, treeRoot, row);
    }

    /// @inheritdoc IDisputeGame
    function revealInput(
        uint256 disputeId,
        Published calldata published,
        Program calldata program,
        bytes32 treeRoot,
        bytes32[] calldata row
    ) external {
        _requirePublished(disputeId, published);
        _programRoot(program, published.programRoot);
        uint256 wire = _games[disputeId].turn.index;
        if (wire >= published.inputs) revert DisputeOpening("wire", bytes32(wire), bytes32(uint256(published.inputs)));
        _revealTensor(disputeId, program.inputs[wire].dtype, program.inputs[wire].dims, treeRoot, row);
    }

    /// @inheritdoc IDisputeGame
    function revealChunk(uint256 disputeId, bytes calldata chunk) external {
        Game.Turn memory turn = _games[disputeId].chunk(chunk, MOVE_CLOCK);
        _moves[disputeId][msg.sender] += 1;
        emit ChunkRevealed(disputeId, turn.index, chunk, turn.deadline);
    }

    // -- Moves of the challenger -------------------------------------------------------------------------------------

    /// @inheritdoc IDisputeGame
    function pick(uint256 disputeId, Case calldata dispute, uint32 index, bytes32 node, bytes32[] calldata path)
        external
    {
        _requireCase(disputeId, dispute);
        if (msg.sender != dispute.challenger) revert DisputeNotChallenger(msg.sender, dispute.challenger);
        Game.Turn memory turn = _games[disputeId].pick(index, node, path, MOVE_CLOCK);
        emit NodePicked(disputeId, turn.level, index, node, turn.deadline);
    }

    // -- Openings, proofs and ends: the code of GameOpen and GameJudge ---------------------------------------------

    /// @inheritdoc IDisputeGame
    function open(
        Terms calldata,
        Batch calldata,
        Attestation calldata,
        SignedLeaf calldata,
        uint32,
        bytes32
    ) external payable returns (uint256) {
        _run(OPEN);
    }

    /// @inheritdoc IDisputeGame
    function openVerdict(
        Terms calldata,
        Batch calldata,
        Attestation calldata,
        Verdict calldata,
        bytes calldata,
        bytes32,
        bytes32[] calldata,
        bytes32
    ) external payable returns (uint256) {
        _run(OPEN);
    }

    /// @inheritdoc IDisputeGame
    function openMismatch(Case calldata) external returns (uint256) {
        _run(OPEN);
    }

    /// @inheritdoc IDisputeGame
    function proveElement(
        uint256,
        Case calldata,
        Terms calldata,
        Batch calldata,
        Published calldata,
        ElementProof calldata
    ) external {
        _run(JUDGE);
    }

    /// @inheritdoc IDisputeGame
    function proveLink(
        uint256,
        Case calldata,
        Terms calldata,
        Batch calldata,
        Published calldata,
        Program calldata,
        Links calldata,
        Link,
        uint256,
        bytes32,
        bytes32[] calldata
    ) external {
        _run(JUDGE);
    }

    /// @inheritdoc IDisputeGame
    function proveInput(uint256, Case calldata, Terms calldata, Batch calldata, bytes32, bytes32[] calldata) external {
        _run(JUDGE);
    }

    /// @inheritdoc IDisputeGame
    function voidUnjudgeable(
        uint256,
        Case calldata,
        Terms calldata,
        Batch calldata,
        Published calldata,
        uint32,
        Operation calldata,
        bytes32[] calldata
    ) external {
        _run(JUDGE);
    }

    /// @inheritdoc IDisputeGame
    function timeout(uint256, Case calldata, Terms calldata, Batch calldata) external {
        _run(JUDGE);
    }

    // -- Pay --------------------------------------------------------------------------------------------------------

    /// @inheritdoc IDisputeGame
    function claimMoves(uint256 disputeId) external returns (uint256 amount) {
        Game.Turn memory turn = _games[disputeId].turn;
        uint256 moves = _moves[disputeId][msg.sender];
        if (turn.outcome != Outcome.Upheld || moves == 0) revert DisputeNoPay(disputeId);
        _moves[disputeId][msg.sender] = 0;
        amount = uint256(turn.deposit) * moves / turn.moves;
        _coins[msg.sender] += amount;
    }

    /// @inheritdoc IDisputeGame
    function withdrawCoins() external returns (uint256 amount) {
        amount = _coins[msg.sender];
        _coins[msg.sender] = 0;
        emit CoinsWithdrawn(msg.sender, amount);
        (bool sent,) = msg.sender.call{value: amount}("");
        if (!sent) revert DisputeRefused(msg.sender, amount);
    }

    // -- Views -------------------------------------------------------------------------------------------------------

    /// @inheritdoc IDisputeGame
    function disputeOf(uint256 disputeId) external view returns (View memory) {
        Game.State memory state = _games[disputeId];
        Game.Turn memory turn = state.turn;
        return View(
            turn.phase,
            turn.outcome,
            turn.inside,
            turn.level,
            turn.restarts,
            turn.moves,
            turn.deadline,
            turn.index,
            turn.count,
            turn.deposit,
            state.node,
            state.published,
            state.dispute
        );
    }

    /// @inheritdoc IDisputeGame
    function disputeIdOf(uint256 batchId, uint32 position, address challenger) external pure returns (uint256) {
        return Hashes.gameId(batchId, position, challenger);
    }

    /// @inheritdoc IDisputeGame
    function verdictDisputeIdOf(uint256 batchId, uint32 position, address challenger, address verifier)
        external
        pure
        returns (uint256)
    {
        return Hashes.verdictGameId(batchId, position, challenger, verifier);
    }

    /// @inheritdoc IDisputeGame
    function findOf(bytes32 hash) external view returns (uint256) {
        return _finds[hash];
    }

    /// @inheritdoc IDisputeGame
    function movesOf(uint256 disputeId, address account) external view returns (uint256) {
        return _moves[disputeId][account];
    }

    /// @inheritdoc IDisputeGame
    function coinsOf(address account) external view returns (uint256) {
        return _coins[account];
    }

    /// @inheritdoc IDisputeGame
    function deposit() external view returns (uint256) {
        return _deposit();
    }

    /// @inheritdoc IDisputeGame
    function referee() external view returns (address) {
        return REFEREE;
    }

    /// @inheritdoc IDisputeGame
    function CLOCK() external view returns (uint256) {
        return MOVE_CLOCK;
    }

    /// @inheritdoc IDisputeGame
    function WINDOW() external view returns (uint256) {
        return BATCH_WINDOW;
    }

    /// @inheritdoc IDisputeGame
    function MOVES_GAS() external view returns (uint256) {
        return MOVERS_GAS;
    }

    /// @inheritdoc IDisputeGame
    function LIFE() external pure returns (uint256) {
        return Game.LIFE;
    }

    // -- Inside ------------------------------------------------------------------------------------------------------

    /// @dev Runs this very call by the code of a part and ends it with what that returns.
    function _run(address part) internal {
        assembly ("memory-safe") {
            let data := mload(0x40)
            calldatacopy(data, 0, calldatasize())
            let done := delegatecall(gas(), part, data, calldatasize(), 0, 0)
            returndatacopy(data, 0, returndatasize())
            if iszero(done) { revert(data, returndatasize()) }
            return(data, returndatasize())
        }
    }

    function _requireDefendant(
        uint256 disputeId,
        Case calldata dispute,
        bytes32 traceRoot,
        bytes calldata signature
    ) internal view {
        address signer = msg.sender;
        if (signature.length != 0) {
            bytes32 digest = Signed.digest(Signed.domainSeparator(market), Signed.traceHash(disputeId, traceRoot));
            address key = ECDSA.recoverCalldata(digest, signature);
            signer = IRegistry(registry).accountOf(key, dispute.commitBlock);
        }
        if (signer != dispute.defendant) revert DisputeSigner(signer, dispute.defendant);
    }

    function _requireLinks(Case calldata dispute, Program calldata program, Links calldata links) internal pure {
        if (links.inputs.length != program.inputs.length) {
            revert Game.GameLength(links.inputs.length, program.inputs.length);
        }
        if (links.outputs.length != program.outputs.length) {
            revert Game.GameLength(links.outputs.length, program.outputs.length);
        }
        if (links.digests.length != program.digests.length) {
            revert Game.GameLength(links.digests.length, program.digests.length);
        }
        bytes32 computed = Hashes.tensors(links.salt, links.inputs);
        if (computed != dispute.inputCommitment) {
            revert DisputeLinks(Link.Input, computed, dispute.inputCommitment);
        }
        computed = Hashes.output(links.salt, links.outputs, links.digests);
        if (computed != dispute.outputCommitment) {
            revert DisputeLinks(Link.Output, computed, dispute.outputCommitment);
        }
    }

    function _revealTensor(
        uint256 disputeId,
        uint8 dtype,
        uint64[] calldata dims,
        bytes32 treeRoot,
        bytes32[] calldata row
    ) internal {
        uint32 wire = _games[disputeId].turn.index;
        uint256 chunks = Tensors.chunksOf(Tensors.elementsOf(dims) * Tensors.widthOf(dtype));
        uint256 deadline =
            _games[disputeId].tensor(Tensors.root(dtype, dims, treeRoot), treeRoot, chunks, row, MOVE_CLOCK);
        _moves[disputeId][msg.sender] += 1;
        emit TensorRevealed(disputeId, wire, treeRoot, uint32(chunks), row, deadline);
    }

}
