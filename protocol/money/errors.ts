import { CodedError } from "../errors/codedError.ts"

export type MoneyErrorDetail = { code: "E_AUDIT_OVER_RESERVE"; spent: bigint; reserve: bigint; message: string }
export class MoneyError extends CodedError<MoneyErrorDetail> {}
