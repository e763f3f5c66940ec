import pc from "picocolors"
import type { Output } from "../shared/output.ts"
import { shortHex } from "../shared/output.ts"

export type Story = {
  tell(step: string, text: string): void
  /** From now on this account is spoken of by name. */
  name(account: string, name: string): void
  nameOf(account: string): string
  seconds(): number
}

export function createStory(out: Output): Story {
  const started = performance.now()
  const names = new Map<string, string>()
  const seconds = () => (performance.now() - started) / 1000
  return {
    tell: (step, text) =>
      out.say(`${pc.dim(`${seconds().toFixed(1).padStart(5)} s`)}  ${pc.bold(step.padEnd(9))} ${text}`),
    name: (account, name) => void names.set(account.toLowerCase(), name),
    nameOf: (account) => names.get(account.toLowerCase()) ?? shortHex(account),
    seconds,
  }
}
