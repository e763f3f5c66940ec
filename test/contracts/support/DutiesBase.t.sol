// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IDuties} from "../../../contracts/interfaces/IDuties.sol";
import {ChunkOpening, DigestList, TensorBytes} from "../../../contracts/types/Verdicts.sol";
import {Verdict} from "../../../contracts/types/Messages.sol";
import {JuryBase} from "./JuryBase.t.sol";
import {TestTensors} from "./TestTensors.sol";

/// @notice Work whose commitments are of real tensors: two digest tensors, of three chunks and of a part of one.
abstract contract DutiesBase is JuryBase {
    bytes internal constant PLAIN = hex"00";

    IDuties internal duties;

    function setUp() public virtual override {
        super.setUp();
        duties = IDuties(address(jury));
    }

    /// @dev Whether the program names digest tensors; where it does not, the outputs serve.
    function hasDigests() internal pure virtual returns (bool) {
        return true;
    }

    function saltOf(uint256 task) internal pure returns (bytes32) {
        return keccak256(abi.encode("task salt", task));
    }

    function outerSalt(uint256 task) internal pure returns (bytes32) {
        return keccak256(abi.encode(bytes32("assay.salt.out"), saltOf(task)));
    }

    function digestSalt(uint256 task) internal pure returns (bytes32) {
        return keccak256(abi.encode(bytes32("assay.salt.digest"), saltOf(task)));
    }

    function tensorsOf(uint256 task) internal pure returns (TensorBytes[] memory tensors) {
        tensors = new TensorBytes[](2);
        tensors[0] = TensorBytes(abi.encodePacked(uint8(1), uint8(2), uint64(5), uint64(130)), noise(task, 2_600));
        tensors[1] = TensorBytes(abi.encodePacked(uint8(1), uint8(1), uint64(2)), noise(task + 1_000, 8));
    }

    function noise(uint256 seed, uint256 length) internal pure returns (bytes memory data) {
        data = new bytes((length + 31) / 32 * 32);
        for (uint256 i; i < length; i += 32) {
            bytes32 word = keccak256(abi.encode(seed, i));
            assembly ("memory-safe") {
                mstore(add(add(data, 0x20), i), word)
            }
        }
        assembly ("memory-safe") {
            mstore(data, length) // data.length = length; it only shrinks
        }
    }

    function rootsOf(bytes memory prefix, TensorBytes[] memory tensors) internal pure returns (bytes32[] memory roots) {
        roots = new bytes32[](tensors.length);
        for (uint256 i; i < roots.length; ++i) {
            roots[i] = TestTensors.root(tensors[i].header, TestTensors.levels(prefix, tensors[i].data));
        }
    }

    function outputPartOf(uint256 task) internal pure returns (bytes32) {
        return keccak256(abi.encode("output part", task));
    }

    /// @notice What an honest run of the task commits to.
    function commitmentOf(uint256 task) internal pure returns (bytes32) {
        bytes32[] memory roots = rootsOf(PLAIN, tensorsOf(task));
        (bytes32 outer, bytes32 inner) = hasDigests()
            ? (outputPartOf(task), TestTensors.commit(digestSalt(task), roots))
            : (TestTensors.commit(outerSalt(task), roots), TestTensors.commit(digestSalt(task), new bytes32[](0)));
        return keccak256(abi.encode(bytes32("assay.output"), outer, inner));
    }

    function keyedOf(uint256 task, address verifier, uint256 batchId, uint32 position) internal pure returns (bytes32) {
        return TestTensors.commit(
            digestSalt(task), rootsOf(TestTensors.key(verifier, batchId, position), tensorsOf(task))
        );
    }

    /// @notice Honest work with real commitments; drawn, with the verdicts of each sample's first candidate.
    function realWork() internal returns (Work memory work) {
        work = buildWork(buildTerms(), postJob(buildTerms()));
        for (uint256 i; i < work.leaves.length; ++i) {
            work.leaves[i].outputCommitment = commitmentOf(work.leaves[i].taskIndex);
        }
        seal(work);
        commit(work);
        draw(work);
        audit(work);
        for (uint256 i; i < work.verdicts.length; ++i) {
            setVerdict(work, honestVerdict(work, i, work.verdicts[i].verifier));
        }
    }

    function honestVerdict(Work memory work, uint256 sample, address verifier)
        internal
        pure
        returns (Verdict memory verdict)
    {
        verdict = verdictOf(work, sample, verifier);
        uint256 task = work.leaves[verdict.position].taskIndex;
        verdict.outputCommitment = commitmentOf(task);
        verdict.keyedDigest = keyedOf(task, verifier, work.batchId, verdict.position);
    }

    /// @notice A verdict with the right output and another's keyed digest.
    function copiedVerdict(Work memory work, uint256 sample, address verifier, address from)
        internal
        pure
        returns (Verdict memory verdict)
    {
        verdict = honestVerdict(work, sample, verifier);
        verdict.keyedDigest = honestVerdict(work, sample, from).keyedDigest;
    }

    function listOf(uint256 task) internal pure returns (DigestList memory list) {
        list = hasDigests()
            ? DigestList(digestSalt(task), outputPartOf(task), rootsOf(PLAIN, tensorsOf(task)))
            : DigestList(saltOf(task), 0, rootsOf(PLAIN, tensorsOf(task)));
    }

    /// @notice One chunk opened in the plain tree, and in the tree that was keyed for `author`.
    function openingOf(Work memory work, uint256 sample, address author, uint32 tensor, uint32 index)
        internal
        pure
        returns (ChunkOpening memory opening)
    {
        uint32 position = positionOf(work, sample);
        TensorBytes[] memory tensors = tensorsOf(work.leaves[position].taskIndex);
        bytes memory prefix = TestTensors.key(author, work.batchId, position);
        bytes32[][] memory keyed = TestTensors.levels(prefix, tensors[tensor].data);
        opening.keyedRoots = rootsOf(prefix, tensors);
        opening.tensor = tensor;
        opening.index = index;
        opening.header = tensors[tensor].header;
        opening.chunk = TestTensors.chunk(tensors[tensor].data, index);
        opening.path = TestTensors.path(TestTensors.levels(PLAIN, tensors[tensor].data), index);
        opening.keyedLeaf = keyed[0][index];
        opening.keyedPath = TestTensors.path(keyed, index);
    }

    function proveCopied(Work memory work, uint256 sample, ChunkOpening memory opening, address finder) internal {
        duties.proveCopied(
            work.terms,
            work.batch,
            work.attestation,
            work.verdicts[sample],
            work.verdictSignatures[sample],
            listOf(taskOf(work, sample)),
            opening,
            finder
        );
    }

    function proveMadeUp(Work memory work, uint256 sample, address finder) internal {
        DigestList memory list = listOf(taskOf(work, sample));
        list.roots = new bytes32[](0);
        duties.proveMadeUp(
            work.terms,
            work.batch,
            work.attestation,
            work.verdicts[sample],
            work.verdictSignatures[sample],
            list,
            tensorsOf(taskOf(work, sample)),
            finder
        );
    }

    function verdictCollateralOf(Work memory work) internal view returns (uint256) {
        return market.verdictCollateralOf(work.terms);
    }

    function otherCandidate(Work memory work, uint256 sample, address than) internal view returns (address) {
        for (uint256 i; i < verifiers.length; ++i) {
            address account = verifiers[i].account;
            if (account != than && account != work.leaves[positionOf(work, sample)].worker) return account;
        }
        revert("nobody");
    }
}
