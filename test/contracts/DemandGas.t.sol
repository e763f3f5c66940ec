// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IChallenges} from "../../contracts/interfaces/IChallenges.sol";
import {DemandKind} from "../../contracts/types/Disputes.sol";
import {Terms} from "../../contracts/types/Terms.sol";
import {JuryBase} from "./support/JuryBase.t.sol";
import {TestTrees} from "./support/TestTrees.sol";

/// @notice A deposit is twice what the answer costs at the base fee, so that answering is never a loss (R26). Measured on
/// a batch of 64 shards, the widest there is, calldata included.
contract DemandGasTest is JuryBase {
    function buildTerms() internal view override returns (Terms memory terms) {
        terms = super.buildTerms();
        terms.tasks = 128;
        terms.shardSize = 2;
        terms.auditBudget = 400 ether;
        terms.inputs = inputLevels(terms.tasks)[TestTrees.depth(terms.tasks)][0];
    }

    function test_R26_gasFigures_coverTheAnswers() external {
        Terms memory terms = buildTerms();
        Actor[] memory workers = new Actor[](2);
        uint64[] memory masks = new uint64[](2);
        (workers[0], masks[0]) = (walter, 0x5555555555555555);
        (workers[1], masks[1]) = (mallory, 0xaaaaaaaaaaaaaaaa);
        Work memory work = buildWork(terms, postJob(terms), 0, workers, masks);
        seal(work);
        toAttested(work);
        vm.deal(address(this), 100 ether);
        challenges.demandLeaf{value: 1 ether}(work.terms, work.batch, work.attestation, 127);
        challenges.demandShards{value: 1 ether}(work.terms, work.batch, work.attestation);
        challenges.demandVerdict{value: 1 ether}(work.terms, work.batch, work.attestation, 63);
        challenges.demandSignature{value: 1 ether}(work.terms, work.batch, work.attestation, 63);

        _measure(
            DemandKind.Leaf,
            abi.encodeCall(
                IChallenges.answerLeaf, (work.terms, work.batch, 127, work.leaves[127], pathOf(work, 127))
            )
        );
        _measure(
            DemandKind.Shards, abi.encodeCall(IChallenges.answerShards, (work.terms, work.batch, rowOf(work)))
        );
        _measure(
            DemandKind.Verdict,
            abi.encodeCall(
                IChallenges.answerVerdict,
                (
                    work.terms,
                    work.batch,
                    work.attestation,
                    63,
                    work.verdicts[63],
                    work.verdictSignatures[63],
                    TestTrees.proof(work.verdictLevels, 63, 0)
                )
            )
        );
        _measure(
            DemandKind.Signature,
            abi.encodeCall(
                IChallenges.answerSignature,
                (
                    work.terms,
                    work.batch,
                    63,
                    work.leases[63],
                    work.leaseSignatures[63],
                    work.receipts[63],
                    work.receiptSignatures[63],
                    TestTrees.path(work.topLevels, 63)
                )
            )
        );
    }

    function _measure(DemandKind kind, bytes memory data) internal {
        uint256 gas = 21_000;
        for (uint256 i; i < data.length; ++i) {
            gas += data[i] == 0 ? 4 : 16;
        }
        uint256 left = gasleft();
        (bool done,) = address(challenges).call(data);
        gas += left - gasleft();
        vm.assertTrue(done, "answered");
        uint256[4] memory names = [uint256(0), 1, 2, 3];
        vm.assertLe(
            gas,
            challenges.gasFigure(kind),
            string.concat("gas of an answer of kind ", string(abi.encodePacked(uint8(48 + names[uint8(kind)]))))
        );
    }
}
