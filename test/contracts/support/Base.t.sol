// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IAssayToken} from "../../../contracts/interfaces/IAssayToken.sol";
import {IBeacon} from "../../../contracts/interfaces/IBeacon.sol";
import {IChallenges} from "../../../contracts/interfaces/IChallenges.sol";
import {IDisputeGame} from "../../../contracts/interfaces/IDisputeGame.sol";
import {IJury} from "../../../contracts/interfaces/IJury.sol";
import {IMarket} from "../../../contracts/interfaces/IMarket.sol";
import {IRegistry} from "../../../contracts/interfaces/IRegistry.sol";
import {Draw} from "../../../contracts/libraries/Draw.sol";
import {Attestation, Batch, Leaf, LeafNode} from "../../../contracts/types/Batch.sol";
import {SignedLeaf, VerdictLeaf} from "../../../contracts/types/Disputes.sol";
import {Lease, Receipt, Verdict} from "../../../contracts/types/Messages.sol";
import {Terms} from "../../../contracts/types/Terms.sol";
import {TestTrees} from "./TestTrees.sol";
import {Vm} from "./Vm.sol";

interface IERC20Like {
    function balanceOf(address account) external view returns (uint256);
    function totalSupply() external view returns (uint256);
    function approve(address spender, uint256 amount) external returns (bool);
    function transfer(address to, uint256 amount) external returns (bool);
}

/// @notice A whole deployment with real contracts, accounts with session keys, and builders with defaults for all that
/// goes on chain. Bytecode comes from the artifacts, so that what is tested is what is deployed.
abstract contract Base {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    bytes32 internal constant CAPABILITY = keccak256(abi.encode(bytes32("assay.capability"), "exact-cpu-1", uint32(2)));
    bytes32 internal constant LEASE_TYPE =
        keccak256("Lease(uint192 jobId,uint32 shard,address worker,uint64 start,uint64 expiry)");
    bytes32 internal constant RECEIPT_TYPE = keccak256("Receipt(bytes32 leaseHash,bytes32 shardRoot,uint64 units)");
    bytes32 internal constant VERDICT_TYPE = keccak256(
        "Verdict(uint256 batchId,uint32 sample,uint32 position,address verifier,uint32 units,bytes32 outputCommitment,bytes32 keyedDigest)"
    );

    uint96 internal constant SEAT = 200 ether;
    uint96 internal constant LIVENESS_SLASH = 1 ether;
    uint32 internal constant WINDOW = 8;
    uint32 internal constant CLOCK = 20;
    uint32 internal constant ATTEST_LIMIT = 60;
    uint256 internal constant BURN_RATE = 5_000;
    uint32 internal constant MOVES_GAS = 900_000;

    /// @dev Session keys are registered and counted from the block after `setUp`.
    struct Actor {
        address account;
        address key;
        uint256 secret; // of the session key
    }

    /// @dev Work of one batch, from leaves to attestation; the parts that tests bend before they commit or attest.
    struct Work {
        Terms terms;
        uint192 jobId;
        uint256 batchId;
        Batch batch;
        Leaf[] leaves; // by position
        LeafNode[][][] shardLevels; // by ordinal
        LeafNode[][] topLevels;
        Lease[] leases; // by ordinal
        bytes[] leaseSignatures;
        Receipt[] receipts;
        bytes[] receiptSignatures;
        Attestation attestation;
        Verdict[] verdicts; // by sample
        bytes[] verdictSignatures;
        VerdictLeaf[] verdictLeaves;
        bytes32[][] verdictLevels;
    }

    IERC20Like internal token;
    IBeacon internal beacon;
    IRegistry internal registry;
    IChallenges internal challenges;
    IJury internal jury;
    IDisputeGame internal game;
    IMarket internal market;

    Actor internal requester;
    Actor internal coordinator;
    Actor internal walter; // an honest worker
    Actor internal mallory; // a worker whose leaves tests bend
    Actor[] internal verifiers; // with two seats each
    mapping(address account => Actor) internal actors;
    address[] internal accounts;
    uint64 internal nonce;

    function setUp() public virtual {
        vm.roll(1_000);
        vm.warp(1_700_000_000);
        vm.fee(1 gwei);
        _deploy();
        requester = enlist("requester");
        coordinator = enlist("coordinator");
        walter = enlist("walter");
        mallory = enlist("mallory");
        for (uint256 i; i < verifierCount(); ++i) {
            verifiers.push(enlist(string.concat("verifier ", string(abi.encodePacked(uint8(65 + i))))));
            vm.prank(verifiers[i].account);
            registry.stake(CAPABILITY, 2);
        }
        allow(walter, coordinator, 10_000 ether);
        allow(mallory, coordinator, 10_000 ether);
        allow(coordinator, coordinator, 10_000 ether);
        mine(1);
    }

    function verifierCount() internal pure virtual returns (uint256) {
        return 6;
    }

    // -- Deployment ------------------------------------------------------------------------------------------------

    function marketParams() internal view virtual returns (IMarket.Params memory p) {
        p.minCollateral = 1 ether;
        p.colluding = 3_333;
        p.burnRate = uint16(BURN_RATE);
        p.reauditRate = 1_000;
        p.attestLimit = ATTEST_LIMIT;
        p.window = WINDOW;
        p.clock = CLOCK;
        p.maxLease = 60;
        p.claimPeriod = 60;
        p.minSeats = 4;
        p.minOwners = 3;
        p.beacon = address(beacon);
        p.registry = address(registry);
        p.challenges = address(challenges);
        p.jury = address(jury);
        p.game = address(game);
    }

    function makeToken() internal virtual returns (address) {
        return create("AssayToken", "", abi.encode(uint256(1_000_000 ether), uint256(0)));
    }

    /// @notice Who judges elements; only tests of the game need one.
    function makeReferee() internal virtual returns (address) {
        return address(0xbeef);
    }

    function _deploy() internal {
        token = IERC20Like(makeToken());
        beacon = IBeacon(create("BlockBeacon", "beacons/", ""));
        address referee = makeReferee();
        uint256 next = vm.getNonce(address(this)) + 1; // GameJudge comes before the Registry
        registry = IRegistry(vm.computeCreateAddress(address(this), next));
        challenges = IChallenges(vm.computeCreateAddress(address(this), next + 1));
        jury = IJury(vm.computeCreateAddress(address(this), next + 2));
        game = IDisputeGame(vm.computeCreateAddress(address(this), next + 3));
        market = IMarket(vm.computeCreateAddress(address(this), next + 4));
        bytes memory gameConfig = abi.encode(
            address(registry),
            address(market),
            address(challenges),
            address(jury),
            referee,
            CLOCK,
            WINDOW,
            MOVES_GAS
        );
        address judge = create("GameJudge", "", gameConfig);
        create(
            "Registry",
            "",
            abi.encode(
                address(token),
                address(market),
                address(challenges),
                address(jury),
                address(game),
                SEAT,
                uint96(50 ether),
                uint32(600),
                uint32(130),
                LIVENESS_SLASH,
                uint16(BURN_RATE)
            )
        );
        uint32[4] memory gasFigures = [uint32(120_000), 320_000, 160_000, 160_000];
        create(
            "Challenges", "", abi.encode(address(registry), address(market), address(jury), address(game), gasFigures)
        );
        create("Jury", "", abi.encode(address(registry), address(market), address(challenges), address(game)));
        create("DisputeGame", "", abi.encodePacked(gameConfig, abi.encode(judge)));
        create("Market", "", abi.encode(marketParams()));
    }

    /// @dev The artifact of contracts/FOLDER/NAME.sol, as built by this project's own settings.
    function create(string memory name, string memory folder, bytes memory arguments) internal returns (address made) {
        string memory artifact =
            vm.readFile(string.concat("artifacts/contracts/", folder, name, ".sol/", name, ".json"));
        bytes memory code = abi.encodePacked(vm.parseJsonBytes(artifact, ".bytecode"), arguments);
        assembly ("memory-safe") {
            made := create(0, add(code, 32), mload(code))
            if iszero(made) {
                let p := mload(0x40)
                returndatacopy(p, 0, returndatasize())
                revert(p, returndatasize())
            }
        }
    }

    // -- Actors ----------------------------------------------------------------------------------------------------

    /// @notice A funded account with a registered session key, both derived from the name.
    function enlist(string memory name) internal returns (Actor memory made) {
        uint256 secret = uint256(keccak256(abi.encodePacked("session key of ", name)));
        made = Actor(
            vm.addr(uint256(keccak256(abi.encodePacked("account of ", name)))), vm.addr(secret), secret
        );
        actors[made.account] = made;
        accounts.push(made.account);
        vm.label(made.account, name);
        vm.deal(made.account, 10 ether);
        vm.startPrank(made.account);
        IAssayToken(address(token)).faucet();
        token.approve(address(registry), type(uint256).max);
        registry.registerKey(made.key, sign(secret, registryDigest(made.account, made.key)));
        vm.stopPrank();
    }

    function allow(Actor memory account, Actor memory with, uint96 amount) internal {
        vm.prank(account.account);
        registry.allow(with.account, amount);
    }

    function registryDigest(address account, address key) internal view returns (bytes32) {
        bytes32 domain = domainOf("Assay Registry", address(registry));
        return keccak256(
            abi.encodePacked(
                hex"1901",
                domain,
                keccak256(abi.encode(keccak256("RegisterKey(address account,address key)"), account, key))
            )
        );
    }

    function domainOf(string memory name, address verifying) internal view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256(bytes(name)),
                keccak256("1"),
                block.chainid,
                verifying
            )
        );
    }

    function typed(bytes32 structHash) internal view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", domainOf("Assay", address(market)), structHash));
    }

    function sign(uint256 secret, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(secret, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @notice Lets time pass without blocks.
    function pass(uint256 time) internal {
        vm.warp(vm.getBlockTimestamp() + time);
    }

    /// @notice `count` blocks of a second each.
    function mine(uint256 count) internal {
        vm.roll(vm.getBlockNumber() + count);
        vm.warp(vm.getBlockTimestamp() + count);
    }

    // -- Jobs ------------------------------------------------------------------------------------------------------

    /// @notice 15 tasks in shards of 4 (the last has 3), up to 3 units a task, audit 25 %.
    function buildTerms() internal view virtual returns (Terms memory terms) {
        terms.requester = requester.account;
        terms.coordinator = coordinator.account;
        terms.capability = CAPABILITY;
        terms.programRoot = keccak256("program");
        terms.tasks = 15;
        terms.shardSize = 4;
        terms.fee = 1 ether;
        terms.maxUnits = 3;
        terms.auditRate = 2_500;
        terms.auditRatio = 5_000;
        terms.auditBase = 0.1 ether;
        terms.auditBudget = 40 ether;
        terms.coordinatorFee = 0.05 ether;
        terms.deadline = uint64(block.timestamp + 1 days);
        terms.specHash = keccak256("spec");
        terms.inputs = inputLevels(terms.tasks)[TestTrees.depth(terms.tasks)][0];
    }

    function postJob(Terms memory terms) internal returns (uint192 jobId) {
        vm.prank(terms.requester);
        return market.post(terms, nonce++);
    }

    function inputOf(uint256 task) internal pure returns (bytes32) {
        return keccak256(abi.encode("input", task));
    }

    function outputOf(uint256 task) internal pure returns (bytes32) {
        return keccak256(abi.encode("right output", task));
    }

    function wrongOutputOf(uint256 task) internal pure returns (bytes32) {
        return keccak256(abi.encode("wrong output", task));
    }

    function unitsOf(uint256 task) internal pure returns (uint32) {
        return uint32(1 + task % 3);
    }

    function inputLevels(uint256 tasks) internal pure returns (bytes32[][] memory) {
        bytes32[] memory row = new bytes32[](tasks);
        for (uint32 i; i < tasks; ++i) {
            row[i] = keccak256(abi.encode(bytes32("assay.input"), i, inputOf(i)));
        }
        return TestTrees.pairs(row);
    }

    // -- Batches ---------------------------------------------------------------------------------------------------

    /// @notice Honest work on a posted job: walter has shards 0 and 2, mallory 1 and 3.
    function buildWork(Terms memory terms, uint192 jobId) internal view returns (Work memory work) {
        Actor[] memory workers = new Actor[](2);
        uint64[] memory masks = new uint64[](2);
        (workers[0], masks[0]) = (walter, 5);
        (workers[1], masks[1]) = (mallory, 10);
        return buildWork(terms, jobId, 0, workers, masks);
    }

    function buildWork(
        Terms memory terms,
        uint192 jobId,
        uint32 firstShard,
        Actor[] memory workers,
        uint64[] memory masks
    ) internal view returns (Work memory work) {
        work.terms = terms;
        work.jobId = jobId;
        work.batch.jobId = jobId;
        work.batch.firstShard = firstShard;
        work.batch.committer = terms.coordinator;
        work.batch.backer = terms.coordinator;
        uint256[] memory order = _ascending(workers);
        uint64 all;
        work.batch.ranges = new uint256[](workers.length);
        for (uint256 i; i < workers.length; ++i) {
            work.batch.ranges[i] = (uint256(uint160(workers[order[i]].account)) << 96) | masks[order[i]];
            all |= masks[order[i]];
        }
        uint256 shards;
        uint256 count;
        for (uint256 b; b < 64; ++b) {
            if ((all >> b) & 1 == 0) continue;
            ++shards;
            count += _tasksIn(terms, firstShard + b);
        }
        work.leaves = new Leaf[](count);
        work.leases = new Lease[](shards);
        uint256 position;
        uint256 ordinal;
        for (uint256 b; b < 64; ++b) {
            if ((all >> b) & 1 == 0) continue;
            address worker = address(uint160(work.batch.ranges[_rangeOfBit(work.batch.ranges, b)] >> 96));
            work.leases[ordinal] = Lease(
                jobId, uint32(firstShard + b), worker, uint64(block.timestamp), uint64(block.timestamp + 30)
            );
            uint256 first = (firstShard + b) * terms.shardSize;
            for (uint256 i; i < _tasksIn(terms, firstShard + b); ++i) {
                uint32 task = uint32(first + i);
                work.leaves[position++] = Leaf(task, worker, unitsOf(task), inputOf(task), outputOf(task));
            }
            ++ordinal;
        }
    }

    /// @notice Trees, ranges' units and signatures over what the leaves say now.
    function seal(Work memory work) internal view {
        uint256 shards = work.leases.length;
        work.shardLevels = new LeafNode[][][](shards);
        work.leaseSignatures = new bytes[](shards);
        work.receipts = new Receipt[](shards);
        work.receiptSignatures = new bytes[](shards);
        LeafNode[] memory row = new LeafNode[](shards);
        uint256 position;
        for (uint256 i; i < work.batch.ranges.length; ++i) {
            work.batch.ranges[i] &= ~(uint256(type(uint32).max) << 64);
        }
        for (uint256 o; o < shards; ++o) {
            Lease memory lease = work.leases[o];
            LeafNode[] memory nodes = new LeafNode[](_tasksIn(work.terms, lease.shard));
            for (uint256 i; i < nodes.length; ++i) {
                Leaf memory leaf = work.leaves[position++];
                nodes[i] = LeafNode(
                    keccak256(
                        abi.encode(
                            bytes32("assay.leaf"),
                            work.jobId,
                            leaf.taskIndex,
                            leaf.worker,
                            leaf.units,
                            leaf.inputCommitment,
                            leaf.outputCommitment
                        )
                    ),
                    leaf.units
                );
            }
            work.shardLevels[o] = TestTrees.sumTo(nodes, work.terms.shardSize);
            LeafNode[][] memory levels = work.shardLevels[o];
            row[o] = levels[levels.length - 1][0];
            uint256 index = _rangeOfBit(work.batch.ranges, lease.shard - work.batch.firstShard);
            work.batch.ranges[index] += uint256(row[o].units) << 64;
            signShard(work, o, row[o]);
        }
        work.topLevels = TestTrees.sum(row);
        LeafNode memory top = work.topLevels[work.topLevels.length - 1][0];
        work.batch.root = keccak256(abi.encode(bytes32("assay.root"), top.hash, top.units));
    }

    function signShard(Work memory work, uint256 o, LeafNode memory node) internal view {
        Lease memory lease = work.leases[o];
        bytes32 leaseHash = keccak256(abi.encode(LEASE_TYPE, lease));
        work.leaseSignatures[o] = sign(actors[work.terms.coordinator].secret, typed(leaseHash));
        work.receipts[o] = Receipt(leaseHash, node.hash, node.units);
        work.receiptSignatures[o] =
            sign(actors[lease.worker].secret, typed(keccak256(abi.encode(RECEIPT_TYPE, work.receipts[o]))));
    }

    function commit(Work memory work) internal {
        vm.prank(work.terms.coordinator);
        work.batchId = market.commitBatch(
            work.terms, work.jobId, work.batch.firstShard, work.batch.root, work.batch.ranges, keccak256("data")
        );
        work.batch.number = uint32(work.batchId);
        work.batch.commitBlock = uint64(vm.getBlockNumber());
    }

    /// @notice Passes the seed's block and draws.
    function draw(Work memory work) internal {
        mine(3);
        market.draw(work.batch);
        work.attestation.seed =
            keccak256(abi.encode(bytes32("assay.seed"), beacon.seed(work.batch.commitBlock), work.batchId));
    }

    function samplesOf(Work memory work) internal pure returns (uint256) {
        return Draw.samples(work.terms.auditRate, work.leaves.length);
    }

    function positionOf(Work memory work, uint256 sample) internal pure returns (uint32) {
        return uint32(Draw.position(work.attestation.seed, sample, work.leaves.length));
    }

    function candidatesOf(Work memory work, uint256 sample) internal view returns (address[] memory) {
        return Draw.candidates(
            registry,
            work.terms.capability,
            work.batch.commitBlock,
            work.attestation.seed,
            uint32(sample),
            work.leaves[positionOf(work, sample)].worker
        );
    }

    /// @notice A true verdict of any account on a sample.
    function verdictOf(Work memory work, uint256 sample, address verifier) internal pure returns (Verdict memory) {
        uint32 position = positionOf(work, sample);
        Leaf memory leaf = work.leaves[position];
        return Verdict(
            work.batchId,
            uint32(sample),
            position,
            verifier,
            leaf.units,
            outputOf(leaf.taskIndex),
            keccak256(abi.encode("keyed", verifier, position))
        );
    }

    function signVerdict(Verdict memory verdict) internal view returns (bytes memory) {
        return sign(actors[verdict.verifier].secret, typed(keccak256(abi.encode(VERDICT_TYPE, verdict))));
    }

    /// @notice True verdicts of each sample's first candidate.
    function audit(Work memory work) internal view {
        uint256 k = samplesOf(work);
        work.verdicts = new Verdict[](k);
        work.verdictSignatures = new bytes[](k);
        work.verdictLeaves = new VerdictLeaf[](k);
        for (uint256 i; i < k; ++i) {
            setVerdict(work, verdictOf(work, i, candidatesOf(work, i)[0]));
        }
    }

    function setVerdict(Work memory work, Verdict memory verdict) internal view {
        uint256 i = verdict.sample;
        work.verdicts[i] = verdict;
        work.verdictSignatures[i] = signVerdict(verdict);
        work.verdictLeaves[i] =
            VerdictLeaf(verdict.verifier, verdict.units, keccak256(abi.encode(VERDICT_TYPE, verdict)));
    }

    /// @notice The verdict tree and each verifier's totals, from the verdict leaves.
    function tally(Work memory work) internal pure {
        uint256 k = work.verdictLeaves.length;
        bytes32[] memory row = new bytes32[](k);
        uint256[] memory words = new uint256[](k);
        uint256 used;
        for (uint256 i; i < k; ++i) {
            VerdictLeaf memory leaf = work.verdictLeaves[i];
            row[i] = keccak256(
                abi.encode(bytes32("assay.verdict"), uint32(i), leaf.verifier, leaf.units, leaf.verdictHash)
            );
            if (leaf.verifier == address(0)) continue;
            uint256 j;
            while (j < used && words[j] >> 96 != uint160(leaf.verifier)) ++j;
            if (j == used) words[used++] = uint256(uint160(leaf.verifier)) << 96;
            words[j] += (1 << 64) + leaf.units;
        }
        for (uint256 i = 1; i < used; ++i) {
            for (uint256 j = i; j > 0 && words[j] < words[j - 1]; --j) {
                (words[j], words[j - 1]) = (words[j - 1], words[j]);
            }
        }
        work.verdictLevels = TestTrees.pairs(row);
        work.attestation.verdictRoot = work.verdictLevels[work.verdictLevels.length - 1][0];
        work.attestation.verifiers = new uint256[](used);
        for (uint256 i; i < used; ++i) {
            work.attestation.verifiers[i] = words[i];
        }
    }

    function attest(Work memory work) internal {
        Attestation memory a = work.attestation;
        vm.prank(work.batch.committer);
        market.attest(work.terms, work.batch, a.seed, a.verdictRoot, a.verifiers, a.silentRanges);
    }

    /// @notice A posted job with an honest batch of all its shards, sealed and not yet committed.
    function honestWork() internal returns (Work memory work) {
        Terms memory terms = buildTerms();
        work = buildWork(terms, postJob(terms));
        seal(work);
    }

    /// @notice The same, attested.
    function attestedWork() internal returns (Work memory work) {
        work = honestWork();
        toAttested(work);
    }

    function toAttested(Work memory work) internal {
        commit(work);
        draw(work);
        audit(work);
        tally(work);
        attest(work);
    }

    function finalize(Work memory work) internal {
        market.finalize(work.terms, work.batch, work.attestation);
    }

    // -- Openings --------------------------------------------------------------------------------------------------

    function ordinalOf(Work memory work, uint256 position) internal pure returns (uint256) {
        return position / work.terms.shardSize;
    }

    function pathOf(Work memory work, uint256 position) internal pure returns (LeafNode[] memory) {
        uint256 ordinal = ordinalOf(work, position);
        return TestTrees.join(
            TestTrees.path(work.shardLevels[ordinal], position % work.terms.shardSize),
            TestTrees.path(work.topLevels, ordinal)
        );
    }

    function signedLeafOf(Work memory work, uint256 position) internal pure returns (SignedLeaf memory) {
        uint256 o = ordinalOf(work, position);
        return SignedLeaf(
            work.leaves[position],
            pathOf(work, position),
            work.leases[o],
            work.leaseSignatures[o],
            work.receipts[o],
            work.receiptSignatures[o]
        );
    }

    /// @notice The row of shard roots.
    function rowOf(Work memory work) internal pure returns (LeafNode[] memory row) {
        row = new LeafNode[](work.leases.length);
        for (uint256 i; i < row.length; ++i) {
            LeafNode[][] memory levels = work.shardLevels[i];
            row[i] = levels[levels.length - 1][0];
        }
    }

    function rangeOfPosition(Work memory work, uint256 position) internal pure returns (uint256) {
        return
            _rangeOfBit(work.batch.ranges, work.leases[ordinalOf(work, position)].shard - work.batch.firstShard);
    }

    // -- Money -----------------------------------------------------------------------------------------------------

    /// @notice Everything that an account has in this world, wherever it lies (collateral locked in open batches apart).
    function wealthOf(address account) internal view returns (uint256 amount) {
        (uint256 staked, uint256 unbonding,,) = registry.stakerOf(account);
        amount = token.balanceOf(account) + staked + unbonding;
        (uint256 standing,) = registry.standingOf(account);
        amount += standing;
        for (uint256 i; i < accounts.length; ++i) {
            (uint256 free, uint256 owed,,) = registry.pairOf(account, accounts[i]);
            amount += free + owed;
        }
    }

    /// @notice R9: what the vault holds is what it owes. `jobs` and `locked` are what a test knows to be open.
    function assertConserved(uint192[] memory jobs, uint256 locked, string memory when) internal view {
        uint256 sum = locked;
        for (uint256 i; i < accounts.length; ++i) {
            (uint256 staked, uint256 unbonding,,) = registry.stakerOf(accounts[i]);
            (uint256 standing,) = registry.standingOf(accounts[i]);
            sum += staked + unbonding + standing;
            for (uint256 j; j < accounts.length; ++j) {
                (uint256 free, uint256 owed,,) = registry.pairOf(accounts[i], accounts[j]);
                sum += free + owed;
            }
        }
        for (uint256 i; i < jobs.length; ++i) {
            (uint256 fees, uint256 auditing,,,,,,) = market.jobOf(jobs[i]);
            sum += fees + auditing;
        }
        vm.assertEq(token.balanceOf(address(registry)), sum, string.concat("the vault holds what it owes: ", when));
    }

    // -- Inside ----------------------------------------------------------------------------------------------------

    function _tasksIn(Terms memory terms, uint256 shard) internal pure returns (uint256) {
        uint256 first = shard * terms.shardSize;
        return terms.tasks - first < terms.shardSize ? terms.tasks - first : terms.shardSize;
    }

    function _rangeOfBit(uint256[] memory ranges, uint256 bit) internal pure returns (uint256 i) {
        while ((ranges[i] >> bit) & 1 == 0) ++i;
    }

    function _ascending(Actor[] memory workers) internal pure returns (uint256[] memory order) {
        order = new uint256[](workers.length);
        for (uint256 i; i < order.length; ++i) {
            order[i] = i;
            for (uint256 j = i; j > 0 && workers[order[j]].account < workers[order[j - 1]].account; --j) {
                (order[j], order[j - 1]) = (order[j - 1], order[j]);
            }
        }
    }
}
