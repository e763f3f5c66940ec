// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IDisputeGame} from "../../../contracts/interfaces/IDisputeGame.sol";
import {Header, Opened, Operand, Operation, Program} from "../../../contracts/types/Program.sol";
import {SignedLeaf} from "../../../contracts/types/Disputes.sol";
import {Verdict} from "../../../contracts/types/Messages.sol";
import {Terms} from "../../../contracts/types/Terms.sol";
import {JuryBase} from "./JuryBase.t.sol";
import {TestReferee} from "./TestReferee.sol";
import {TestTrees} from "./TestTrees.sol";

/// @notice A program of int32 additions and one chain, traces of it that tests bend, and both sides' moves.
abstract contract GameBase is JuryBase {
    bytes32 internal constant TRACE_TYPE = keccak256("Trace(uint256 disputeId,bytes32 traceRoot)");
    /// @dev 2,400 bytes: three chunks of a tree of four, the last one with 672 bytes of fill.
    uint256 internal constant WIDTH = 600;
    uint256 internal constant CHUNKS = 3;

    /// @notice This seed drew all of them, or none: take another one.
    error NoSuchPosition(bool drawn);

    enum Bend {
        Right,
        Element, // one element of one addition; what follows is computed from it
        Header, // a tensor under another header
        Padding, // a tensor's tree with a false padding
        Fill, // a byte behind a tensor's end
        Link, // the trace's last wire is not the output that the leaf commits to
        TracePadding // the trace's tree with a false padding
    }

    struct Bent {
        Bend kind;
        uint256 wire;
        uint256 element;
    }

    /// @dev Tensors of a run by wire, with all trees over them.
    struct Trace {
        Program program;
        Operation[] operations;
        bytes32[][] operationLevels;
        bytes[] data; // with fill, a multiple of 1,024
        bytes32[][][] chunkLevels;
        bytes32[] roots;
        bytes32[][] levels; // of the trace tree
        IDisputeGame.Links links; // of task 0; see `linksOf`
        bytes32[][] constantLevels; // of the chunks of the constant
        bytes constantData;
    }

    /// @dev What a dispute needs again and again.
    struct Play {
        Work work;
        uint256 position;
        uint256 id;
        IDisputeGame.Case dispute;
        IDisputeGame.Published published;
        Trace mine; // the challenger's
        Trace theirs; // the defendant's
    }

    function makeReferee() internal virtual override returns (address) {
        return address(new TestReferee());
    }

    /// @notice Additions before the chain; a trace has two wires more.
    function additions() internal pure virtual returns (uint256) {
        return 8;
    }

    // -- Traces ------------------------------------------------------------------------------------------------------

    function buildTrace(Bent memory bent) internal pure returns (Trace memory trace) {
        uint256 m = additions();
        uint256 wires = m + 2;
        trace.constantData = _tensor(7, WIDTH, CHUNKS * 1_024);
        trace.constantLevels = shaTree(trace.constantData);
        bytes32 constant_ = tensorRoot(6, _dims(WIDTH), trace.constantLevels[2][0]);

        trace.operations = new Operation[](m + 1);
        bytes32[] memory leaves = new bytes32[](m + 1);
        for (uint256 i; i <= m; ++i) {
            Operation memory operation;
            operation.code = i < m ? 1 : 60;
            operation.attributes = new int64[](i < m ? 0 : 1);
            operation.inputs = new Operand[](2);
            operation.inputs[0] = Operand(uint32(i), 0, 6, _dims(WIDTH));
            operation.inputs[1] = Operand(0, constant_, 6, _dims(WIDTH));
            operation.output = Header(6, _dims(i < m ? WIDTH : 1));
            trace.operations[i] = operation;
            leaves[i] = keccak256(abi.encode(bytes32("assay.operation"), i, operation));
        }
        trace.operationLevels = TestTrees.pairs(leaves);
        trace.program.inputs = new Header[](1);
        trace.program.inputs[0] = Header(6, _dims(WIDTH));
        trace.program.operations = uint32(m + 1);
        trace.program.operationsRoot = top(trace.operationLevels);
        trace.program.outputs = new uint32[](1);
        trace.program.outputs[0] = uint32(m + 1);
        trace.program.digests = new uint32[](1);
        trace.program.digests[0] = uint32(m);

        trace.data = new bytes[](wires);
        trace.chunkLevels = new bytes32[][][](wires);
        trace.roots = new bytes32[](wires);
        bytes32[] memory row = new bytes32[](wires);
        for (uint256 w; w < wires; ++w) {
            bytes memory data;
            if (w == 0) data = _tensor(3, WIDTH, CHUNKS * 1_024);
            else if (w <= m) data = _sum(trace.data[w - 1], trace.constantData);
            else data = _dot(trace.data[w - 1], trace.constantData);
            if (bent.wire == w && (bent.kind == Bend.Element || bent.kind == Bend.Fill)) {
                data[4 * bent.element] ^= 0x01;
            }
            trace.data[w] = data;
            trace.chunkLevels[w] = shaTree(data);
            if (bent.kind == Bend.Padding && bent.wire == w) {
                trace.chunkLevels[w][0][3] = keccak256("a false padding");
                _rehash(trace.chunkLevels[w]);
            }
            uint64[] memory dims = _dims(w <= m ? WIDTH : 1);
            bool header = bent.kind == Bend.Header && bent.wire == w;
            trace.roots[w] = tensorRoot(header ? 1 : 6, dims, top(trace.chunkLevels[w]));
            row[w] = keccak256(abi.encode(bytes32("assay.wire"), w, trace.roots[w]));
        }
        trace.levels = TestTrees.pairs(row);
        if (bent.kind == Bend.TracePadding) {
            trace.levels[0][trace.levels[0].length - 1] = keccak256("a false padding");
            for (uint256 l = 1; l < trace.levels.length; ++l) {
                for (uint256 i; i < trace.levels[l].length; ++i) {
                    trace.levels[l][i] = keccak256(
                        abi.encode(bytes32("assay.pair"), trace.levels[l - 1][2 * i], trace.levels[l - 1][2 * i + 1])
                    );
                }
            }
        }
        trace.links.inputs = new bytes32[](1);
        trace.links.inputs[0] = trace.roots[0];
        trace.links.outputs = new bytes32[](1);
        trace.links.outputs[0] = bent.kind == Bend.Link ? keccak256("what the leaf says") : trace.roots[m + 1];
        trace.links.digests = new bytes32[](1);
        trace.links.digests[0] = trace.roots[m];
    }

    function rightTrace() internal pure returns (Trace memory) {
        return buildTrace(Bent(Bend.Right, 0, 0));
    }

    function programRootOf(Trace memory trace) internal pure returns (bytes32) {
        return keccak256(abi.encode(bytes32("assay.program"), uint256(1), trace.program));
    }

    function linksOf(Trace memory trace, uint256 task) internal pure returns (IDisputeGame.Links memory links) {
        links = IDisputeGame.Links(
            keccak256(abi.encode("salt of task", task)), trace.links.inputs, trace.links.outputs, trace.links.digests
        );
    }

    function inputCommitmentOf(Trace memory trace, uint256 task) internal pure returns (bytes32) {
        IDisputeGame.Links memory links = linksOf(trace, task);
        return keccak256(abi.encode(bytes32("assay.tensors"), links.salt, links.inputs));
    }

    function outputCommitmentOf(Trace memory trace, uint256 task) internal pure returns (bytes32) {
        IDisputeGame.Links memory links = linksOf(trace, task);
        bytes32 outSalt = keccak256(abi.encode(bytes32("assay.salt.out"), links.salt));
        bytes32 digestSalt = keccak256(abi.encode(bytes32("assay.salt.digest"), links.salt));
        return keccak256(
            abi.encode(
                bytes32("assay.output"),
                keccak256(abi.encode(bytes32("assay.tensors"), outSalt, links.outputs)),
                keccak256(abi.encode(bytes32("assay.tensors"), digestSalt, links.digests))
            )
        );
    }

    // -- Batches -----------------------------------------------------------------------------------------------------

    /// @notice Jobs of the program, for tasks that all have the same input under their own salts.
    function gameTerms(Trace memory right) internal view returns (Terms memory terms) {
        terms = buildTerms();
        terms.version = 1;
        terms.programRoot = programRootOf(right);
        terms.inputs = top(gameInputs(right, terms.tasks));
    }

    function gameInputs(Trace memory right, uint256 tasks) internal pure returns (bytes32[][] memory) {
        bytes32[] memory row = new bytes32[](tasks);
        for (uint32 i; i < tasks; ++i) {
            row[i] = keccak256(abi.encode(bytes32("assay.input"), i, inputCommitmentOf(right, i)));
        }
        return TestTrees.pairs(row);
    }

    /// @notice Walter computed `right`, mallory `theirs`; committed and drawn, with verdicts that say `right`.
    function gameWork(Trace memory right, Trace memory theirs) internal returns (Work memory work) {
        Terms memory terms = gameTerms(right);
        work = buildWork(terms, postJob(terms));
        for (uint256 i; i < work.leaves.length; ++i) {
            uint256 task = work.leaves[i].taskIndex;
            bool bends = work.leaves[i].worker == mallory.account;
            work.leaves[i].inputCommitment = inputCommitmentOf(right, task);
            work.leaves[i].outputCommitment = outputCommitmentOf(bends ? theirs : right, task);
        }
        seal(work);
        commit(work);
        draw(work);
        audit(work);
        for (uint256 i; i < work.verdicts.length; ++i) {
            Verdict memory verdict = work.verdicts[i];
            verdict.outputCommitment = outputCommitmentOf(right, work.leaves[verdict.position].taskIndex);
            setVerdict(work, verdict);
        }
    }

    /// @notice The first position of mallory's that is (not) drawn.
    function positionOfMallory(Work memory work, bool drawn) internal view returns (uint256 position) {
        for (; position < work.leaves.length; ++position) {
            if (work.leaves[position].worker != mallory.account) continue;
            bool hit;
            for (uint256 i; i < samplesOf(work); ++i) {
                if (positionOf(work, i) == position) hit = true;
            }
            if (hit == drawn) return position;
        }
        revert NoSuchPosition(drawn);
    }

    // -- Opening -----------------------------------------------------------------------------------------------------

    /// @notice An attested batch whose leaf of mallory's (not drawn) is disputed by `finder` with a commitment a block old.
    function openedBy(Actor memory finder, Trace memory mine, Trace memory theirs)
        internal
        returns (Play memory play)
    {
        play.mine = mine;
        play.theirs = theirs;
        play.work = gameWork(rightTrace(), theirs);
        tally(play.work);
        attest(play.work);
        play.position = positionOfMallory(play.work, false);
        openAt(play, finder);
    }

    function openAt(Play memory play, Actor memory finder) internal {
        commitFind(play.work, play.position, finder);
        mine(1);
        play.id = open(play.work, play.position, finder);
        play.dispute = caseOf(play.work, play.position, finder.account, IDisputeGame.Kind.Find);
    }

    function saltOfFind(address finder) internal pure returns (bytes32) {
        return keccak256(abi.encode("salt of find", finder));
    }

    function commitFind(Work memory work, uint256 position, Actor memory finder) internal {
        vm.prank(finder.account);
        game.commitFind(
            keccak256(
                abi.encode(
                    bytes32("assay.find"), finder.account, work.batchId, uint32(position), saltOfFind(finder.account)
                )
            )
        );
    }

    function open(Work memory work, uint256 position, Actor memory finder) internal returns (uint256) {
        SignedLeaf memory signed = signedLeafOf(work, position);
        uint256 coins = game.deposit();
        vm.prank(finder.account);
        return game.open{value: coins}(
            work.terms, work.batch, work.attestation, signed, uint32(position), saltOfFind(finder.account)
        );
    }

    function caseOf(Work memory work, uint256 position, address challenger, IDisputeGame.Kind kind)
        internal
        pure
        returns (IDisputeGame.Case memory)
    {
        return IDisputeGame.Case(
            kind,
            keccak256(abi.encode(work.batch)),
            work.terms.programRoot,
            work.leaves[position].inputCommitment,
            work.leaves[position].outputCommitment,
            work.batchId,
            challenger,
            work.leaves[position].worker,
            work.batch.commitBlock,
            uint32(position),
            work.leaves[position].taskIndex,
            uint8(rangeOfPosition(work, position))
        );
    }

    // -- Moves -------------------------------------------------------------------------------------------------------

    function publish(Play memory play) internal {
        Trace memory trace = play.theirs;
        IDisputeGame.Links memory links = linksOf(trace, play.dispute.taskIndex);
        play.published = IDisputeGame.Published(
            programRootOf(trace),
            trace.program.operationsRoot,
            top(trace.levels),
            keccak256(abi.encode(links)),
            1,
            trace.program.operations
        );
        bytes32[] memory row = rowOf(trace.levels, trace.roots.length, trace.levels.length - 1, 0);
        vm.prank(play.dispute.defendant);
        game.publish(play.id, play.dispute, trace.program, links, top(trace.levels), row, "");
    }

    /// @notice The nodes under one that are no paddings.
    function rowOf(bytes32[][] memory levels, uint256 count, uint256 level, uint256 index)
        internal
        pure
        returns (bytes32[] memory row)
    {
        uint256 low = level > 6 ? level - 6 : 0;
        uint256 first = index << (level - low);
        uint256 last = (index + 1) << (level - low);
        uint256 nodes = (count + (1 << low) - 1) >> low;
        if (last > nodes) last = nodes;
        row = new bytes32[](last > first ? last - first : 0);
        for (uint256 i; i < row.length; ++i) {
            row[i] = levels[low][first + i];
        }
    }

    /// @notice The path from a node to one `step` levels above.
    function between(bytes32[][] memory levels, uint256 level, uint256 index, uint256 step)
        internal
        pure
        returns (bytes32[] memory path)
    {
        path = new bytes32[](step);
        for (uint256 i; i < step; ++i) {
            path[i] = levels[level + i][(index >> i) ^ 1];
        }
    }

    function pick(Play memory play, uint256 index) internal {
        IDisputeGame.View memory at_ = game.disputeOf(play.id);
        bytes32[][] memory levels = at_.inside ? play.theirs.chunkLevels[wireAt] : play.theirs.levels;
        uint256 low = at_.level > 6 ? at_.level - 6 : 0;
        vm.prank(play.dispute.challenger);
        game.pick(
            play.id, play.dispute, uint32(index), levels[low][index], between(levels, low, index, at_.level - low)
        );
        if (!at_.inside && low == 0) wireAt = index;
    }

    /// @dev The wire that the descent has come to.
    uint256 internal wireAt;

    /// @notice Picks the first node of the row that differs from the challenger's own.
    function pickFault(Play memory play) internal {
        IDisputeGame.View memory at_ = game.disputeOf(play.id);
        bytes32[][] memory own = at_.inside ? play.mine.chunkLevels[wireAt] : play.mine.levels;
        bytes32[][] memory other = at_.inside ? play.theirs.chunkLevels[wireAt] : play.theirs.levels;
        uint256 low = at_.level > 6 ? at_.level - 6 : 0;
        uint256 first = uint256(at_.index) << (at_.level - low);
        while (own[low][first] == other[low][first]) ++first;
        pick(play, first);
    }

    function reveal(Play memory play) internal {
        IDisputeGame.View memory at_ = game.disputeOf(play.id);
        bytes32[][] memory levels = at_.inside ? play.theirs.chunkLevels[wireAt] : play.theirs.levels;
        game.reveal(play.id, rowOf(levels, at_.count, at_.level, at_.index));
    }

    function revealTensor(Play memory play) internal {
        bytes32[][] memory levels = play.theirs.chunkLevels[wireAt];
        uint256 count = wireAt + 1 == play.theirs.roots.length ? 1 : CHUNKS;
        bytes32[] memory row = rowOf(levels, count, levels.length - 1, 0);
        if (wireAt == 0) {
            game.revealInput(play.id, play.published, play.theirs.program, top(levels), row);
            return;
        }
        game.revealTensor(
            play.id,
            play.published,
            play.theirs.operations[wireAt - 1],
            TestTrees.proof(play.theirs.operationLevels, wireAt - 1, 0),
            top(levels),
            row
        );
    }

    function revealChunk(Play memory play) internal {
        uint256 chunk = game.disputeOf(play.id).index;
        game.revealChunk(play.id, slice(play.theirs.data[wireAt], chunk * 1_024, 1_024));
    }

    /// @notice An element of an operation, opened in the defendant's trace; operands out of the challenger's memory.
    function elementProof(Play memory play, uint256 operation, uint256 element)
        internal
        pure
        returns (IDisputeGame.ElementProof memory proof)
    {
        Trace memory trace = play.theirs;
        proof.index = uint32(operation);
        proof.operation = trace.operations[operation];
        proof.path = TestTrees.proof(trace.operationLevels, operation, 0);
        proof.element = uint64(element);
        uint256 wire = operation + 1;
        uint256 chunk = element / 256;
        bool long = operation == additions();
        proof.tracePath = TestTrees.proof(trace.levels, wire, 0);
        proof.chunk = slice(trace.data[wire], chunk * 1_024, 1_024);
        proof.chunkPath = between(trace.chunkLevels[wire], 0, chunk, trace.chunkLevels[wire].length - 1);
        proof.opened = new Opened[](2);
        proof.operands = new IDisputeGame.OperandPath[](2);
        proof.opened[0] = openedOf(trace.data[operation], chunk, long);
        proof.opened[1] = openedOf(trace.constantData, chunk, long);
        proof.operands[0].tracePath = TestTrees.proof(trace.levels, operation, 0);
        proof.operands[0].chunkPath = chunksPath(trace.chunkLevels[operation], chunk, long);
        proof.operands[1].tracePath = new bytes32[](0);
        proof.operands[1].chunkPath = chunksPath(trace.constantLevels, chunk, long);
    }

    /// @dev All three chunks need one sibling: the padding beside the last.
    function openedOf(bytes memory data, uint256 chunk, bool all) internal pure returns (Opened memory opened) {
        opened.chunks = new uint32[](all ? CHUNKS : 1);
        opened.chunks[0] = uint32(chunk);
        if (all) {
            for (uint32 c; c < CHUNKS; ++c) {
                opened.chunks[c] = c;
            }
        }
        opened.data = all ? data : slice(data, chunk * 1_024, 1_024);
    }

    function chunksPath(bytes32[][] memory levels, uint256 chunk, bool all)
        internal
        pure
        returns (bytes32[] memory path)
    {
        if (!all) return between(levels, 0, chunk, levels.length - 1);
        path = new bytes32[](1);
        path[0] = levels[0][CHUNKS];
    }

    function prove(Play memory play, uint256 operation, uint256 element) internal {
        IDisputeGame.ElementProof memory proof = elementProof(play, operation, element);
        vm.prank(play.dispute.challenger);
        game.proveElement(
            play.id, play.dispute, play.work.terms, play.work.batch, play.published, proof
        );
    }

    function timeout(Play memory play) internal {
        game.timeout(play.id, play.dispute, play.work.terms, play.work.batch);
    }

    function signTrace(Actor memory by, uint256 id, bytes32 traceRoot) internal view returns (bytes memory) {
        return sign(by.secret, typed(keccak256(abi.encode(TRACE_TYPE, id, traceRoot))));
    }

    // -- Money and ends ----------------------------------------------------------------------------------------------

    function assertEnd(uint256 id, IDisputeGame.Outcome outcome) internal view {
        vm.assertEq(uint256(game.disputeOf(id).outcome), uint256(outcome), "outcome");
    }

    function verdictCollateralOf(Terms memory terms) internal view returns (uint256) {
        return market.verdictCollateralOf(terms);
    }

    // -- Trees and bytes ---------------------------------------------------------------------------------------------

    function top(bytes32[][] memory levels) internal pure returns (bytes32) {
        return levels[levels.length - 1][0];
    }

    function shaTree(bytes memory data) internal pure returns (bytes32[][] memory levels) {
        uint256 chunks = data.length / 1_024;
        uint256 depth;
        while (1 << depth < chunks) ++depth;
        levels = new bytes32[][](depth + 1);
        levels[0] = new bytes32[](1 << depth);
        for (uint256 i; i < levels[0].length; ++i) {
            levels[0][i] =
                i < chunks ? sha256(abi.encodePacked(hex"00", slice(data, i * 1_024, 1_024))) : sha256(hex"02");
        }
        for (uint256 l = 1; l <= depth; ++l) {
            levels[l] = new bytes32[](levels[l - 1].length / 2);
        }
        _rehash(levels);
    }

    function _rehash(bytes32[][] memory levels) internal pure {
        for (uint256 l = 1; l < levels.length; ++l) {
            for (uint256 i; i < levels[l].length; ++i) {
                levels[l][i] =
                    sha256(abi.encodePacked(hex"01", levels[l - 1][2 * i], levels[l - 1][2 * i + 1]));
            }
        }
    }

    function tensorRoot(uint8 dtype, uint64[] memory dims, bytes32 treeRoot) internal pure returns (bytes32) {
        bytes memory shape;
        for (uint256 i; i < dims.length; ++i) {
            shape = abi.encodePacked(shape, dims[i]);
        }
        return sha256(abi.encodePacked(hex"03", dtype, uint8(dims.length), shape, treeRoot));
    }

    function slice(bytes memory data, uint256 from, uint256 length) internal pure returns (bytes memory part) {
        part = new bytes(length);
        for (uint256 i; i < length; i += 32) {
            assembly ("memory-safe") {
                mstore(add(add(part, 32), i), mload(add(add(data, 32), add(from, i))))
            }
        }
    }

    function _dims(uint256 width) internal pure returns (uint64[] memory dims) {
        dims = new uint64[](2);
        (dims[0], dims[1]) = (1, uint64(width));
    }

    /// @dev Element i is `seed * i + seed`, mod 2^32.
    function _tensor(uint256 seed, uint256 elements, uint256 size) internal pure returns (bytes memory data) {
        data = new bytes(size);
        for (uint256 i; i < elements; ++i) {
            _write(data, i, uint32(seed * 0x01000193 * i + seed));
        }
    }

    function _sum(bytes memory left, bytes memory right) internal pure returns (bytes memory data) {
        data = new bytes(left.length);
        for (uint256 i; i < WIDTH; ++i) {
            _write(data, i, uint32(uint256(_read(left, i)) + _read(right, i)));
        }
    }

    function _dot(bytes memory left, bytes memory right) internal pure returns (bytes memory data) {
        data = new bytes(1_024);
        uint256 sum;
        for (uint256 i; i < WIDTH; ++i) {
            sum += uint256(_read(left, i)) * _read(right, i);
        }
        _write(data, 0, uint32(sum));
    }

    function _read(bytes memory data, uint256 element) internal pure returns (uint32 value) {
        uint256 word;
        assembly ("memory-safe") {
            word := shr(224, mload(add(add(data, 32), mul(element, 4))))
        }
        return _swap(uint32(word));
    }

    function _write(bytes memory data, uint256 element, uint32 value) internal pure {
        uint256 word = uint256(_swap(value)) << 224;
        assembly ("memory-safe") {
            let at_ := add(add(data, 32), mul(element, 4))
            mstore(at_, or(word, and(mload(at_), 0xffffffffffffffffffffffffffffffffffffffffffffffffffffffff)))
        }
    }

    function _swap(uint32 value) internal pure returns (uint32) {
        return (value << 24) | ((value & 0xff00) << 8) | ((value >> 8) & 0xff00) | (value >> 24);
    }
}
