import { CodedError } from "../errors/codedError.ts"

export type UintErrorDetail = { code: "E_UINT_RANGE"; name: string; bits: number; value: string; message: string }

/** A value that does not fit its Solidity type: hashing it would give a hash that no contract can reproduce. */
export class UintError extends CodedError<UintErrorDetail> {}

export function checkUint(name: string, bits: number, value: bigint | number): void {
  const fits =
    typeof value === "number"
      ? Number.isSafeInteger(value) && value >= 0 && (bits >= 53 || value < 2 ** bits)
      : value >= 0n && value >> BigInt(bits) === 0n
  if (fits) return
  const message = `${name} = ${value} does not fit uint${bits}`
  throw new UintError({ code: "E_UINT_RANGE", name, bits, value: String(value), message })
}
