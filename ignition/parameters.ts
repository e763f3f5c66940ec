import { type Params, ParamsSchema } from "#protocol"

/** What the constructors are given beside one another's addresses. Times in seconds, money in the smallest unit. */
export type Parameters = Params & {
  /** The faucet of the testnet token: what it gives, and how often. */
  readonly faucetAmount: bigint
  readonly faucetInterval: number
  /** Gas that an answer to a demand may cost, by kind: leaf, shard row, verdict, signatures (R26). */
  readonly demandGas: readonly [number, number, number, number]
  /** Gas that a defendant's moves in a dispute may cost together (R26). */
  readonly movesGas: number
}

const TOKEN = 10n ** 18n
const HOUR = 3600

/** Money and ratios are the same everywhere; see R11, R12, R22 and R25. */
const shared = {
  minCollateral: String(TOKEN),
  colluding: 3_333,
  burnRate: 5_000,
  reauditRate: 1_000,
  minSeats: 4,
  minOwners: 3,
  seat: String(200n * TOKEN),
  standingBond: String(50n * TOKEN),
  livenessSlash: String(TOKEN),
}

/** Chain 31337: seconds, so that a job is over before one looks away. */
const local: Parameters = {
  ...ParamsSchema.parse({
    ...shared,
    attestLimit: 60,
    window: 8,
    clock: 20,
    maxLease: 60,
    claimPeriod: 60,
    unbonding: 600,
    notice: 130,
  }),
  faucetAmount: 100_000n * TOKEN,
  faucetInterval: 60,
  demandGas: [120_000, 320_000, 160_000, 160_000],
  movesGas: 900_000,
}

/** Anywhere else R31 holds: a window of a day, a clock of six hours, unbonding longer than all clocks together. */
const elsewhere: Parameters = {
  ...ParamsSchema.parse({
    ...shared,
    minSeats: 16,
    minOwners: 6,
    attestLimit: 6 * HOUR,
    window: 24 * HOUR,
    clock: 6 * HOUR,
    maxLease: HOUR,
    claimPeriod: 24 * HOUR,
    unbonding: 8 * 24 * HOUR,
    notice: 26 * HOUR,
  }),
  faucetAmount: 2_000n * TOKEN,
  faucetInterval: 24 * HOUR,
  demandGas: [120_000, 320_000, 160_000, 160_000],
  movesGas: 900_000,
}

export function parametersOf(network: string): Parameters {
  return network === "local" ? local : elsewhere
}
