// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IBound} from "./interfaces/IBound.sol";
import {IDisputeGame} from "./interfaces/IDisputeGame.sol";
import {IJury} from "./interfaces/IJury.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IReferee} from "./interfaces/IReferee.sol";
import {IRegistry} from "./interfaces/IRegistry.sol";
import {Digests} from "./libraries/Digests.sol";
import {Draw} from "./libraries/Draw.sol";
import {Game} from "./libraries/Game.sol";
import {Hashes} from "./libraries/Hashes.sol";
import {Openings} from "./libraries/Openings.sol";
import {Positions} from "./libraries/Positions.sol";
import {Signed} from "./libraries/Signed.sol";
import {Tensors} from "./libraries/Tensors.sol";
import {Trees} from "./libraries/Trees.sol";
import {Attestation, Batch, BatchState, Cause, Reward} from "./types/Batch.sol";
import {SignedLeaf} from "./types/Disputes.sol";
import {Verdict} from "./types/Messages.sol";
import {Opened, Operand, Operation, Program} from "./types/Program.sol";
import {Range} from "./types/Range.sol";
import {Terms} from "./types/Terms.sol";

/// @title The game that judges the exact class; see IDisputeGame
contract DisputeGame is IDisputeGame, IBound {
    using Game for Game.State;

    bytes32 internal constant REASON_FALSE = "false verdict";
    /// @dev `terms.version` of programs that a referee judges.
    uint8 internal constant VERSION = 1;

    address public immutable registry;
    address public immutable market;
    address public immutable challenges;
    address public immutable jury;
    address public immutable referee;
    uint256 public immutable CLOCK;
    uint256 public immutable WINDOW;
    uint256 public immutable MOVES_GAS;

    mapping(uint256 disputeId => Game.State) internal _games;
    mapping(bytes32 find => uint256 blockNumber) internal _finds;
    mapping(uint256 disputeId => mapping(bytes32 element => uint256 state)) internal _chains;
    mapping(uint256 disputeId => mapping(address mover => uint256 moves)) internal _moves;
    mapping(address account => uint256 wei_) internal _coins;
    /// @dev A verdict costs C_v once, however often it is disputed.
    mapping(bytes32 verdict => bool) internal _punished;

    /// @param clock, window those of the Market, which checks that they are
    /// @param movesGas what a defendant's moves may cost; immutable, so that nobody can price challengers out
    constructor(
        address registry_,
        address market_,
        address challenges_,
        address jury_,
        address referee_,
        uint32 clock,
        uint32 window,
        uint32 movesGas
    ) {
        (registry, market, challenges, jury, referee) = (registry_, market_, challenges_, jury_, referee_);
        (CLOCK, WINDOW, MOVES_GAS) = (clock, window, movesGas);
    }

    /// @inheritdoc IBound
    function game() external view returns (address) {
        return address(this);
    }

    // -- Opening -----------------------------------------------------------------------------------------------------

    /// @inheritdoc IDisputeGame
    function commitFind(bytes32 hash) external {
        // The first one counts: nobody can make another's find younger.
        if (_finds[hash] == 0) _finds[hash] = block.number;
        emit FindCommitted(msg.sender, hash);
    }

    /// @inheritdoc IDisputeGame
    function open(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        SignedLeaf calldata signed,
        uint32 position,
        bytes32 salt
    ) external payable returns (uint256 disputeId) {
        Case memory dispute = _found(terms, batch, attestation, position, salt);
        _requireTurnOf(terms, batch, attestation.seed, dispute.batchId, position);
        Openings.Place memory place = Openings.signedLeaf(
            IRegistry(registry), Signed.domainSeparator(market), terms, batch, position, signed
        );
        dispute.kind = Kind.Find;
        dispute.inputCommitment = signed.leaf.inputCommitment;
        dispute.outputCommitment = signed.leaf.outputCommitment;
        dispute.defendant = place.worker;
        dispute.taskIndex = signed.leaf.taskIndex;
        dispute.rangeIndex = uint8(place.rangeIndex);
        disputeId = Hashes.gameId(dispute.batchId, position, msg.sender);
        _back(disputeId, dispute, terms);
        IMarket(market).freeze(dispute.batchId, dispute.rangeIndex);
    }

    /// @inheritdoc IDisputeGame
    function openVerdict(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        Verdict calldata verdict,
        bytes calldata signature,
        bytes32 inputCommitment,
        bytes32[] calldata inputProof,
        bytes32 salt
    ) external payable returns (uint256 disputeId) {
        Case memory dispute = _found(terms, batch, attestation, verdict.position, salt);
        _requireVerdict(terms, batch, attestation.seed, dispute, verdict, signature);
        _requireInput(terms, dispute.taskIndex, inputCommitment, inputProof);
        dispute.kind = Kind.Verdict;
        dispute.inputCommitment = inputCommitment;
        dispute.outputCommitment = verdict.outputCommitment;
        dispute.defendant = verdict.verifier;
        disputeId = Hashes.verdictGameId(dispute.batchId, verdict.position, msg.sender, verdict.verifier);
        _back(disputeId, dispute, terms);
        IMarket(market).hold(dispute.batchId);
    }

    /// @inheritdoc IDisputeGame
    function openMismatch(Case calldata dispute) external returns (uint256 disputeId) {
        if (msg.sender != challenges) revert DisputeUnauthorized(msg.sender);
        disputeId = Hashes.gameId(dispute.batchId, dispute.position, dispute.challenger);
        _start(disputeId, dispute, 0);
        IMarket(market).freeze(dispute.batchId, dispute.rangeIndex);
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
            CLOCK
        );
        _moves[disputeId][msg.sender] += 1;
        emit TracePublished(disputeId, published, links, row, deadline);
    }

    /// @inheritdoc IDisputeGame
    function reveal(uint256 disputeId, bytes32[] calldata row) external {
        Game.Turn memory turn = _games[disputeId].reveal(row, CLOCK);
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
        Game.Turn memory turn = _games[disputeId].chunk(chunk, CLOCK);
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
        Game.Turn memory turn = _games[disputeId].pick(index, node, path, CLOCK);
        emit NodePicked(disputeId, turn.level, index, node, turn.deadline);
    }

    // What follows is a proof, and does no less for the challenger when another sends it.

    /// @inheritdoc IDisputeGame
    function proveElement(
        uint256 disputeId,
        Case calldata dispute,
        Terms calldata terms,
        Batch calldata batch,
        Published calldata published,
        ElementProof calldata proof
    ) external {
        _requireCase(disputeId, dispute);
        _games[disputeId].requireChallengers();
        _requirePublished(disputeId, published);
        _requireOperation(published, proof.index, proof.operation, proof.path);
        if (_hasFill(published, proof)) {
            _end(disputeId, dispute, terms, batch, Outcome.Refuted, "fill");
            return;
        }
        _requireOperands(published, proof);
        if (_isWrong(disputeId, dispute.challenger, proof)) {
            _end(disputeId, dispute, terms, batch, Outcome.Refuted, "element");
        }
    }

    /// @inheritdoc IDisputeGame
    function proveLink(
        uint256 disputeId,
        Case calldata dispute,
        Terms calldata terms,
        Batch calldata batch,
        Published calldata published,
        Program calldata program,
        Links calldata links,
        Link kind,
        uint256 index,
        bytes32 leaf,
        bytes32[] calldata path
    ) external {
        _requireCase(disputeId, dispute);
        _games[disputeId].requireChallengers();
        _requirePublished(disputeId, published);
        _programRoot(program, published.programRoot);
        bytes32 hash = keccak256(abi.encode(links));
        if (hash != published.links) revert DisputeOpening("links", hash, published.links);
        (uint256 wire, bytes32 root) = kind == Link.Input
            ? (index, links.inputs[index])
            : kind == Link.Output
                ? (program.outputs[index], links.outputs[index])
                : (program.digests[index], links.digests[index]);
        _requireLeaf(published, wire, leaf, path);
        if (leaf == Hashes.wire(wire, root)) revert DisputeNoFault();
        _end(disputeId, dispute, terms, batch, Outcome.Refuted, "link");
    }

    /// @inheritdoc IDisputeGame
    function proveInput(
        uint256 disputeId,
        Case calldata dispute,
        Terms calldata terms,
        Batch calldata batch,
        bytes32 inputCommitment,
        bytes32[] calldata path
    ) external {
        _requireCase(disputeId, dispute);
        _games[disputeId].requireAlive();
        _requireInput(terms, dispute.taskIndex, inputCommitment, path);
        if (inputCommitment == dispute.inputCommitment) revert DisputeNoFault();
        _end(disputeId, dispute, terms, batch, Outcome.Refuted, "input");
    }

    /// @inheritdoc IDisputeGame
    function voidUnjudgeable(
        uint256 disputeId,
        Case calldata dispute,
        Terms calldata terms,
        Batch calldata batch,
        Published calldata published,
        uint32 index,
        Operation calldata operation,
        bytes32[] calldata path
    ) external {
        _requireCase(disputeId, dispute);
        _games[disputeId].requireChallengers();
        _requirePublished(disputeId, published);
        _requireOperation(published, index, operation, path);
        if (!_isUnjudgeable(operation)) revert DisputeJudgeable();
        _end(disputeId, dispute, terms, batch, Outcome.Void, "unjudgeable");
    }

    // -- Ends and pay ------------------------------------------------------------------------------------------------

    /// @inheritdoc IDisputeGame
    function timeout(uint256 disputeId, Case calldata dispute, Terms calldata terms, Batch calldata batch) external {
        _requireCase(disputeId, dispute);
        if (_games[disputeId].expire()) {
            _end(disputeId, dispute, terms, batch, Outcome.Upheld, "silent challenger");
        } else {
            _end(disputeId, dispute, terms, batch, Outcome.Refuted, "silent defendant");
        }
    }

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
    function deposit() public view returns (uint256) {
        return 2 * block.basefee * MOVES_GAS;
    }

    /// @inheritdoc IDisputeGame
    function LIFE() external pure returns (uint256) {
        return Game.LIFE;
    }

    // -- Inside: opening ---------------------------------------------------------------------------------------------

    /// @dev What every find has in common: an attested batch in its window, and a commitment of an earlier block.
    function _found(
        Terms calldata terms,
        Batch calldata batch,
        Attestation calldata attestation,
        uint32 position,
        bytes32 salt
    ) internal view returns (Case memory dispute) {
        (uint256 batchId, BatchState state, uint256 clock) = IMarket(market).checkBatch(terms, batch, attestation);
        if (state != BatchState.Attested || block.timestamp > clock) revert DisputeClosed(batchId, clock);
        if (terms.version != VERSION) revert DisputeVersion(terms.version);
        bytes32 find = Hashes.find(msg.sender, batchId, position, salt);
        uint256 at_ = _finds[find];
        if (at_ == 0 || at_ >= block.number) revert DisputeNotFound(find);
        dispute.batchHash = Digests.batch(batch);
        dispute.programRoot = terms.programRoot;
        dispute.batchId = batchId;
        dispute.challenger = msg.sender;
        dispute.commitBlock = batch.commitBlock;
        dispute.position = position;
    }

    /// @dev R12: on a drawn position the drawn verifiers have the time until the attestation, and then a clock (half the
    /// window, where that is less), for themselves.
    function _requireTurnOf(
        Terms calldata terms,
        Batch calldata batch,
        bytes32 seed,
        uint256 batchId,
        uint32 position
    ) internal view {
        uint256 leaves = Positions.leaves(terms, batch.firstShard, Positions.union(batch.ranges));
        if (Draw.sampleAt(seed, position, leaves) >= Draw.samples(terms.auditRate, leaves)) return;
        uint256 lead = CLOCK < WINDOW / 2 ? CLOCK : WINDOW / 2;
        uint256 from = IMarket(market).batchOf(batchId).clock - WINDOW + lead;
        if (block.timestamp < from) revert DisputeDrawn(position, from);
    }

    /// @dev The verdict is on a sample of this batch, by a candidate, and signed by a key of its. Writes where it stands.
    function _requireVerdict(
        Terms calldata terms,
        Batch calldata batch,
        bytes32 seed,
        Case memory dispute,
        Verdict calldata verdict,
        bytes calldata signature
    ) internal view {
        if (verdict.batchId != dispute.batchId) revert DisputeVerdict("batch");
        (uint256 ordinal,, uint256 task) = Positions.locate(terms, batch, verdict.position);
        uint256 leaves = Positions.leaves(terms, batch.firstShard, Positions.union(batch.ranges));
        if (
            verdict.sample >= Draw.samples(terms.auditRate, leaves)
                || verdict.position != Draw.position(seed, verdict.sample, leaves)
        ) revert DisputeVerdict("position");
        address key = ECDSA.recoverCalldata(Signed.digest(Signed.domainSeparator(market), Signed.hash(verdict)), signature);
        if (IRegistry(registry).accountOf(key, batch.commitBlock) != verdict.verifier) revert DisputeVerdict("signer");
        (uint256 index, Range range) = Positions.rangeOf(batch.ranges, ordinal);
        if (
            !IJury(jury).isCandidate(
                terms.capability, batch.commitBlock, seed, verdict.sample, range.worker(), verdict.verifier
            )
        ) revert DisputeVerdict("candidate");
        (dispute.taskIndex, dispute.rangeIndex) = (uint32(task), uint8(index));
    }

    /// @dev Opens with a deposit of native coin and a bond of tokens.
    function _back(uint256 disputeId, Case memory dispute, Terms calldata terms) internal {
        uint256 needed = deposit();
        if (msg.value < needed) revert DisputeDeposit(msg.value, needed);
        // The challenger need not know the base fee of the block that takes the dispute.
        if (msg.value > needed) _coins[msg.sender] += msg.value - needed;
        _start(disputeId, dispute, needed);
        IRegistry(registry).pull(msg.sender, IMarket(market).verdictCollateralOf(terms));
    }

    function _start(uint256 disputeId, Case memory dispute, uint256 coins) internal {
        if (_games[disputeId].turn.phase != Phase.None) revert DisputeExists(disputeId);
        uint256 deadline = _games[disputeId].start(keccak256(abi.encode(dispute)), coins, CLOCK);
        emit DisputeOpened(disputeId, dispute.batchId, dispute.defendant, dispute, deadline);
    }

    // -- Inside: what was resubmitted or opened ----------------------------------------------------------------------

    function _requireCase(uint256 disputeId, Case calldata dispute) internal view {
        if (keccak256(abi.encode(dispute)) != _games[disputeId].dispute) revert DisputeCase(disputeId);
    }

    function _requirePublished(uint256 disputeId, Published calldata published) internal view {
        if (keccak256(abi.encode(published)) != _games[disputeId].published) revert DisputePublished(disputeId);
    }

    function _programRoot(Program calldata program, bytes32 needed) internal pure returns (bytes32 computed) {
        computed = Hashes.program(program);
        if (computed != needed) revert DisputeProgram(computed, needed);
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

    function _requireInput(Terms calldata terms, uint32 task, bytes32 inputCommitment, bytes32[] calldata path)
        internal
        pure
    {
        bytes32 root = Trees.pairRoot(Hashes.input(task, inputCommitment), task, terms.tasks, path);
        if (root != terms.inputs) revert DisputeOpening("inputs", root, terms.inputs);
    }

    function _requireOperation(
        Published calldata published,
        uint256 index,
        Operation calldata operation,
        bytes32[] calldata path
    ) internal pure {
        bytes32 root = Trees.pairRoot(Hashes.operation(index, operation), index, published.operations, path);
        if (root != published.operationsRoot) revert DisputeOpening("operation", root, published.operationsRoot);
    }

    function _requireLeaf(Published calldata published, uint256 wire, bytes32 leaf, bytes32[] calldata path)
        internal
        pure
    {
        uint256 wires = uint256(published.inputs) + published.operations;
        bytes32 root = Trees.pairRoot(leaf, wire, wires, path);
        if (root != published.traceRoot) revert DisputeOpening("trace", root, published.traceRoot);
    }

    /// @dev The output's chunk stands in the trace under the program's header.
    /// @return whether a byte behind the tensor's end is not 0: no element, and wrong all the same
    function _hasFill(Published calldata published, ElementProof calldata proof) internal pure returns (bool) {
        uint8 dtype = proof.operation.output.dtype;
        uint64[] calldata dims = proof.operation.output.dims;
        uint256 elements = Tensors.elementsOf(dims);
        if (proof.element >= elements) revert DisputeOpening("element", bytes32(uint256(proof.element)), bytes32(elements));
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
    function _requireOperands(Published calldata published, ElementProof calldata proof) internal pure {
        Operand[] calldata inputs = proof.operation.inputs;
        if (proof.opened.length != inputs.length || proof.operands.length != inputs.length) {
            revert Game.GameLength(proof.opened.length, inputs.length);
        }
        for (uint256 i; i < inputs.length; ++i) {
            _requireOperand(published, inputs[i], proof.opened[i], proof.operands[i]);
        }
    }

    function _requireOperand(
        Published calldata published,
        Operand calldata operand,
        Opened calldata opened,
        OperandPath calldata paths
    ) internal pure {
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
            revert DisputeOpening("constant", root, operand.root);
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
            _games[disputeId].tensor(Tensors.root(dtype, dims, treeRoot), treeRoot, chunks, row, CLOCK);
        _moves[disputeId][msg.sender] += 1;
        emit TensorRevealed(disputeId, wire, treeRoot, uint32(chunks), row, deadline);
    }

    // -- Inside: judging ---------------------------------------------------------------------------------------------

    /// @dev False only where a part of a long chain was done; what is right reverts.
    function _isWrong(uint256 disputeId, address challenger, ElementProof calldata proof) internal returns (bool) {
        (uint256 right, bool defined, bool done) = (0, true, true);
        if (proof.upTo == 0) {
            (right, defined) = IReferee(referee).evaluate(proof.operation, proof.element, proof.opened);
        } else {
            bytes32 key = keccak256(abi.encode(proof.index, proof.element));
            uint256 state;
            (state, done, right) = IReferee(referee).extend(
                proof.operation, proof.element, proof.opened, _chains[disputeId][key], proof.upTo
            );
            if (!done) {
                _chains[disputeId][key] = state;
                // Others may help, but only the challenger's own steps take more time.
                uint256 deadline = msg.sender == challenger
                    ? _games[disputeId].restart(CLOCK)
                    : _games[disputeId].turn.deadline;
                emit ChainExtended(disputeId, proof.index, proof.element, proof.upTo, state, deadline);
                return false;
            }
        }
        uint256 width = Tensors.widthOf(proof.operation.output.dtype);
        uint256 claimed = _littleEndian(proof.chunk, proof.element * width % Tensors.CHUNK, width);
        if (defined && claimed == right) revert DisputeNoFault();
        emit ElementJudged(
            disputeId, proof.index, proof.operation.code, proof.element, claimed, right, defined
        );
        return true;
    }

    /// @dev With nothing opened: the operation itself decides, and not what a challenger chose to show of it.
    function _isUnjudgeable(Operation calldata operation) internal view returns (bool) {
        if (Tensors.elementsOf(operation.output.dims) == 0) return false;
        Opened[] memory nothing = new Opened[](operation.inputs.length);
        try IReferee(referee).evaluate(operation, 0, nothing) {
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
        Case calldata dispute,
        Terms calldata terms,
        Batch calldata batch,
        Outcome outcome,
        bytes32 reason
    ) internal {
        if (Digests.batch(batch) != dispute.batchHash) revert DisputeBatch(dispute.batchId);
        if (Hashes.terms(terms) != IMarket(market).termsHashOf(batch.jobId)) revert DisputeTerms(batch.jobId);
        uint256 coins = _games[disputeId].end(outcome);
        emit DisputeEnded(disputeId, dispute.batchId, outcome, reason);

        if (outcome == Outcome.Upheld) {
            _chargeChallenger(dispute, terms);
        } else {
            // The bond and the deposit go back; movers of a defendant that lost moved for nothing.
            _coins[dispute.challenger] += coins;
            if (dispute.kind != Kind.Mismatch) {
                uint256 bond = IMarket(market).verdictCollateralOf(terms);
                IRegistry(registry).credit(dispute.challenger, terms.coordinator, bond);
            }
            if (outcome == Outcome.Refuted) _chargeDefendant(dispute, terms, batch);
            else if (dispute.kind != Kind.Verdict) _void(dispute, terms, batch, Cause.Nobody, new Reward[](0));
        }
        IMarket(market).drop(dispute.batchId, 0);
    }

    /// @dev R12: b is burned, the rest is the defendant's.
    function _chargeChallenger(Case calldata dispute, Terms calldata terms) internal {
        Reward[] memory rewards = _all(dispute.defendant);
        if (dispute.kind == Kind.Mismatch) {
            _punish(dispute, dispute.challenger, terms, rewards);
        } else {
            uint256 bond = IMarket(market).verdictCollateralOf(terms);
            IRegistry(registry).forfeit(terms.coordinator, bond, rewards);
        }
    }

    /// @dev R29, R22. R12: what is not burned is the finder's, unless that is the requester.
    function _chargeDefendant(Case calldata dispute, Terms calldata terms, Batch calldata batch) internal {
        Reward[] memory rewards =
            dispute.challenger == terms.requester ? new Reward[](0) : _all(dispute.challenger);
        if (dispute.kind == Kind.Verdict) _punish(dispute, dispute.defendant, terms, rewards);
        else _void(dispute, terms, batch, Cause.Worker, rewards);
    }

    /// @dev C_v of the seat, and the pay that is not yet final with this coordinator (R22).
    function _punish(Case calldata dispute, address verifier, Terms calldata terms, Reward[] memory rewards) internal {
        bytes32 verdict = keccak256(abi.encode(dispute.batchId, dispute.position, verifier));
        // Another dispute was quicker; this one must not get stuck on it.
        if (_punished[verdict]) return;
        _punished[verdict] = true;
        IRegistry(registry).slashSeat(
            verifier, terms.coordinator, IMarket(market).verdictCollateralOf(terms), true, REASON_FALSE, rewards
        );
    }

    function _void(
        Case calldata dispute,
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
