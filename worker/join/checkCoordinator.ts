import { type Address, isAddressEqual, zeroAddress } from "viem"
import { formatAmount, type Info } from "#protocol"
import type { Chain } from "../chain/chain.ts"
import { workerError } from "../errors.ts"

/** What a coordinator says of itself, held against the chain: a worker believes it about nothing that costs money. */
export async function checkCoordinator({ registry, market, deployment }: Chain, info: Info): Promise<void> {
  if (info.chainId !== deployment.chainId) {
    throw workerError("E_WRONG_CHAIN", `the coordinator works on chain ${info.chainId}, not on ${deployment.chainId}`, {
      remedy: "choose the coordinator of this network",
    })
  }
  for (const [name, address] of Object.entries(deployment.contracts)) {
    const theirs = info.contracts[name as keyof Info["contracts"]]
    if (!isAddressEqual(theirs, address)) {
      throw workerError("E_WRONG_CHAIN", `the coordinator's ${name} is ${theirs}, the deployment's ${address}`, {
        remedy: "one of the two is of an older deployment",
      })
    }
  }
  const [keyHolder, seat, params] = await Promise.all([
    registry.read.keyOf([info.sessionKey]),
    registry.read.SEAT(),
    market.read.params(),
  ])
  if (!isAddressEqual(keyHolder[0], info.coordinator)) {
    throw workerError("E_COORDINATOR_KEY", "the coordinator's session key is not registered for its account (R8)", {
      facts: { account: info.coordinator, key: info.sessionKey },
    })
  }
  if (info.params.seat !== seat || info.params.maxLease !== params.maxLease) {
    throw workerError("E_WRONG_CHAIN", "the coordinator states other parameters than the contracts have")
  }
}

/** R14: the bond that pays the second worker of two overlapping leases; read before leasing. */
export async function standingBondReason(
  { registry }: Chain,
  coordinator: Address,
): Promise<{ code: string; text: string } | undefined> {
  const [[amount, noticeAt], needed] = await Promise.all([
    registry.read.standingOf([coordinator]),
    registry.read.STANDING_BOND(),
  ])
  if (amount >= needed && noticeAt === 0n) return undefined
  const state = amount < needed ? `${formatAmount(amount)} of ${formatAmount(needed)}` : `leaving at ${noticeAt}`
  return { code: "WORKER_COORDINATOR_BOND", text: `the coordinator's standing bond is ${state} (R14)` }
}

/** Whose session key this is at the latest block; leases and receipts are judged as of the commit block (R8). */
export async function keyHolder({ registry }: Chain, key: Address): Promise<Address> {
  const [account, , until] = await registry.read.keyOf([key])
  return until === 0n ? account : zeroAddress
}
