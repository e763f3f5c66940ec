import { scenarios } from "./support/scenarios.ts"

scenarios({
  stores: "embedded stores",
  slotState: "kept",
  open: async () => ({ env: { DATABASE_URL: "", REDIS_URL: "", ARTIFACTS_URL: "" }, close: async () => {} }),
})
