// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IBound} from "./interfaces/IBound.sol";
import {IDisputeGame} from "./interfaces/IDisputeGame.sol";
import {Game} from "./libraries/Game.sol";
import {Hashes} from "./libraries/Hashes.sol";
import {Trees} from "./libraries/Trees.sol";
import {Operation, Program} from "./types/Program.sol";
import {Terms} from "./types/Terms.sol";

/// @title What the game's parts share: addresses, storage, and the checks of what a call resubmits
/// @dev The parts run in the storage of DisputeGame: all have these variables and no others, in this order.
abstract contract GameState is IBound {
    using Game for Game.State;

    address public immutable registry;
    address public immutable market;
    address public immutable challenges;
    address public immutable jury;
    address internal immutable REFEREE;
    uint256 internal immutable MOVE_CLOCK;
    uint256 internal immutable BATCH_WINDOW;
    uint256 internal immutable MOVERS_GAS;

    mapping(uint256 disputeId => Game.State) internal _games;
    mapping(bytes32 find => uint256 blockNumber) internal _finds;
    mapping(uint256 disputeId => mapping(bytes32 element => uint256 state)) internal _chains;
    mapping(uint256 disputeId => mapping(address mover => uint256 moves)) internal _moves;
    mapping(address account => uint256 wei_) internal _coins;
    /// @dev A verdict costs C_v once, however often it is disputed.
    mapping(bytes32 verdict => bool) internal _punished;

    /// @param clock, window those of the Market, which checks that they are
    /// @param movesGas what a defendant's moves may cost; immutable, so that nobody can price challengers out
    struct Config {
        address registry;
        address market;
        address challenges;
        address jury;
        address referee;
        uint32 clock;
        uint32 window;
        uint32 movesGas;
    }

    constructor(Config memory config) {
        registry = config.registry;
        market = config.market;
        challenges = config.challenges;
        jury = config.jury;
        REFEREE = config.referee;
        (MOVE_CLOCK, BATCH_WINDOW, MOVERS_GAS) = (config.clock, config.window, config.movesGas);
    }

    /// @inheritdoc IBound
    function game() external view returns (address) {
        return address(this);
    }

    /// @notice What all parts of one game agree in.
    function configHash() public view returns (bytes32) {
        return keccak256(
            abi.encode(registry, market, challenges, jury, REFEREE, MOVE_CLOCK, BATCH_WINDOW, MOVERS_GAS)
        );
    }

    function _deposit() internal view returns (uint256) {
        return 2 * block.basefee * MOVERS_GAS;
    }

    function _requireCase(uint256 disputeId, IDisputeGame.Case calldata dispute) internal view {
        if (keccak256(abi.encode(dispute)) != _games[disputeId].dispute) revert IDisputeGame.DisputeCase(disputeId);
    }

    function _requirePublished(uint256 disputeId, IDisputeGame.Published calldata published) internal view {
        if (keccak256(abi.encode(published)) != _games[disputeId].published) revert IDisputeGame.DisputePublished(disputeId);
    }

    function _programRoot(Program calldata program, bytes32 needed) internal pure returns (bytes32 computed) {
        computed = Hashes.program(program);
        if (computed != needed) revert IDisputeGame.DisputeProgram(computed, needed);
    }

    function _requireInput(Terms calldata terms, uint32 task, bytes32 inputCommitment, bytes32[] calldata path)
        internal
        pure
    {
        bytes32 root = Trees.pairRoot(Hashes.input(task, inputCommitment), task, terms.tasks, path);
        if (root != terms.inputs) revert IDisputeGame.DisputeOpening("inputs", root, terms.inputs);
    }

    function _requireOperation(
        IDisputeGame.Published calldata published,
        uint256 index,
        Operation calldata operation,
        bytes32[] calldata path
    ) internal pure {
        bytes32 root = Trees.pairRoot(Hashes.operation(index, operation), index, published.operations, path);
        if (root != published.operationsRoot) revert IDisputeGame.DisputeOpening("operation", root, published.operationsRoot);
    }
}
