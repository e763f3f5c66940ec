// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Batch} from "../types/Batch.sol";
import {Terms} from "../types/Terms.sol";

/// @title Shares of trained models, and their income
/// @notice A model is opened by who pays for its training, before the first round. Whoever did work of it that became
/// final gets a share for each unit, by proof and from nobody's hand. Shares are tokens (ERC-1155, the model's id). What is
/// paid for the model's use belongs to those who hold shares when it is paid, or, of what is paid before all shares are
/// given, when they are. Amounts are in the token's smallest unit.
interface IModelRegistry {
    /// @param programRoot of every round's job: a run is jobs of one requester with one program
    /// @param jobs of the run at most, the ones whose nonce is the model's in the upper 32 bits and below `jobs` in the lower
    /// @param unitsPerJob most that a job's terms can come to; `jobs` times it bounds how far a share is thinned out
    /// @param ownShares of the requester, from the start
    /// @param royalty what an honest user of the model pays, in 1/10,000 of a job's fees
    struct Plan {
        bytes32 programRoot;
        uint32 jobs;
        uint64 unitsPerJob;
        uint64 ownShares;
        uint16 royalty;
    }

    /// @param openedAt block number; only batches that were committed after it count
    /// @param nonce of the model among its owner's, and the upper half of its jobs' nonces
    /// @param creditUntil block timestamp after which nothing is credited and income is divided; 0 while the run goes on
    /// @param worked shares that work got so far
    /// @param state commitment to the final state, `manifest` and `model` sha256 of the files; 0 until it is complete
    struct Model {
        address owner;
        uint64 openedAt;
        uint32 nonce;
        uint40 creditUntil;
        uint64 worked;
        Plan plan;
        bytes32 state;
        bytes32 manifest;
        bytes32 model;
    }

    /// @notice A number of the plan is out of range.
    error ModelBadPlan(bytes32 what);
    /// @notice Nobody opened a model of this id.
    error ModelUnknown(uint256 modelId);
    /// @notice The same owner used this nonce before.
    error ModelExists(uint256 modelId);
    /// @notice Only who opened it completes it.
    error ModelUnauthorized(uint256 modelId, address caller);
    /// @notice It is complete, and for crediting the time after that is over too.
    error ModelComplete(uint256 modelId, uint256 creditUntil);
    /// @notice It is not complete: nobody knows yet whose a royalty would be.
    error ModelIncomplete(uint256 modelId);
    /// @notice The batch is not of the run's job of this index, or of another program, or was committed before the model was
    /// opened.
    error CreditForeign(uint256 modelId, uint256 batchId);
    /// @notice The batch is not final.
    error CreditNotFinal(uint256 batchId);
    /// @notice The batch has been credited.
    error CreditTwice(uint256 modelId, uint256 batchId);
    /// @notice The job's terms can come to more units than a job's part of the shares.
    error CreditOverPlan(uint256 modelId, uint256 batchId, uint256 units, uint256 unitsPerJob);
    /// @notice Nobody holds a share: what is paid would belong to nobody.
    error RoyaltyNobodys(uint256 modelId);
    /// @notice The amount is 0 or does not fit 96 bits.
    error RoyaltyBadAmount(uint256 amount);

    event ModelOpened(uint256 indexed modelId, address indexed owner, uint32 nonce, Plan plan, string title);
    /// @param voided ranges of the batch that nobody was paid for; nothing is credited for them
    event WorkCredited(uint256 indexed modelId, uint256 indexed batchId, uint64 shares, uint64 voided);
    event ModelCompleted(uint256 indexed modelId, bytes32 state, bytes32 manifest, bytes32 model, uint256 creditUntil);
    /// @param jobId that the model was used in, as the payer says
    event RoyaltyPaid(uint256 indexed modelId, uint192 indexed jobId, address indexed payer, uint256 amount);
    event IncomeClaimed(address indexed account, uint256 amount);

    /// @notice Opens a model for the caller's run.
    /// @return modelId hash of chain, this contract, caller and nonce
    function open(Plan calldata plan, uint32 nonce, string calldata title) external returns (uint256 modelId);

    /// @notice Anyone: gives the workers of a final batch a share for each unit that they were paid for.
    /// @param index of the batch's job in the run: `jobOf`
    function credit(uint256 modelId, uint32 index, Terms calldata terms, Batch calldata batch) external;

    /// @notice Its owner, once: what the run came to. Batches can be credited for `GRACE` seconds more.
    function complete(uint256 modelId, bytes32 state, bytes32 manifest, bytes32 model) external;

    /// @notice Pays for the use of a complete model: `amount` belongs to those who hold shares now, or at `creditUntil` if
    /// that is later, in proportion. Needs an allowance.
    function pay(uint256 modelId, uint192 jobId, uint256 amount) external;

    /// @notice Takes what the caller's shares of these models have earned.
    function claim(uint256[] calldata modelIds) external returns (uint256 amount);

    /// @notice What `claim` would pay for one model, besides what was booked before.
    function claimable(address account, uint256 modelId) external view returns (uint256);

    /// @notice Booked to an account, of all models, when its shares moved.
    function booked(address account) external view returns (uint256);

    /// @notice What an honest user of the model pays for a job: its royalty of all fees that the job can cost, rounded up.
    function royaltyUp(uint256 modelId, Terms calldata terms) external view returns (uint256);

    function modelOf(uint256 modelId) external view returns (Model memory);

    /// @notice All shares of a model, the owner's and those of work.
    function sharesOf(uint256 modelId) external view returns (uint256);

    function isCredited(uint256 modelId, uint256 batchId) external view returns (bool);

    /// @notice The job of the run with an index below `jobs`, posted or not. Who works in it gets shares: ask before working.
    function jobOf(uint256 modelId, uint32 index) external view returns (uint192 jobId);

    function GRACE() external view returns (uint256);
}
