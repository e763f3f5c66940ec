// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

// The figures are what these tests are for. solhint-disable no-console
import {console} from "hardhat/console.sol";
import {IDisputeGame} from "../../contracts/interfaces/IDisputeGame.sol";
import {SignedLeaf} from "../../contracts/types/Disputes.sol";
import {Header, Opened, Operand, Operation, Program} from "../../contracts/types/Program.sol";
import {Terms} from "../../contracts/types/Terms.sol";
import {GameBase} from "./support/GameBase.t.sol";
import {TestTrees} from "./support/TestTrees.sol";

/// @notice What a dispute costs, in whole transactions (base, calldata with its floor, execution on cold storage), with the
/// real referee.
contract GameGasTest is GameBase {
    uint256 internal constant OPERATIONS = 99_999; // 10^5 wires
    uint256 internal constant WIRE = 55_555;
    uint256 internal constant ELEMENTS = 10_000_000;
    uint256 internal constant CHUNK_AT = 23_456;

    Actor internal finder;
    uint256 internal total;
    uint256 internal transactions;

    /// @dev A tree of which only what lies beside one path is made up: rows from the top, and the path.
    struct Tall {
        bytes32 root;
        bytes32[][] rows;
        uint256[] levels; // of the rows
        bytes32[][] paths; // within each row
        bytes32[] path; // of the leaf
        bytes32[] nodes; // on the path, one a row
    }

    function setUp() public override {
        super.setUp();
        finder = enlist("finder");
        mine(1);
    }

    function makeReferee() internal override returns (address) {
        return create("Referee", "referee/", "");
    }

    function additions() internal pure override returns (uint256) {
        return 8;
    }

    /// forge-config: default.isolate = true
    function test_R27_gas_withTheTraceGiven() external {
        Play memory play = _big();
        uint256 judging = _judge(play);
        console.log("trace given: transactions", transactions, "gas", total);
        console.log("  of which judging", judging);
        vm.assertLe(transactions, 4, "transactions");
        vm.assertLe(total, 1_000_000, "gas");
    }

    /// forge-config: default.isolate = true
    function test_R27_gas_withTheTraceHidden() external {
        Play memory play = _big();
        uint256 published = total;
        Tall memory trace = _trace();
        Tall memory tree = _output();
        _descend(play, trace, WIRE);
        Operation memory operation = _operation();
        _send(
            finder,
            abi.encodeCall(
                IDisputeGame.revealTensor,
                (play.id, play.published, operation, _operations().path, tree.root, tree.rows[0])
            ),
            0,
            "revealTensor"
        );
        _descend(play, tree, CHUNK_AT);
        _send(finder, abi.encodeCall(IDisputeGame.revealChunk, (play.id, _chunk())), 0, "revealChunk");
        uint256 revealing = total;
        uint256 judging = _judge(play);
        console.log("trace hidden: transactions", transactions, "gas", total);
        console.log("  opened and published", published);
        console.log("  revealed", revealing - published);
        console.log("  judged", judging);
        vm.assertLe(transactions, 16, "transactions");
        vm.assertLe(revealing - published, 1_000_000, "gas of the reveal");
        vm.assertLe(_moves, MOVES_GAS, "what the defendant's moves cost is what the deposit covers twice");
    }

    /// @dev Gas of the defendant's moves.
    uint256 internal _moves;

    // -- The dispute ---------------------------------------------------------------------------------------------------

    function _big() internal returns (Play memory play) {
        Program memory program = _program();
        Terms memory terms = buildTerms();
        terms.version = 1;
        terms.programRoot = keccak256(abi.encode(bytes32("assay.program"), uint256(1), program));
        play.work = buildWork(terms, postJob(terms));
        Trace memory trace;
        (trace.links.inputs, trace.links.outputs, trace.links.digests) =
            (new bytes32[](1), new bytes32[](1), new bytes32[](1));
        trace.links.inputs[0] = keccak256("input");
        trace.links.outputs[0] = keccak256("output");
        trace.links.digests[0] = keccak256("digest");
        for (uint256 i; i < play.work.leaves.length; ++i) {
            uint256 task = play.work.leaves[i].taskIndex;
            play.work.leaves[i].inputCommitment = inputCommitmentOf(trace, task);
            play.work.leaves[i].outputCommitment = outputCommitmentOf(trace, task);
        }
        seal(play.work);
        toAttested(play.work);
        play.position = positionOfMallory(play.work, false);
        play.dispute = caseOf(play.work, play.position, finder.account, IDisputeGame.Kind.Find);
        play.id = game.disputeIdOf(play.work.batchId, uint32(play.position), finder.account);
        IDisputeGame.Links memory links = linksOf(trace, play.dispute.taskIndex);
        play.published = IDisputeGame.Published(
            terms.programRoot,
            program.operationsRoot,
            _trace().root,
            keccak256(abi.encode(links)),
            1,
            uint32(OPERATIONS)
        );
        _open(play);
        _send(
            actors[mallory.account],
            abi.encodeCall(
                IDisputeGame.publish,
                (play.id, play.dispute, program, links, play.published.traceRoot, _trace().rows[0], "")
            ),
            0,
            "publish"
        );
    }

    function _open(Play memory play) internal {
        bytes32 find = keccak256(
            abi.encode(
                bytes32("assay.find"),
                finder.account,
                play.work.batchId,
                uint32(play.position),
                saltOfFind(finder.account)
            )
        );
        _send(finder, abi.encodeCall(IDisputeGame.commitFind, (find)), 0, "commitFind");
        mine(1);
        SignedLeaf memory signed = signedLeafOf(play.work, play.position);
        _send(
            finder,
            abi.encodeCall(
                IDisputeGame.open,
                (
                    play.work.terms,
                    play.work.batch,
                    play.work.attestation,
                    signed,
                    uint32(play.position),
                    saltOfFind(finder.account)
                )
            ),
            game.deposit(),
            "open"
        );
    }

    /// @dev Picks through all rows, which are revealed in between; the first one is known.
    function _descend(Play memory play, Tall memory tree, uint256 leaf) internal {
        for (uint256 i; i < tree.rows.length; ++i) {
            if (i > 0) {
                _send(mallory, abi.encodeCall(IDisputeGame.reveal, (play.id, tree.rows[i])), 0, "reveal");
            }
            _send(
                finder,
                abi.encodeCall(
                    IDisputeGame.pick,
                    (play.id, play.dispute, uint32(leaf >> tree.levels[i]), tree.nodes[i], tree.paths[i])
                ),
                0,
                "pick"
            );
        }
    }

    function _judge(Play memory play) internal returns (uint256) {
        IDisputeGame.ElementProof memory proof;
        proof.index = uint32(WIRE - 1);
        proof.operation = _operation();
        proof.path = _operations().path;
        proof.element = uint64(CHUNK_AT * 256 + 17);
        proof.tracePath = _trace().path;
        proof.chunk = _chunk();
        proof.chunkPath = _output().path;
        proof.opened = new Opened[](2);
        proof.operands = new IDisputeGame.OperandPath[](2);
        for (uint256 i; i < 2; ++i) {
            proof.opened[i].chunks = new uint32[](1);
            proof.opened[i].chunks[0] = uint32(CHUNK_AT);
            proof.opened[i].data = _tensor(5, 256, 1_024);
            proof.operands[i].tracePath = new bytes32[](0);
            proof.operands[i].chunkPath = _constant().path;
        }
        uint256 gas = _send(
            finder,
            abi.encodeCall(
                IDisputeGame.proveElement,
                (play.id, play.dispute, play.work.terms, play.work.batch, play.published, proof)
            ),
            0,
            "proveElement"
        );
        assertEnd(play.id, IDisputeGame.Outcome.Refuted);
        return gas;
    }

    // -- The program ---------------------------------------------------------------------------------------------------

    function _big64() internal pure returns (uint64[] memory dims) {
        dims = new uint64[](1);
        dims[0] = uint64(ELEMENTS);
    }

    function _chunk() internal pure returns (bytes memory) {
        return _tensor(9, 256, 1_024);
    }

    function _constant() internal pure returns (Tall memory) {
        return _tall(
            sha256(abi.encodePacked(hex"00", _tensor(5, 256, 1_024))), CHUNK_AT, (ELEMENTS * 4 + 1_023) / 1_024, true
        );
    }

    function _output() internal pure returns (Tall memory) {
        return _tall(sha256(abi.encodePacked(hex"00", _chunk())), CHUNK_AT, (ELEMENTS * 4 + 1_023) / 1_024, true);
    }

    function _operation() internal pure returns (Operation memory operation) {
        bytes32 root = tensorRoot(6, _big64(), _constant().root);
        operation.code = 1;
        operation.inputs = new Operand[](2);
        operation.inputs[0] = Operand(0, root, 6, _big64());
        operation.inputs[1] = Operand(0, root, 6, _big64());
        operation.output = Header(6, _big64());
    }

    function _operations() internal pure returns (Tall memory) {
        return _tall(
            keccak256(abi.encode(bytes32("assay.operation"), WIRE - 1, _operation())), WIRE - 1, OPERATIONS, false
        );
    }

    function _trace() internal pure returns (Tall memory) {
        bytes32 root = tensorRoot(6, _big64(), _output().root);
        return _tall(keccak256(abi.encode(bytes32("assay.wire"), WIRE, root)), WIRE, OPERATIONS + 1, false);
    }

    function _program() internal pure returns (Program memory program) {
        program.inputs = new Header[](1);
        program.inputs[0] = Header(6, _big64());
        program.operations = uint32(OPERATIONS);
        program.operationsRoot = _operations().root;
        program.outputs = new uint32[](1);
        program.outputs[0] = uint32(OPERATIONS);
        program.digests = new uint32[](1);
        program.digests[0] = uint32(OPERATIONS - 1);
    }

    // -- Trees ---------------------------------------------------------------------------------------------------------

    function _tall(bytes32 leaf, uint256 index, uint256 count, bool inside) internal pure returns (Tall memory tall) {
        uint256 depth = TestTrees.depth(count);
        uint256 rows = (depth + 5) / 6;
        tall.rows = new bytes32[][](rows);
        tall.paths = new bytes32[][](rows);
        tall.levels = new uint256[](rows);
        tall.nodes = new bytes32[](rows);
        tall.path = new bytes32[](depth);
        bytes32 node = leaf;
        for (uint256 r = rows; r > 0; --r) {
            uint256 high = depth - 6 * (r - 1);
            uint256 low = high > 6 ? high - 6 : 0;
            tall.levels[r - 1] = low;
            tall.nodes[r - 1] = node;
            tall.rows[r - 1] = _row(node, index, count, low, high);
            (node, tall.paths[r - 1]) = _fold(tall.rows[r - 1], index, low, high, inside);
            for (uint256 i; i < high - low; ++i) {
                tall.path[low + i] = tall.paths[r - 1][i];
            }
        }
        tall.root = node;
    }

    function _row(bytes32 node, uint256 index, uint256 count, uint256 low, uint256 high)
        internal
        pure
        returns (bytes32[] memory row)
    {
        uint256 first = (index >> high) << (high - low);
        uint256 width = ((count + (1 << low) - 1) >> low) - first;
        if (width > 1 << (high - low)) width = 1 << (high - low);
        row = new bytes32[](width);
        for (uint256 i; i < width; ++i) {
            row[i] = keccak256(abi.encode("another node", low, first + i));
        }
        row[(index >> low) - first] = node;
    }

    function _fold(bytes32[] memory row, uint256 index, uint256 low, uint256 high, bool inside)
        internal
        pure
        returns (bytes32 root, bytes32[] memory path)
    {
        bytes32 pad = inside ? sha256(hex"02") : keccak256(abi.encode(bytes32("assay.empty")));
        for (uint256 i; i < low; ++i) {
            pad = _join(pad, pad, inside);
        }
        uint256 at_ = (index >> low) & ((1 << (high - low)) - 1);
        path = new bytes32[](high - low);
        bytes32[] memory nodes = new bytes32[](1 << (high - low));
        for (uint256 i; i < nodes.length; ++i) {
            nodes[i] = i < row.length ? row[i] : pad;
        }
        for (uint256 level; level < high - low; ++level) {
            path[level] = nodes[at_ ^ 1];
            at_ >>= 1;
            bytes32[] memory next = new bytes32[](nodes.length / 2);
            for (uint256 i; i < next.length; ++i) {
                next[i] = _join(nodes[2 * i], nodes[2 * i + 1], inside);
            }
            nodes = next;
        }
        return (nodes[0], path);
    }

    function _join(bytes32 left, bytes32 right, bool inside) internal pure returns (bytes32) {
        return inside
            ? sha256(abi.encodePacked(hex"01", left, right))
            : keccak256(abi.encode(bytes32("assay.pair"), left, right));
    }

    // -- Gas -----------------------------------------------------------------------------------------------------------

    /// @dev What a call costs here beyond the transaction that it is: an empty one is known to take 21,000.
    function _overhead() internal returns (uint256) {
        vm.prank(finder.account);
        uint256 left = gasleft();
        (bool done,) = address(uint160(uint256(keccak256("nobody")))).call("");
        left -= gasleft();
        vm.assertTrue(done, "an empty transaction");
        vm.assertGt(left, 20_999, "isolated calls count their base");
        return left - 21_000;
    }

    /// @dev Isolated calls are transactions of their own: on cold storage, their base and calldata included.
    function _send(Actor memory by, bytes memory data, uint256 value, string memory what)
        internal
        returns (uint256 gas)
    {
        uint256 floor = 21_000;
        uint256 base = 21_000;
        for (uint256 i; i < data.length; ++i) {
            (floor, base) = data[i] == 0 ? (floor + 10, base + 4) : (floor + 40, base + 16);
        }
        uint256 overhead = _overhead();
        vm.prank(by.account);
        uint256 left = gasleft();
        (bool done, bytes memory reason) = address(game).call{value: value}(data);
        gas = left - gasleft() - overhead;
        if (!done) {
            assembly ("memory-safe") {
                revert(add(reason, 32), mload(reason))
            }
        }
        if (gas < floor) gas = floor;
        console.log(what, gas, base);
        total += gas;
        transactions += 1;
        if (by.account == mallory.account) _moves += gas;
    }
}
