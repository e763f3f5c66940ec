// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {IMarket} from "../../contracts/interfaces/IMarket.sol";
import {Terms} from "../../contracts/types/Terms.sol";
import {Base} from "./support/Base.t.sol";

contract MarketPostTest is Base {
    function refuse(Terms memory terms, bytes32 field) private {
        vm.expectRevert(abi.encodeWithSelector(IMarket.TermsRefused.selector, field));
        vm.prank(requester.account);
        market.post(terms, 77);
    }

    function test_R1_post_refusesTermsThatCannotBeKept() public {
        Terms memory terms = buildTerms();
        terms.version = 2;
        refuse(terms, "version");
        terms = buildTerms();
        terms.kind = 1;
        refuse(terms, "kind");
        terms = buildTerms();
        terms.class = 1;
        refuse(terms, "class");
        terms = buildTerms();
        terms.coordinator = address(0);
        refuse(terms, "coordinator");
        terms = buildTerms();
        terms.tasks = 0;
        refuse(terms, "tasks");
        terms = buildTerms();
        terms.shardSize = 0;
        refuse(terms, "shardSize");
        terms.shardSize = 1_025;
        refuse(terms, "shardSize");
        terms = buildTerms();
        terms.fee = 0;
        refuse(terms, "fee");
        terms = buildTerms();
        terms.maxUnits = 0;
        refuse(terms, "maxUnits");
        terms = buildTerms();
        terms.auditRate = 0;
        refuse(terms, "auditRate");
        terms.auditRate = 10_001;
        refuse(terms, "auditRate");
        terms = buildTerms();
        terms.deadline = uint64(block.timestamp);
        refuse(terms, "deadline");
        terms = buildTerms();
        terms.fee = type(uint96).max;
        refuse(terms, "escrow");
        terms = buildTerms();
        terms.valueAtRisk = type(uint96).max;
        refuse(terms, "collateral");
        terms = buildTerms();
        // The 22 bits of the job's slot count at most 4,194,303 shards.
        (terms.tasks, terms.shardSize, terms.fee, terms.coordinatorFee) = (1 << 22, 1, 1, 0);
        refuse(terms, "tasks");
    }

    function test_R1_post_refusesTermsOfAnother() public {
        Terms memory terms = buildTerms();
        vm.expectRevert(abi.encodeWithSelector(IMarket.TermsRefused.selector, bytes32("requester")));
        vm.prank(mallory.account);
        market.post(terms, 0);
    }

    function test_R9_post_refusesABudgetThatCannotAuditEveryShardAlone() public {
        Terms memory terms = buildTerms();
        // 4 shards, k(4) = 1, u a F = 3 * 0.5, auditBase 0.1.
        uint256 needed = 4 * (3 * 0.5 ether + 0.1 ether);
        terms.auditBudget = uint96(needed - 1);
        vm.expectRevert(abi.encodeWithSelector(IMarket.TermsBudgetShort.selector, needed - 1, needed));
        vm.prank(requester.account);
        market.post(terms, 0);
        terms.auditBudget = uint96(needed);
        postJob(terms);
    }

    function test_R22_post_refusesVerdictsThatASeatDoesNotCover() public {
        Terms memory terms = buildTerms();
        terms.auditRatio = 20_000;
        terms.auditBudget = 1_000 ether;
        // C_v = (3 * 2 + 0.1) / (0.1 * 0.2963 * 0.5), rounded up.
        uint256 needed = (6.1 ether * 1e12 - 1) / uint256(1_000 * 2_963 * 5_000) + 1;
        vm.expectRevert(abi.encodeWithSelector(IMarket.TermsSeatShort.selector, uint256(SEAT), needed));
        vm.prank(requester.account);
        market.post(terms, 0);
    }

    function test_R9_post_escrowsAllThatTheJobCanCost() public {
        Terms memory terms = buildTerms();
        uint256 before = token.balanceOf(requester.account);
        uint192 jobId = postJob(terms);
        vm.assertEq(
            before - token.balanceOf(requester.account), 15 * 3 * 1.05 ether + 40 ether, "tasks u (F + fee) + budget"
        );
        (uint256 fees, uint256 auditing,,,,,,) = market.jobOf(jobId);
        vm.assertEq(fees, 15 * 3 * 1.05 ether, "fees");
        vm.assertEq(auditing, 40 ether, "audit budget");
        vm.assertEq(token.balanceOf(address(market)), 0, "the Market holds nothing");
        vm.assertEq(
            market.termsHashOf(jobId), keccak256(abi.encode(bytes32("assay.terms"), terms)), "hash of the terms"
        );
    }

    function test_R1_post_refusesANonceTwice() public {
        Terms memory terms = buildTerms();
        vm.prank(requester.account);
        uint192 jobId = market.post(terms, 5);
        vm.assertEq(
            uint256(jobId),
            uint256(
                uint192(
                    uint256(
                        keccak256(
                            abi.encode(
                                bytes32("assay.job"), block.chainid, address(market), requester.account, uint64(5)
                            )
                        )
                    )
                )
            ),
            "job id"
        );
        vm.expectRevert(abi.encodeWithSelector(IMarket.JobExists.selector, jobId));
        vm.prank(requester.account);
        market.post(terms, 5);
    }

    function test_R1_postWithPermit_needsNoAllowance() public {
        uint256 secret = uint256(keccak256(abi.encodePacked("account of ", "requester")));
        vm.prank(requester.account);
        token.approve(address(registry), 0);
        Terms memory terms = buildTerms();
        uint256 escrow = 15 * 3 * 1.05 ether + 40 ether;
        bytes32 structHash = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                requester.account,
                address(registry),
                escrow,
                0,
                block.timestamp
            )
        );
        bytes32 digest = keccak256(abi.encodePacked(hex"1901", domainOf("Assay", address(token)), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(secret, digest);
        vm.prank(requester.account);
        uint192 jobId = market.postWithPermit(terms, 0, block.timestamp, v, r, s);
        (uint256 fees,,,,,,,) = market.jobOf(jobId);
        vm.assertEq(fees, 15 * 3 * 1.05 ether, "fees");
    }

    function test_R18_close_isTheRequestersAlone_andOnce() public {
        Terms memory terms = buildTerms();
        uint192 jobId = postJob(terms);
        vm.expectRevert(abi.encodeWithSelector(IMarket.MarketUnauthorized.selector, coordinator.account));
        vm.prank(coordinator.account);
        market.close(jobId, terms);
        vm.prank(requester.account);
        market.close(jobId, terms);
        vm.expectRevert(abi.encodeWithSelector(IMarket.JobClosedAlready.selector, jobId));
        vm.prank(requester.account);
        market.close(jobId, terms);
        terms.fee += 1;
        vm.expectRevert(abi.encodeWithSelector(IMarket.TermsMismatch.selector, jobId));
        market.refund(jobId, terms);
    }

    function test_R31_constructor_refusesLocalParametersOnOtherChains() public {
        IMarket.Params memory p = marketParams();
        vm.chainId(1);
        // The parameters are checked before anything is bound.
        vm.expectRevert(abi.encodeWithSelector(IMarket.MarketBadParameter.selector, bytes32("window")));
        this.make(p);
        p.window = 24 hours;
        p.attestLimit = 1;
        vm.expectRevert(abi.encodeWithSelector(IMarket.MarketBadParameter.selector, bytes32("unbonding")));
        this.make(p);
    }

    function test_R31_constructor_refusesContractsThatDoNotNameIt() public {
        IMarket.Params memory p = marketParams();
        vm.expectRevert(abi.encodeWithSelector(IMarket.MarketUnbound.selector, address(registry)));
        this.make(p);
    }

    function test_R11_constructor_refusesABurnRateThatIsNotTheVaults() public {
        IMarket.Params memory p = marketParams();
        p.burnRate = 6_000;
        vm.expectRevert(abi.encodeWithSelector(IMarket.MarketBadParameter.selector, bytes32("burnRate")));
        this.make(p);
        p = marketParams();
        p.maxLease = 71;
        // R13: NOTICE (130 s) must exceed the longest lease and the claim period.
        vm.expectRevert(abi.encodeWithSelector(IMarket.MarketBadParameter.selector, bytes32("notice")));
        this.make(p);
    }

    function make(IMarket.Params calldata p) external returns (address) {
        return create("Market", "", abi.encode(p));
    }
}

contract ChainGuardTest is Base {
    function make(string calldata name, string calldata folder, bytes calldata arguments) external returns (address) {
        return create(name, folder, arguments);
    }

    function test_R31_blockHashesAreASeedOnTheLocalChainAlone() public {
        vm.chainId(11_155_111);
        vm.expectRevert(abi.encodeWithSignature("BeaconChain(uint256)", 11_155_111));
        this.make("BlockBeacon", "beacons/", "");
    }

    function test_R31_aMarketElsewhere_refusesABeaconOfBlockHashes() public {
        address vault = create(
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
                uint32(30 days),
                uint32(2 days),
                LIVENESS_SLASH,
                uint16(BURN_RATE)
            )
        );
        IMarket.Params memory p = marketParams();
        p.registry = vault;
        p.window = 24 hours;
        vm.chainId(11_155_111);
        vm.expectRevert(abi.encodeWithSelector(IMarket.MarketBadParameter.selector, bytes32("clock")));
        this.make("Market", "", abi.encode(p));
        p.clock = 6 hours;
        vm.expectRevert(abi.encodeWithSelector(IMarket.MarketBadParameter.selector, bytes32("beacon")));
        this.make("Market", "", abi.encode(p));
    }

    function test_R31_everyContractFitsTheCodeSizeLimit() public view {
        address[6] memory all =
            [address(token), address(registry), address(market), address(challenges), address(jury), address(game)];
        for (uint256 i; i < all.length; ++i) {
            vm.assertLe(all[i].code.length, 24_576, "code size");
        }
        // Made by the Market's constructor: the rules first, then the rare paths.
        for (uint256 n = 1; n < 3; ++n) {
            uint256 size = vm.computeCreateAddress(address(market), n).code.length;
            vm.assertGt(size, 0, "it exists");
            vm.assertLe(size, 24_576, "code size");
        }
    }
}
