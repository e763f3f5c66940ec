import { parseAbi } from "viem"

/** The few calls that the command line makes by itself; everything else is made by client, worker and coordinator. */
export const tokenAbi = parseAbi([
  "function balanceOf(address) view returns (uint256)",
  "function allowance(address, address) view returns (uint256)",
  "function approve(address, uint256) returns (bool)",
  "function faucet()",
  "function faucetAvailableAt(address) view returns (uint256)",
  "function FAUCET_AMOUNT() view returns (uint256)",
  "error FaucetTooSoon(address account, uint256 availableAt)",
])

export const registryAbi = parseAbi([
  "function stake(bytes32 capability, uint32 count)",
  "function requestUnstake(bytes32 capability, uint32[] seats)",
  "function completeUnstake()",
  "function seatsOf(bytes32 capability) view returns (uint256 seats, uint256 owners)",
  "function seatOwner(bytes32 capability, uint256 seat) view returns (address)",
  "function seatCount(bytes32 capability, address account) view returns (uint256)",
  "function stakerOf(address account) view returns (uint256 staked, uint256 unbonding, uint256 unbondAt, uint256 seats)",
  "function registerKey(address key, bytes signatureByKey)",
  "function revokeKey(address key)",
  "function keyOf(address key) view returns (address account, uint256 from, uint256 until)",
  "function allow(address coordinator, uint96 amount)",
  "function giveNotice(address coordinator)",
  "function takeOut(address coordinator, uint96 amount)",
  "function pairOf(address account, address coordinator) view returns (uint256 free, uint256 owed, uint256 noticeAt, uint256 flags)",
  "function withdraw(address[] coordinators) returns (uint256 amount)",
  "function SEAT() view returns (uint256)",
  "function UNBONDING() view returns (uint256)",
  "function NOTICE() view returns (uint256)",
  "event Allowed(address indexed account, address indexed coordinator, uint256 amount)",
])
