// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IMarket} from "./interfaces/IMarket.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {Hashes} from "./libraries/Hashes.sol";
import {Positions} from "./libraries/Positions.sol";
import {Attestation, Batch, BatchState} from "./types/Batch.sol";
import {Range} from "./types/Range.sol";
import {Terms} from "./types/Terms.sol";

/// @title The register of trained models
/// @notice See IModelRegistry. It reads the Market and moves tokens that were given to it; no other contract knows of it.
contract ModelRegistry is IModelRegistry, ERC1155, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// @dev All that was ever paid, in the token's smallest unit, and the shares that it belongs to.
    struct Income {
        uint256 total;
        uint256 shares;
    }

    /// @dev Income a share is kept in 1/2^64 of the token's smallest unit.
    uint256 private constant SCALE = 64;
    uint256 private constant BASIS = 10_000;

    IMarket public immutable MARKET;
    IERC20 public immutable TOKEN;
    uint256 public immutable GRACE;

    mapping(uint256 modelId => Model) private _models;
    mapping(uint256 modelId => mapping(uint256 batchId => bool)) private _credited;
    mapping(uint256 modelId => Income) private _incomes;
    mapping(uint256 modelId => mapping(address account => uint256 perShare)) private _seen;
    mapping(address account => uint256) private _booked;

    constructor(IMarket market, IERC20 token, uint256 grace) ERC1155("") {
        if (address(market) == address(0)) revert ModelBadPlan("market");
        if (address(token) == address(0)) revert ModelBadPlan("token");
        MARKET = market;
        TOKEN = token;
        GRACE = grace;
    }

    // -- A model's life ----------------------------------------------------------------------------------------------

    /// @inheritdoc IModelRegistry
    function open(Plan calldata plan, uint32 nonce, string calldata title) external returns (uint256 modelId) {
        if (plan.jobs == 0) revert ModelBadPlan("jobs");
        if (plan.unitsPerJob == 0) revert ModelBadPlan("unitsPerJob");
        if (plan.royalty > BASIS) revert ModelBadPlan("royalty");
        modelId = uint256(keccak256(abi.encode(block.chainid, address(this), msg.sender, nonce)));
        Model storage model = _models[modelId];
        if (model.owner != address(0)) revert ModelExists(modelId);
        (model.owner, model.openedAt, model.nonce, model.plan) = (msg.sender, uint64(block.number), nonce, plan);
        emit ModelOpened(modelId, msg.sender, nonce, plan, title);
        if (plan.ownShares != 0) _issue(msg.sender, modelId, plan.ownShares);
    }

    /// @inheritdoc IModelRegistry
    function credit(uint256 modelId, uint32 index, Terms calldata terms, Batch calldata batch) external {
        Model storage model = _known(modelId);
        if (_isShared(model)) revert ModelComplete(modelId, model.creditUntil);
        // A final batch's digest covers no attestation, so none is given.
        Attestation memory none;
        (uint256 batchId, BatchState state,) = MARKET.checkBatch(terms, batch, none);
        if (state != BatchState.Final) revert CreditNotFinal(batchId);
        if (
            index >= model.plan.jobs || batch.jobId != jobOf(modelId, index)
                || terms.programRoot != model.plan.programRoot || batch.commitBlock <= model.openedAt
        ) revert CreditForeign(modelId, batchId);
        // INVARIANT: a job has its own part of the shares, and a shard of it is paid once: whatever other jobs there are and
        // however they were credited, there is a share for each of its units.
        uint256 most = uint256(terms.tasks) * terms.maxUnits;
        if (most > model.plan.unitsPerJob) revert CreditOverPlan(modelId, batchId, most, model.plan.unitsPerJob);
        if (_credited[modelId][batchId]) revert CreditTwice(modelId, batchId);
        _credited[modelId][batchId] = true;
        // INVARIANT: a share is a unit that was paid: what was voided, for whatever cause, gives none.
        uint64 voided = MARKET.batchOf(batchId).voided;
        uint256 shares;
        for (uint256 i; i < batch.ranges.length; ++i) {
            if ((voided >> i) & 1 == 1) continue;
            Range range = Range.wrap(batch.ranges[i]);
            // The Market bounds the units of a batch; a range may have no more than its own tasks can.
            uint256 tasks = Positions.leaves(terms, batch.firstShard, range.mask());
            uint256 units = Math.min(range.units(), tasks * terms.maxUnits);
            shares += units;
            _issue(range.worker(), modelId, units);
        }
        model.worked += uint64(shares);
        emit WorkCredited(modelId, batchId, uint64(shares), voided);
    }

    /// @inheritdoc IModelRegistry
    function complete(uint256 modelId, bytes32 state, bytes32 manifest, bytes32 model_) external {
        Model storage model = _known(modelId);
        if (msg.sender != model.owner) revert ModelUnauthorized(modelId, msg.sender);
        if (model.creditUntil != 0) revert ModelComplete(modelId, model.creditUntil);
        uint256 until = block.timestamp + GRACE;
        (model.state, model.manifest, model.model, model.creditUntil) = (state, manifest, model_, uint40(until));
        emit ModelCompleted(modelId, state, manifest, model_, until);
    }

    // -- Income ------------------------------------------------------------------------------------------------------

    /// @inheritdoc IModelRegistry
    function pay(uint256 modelId, uint192 jobId, uint256 amount) external nonReentrant {
        if (_known(modelId).creditUntil == 0) revert ModelIncomplete(modelId);
        // INVARIANT: all that is paid in 2^96 payments fits 192 bits, so that no product below overflows.
        if (amount == 0 || amount >> 96 != 0) revert RoyaltyBadAmount(amount);
        Income storage income = _incomes[modelId];
        if (income.shares == 0) revert RoyaltyNobodys(modelId);
        income.total += amount;
        emit RoyaltyPaid(modelId, jobId, msg.sender, amount);
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IModelRegistry
    function claim(uint256[] calldata modelIds) external nonReentrant returns (uint256 amount) {
        for (uint256 i; i < modelIds.length; ++i) {
            _book(msg.sender, modelIds[i]);
        }
        amount = _booked[msg.sender];
        if (amount == 0) return 0;
        _booked[msg.sender] = 0;
        emit IncomeClaimed(msg.sender, amount);
        TOKEN.safeTransfer(msg.sender, amount);
    }

    /// @dev INVARIANT: whatever moves shares books first what they have earned where they were. Income goes with the time of
    /// holding, never with the share, so that no transfer, to oneself included, makes or takes any.
    function _update(address from, address to, uint256[] memory ids, uint256[] memory values) internal override {
        for (uint256 i; i < ids.length; ++i) {
            if (from != address(0)) _book(from, ids[i]);
            if (to != address(0)) _book(to, ids[i]);
        }
        super._update(from, to, ids, values);
    }

    function _book(address account, uint256 modelId) private {
        uint256 earned = claimable(account, modelId);
        _seen[modelId][account] = _perShare(modelId);
        if (earned != 0) _booked[account] += earned;
    }

    /// @dev Without ERC-1155's call to the receiver: a worker that refuses its shares would keep all others from theirs.
    function _issue(address account, uint256 modelId, uint256 shares) private {
        (uint256[] memory ids, uint256[] memory values) = (new uint256[](1), new uint256[](1));
        (ids[0], values[0]) = (modelId, shares);
        _update(address(0), account, ids, values);
        _incomes[modelId].shares += shares;
    }

    // -- Views -------------------------------------------------------------------------------------------------------

    /// @inheritdoc IModelRegistry
    function claimable(address account, uint256 modelId) public view returns (uint256) {
        // Cannot overflow: shares of one account are never more than those that the income was divided by.
        return (balanceOf(account, modelId) * (_perShare(modelId) - _seen[modelId][account])) >> SCALE;
    }

    /// @inheritdoc IModelRegistry
    function booked(address account) external view returns (uint256) {
        return _booked[account];
    }

    /// @inheritdoc IModelRegistry
    function royaltyUp(uint256 modelId, Terms calldata terms) external view returns (uint256) {
        uint256 fees = uint256(terms.fee) * terms.maxUnits * terms.tasks;
        return (fees * _known(modelId).plan.royalty + BASIS - 1) / BASIS;
    }

    /// @inheritdoc IModelRegistry
    function modelOf(uint256 modelId) external view returns (Model memory) {
        return _known(modelId);
    }

    /// @inheritdoc IModelRegistry
    function sharesOf(uint256 modelId) external view returns (uint256) {
        return _incomes[modelId].shares;
    }

    /// @inheritdoc IModelRegistry
    function isCredited(uint256 modelId, uint256 batchId) external view returns (bool) {
        return _credited[modelId][batchId];
    }

    /// @inheritdoc IModelRegistry
    function jobOf(uint256 modelId, uint32 index) public view returns (uint192) {
        Model storage model = _known(modelId);
        return Hashes.jobId(address(MARKET), model.owner, (uint64(model.nonce) << 32) | index);
    }

    /// @dev INVARIANT: nothing is divided before all who worked have had the time to be credited, and from then on there are
    /// no more shares: who is credited last has the same of every royalty as who was first.
    function _perShare(uint256 modelId) private view returns (uint256) {
        Income storage income = _incomes[modelId];
        if (income.total == 0 || !_isShared(_models[modelId])) return 0;
        return (income.total << SCALE) / income.shares;
    }

    function _isShared(Model storage model) private view returns (bool) {
        return model.creditUntil != 0 && block.timestamp > model.creditUntil;
    }

    function _known(uint256 modelId) private view returns (Model storage model) {
        model = _models[modelId];
        if (model.owner == address(0)) revert ModelUnknown(modelId);
    }
}
