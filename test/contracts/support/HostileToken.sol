// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice A token that calls back whenever it is moved, as an account of its own: the reentrancy that a vault must bear.
contract HostileToken is ERC20 {
    address private _target;
    bytes private _data;
    uint256 public attempts;
    uint256 public successes;

    constructor() ERC20("Hostile", "BAD") {}

    function faucet() external {
        _mint(msg.sender, 1_000_000 ether);
    }

    function arm(address target, bytes calldata data) external {
        (_target, _data) = (target, data);
    }

    /// @notice A call of the token's own, which its moves will try to repeat inside.
    function act(address target, bytes calldata data) external {
        (bool ok, bytes memory reason) = target.call(data);
        if (ok) return;
        assembly ("memory-safe") {
            revert(add(reason, 32), mload(reason))
        }
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        address target = _target;
        if (target == address(0)) return;
        _target = address(0);
        ++attempts;
        (bool ok,) = target.call(_data);
        if (ok) ++successes;
        _target = target;
    }
}
