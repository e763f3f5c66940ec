// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {Registry} from "../../contracts/Registry.sol";
import {IRegistry} from "../../contracts/interfaces/IRegistry.sol";
import {Collateral} from "../../contracts/libraries/Collateral.sol";
import {Digests} from "../../contracts/libraries/Digests.sol";
import {Draw} from "../../contracts/libraries/Draw.sol";
import {Game} from "../../contracts/libraries/Game.sol";
import {Hashes} from "../../contracts/libraries/Hashes.sol";
import {Positions} from "../../contracts/libraries/Positions.sol";
import {Signed} from "../../contracts/libraries/Signed.sol";
import {Trees} from "../../contracts/libraries/Trees.sol";
import {Attestation, Batch, Leaf, LeafNode} from "../../contracts/types/Batch.sol";
import {Lease, Receipt, Release, Verdict} from "../../contracts/types/Messages.sol";
import {Operation, Program} from "../../contracts/types/Program.sol";
import {Range} from "../../contracts/types/Range.sol";
import {Terms} from "../../contracts/types/Terms.sol";
import {VerifierWord} from "../../contracts/types/VerifierWord.sol";

interface VectorsVm {
    function readFile(string calldata path) external view returns (string memory);
    function keyExistsJson(string calldata json, string calldata key) external view returns (bool);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256);
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32);
    function parseJsonAddress(string calldata json, string calldata key) external pure returns (address);
    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function toString(uint256 value) external pure returns (string memory);
    function chainId(uint256 id) external;
    function etch(address where, bytes calldata code) external;
    function prank(address sender) external;
}

/// @notice Owners of seats as the vectors name them: by the place of the panel that draws the seat.
contract VectorsSeats {
    /// @dev So many that no two places draw one seat.
    uint256 public constant SEATS = 1 << 64;
    mapping(uint256 seat => address) public owners;

    function set(uint256 seat, address owner) external {
        owners[seat] = owner;
    }

    function seatCountAt(bytes32, uint256) external pure returns (uint256) {
        return SEATS;
    }

    function seatOwnerAt(bytes32, uint256 seat, uint256) external view returns (address) {
        return owners[seat];
    }
}

/// @notice The same, for a stated number of seats.
contract VectorsBook {
    uint256 public immutable SEATS;
    mapping(uint256 seat => address) public owners;

    constructor(uint256 seats) {
        SEATS = seats;
    }

    function set(uint256 seat, address owner) external {
        owners[seat] = owner;
    }

    function seatCountAt(bytes32, uint256) external view returns (uint256) {
        return SEATS;
    }

    function seatOwnerAt(bytes32, uint256 seat, uint256) external view returns (address) {
        return owners[seat];
    }
}

/// @notice Solidity's side of `protocol/vectors/vectors.json`: the same bytes as in TypeScript.
/// @dev Every value is read in a call of its own, because the file would fill the test's memory otherwise.
contract VectorsTest {
    VectorsVm private constant vm = VectorsVm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    string private constant FILE = "protocol/vectors/vectors.json";

    error Differs(string what, bytes32 solidity, bytes32 vector);
    error NothingRead(string list);

    function setUp() public {
        vm.chainId(num(".signed.chainId"));
    }

    // -- Ids and single hashes ---------------------------------------------------------------------------------------

    function test_tags() public view {
        same(Hashes.LEAF, word(".tags.leaf"), "leaf");
        same(Hashes.NODE, word(".tags.node"), "node");
        same(Hashes.SEED, word(".tags.seed"), "seed");
        same(Hashes.CAPABILITY, word(".tags.capability"), "capability");
    }

    function test_R1_jobIds() public view {
        uint256 i;
        for (string memory place; has(place = item(".ids.jobs", i)); ++i) {
            uint64 nonce = uint64(num(place, ".nonce"));
            uint192 jobId = Hashes.jobId(account(place, ".market"), account(place, ".requester"), nonce);
            same(jobId, num(place, ".jobId"), "job id");
        }
        some(i, "jobs");
    }

    function test_ids() public view {
        for (uint256 i; i < 3; ++i) {
            string memory place = item(".ids.batches", i);
            uint256 id = Hashes.batchId(uint192(num(place, ".jobId")), uint32(num(place, ".number")));
            same(id, num(place, ".batchId"), "batch id");
        }
        string memory d = ".ids.disputes[0]";
        uint256 disputeId = Hashes.disputeId(num(d, ".batchId"), uint32(num(d, ".sample")), account(d, ".verifier"));
        same(disputeId, num(d, ".disputeId"), "dispute id");
        for (uint256 kind; kind < 4; ++kind) {
            string memory place = item(".ids.demands", kind);
            bytes32 id = Hashes.demandId(num(place, ".batchId"), uint8(num(place, ".kind")), uint32(num(place, ".position")));
            same(id, word(place, ".demandId"), "demand id");
        }
        string memory v = ".ids.votes[0]";
        bytes32 vote = Hashes.vote(
            num(v, ".disputeId"), account(v, ".juror"), word(v, ".outputCommitment"), word(v, ".salt")
        );
        same(vote, word(v, ".hash"), "vote");
    }

    function test_R1_termsHash() public view {
        for (uint256 i; i < 2; ++i) {
            string memory place = item(".terms", i);
            same(this.hashTerms(terms(string.concat(place, ".terms"))), word(place, ".hash"), "terms");
        }
    }

    function test_R3_R4_nodes() public view {
        string memory l = ".nodes.leaf";
        same(this.hashLeaf(uint192(num(l, ".jobId")), leaf(l)), word(l, ".hash"), "leaf");
        same(Hashes.pad(), word(".nodes.pad"), "pad");
        LeafNode memory left = node(".nodes.node.left");
        LeafNode memory right = node(".nodes.node.right");
        bytes32 joined = Hashes.node(left.hash, left.units, right.hash, right.units);
        same(joined, word(".nodes.node.joined.hash"), "node");
        same(uint256(left.units) + right.units, num(".nodes.node.joined.units"), "node units");
        same(Hashes.root(left.hash, left.units), word(".nodes.root.root"), "root");
        same(Hashes.pair(left.hash, right.hash), word(".nodes.pair.joined"), "pair");
        same(Hashes.empty(), word(".nodes.empty"), "empty");
        bytes32 input = Hashes.input(uint32(num(".nodes.input.taskIndex")), word(".nodes.input.commitment"));
        same(input, word(".nodes.input.hash"), "input");
    }

    function test_R25_capabilities() public view {
        uint256 i;
        for (string memory place; has(place = item(".capabilities", i)); ++i) {
            bytes32 hash = Hashes.capability(text(place, ".profile"), uint32(num(place, ".memoryGiB")));
            same(hash, word(place, ".hash"), "capability");
        }
        some(i, "capabilities");
    }

    // -- Batches -----------------------------------------------------------------------------------------------------

    function test_R4_batchTrees() public view {
        uint256 i;
        for (string memory place; has(place = item(".batches", i)); ++i) {
            LeafNode[] memory row = nodes(string.concat(place, ".row"));
            LeafNode memory top = this.sumRoot(row);
            same(top.hash, word(place, ".top.hash"), "top");
            same(top.units, num(place, ".top.units"), "units");
            same(Hashes.root(top.hash, top.units), word(place, ".root"), "committed root");
        }
        some(i, "batches");
    }

    function test_R3_R5_everyLeafOfEveryBatch() public view {
        uint256 i;
        for (string memory place; has(place = item(".batches", i)); ++i) {
            Batch memory batch;
            batch.firstShard = uint32(num(place, ".firstShard"));
            batch.ranges = numbers(string.concat(place, ".ranges"));
            Terms memory plan;
            plan.tasks = uint32(num(place, ".tasks"));
            plan.shardSize = uint16(num(place, ".shardSize"));
            same(this.union(batch.ranges), num(place, ".mask"), "mask");
            same(this.countLeaves(plan, batch), num(place, ".size"), "size");
            uint256 position;
            for (string memory l; has(l = item(string.concat(place, ".leaves"), position)); ++position) {
                checkLeaf(place, l, plan, batch, position);
            }
            same(position, num(place, ".size"), "leaves");
        }
        some(i, "batches");
    }

    function checkLeaf(string memory place, string memory l, Terms memory plan, Batch memory batch, uint256 position)
        private
        view
    {
        (uint256 ordinal, uint256 shard, uint256 taskIndex) = this.locate(plan, batch, position);
        same(ordinal, num(l, ".ordinal"), "ordinal");
        same(shard, num(l, ".shard"), "shard");
        same(taskIndex, num(l, ".taskIndex"), "task index");
        LeafNode[] memory path = nodes(string.concat(l, ".path"));
        LeafNode memory found =
            LeafNode(this.hashLeaf(uint192(num(place, ".jobId")), leaf(l)), uint64(num(l, ".units")));
        same(found.hash, word(l, ".hash"), "leaf");
        uint256 shardDepth = Trees.depth(plan.shardSize);
        found = this.fold(found, position % plan.shardSize, path, 0, shardDepth);
        same(found.hash, word(string.concat(place, ".row", index(ordinal)), ".hash"), "shard root");
        found = this.fold(found, ordinal, path, shardDepth, path.length - shardDepth);
        same(Hashes.root(found.hash, found.units), word(place, ".root"), "root by path");
        (, Range range) = this.rangeOf(batch.ranges, ordinal);
        require(range.worker() == account(l, ".worker"), "worker of the range");
    }

    function test_R24a_digests() public view {
        Batch memory batch = Batch({
            jobId: uint192(num(".digests.batch.jobId")),
            number: uint32(num(".digests.batch.number")),
            firstShard: uint32(num(".digests.batch.firstShard")),
            root: word(".digests.batch.root"),
            commitBlock: uint64(num(".digests.batch.commitBlock")),
            committer: account(".digests.batch", ".committer"),
            backer: account(".digests.batch", ".backer"),
            ranges: numbers(".digests.batch.ranges")
        });
        bytes32 hash = this.hashBatch(batch);
        same(hash, word(".digests.hash"), "batch");
        same(Digests.committed(hash), num(".digests.committed"), "committed");
        same(Digests.drawn(hash, word(".digests.attestation.seed")), num(".digests.drawn"), "drawn");
        same(Digests.drawn(hash, 0), num(".digests.undrawn"), "undrawn");
        Attestation memory attestation = Attestation({
            seed: word(".digests.attestation.seed"),
            verdictRoot: word(".digests.attestation.verdictRoot"),
            verifiers: numbers(".digests.attestation.verifiers"),
            silentRanges: uint64(num(".digests.attestation.silentRanges"))
        });
        same(this.attested(hash, attestation), num(".digests.attested"), "attested");
    }

    // -- Plain trees -------------------------------------------------------------------------------------------------

    function test_R3_pairTrees() public view {
        uint256 i;
        for (string memory place; has(place = item(".pairTrees", i)); ++i) {
            bytes32[] memory leaves = words(string.concat(place, ".leaves"));
            for (uint256 position; position < leaves.length; ++position) {
                bytes32[] memory path = words(string.concat(place, ".paths", index(position)));
                bytes32 root = this.pairPath(leaves[position], position, leaves.length, path);
                same(root, word(place, ".root"), "root by path");
            }
            same(this.pairAll(leaves), word(place, ".root"), "root");
        }
        some(i, "pair trees");
    }

    function test_R1_inputs() public view {
        bytes32[] memory commitments = words(".inputs.commitments");
        for (uint256 i; i < commitments.length; ++i) {
            bytes32[] memory path = words(string.concat(".inputs.paths", index(i)));
            bytes32 root = this.pairPath(Hashes.input(uint32(i), commitments[i]), i, commitments.length, path);
            same(root, word(".inputs.root"), "inputs root");
        }
        some(commitments.length, "inputs");
    }

    function test_R24_verdicts() public view {
        bytes32[] memory leaves = new bytes32[](5);
        for (uint32 i; i < 5; ++i) {
            string memory place = item(".verdicts.leaves", i);
            leaves[i] = Hashes.verdict(i, account(place, ".verifier"), uint32(num(place, ".units")), word(place, ".verdictHash"));
            same(leaves[i], word(place, ".hash"), "verdict leaf");
            bytes32[] memory path = words(string.concat(place, ".path"));
            same(this.pairPath(leaves[i], i, 5, path), word(".verdicts.root"), "verdict path");
        }
        same(leaves[2], Hashes.silent(2), "silent");
        same(this.pairAll(leaves), word(".verdicts.root"), "verdict root");
        uint256[] memory packed = numbers(".verdicts.verifiers");
        uint256 counted;
        for (uint256 i; i < packed.length; ++i) {
            counted += VerifierWord.wrap(packed[i]).count();
        }
        same(counted, 4, "verdicts counted");
    }

    // -- Tensors (SHA-256, R6), spelled out: a contract that judges openings will do the same ------------------------

    function test_R6_R21_tensors() public view {
        bytes memory key = abi.encodePacked(
            uint8(4),
            account(".tensors.key", ".verifier"),
            num(".tensors.key.batchId"),
            uint32(num(".tensors.key.position"))
        );
        uint256 i;
        for (string memory place; has(place = item(".tensors.cases", i)); ++i) {
            uint256[] memory dims = numbers(string.concat(place, ".dims"));
            bytes memory head = abi.encodePacked(uint8(3), dtype(text(place, ".dtype")), uint8(dims.length));
            for (uint256 d; d < dims.length; ++d) {
                head = abi.encodePacked(head, uint64(dims[d]));
            }
            uint256 size = num(place, ".bytes");
            bytes32 root = sha256(abi.encodePacked(head, chunkTree(size, hex"00")));
            same(root, word(place, ".root"), "tensor root");
            bytes32 keyed = sha256(abi.encodePacked(head, chunkTree(size, key)));
            same(keyed, word(place, ".keyedRoot"), "keyed root");
        }
        some(i, "tensors");
    }

    function test_R6_commitments() public view {
        uint256 i;
        for (string memory place; has(place = item(".task.commitments", i)); ++i) {
            bytes32[] memory roots = words(string.concat(place, ".roots"));
            bytes32 salt = word(place, ".salt");
            same(commitRoots(salt, roots), word(place, ".commitment"), "commitment");
        }
        some(i, "commitments");
        bytes32 salt_ = keccak256(
            abi.encode(bytes32("assay.salt"), word(".task.jobSalt"), uint32(num(".task.taskIndex")))
        );
        same(salt_, word(".task.salt"), "salt");
        bytes32 outputSalt = keccak256(abi.encode(bytes32("assay.salt.out"), salt_));
        bytes32 digestSalt = keccak256(abi.encode(bytes32("assay.salt.digest"), salt_));
        bytes32 outputPart = commitRoots(outputSalt, words(".task.outputRoots"));
        bytes32 digestPart = commitRoots(digestSalt, words(".task.digestRoots"));
        same(outputPart, word(".task.outputPart"), "output part");
        same(digestPart, word(".task.digestPart"), "digest part");
        same(
            keccak256(abi.encode(bytes32("assay.output"), outputPart, digestPart)),
            word(".task.outputCommitment"),
            "output commitment"
        );
    }

    function test_R2_programRoots() public view {
        uint256 i;
        for (string memory place; has(place = item(".programs", i)); ++i) {
            uint256 count;
            while (has(item(string.concat(place, ".digestTensors"), count))) ++count;
            string[] memory names = new string[](count);
            for (uint256 n; n < count; ++n) {
                names[n] = text(item(string.concat(place, ".digestTensors"), n), "");
            }
            bytes32 root = keccak256(
                abi.encode(
                    bytes32("assay.program"), uint8(0), word(place, ".modelSha256"), keccak256(abi.encode(names))
                )
            );
            same(root, word(place, ".root"), "program root");
        }
        some(i, "programs");
    }

    // -- Draws -------------------------------------------------------------------------------------------------------

    function test_R19_seed() public view {
        bytes32 seed = Hashes.seed(word(".seeds[0].beacon"), num(".seeds[0].id"));
        same(seed, word(".seeds[0].seed"), "seed");
    }

    function test_R19_permutations() public view {
        uint256 i;
        for (string memory place; has(place = item(".permutations", i)); ++i) {
            uint256[] memory images = numbers(string.concat(place, ".images"));
            bytes32 seed = word(place, ".seed");
            for (uint256 x; x < images.length; ++x) {
                same(Draw.position(seed, x, images.length), images[x], "image");
            }
        }
        some(i, "permutations");
        for (i = 0; i < 4; ++i) {
            string memory place = item(".wide", i);
            uint256[] memory indices = numbers(string.concat(place, ".indices"));
            uint256[] memory images = numbers(string.concat(place, ".images"));
            for (uint256 x; x < images.length; ++x) {
                same(Draw.position(word(place, ".seed"), indices[x], num(place, ".size")), images[x], "wide image");
            }
        }
    }

    function test_R19_samples() public view {
        uint256 i;
        for (string memory place; has(place = item(".samples", i)); ++i) {
            uint256 k = Draw.samples(num(place, ".auditRate"), num(place, ".size"));
            same(k, num(place, ".count"), "k");
        }
        some(i, "samples");
    }

    function test_R20_R28_seats() public view {
        uint256 i;
        for (string memory place; has(place = item(".panels", i)); ++i) {
            uint256[] memory seats = numbers(string.concat(place, ".seats"));
            for (uint256 j; j < seats.length; ++j) {
                same(Draw.panelSeat(word(place, ".seed"), j, num(place, ".seatCount")), seats[j], "panel seat");
            }
        }
        some(i, "panels");
        uint256[] memory jury = numbers(".juries[0].seats");
        bytes32 seed = Hashes.seed(word(".juries[0].beacon"), num(".juries[0].disputeId"));
        for (uint256 j; j < jury.length; ++j) {
            same(Draw.jurySeat(seed, j, num(".juries[0].seatCount")), jury[j], "jury seat");
        }
        some(jury.length, "jury seats");
    }

    function test_R20_candidates() public {
        uint256 i;
        for (string memory place; has(place = item(".candidates", i)); ++i) {
            VectorsSeats seats = new VectorsSeats();
            bytes32 seed = word(place, ".seed");
            address[] memory owners = accounts(string.concat(place, ".owners"));
            for (uint256 j; j < owners.length; ++j) {
                seats.set(Draw.panelSeat(seed, j, seats.SEATS()), owners[j]);
            }
            address[] memory drawn = Draw.candidates(
                IRegistry(address(seats)), 0, 0, seed, uint32(num(place, ".sample")), account(place, ".executor")
            );
            address[] memory expected = accounts(string.concat(place, ".candidates"));
            same(drawn.length, expected.length, "candidates");
            for (uint256 c; c < drawn.length; ++c) {
                require(drawn[c] == expected[c], "candidate");
            }
            drawn = Draw.drawn(
                IRegistry(address(seats)),
                0,
                0,
                seed,
                uint32(num(place, ".sample")),
                account(place, ".executor"),
                Draw.CALLED
            );
            expected = accounts(string.concat(place, ".called"));
            same(drawn.length, expected.length, "called");
            for (uint256 c; c < drawn.length; ++c) {
                require(drawn[c] == expected[c], "called");
            }
        }
        some(i, "candidates");
    }

    function test_R22_secondAudits() public {
        uint256 i;
        for (string memory place; has(place = item(".secondAudits", i)); ++i) {
            (bytes32 seed, uint256 batchId, uint32 sample) =
                (word(place, ".seed"), num(place, ".batchId"), uint32(num(place, ".sample")));
            uint256 r;
            for (string memory rate; has(rate = item(string.concat(place, ".drawn"), r)); ++r) {
                bool drawn = Draw.isReaudited(seed, batchId, sample, num(rate, ".reauditRate"));
                same(drawn ? 1 : 0, num(rate, ".is"), "drawn again");
            }
            some(r, "rates");
            uint256[] memory numbers_ = numbers(string.concat(place, ".seats"));
            VectorsBook book = new VectorsBook(num(place, ".seatCount"));
            address[] memory owners = accounts(string.concat(place, ".owners"));
            for (uint256 j; j < numbers_.length; ++j) {
                book.set(numbers_[j], owners[j]);
            }
            address[] memory found = Draw.reauditors(
                IRegistry(address(book)),
                0,
                0,
                seed,
                batchId,
                sample,
                account(place, ".executor"),
                account(place, ".first")
            );
            address[] memory expected = accounts(string.concat(place, ".reauditors"));
            same(found.length, expected.length, "re-auditors");
            for (uint256 c; c < found.length; ++c) {
                require(found[c] == expected[c], "re-auditor");
            }
        }
        some(i, "second audits");
    }

    // -- Signatures --------------------------------------------------------------------------------------------------

    function test_R8_R14_R21_signed() public view {
        string memory m = ".signed.Lease.message";
        Lease memory lease = Lease({
            jobId: uint192(num(m, ".jobId")),
            shard: uint32(num(m, ".shard")),
            worker: account(m, ".worker"),
            start: uint64(num(m, ".start")),
            expiry: uint64(num(m, ".expiry"))
        });
        checkSigned(".signed.Lease", this.hashLease(lease));

        m = ".signed.Receipt.message";
        Receipt memory receipt = Receipt(word(m, ".leaseHash"), word(m, ".shardRoot"), uint64(num(m, ".units")));
        same(receipt.leaseHash, this.hashLease(lease), "lease hash");
        checkSigned(".signed.Receipt", this.hashReceipt(receipt));

        m = ".signed.Release.message";
        checkSigned(".signed.Release", this.hashRelease(Release(word(m, ".leaseHash"), uint64(num(m, ".at")))));

        m = ".signed.Verdict.message";
        Verdict memory verdict = Verdict({
            batchId: num(m, ".batchId"),
            sample: uint32(num(m, ".sample")),
            position: uint32(num(m, ".position")),
            verifier: account(m, ".verifier"),
            units: uint32(num(m, ".units")),
            outputCommitment: word(m, ".outputCommitment"),
            keyedDigest: word(m, ".keyedDigest")
        });
        checkSigned(".signed.Verdict", this.hashVerdict(verdict));
    }

    /// @dev The Registry's own domain: its code at the address that the vector signs for takes the vector's signature.
    function test_R8_registerKey() public {
        address here = address(this);
        Registry made = new Registry(
            Registry.Config({
                token: here,
                market: here,
                challenges: here,
                jury: here,
                game: here,
                seat: 1,
                standingBond: 1,
                unbonding: 1,
                notice: 1,
                livenessSlash: 0,
                burnRate: 5_000
            })
        );
        Registry registry = Registry(account(".signed", ".registry"));
        vm.etch(address(registry), address(made).code);
        address owner = account(".signed.RegisterKey.message", ".account");
        address key = account(".signed.RegisterKey.message", ".key");
        bytes memory signature = this.readBytes(".signed.RegisterKey.signature");
        vm.prank(owner);
        registry.registerKey(key, signature);
        (address held,,) = registry.keyOf(key);
        require(held == owner && owner != address(0), "owner of the key");
    }

    function checkSigned(string memory place, bytes32 structHash) private view {
        same(structHash, word(place, ".structHash"), place);
        bytes32 digest = Signed.digest(Signed.domainSeparator(account(".signed", ".market")), structHash);
        same(digest, word(place, ".digest"), place);
        bytes memory signature = this.readBytes(string.concat(place, ".signature"));
        bytes32 r;
        bytes32 s;
        assembly ("memory-safe") {
            r := mload(add(signature, 32))
            s := mload(add(signature, 64))
        }
        address signer = ecrecover(digest, uint8(signature[64]), r, s);
        require(signer == account(place, ".signer") && signer != address(0), "signer");
    }

    // -- Money -------------------------------------------------------------------------------------------------------

    function test_R9_R11_R22_R23_money() public view {
        uint256 i;
        for (string memory place; has(place = item(".money.cases", i)); ++i) {
            Terms memory t = terms(string.concat(place, ".terms"));
            same(this.collateral(t), num(place, ".collateral"), "C");
            same(this.verdictCollateral(t), num(place, ".verdictCollateral"), "C_v");
            same(this.auditRate(t), num(place, ".auditUnitRate"), "A");
            same(this.auditFee(t), num(place, ".auditFee"), "audit fee");
            same(this.minBudget(t), num(place, ".minAuditBudget"), "least budget");
            for (uint256 r; r < 3; ++r) {
                string memory of_ = item(string.concat(place, ".reserves"), r);
                same(this.reserve(t, num(of_, ".size")), num(of_, ".reserve"), "reserve");
            }
        }
        some(i, "money");
        for (i = 0; i < 5; ++i) {
            string memory place = item(".money.detection", i);
            same(Collateral.detectionDown(num(place, ".colluding")), num(place, ".bps"), "d");
        }
        for (i = 0; i < 4; ++i) {
            string memory place = item(".money.slashes", i);
            same(Collateral.burnedUp(num(place, ".amount"), num(place, ".burnRate")), num(place, ".burned"), "burned");
        }
    }

    // -- Programs, traces and the game ---------------------------------------------------------------------------------

    function test_R2_programsOfVersion1() public view {
        uint256 count;
        for (; has(item(".disputes.operations", count)); ++count) {
            string memory place = item(".disputes.operations", count);
            Operation memory operation =
                abi.decode(this.readBytes(string.concat(place, ".operation")), (Operation));
            same(this.hashOperation(num(place, ".index"), operation), word(place, ".leaf"), "operation leaf");
        }
        some(count, "operations");
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            leaves[i] = word(item(".disputes.operations", i), ".leaf");
        }
        same(this.rootOfRow(false, count, leaves), word(".disputes.operationsRoot"), "operations root");
        Program memory program = abi.decode(this.readBytes(".disputes.program"), (Program));
        same(program.operationsRoot, word(".disputes.operationsRoot"), "operations root of the program");
        same(this.hashProgram(program), word(".disputes.programRoot"), "program root");
    }

    function test_R27_tracesAndRows() public view {
        uint256 i;
        for (string memory place; has(place = item(".disputes.traces", i)); ++i) {
            bytes32[] memory roots = words(string.concat(place, ".roots"));
            for (uint256 wire; wire < roots.length; ++wire) {
                same(Hashes.wire(wire, roots[wire]), word(item(string.concat(place, ".leaves"), wire)), "wire leaf");
            }
            requireRows(false, place);
        }
        some(i, "traces");
        for (i = 0; has(item(".disputes.tensors", i)); ++i) {
            string memory place = item(".disputes.tensors", i);
            same(chunkTree(num(place, ".bytes"), hex"00"), word(place, ".root"), "tensor tree");
            requireRows(true, place);
        }
        some(i, "tensors");
    }

    function test_R12_R27_gameIds() public view {
        string memory place = ".disputes.finds[0]";
        same(
            Hashes.find(account(place, ".finder"), num(place, ".batchId"), uint32(num(place, ".position")), word(place, ".salt")),
            word(place, ".hash"),
            "find"
        );
        place = ".disputes.games[0]";
        (uint256 batchId, uint32 position) = (num(place, ".batchId"), uint32(num(place, ".position")));
        address challenger = account(place, ".challenger");
        same(Hashes.gameId(batchId, position, challenger), num(place, ".disputeId"), "dispute");
        same(
            Hashes.verdictGameId(batchId, position, challenger, account(place, ".verifier")),
            num(place, ".verdictDisputeId"),
            "verdict dispute"
        );
        place = ".disputes.traceHash";
        same(Signed.traceHash(num(place, ".disputeId"), word(place, ".traceRoot")), word(place, ".hash"), "trace hash");
    }

    /// @dev Every row hashes to the node that it lies under.
    function requireRows(bool inside, string memory place) private view {
        uint256 i;
        for (string memory row; has(row = item(string.concat(place, ".rows"), i)); ++i) {
            bytes32 computed = this.nodeOfRow(
                inside, num(row, ".count"), num(row, ".level"), num(row, ".index"), words(string.concat(row, ".nodes"))
            );
            same(computed, word(row, ".node"), "row");
        }
        some(i, "rows");
    }

    // -- Calldata: the libraries take structs as calls bring them ----------------------------------------------------

    function hashOperation(uint256 at_, Operation calldata value) external pure returns (bytes32) {
        return Hashes.operation(at_, value);
    }

    function hashProgram(Program calldata value) external pure returns (bytes32) {
        return Hashes.program(value);
    }

    function rootOfRow(bool inside, uint256 count, bytes32[] calldata row) external view returns (bytes32) {
        return Game.rowRoot(inside, count, Trees.depth(count), 0, row);
    }

    function nodeOfRow(bool inside, uint256 count, uint256 level, uint256 at_, bytes32[] calldata row)
        external
        view
        returns (bytes32)
    {
        return Game.rowRoot(inside, count, level, at_, row);
    }

    function hashTerms(Terms calldata t) external pure returns (bytes32) {
        return Hashes.terms(t);
    }

    function hashBatch(Batch calldata batch) external pure returns (bytes32) {
        return Digests.batch(batch);
    }

    function attested(bytes32 batchHash, Attestation calldata attestation) external pure returns (uint192) {
        return Digests.attested(batchHash, attestation);
    }

    function hashLeaf(uint192 jobId, Leaf calldata value) external pure returns (bytes32) {
        return Hashes.leaf(jobId, value);
    }

    function hashLease(Lease calldata value) external pure returns (bytes32) {
        return Signed.hash(value);
    }

    function hashReceipt(Receipt calldata value) external pure returns (bytes32) {
        return Signed.hash(value);
    }

    function hashRelease(Release calldata value) external pure returns (bytes32) {
        return Signed.hash(value);
    }

    function hashVerdict(Verdict calldata value) external pure returns (bytes32) {
        return Signed.hash(value);
    }

    function fold(LeafNode calldata found, uint256 position, LeafNode[] calldata path, uint256 from, uint256 levels)
        external
        pure
        returns (LeafNode memory)
    {
        return Trees.fold(found, position, path, from, levels);
    }

    function sumRoot(LeafNode[] calldata row) external pure returns (LeafNode memory) {
        return Trees.sumRoot(row);
    }

    function pairPath(bytes32 value, uint256 position, uint256 count, bytes32[] calldata path)
        external
        pure
        returns (bytes32)
    {
        return Trees.pairRoot(value, position, count, path);
    }

    function pairAll(bytes32[] calldata leaves) external pure returns (bytes32) {
        return Trees.pairRoot(leaves);
    }

    function union(uint256[] calldata ranges) external pure returns (uint256) {
        return Positions.union(ranges);
    }

    function rangeOf(uint256[] calldata ranges, uint256 ordinal) external pure returns (uint256, Range) {
        return Positions.rangeOf(ranges, ordinal);
    }

    function countLeaves(Terms calldata t, Batch calldata batch) external pure returns (uint256) {
        return Positions.leaves(t, batch.firstShard, Positions.union(batch.ranges));
    }

    function locate(Terms calldata t, Batch calldata batch, uint256 position)
        external
        pure
        returns (uint256, uint256, uint256)
    {
        return Positions.locate(t, batch, position);
    }

    function collateral(Terms calldata t) external view returns (uint256) {
        return Collateral.rangeUp(
            t, num(".money.minCollateral"), num(".money.colluding"), num(".money.burnRate")
        );
    }

    function verdictCollateral(Terms calldata t) external view returns (uint256) {
        return Collateral.verdictUp(t, num(".money.reauditRate"), num(".money.colluding"), num(".money.burnRate"));
    }

    function auditRate(Terms calldata t) external pure returns (uint256) {
        return Collateral.auditRateUp(t);
    }

    function auditFee(Terms calldata t) external pure returns (uint256) {
        return Collateral.auditFeeUp(t);
    }

    function minBudget(Terms calldata t) external pure returns (uint256) {
        return Collateral.budgetUp(t, Positions.shards(t));
    }

    function reserve(Terms calldata t, uint256 leaves) external pure returns (uint256) {
        return Collateral.reserveUp(t, leaves);
    }

    // -- Reading -----------------------------------------------------------------------------------------------------

    function readUint(string calldata path) external view returns (uint256) {
        return vm.parseJsonUint(vm.readFile(FILE), path);
    }

    function readWord(string calldata path) external view returns (bytes32) {
        return vm.parseJsonBytes32(vm.readFile(FILE), path);
    }

    function readAddress(string calldata path) external view returns (address) {
        return vm.parseJsonAddress(vm.readFile(FILE), path);
    }

    function readText(string calldata path) external view returns (string memory) {
        return vm.parseJsonString(vm.readFile(FILE), path);
    }

    function readBytes(string calldata path) external view returns (bytes memory) {
        return vm.parseJsonBytes(vm.readFile(FILE), path);
    }

    function exists(string calldata path) external view returns (bool) {
        return vm.keyExistsJson(vm.readFile(FILE), path);
    }

    function num(string memory path) private view returns (uint256) {
        return this.readUint(path);
    }

    function num(string memory place, string memory key) private view returns (uint256) {
        return this.readUint(string.concat(place, key));
    }

    function word(string memory path) private view returns (bytes32) {
        return this.readWord(path);
    }

    function word(string memory place, string memory key) private view returns (bytes32) {
        return this.readWord(string.concat(place, key));
    }

    function account(string memory place, string memory key) private view returns (address) {
        return this.readAddress(string.concat(place, key));
    }

    function text(string memory place, string memory key) private view returns (string memory) {
        return this.readText(string.concat(place, key));
    }

    function has(string memory path) private view returns (bool) {
        return this.exists(path);
    }

    function index(uint256 i) private pure returns (string memory) {
        return string.concat("[", vm.toString(i), "]");
    }

    function item(string memory list, uint256 i) private pure returns (string memory) {
        return string.concat(list, index(i));
    }

    function lengthOf(string memory list) private view returns (uint256 length) {
        while (has(item(list, length))) ++length;
    }

    function numbers(string memory list) private view returns (uint256[] memory values) {
        values = new uint256[](lengthOf(list));
        for (uint256 i; i < values.length; ++i) {
            values[i] = num(item(list, i));
        }
    }

    function words(string memory list) private view returns (bytes32[] memory values) {
        values = new bytes32[](lengthOf(list));
        for (uint256 i; i < values.length; ++i) {
            values[i] = word(item(list, i));
        }
    }

    function accounts(string memory list) private view returns (address[] memory values) {
        values = new address[](lengthOf(list));
        for (uint256 i; i < values.length; ++i) {
            values[i] = account(list, index(i));
        }
    }

    function node(string memory place) private view returns (LeafNode memory) {
        return LeafNode(word(place, ".hash"), uint64(num(place, ".units")));
    }

    function nodes(string memory list) private view returns (LeafNode[] memory values) {
        values = new LeafNode[](lengthOf(list));
        for (uint256 i; i < values.length; ++i) {
            values[i] = node(item(list, i));
        }
    }

    function leaf(string memory place) private view returns (Leaf memory) {
        return Leaf({
            taskIndex: uint32(num(place, ".taskIndex")),
            worker: account(place, ".worker"),
            units: uint32(num(place, ".units")),
            inputCommitment: word(place, ".inputCommitment"),
            outputCommitment: word(place, ".outputCommitment")
        });
    }

    function terms(string memory place) private view returns (Terms memory t) {
        t.version = uint8(num(place, ".version"));
        t.kind = uint8(num(place, ".kind"));
        t.requester = account(place, ".requester");
        t.coordinator = account(place, ".coordinator");
        t.class = uint8(num(place, ".class"));
        t.capability = word(place, ".capability");
        t.programRoot = word(place, ".programRoot");
        t.inputs = word(place, ".inputs");
        t.tasks = uint32(num(place, ".tasks"));
        t.shardSize = uint16(num(place, ".shardSize"));
        t.fee = uint96(num(place, ".fee"));
        t.maxUnits = uint32(num(place, ".maxUnits"));
        t.auditRate = uint16(num(place, ".auditRate"));
        t.auditRatio = uint16(num(place, ".auditRatio"));
        t.auditBase = uint96(num(place, ".auditBase"));
        t.auditBudget = uint96(num(place, ".auditBudget"));
        t.coordinatorFee = uint96(num(place, ".coordinatorFee"));
        t.valueAtRisk = uint96(num(place, ".valueAtRisk"));
        t.deadline = uint64(num(place, ".deadline"));
        t.specHash = word(place, ".specHash");
    }

    // -- Helpers -----------------------------------------------------------------------------------------------------

    function commitRoots(bytes32 salt, bytes32[] memory roots) private pure returns (bytes32) {
        return keccak256(abi.encode(bytes32("assay.tensors"), salt, roots));
    }

    /// @dev Byte i of the sample tensors is (31 i + 7) mod 256; leaves are sha256(prefix, chunk) (R6, R21).
    function chunkTree(uint256 size, bytes memory prefix) private pure returns (bytes32) {
        uint256 chunks = (size + 1023) / 1024;
        uint256 width = 1 << Trees.depth(chunks);
        bytes32[] memory row = new bytes32[](width);
        for (uint256 c; c < width; ++c) {
            if (c >= chunks) {
                row[c] = sha256(hex"02");
                continue;
            }
            bytes memory chunk = new bytes(1024);
            for (uint256 b; b < 1024 && c * 1024 + b < size; ++b) {
                chunk[b] = bytes1(uint8((31 * (c * 1024 + b) + 7) % 256));
            }
            row[c] = sha256(abi.encodePacked(prefix, chunk));
        }
        for (; width > 1; width >>= 1) {
            for (uint256 i; i < width; i += 2) {
                row[i >> 1] = sha256(abi.encodePacked(hex"01", row[i], row[i + 1]));
            }
        }
        return row[0];
    }

    /// @dev Numbers of onnx.proto, TensorProto.DataType.
    function dtype(string memory name) private pure returns (uint8) {
        string[17] memory names = [
            "",
            "float32",
            "uint8",
            "int8",
            "uint16",
            "int16",
            "int32",
            "int64",
            "string",
            "bool",
            "float16",
            "float64",
            "uint32",
            "uint64",
            "complex64",
            "complex128",
            "bfloat16"
        ];
        for (uint8 i; i < 17; ++i) {
            if (keccak256(bytes(names[i])) == keccak256(bytes(name))) return i;
        }
        revert NothingRead(name);
    }

    function same(bytes32 solidity, bytes32 vector, string memory what) private pure {
        if (solidity != vector) revert Differs(what, solidity, vector);
    }

    function same(uint256 solidity, uint256 vector, string memory what) private pure {
        if (solidity != vector) revert Differs(what, bytes32(solidity), bytes32(vector));
    }

    function some(uint256 read, string memory list) private pure {
        if (read == 0) revert NothingRead(list);
    }
}
