import { formatUnits } from "viem"

/** Tokens and native coin alike have 18 decimals. */
const DECIMALS = 18

/** An amount for people, from the smallest unit: "0.17 ASY". Six places are enough to read; the exact figure is in the JSON. */
export function formatAmount(value: bigint, unit = "ASY"): string {
  return `${trim(formatUnits(value, DECIMALS))} ${unit}`
}

function trim(text: string): string {
  const [whole = "0", fraction = ""] = text.split(".")
  if (fraction === "") return whole
  const digits = whole === "0" || whole === "-0" ? Math.max(6, fraction.search(/[1-9]/) + 3) : 6
  const short = fraction.slice(0, digits).replace(/0+$/, "")
  return short === "" ? whole : `${whole}.${short}`
}
