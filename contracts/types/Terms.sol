// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

/// @notice What a job promises (R1). The Market stores one hash of it; whoever calls resubmits it.
/// @dev Money is in the token's smallest unit, rates are basis points, times are block timestamps.
struct Terms {
    uint8 version; // 0: `programRoot` names a file, a jury judges; 1: it names a program, the game judges
    uint8 kind; // 0: a batch job (1 session and 2 training run are refused for now)
    address requester;
    address coordinator;
    uint8 class; // 0: exact (1 tolerant is refused for now)
    bytes32 capability; // H("assay.capability", profile, memoryGiB): whose seats audit
    bytes32 programRoot;
    bytes32 inputs; // root of the tree over H("assay.input", taskIndex, inputCommitment)
    uint32 tasks;
    uint16 shardSize; // S, 1 to 1,024
    uint96 fee; // F, a unit
    uint32 maxUnits; // u, most units a task
    uint16 auditRate; // p, basis points
    uint16 auditRatio; // a, basis points of F that an audited unit pays
    uint96 auditBase; // once per (verifier, batch)
    uint96 auditBudget;
    uint96 coordinatorFee; // a unit
    uint96 valueAtRisk; // G, a task
    uint64 deadline;
    bytes32 specHash;
}
