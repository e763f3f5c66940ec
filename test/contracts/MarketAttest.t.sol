// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {Batch, BatchState} from "../../contracts/types/Batch.sol";
import {Base} from "./support/Base.t.sol";

contract MarketAttestTest is Base {
    /// @dev Committed, drawn off chain, with a true statement that is not sent yet.
    function ready() internal returns (Work memory work) {
        work = honestWork();
        commit(work);
        mine(3);
        work.attestation.seed =
            keccak256(abi.encode(bytes32("assay.seed"), beacon.seed(work.batch.commitBlock), work.batchId));
        audit(work);
        tally(work);
    }

    function send(Work memory work, bytes32 seed) internal {
        vm.prank(work.batch.committer);
        market.attest(
            work.terms,
            work.batch,
            seed,
            work.attestation.verdictRoot,
            work.attestation.verifiers,
            work.attestation.silentRanges
        );
    }

    function test_R24_attest_drawsByItself_orTakesTheSeedThatWasDrawn() public {
        Work memory work = ready();
        send(work, 0);
        vm.assertEq(uint256(market.batchOf(work.batchId).state), uint256(BatchState.Attested), "attested");
        vm.assertEq(market.batchOf(work.batchId).clock, vm.getBlockTimestamp() + WINDOW, "window");
        market.checkBatch(work.terms, work.batch, work.attestation);

        // The same with a draw in between.
        vm.prank(requester.account);
        uint192 jobId = market.post(work.terms, 99);
        work = buildWork(work.terms, jobId);
        seal(work);
        commit(work);
        draw(work);
        audit(work);
        tally(work);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchMismatch.selector, work.batchId));
        send(work, 0);
        send(work, work.attestation.seed);
        market.checkBatch(work.terms, work.batch, work.attestation);
    }

    function test_R19_draw_revertsWithoutASeed() public {
        Work memory work = honestWork();
        commit(work);
        mine(2);
        vm.expectRevert(abi.encodeWithSelector(IMarket.SeedMissing.selector, work.batchId));
        market.draw(work.batch);
        mine(1);
        market.draw(work.batch);
        vm.expectRevert(
            abi.encodeWithSelector(IMarket.BatchWrongState.selector, work.batchId, BatchState.Drawn)
        );
        market.draw(work.batch);
    }

    function test_R19_draw_refusesABatchThatWasNotCommitted() public {
        Work memory work = honestWork();
        commit(work);
        mine(3);
        work.batch.ranges[0] += 1 << 64;
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchMismatch.selector, work.batchId));
        market.draw(work.batch);
    }

    function test_R24_attest_isTheCommittersAlone() public {
        Work memory work = ready();
        vm.expectRevert(abi.encodeWithSelector(IMarket.MarketUnauthorized.selector, mallory.account));
        vm.prank(mallory.account);
        market.attest(work.terms, work.batch, 0, 0, work.attestation.verifiers, 0);
    }

    function test_R24_attest_refusesCountsThatAreNotK() public {
        Work memory work = ready();
        uint256 k = samplesOf(work);
        work.attestation.verifiers = new uint256[](1);
        work.attestation.verifiers[0] = (uint256(uint160(verifiers[0].account)) << 96) | ((k - 1) << 64) | 1;
        vm.expectRevert(abi.encodeWithSelector(IMarket.VerifierCount.selector, k - 1, k));
        send(work, 0);
        work.attestation.verifiers[0] += 2 << 64;
        vm.expectRevert(abi.encodeWithSelector(IMarket.VerifierCount.selector, k + 1, k));
        send(work, 0);
        // Nobody is silent when every sample has a verdict.
        work.attestation.verifiers[0] -= 1 << 64;
        work.attestation.silentRanges = 1;
        vm.expectRevert(abi.encodeWithSelector(IMarket.VerifierCount.selector, k, k));
        send(work, 0);
        work.attestation.silentRanges = 4;
        vm.expectRevert(abi.encodeWithSelector(IMarket.SilentUnknown.selector, 4));
        send(work, 0);
    }

    function test_R23_attest_refusesPayBeyondTheReserve() public {
        Work memory work = ready();
        uint256 k = samplesOf(work);
        work.attestation.verifiers = new uint256[](1);
        work.attestation.verifiers[0] = (uint256(uint160(verifiers[0].account)) << 96) | (k << 64) | (3 * k + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.VerifierUnits.selector, 0, 3 * k + 1, 3 * k));
        send(work, 0);
        work.attestation.verifiers = new uint256[](k + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.VerifierTooMany.selector, k + 1, k));
        send(work, 0);
        work.attestation.verifiers = new uint256[](2);
        work.attestation.verifiers[0] = (2 << 96) | (1 << 64) | 1;
        work.attestation.verifiers[1] = (2 << 96) | (1 << 64) | 1;
        vm.expectRevert(abi.encodeWithSelector(IMarket.VerifierOrder.selector, 1));
        send(work, 0);
    }

    function test_R24a_attest_afterTheLimit_reverts() public {
        Work memory work = ready();
        uint256 until = market.batchOf(work.batchId).clock;
        vm.warp(until + 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.BatchTooLate.selector, work.batchId, until));
        send(work, 0);
        vm.warp(until);
        send(work, 0);
        vm.expectRevert(
            abi.encodeWithSelector(IMarket.BatchWrongState.selector, work.batchId, BatchState.Attested)
        );
        send(work, 0);
    }

    function test_R24_attest_logsTheStatementAsAbiEncodeHasIt() public {
        Work memory work = ready();
        vm.expectEmit();
        emit IMarket.BatchAttested(work.batchId, work.attestation);
        send(work, 0);
        vm.assertEq(
            uint256(market.batchOf(work.batchId).digest),
            uint256(uint192(uint256(keccak256(abi.encode(keccak256(abi.encode(work.batch)), work.attestation))))),
            "digest of the attestation"
        );
    }

    function test_R17_commit_logsTheBatchAsAbiEncodeHasIt() public {
        Work memory work = honestWork();
        Batch memory batch = work.batch;
        (batch.number, batch.commitBlock) = (0, uint64(vm.getBlockNumber()));
        vm.expectEmit();
        emit IMarket.BatchCommitted(uint256(work.jobId) << 32, work.jobId, batch, keccak256("data"), "");
        commit(work);
        vm.assertEq(
            uint256(market.batchOf(work.batchId).digest),
            uint256(uint192(uint256(keccak256(abi.encode(batch))))),
            "digest of the batch"
        );
    }
}
