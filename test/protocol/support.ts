import fc from "fast-check"
import type { Hex } from "viem"
import type { PriceParams, Terms } from "#protocol"

/** Repeats one byte: `word("0a")` is a bytes32, `account("0a")` an address. */
export function word(byte: string): Hex {
  return `0x${byte.repeat(32)}`
}

export function account(byte: string): Hex {
  return `0x${byte.repeat(20)}`
}

export const TOKEN = 10n ** 18n

/** Prices of the local deployment. */
export const PRICES: PriceParams = { minCollateral: TOKEN, colluding: 3333, burnRate: 5000, reauditRate: 1000 }

export function buildTerms(changes: Partial<Terms> = {}): Terms {
  return {
    version: 0,
    kind: 0,
    requester: account("01"),
    coordinator: account("02"),
    class: 0,
    capability: word("03"),
    programRoot: word("04"),
    inputs: word("05"),
    tasks: 256,
    shardSize: 8,
    fee: TOKEN,
    maxUnits: 1,
    auditRate: 2000,
    auditRatio: 10_000,
    auditBase: TOKEN / 10n,
    auditBudget: 1000n * TOKEN,
    coordinatorFee: TOKEN / 20n,
    valueAtRisk: 0n,
    deadline: 1_800_000_000n,
    specHash: word("06"),
    ...changes,
  }
}

export const hexOf32: fc.Arbitrary<Hex> = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes): Hex => `0x${Buffer.from(bytes).toString("hex")}`)

/** Bit 0 is the lowest of the last byte. */
export function flipBit(hex: Hex, bit: number): Hex {
  const digits = hex.length - 2
  return `0x${(BigInt(hex) ^ (1n << BigInt(bit))).toString(16).padStart(digits, "0")}`
}
