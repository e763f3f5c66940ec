import type { Figure } from "./figure.ts"

/** Every figure of the README, by the name that `assay bench` takes. */
export const BENCHES: Readonly<Record<string, () => Promise<Figure[]>>> = {
  gas: async () => (await import("./gas.ts")).runGasBench(),
  overhead: async () => (await import("./overhead.ts")).overhead(),
  throughput: async () => (await import("./throughput.ts")).throughput(),
  referee: async () => (await import("./referee.ts")).referee(),
  calls: async () => (await import("./calls.ts")).calls(),
  audit: async () => (await import("./audit.ts")).audit(),
  commit: async () => (await import("./commit.ts")).commit(),
  poison: async () => (await import("./poison.ts")).poison(),
  traffic: async () => [
    ...(await (await import("./traffic.ts")).traffic()),
    ...(await (await import("./marketTraffic.ts")).marketTraffic()),
  ],
  churn: async () => (await import("./churn.ts")).churn(),
  scaling: async () => (await import("./scaling.ts")).scaling(),
  exact: async () => (await import("./exact.ts")).exact(),
  step: async () => (await import("./step.ts")).step(),
}
