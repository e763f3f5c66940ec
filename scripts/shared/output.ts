import { formatAmount } from "#protocol"

export type Output = {
  readonly json: boolean
  readonly terminal: boolean
  /** Progress and stories: on stdout for people, on stderr where stdout belongs to one JSON document. */
  say(text: string): void
  /** Only with --verbose. */
  detail(text: string): void
  /** The one result: a JSON document, or the text for people. */
  result(value: unknown, text: () => string): void
  /** One event of a stream: a line of JSON, or the text for people. */
  event(value: unknown, text: () => string | undefined): void
}

export function createOutput({ json, verbose }: { json: boolean; verbose: boolean }): Output {
  const say = (text: string) => {
    const stream = json ? process.stderr : process.stdout
    stream.write(`${text}\n`)
  }
  return {
    json,
    terminal: !json && Boolean(process.stdout.isTTY),
    say,
    detail(text) {
      if (verbose) process.stderr.write(`${text}\n`)
    },
    result(value, text) {
      process.stdout.write(json ? `${toJson(value, 2)}\n` : `${text()}\n`)
    },
    event(value, text) {
      if (json) {
        process.stdout.write(`${toJson(value)}\n`)
        return
      }
      const line = text()
      if (line !== undefined) process.stdout.write(`${line}\n`)
    },
  }
}

/** Amounts are decimal strings: no JSON number holds 18 decimals. */
export function toJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, (_key, item) => (typeof item === "bigint" ? item.toString() : item), indent)
}

/** `{ fee: "1000…", feeFormatted: "1.0 ASY" }`, as every amount stands in our JSON. */
export function amount<Name extends string>(name: Name, value: bigint, unit = "ASY") {
  return { [name]: value.toString(), [`${name}Formatted`]: formatAmount(value, unit) } as {
    [K in Name | `${Name}Formatted`]: string
  }
}

export function shortHex(hex: string): string {
  return hex.length <= 14 ? hex : `${hex.slice(0, 8)}…${hex.slice(-4)}`
}
