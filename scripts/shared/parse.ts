import { type Address, getAddress, type Hex, isAddress, parseUnits } from "viem"
import { MEMORY_TIERS, type MemoryTier } from "#protocol"
import { usageError } from "./errors.ts"

export function parseCount(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1 || !Number.isSafeInteger(value)) {
    throw usageError("E_BAD_NUMBER", `'${text}' is no count: give a whole number from 1 on`)
  }
  return value
}

export function parseTokens(text: string): bigint {
  if (!/^\d+(\.\d{1,18})?$/.test(text)) {
    throw usageError("E_AMOUNT_INVALID", `'${text}' is no amount: give tokens as a decimal number, 12.5 say`)
  }
  const value = parseUnits(text, 18)
  if (value >> 96n !== 0n) throw usageError("E_AMOUNT_INVALID", `'${text}' tokens are more than there can be`)
  return value
}

export function parseGiB(text: string): MemoryTier {
  const value = Number(text)
  const tier = MEMORY_TIERS.find((each) => each === value)
  if (tier === undefined)
    throw usageError("E_CAPABILITY_MEMORY", `'${text}' is no memory tier: give ${MEMORY_TIERS.join(", ")} (GiB)`)
  return tier
}

/** `5%` or `5` is 500 basis points. */
export function parsePercent(text: string): number {
  const match = /^(\d+(?:\.\d{1,2})?)\s*%?$/.exec(text)
  const bps = match ? Math.round(Number(match[1]) * 100) : Number.NaN
  if (!(bps > 0 && bps <= 10_000)) {
    throw usageError("E_AUDIT_RATE", `'${text}' is no audit rate: give a percentage above 0 and up to 100, 5% say`)
  }
  return bps
}

export function parseAddress(text: string): Address {
  if (!isAddress(text, { strict: false })) {
    throw usageError("E_ADDRESS_INVALID", `'${text}' is no address: give 0x and 40 hex digits`)
  }
  return getAddress(text)
}

/** Ids are printed as 0x-hex and read as hex or decimal. */
export function parseJobId(text: string): bigint {
  if (!/^(0x[0-9a-fA-F]{1,48}|\d{1,58})$/.test(text) || BigInt(text) >> 192n !== 0n) {
    throw usageError(
      "E_BAD_JOB_ID",
      `'${text}' is no job id: give the 0x-hex that \`submit\` printed, or see \`assay jobs\``,
    )
  }
  return BigInt(text)
}

/** A task is JOB/INDEX. */
export function parseTask(text: string): { jobId: bigint; index: number } {
  const [id = "", index, ...rest] = text.split("/")
  if (index === undefined || rest.length > 0 || !/^\d{1,10}$/.test(index)) {
    throw usageError("E_BAD_TASK", `'${text}' is no task: give JOB/INDEX, 0x5f2c…/17 say`)
  }
  return { jobId: parseJobId(id), index: Number(index) }
}

export function isModelId(text: string): text is Hex {
  return /^0x[0-9a-f]{64}$/i.test(text)
}

export function parseModelId(text: string): Hex {
  if (isModelId(text)) return text
  throw usageError("E_BAD_MODEL_ID", `'${text}' is no model's id: give the 0x-hex that \`train\` printed`)
}
