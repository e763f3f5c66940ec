import type { Hex } from "viem"
import { z } from "zod"
import { type Spec, SpecSchema, type Terms, TermsSchema } from "#protocol"
import type { jobs } from "../store/schema.ts"

type JobRow = typeof jobs.$inferSelect

/** Terms in the form of the database: their JSON. */
export function encodeTerms(terms: Terms): JobRow["terms"] {
  return z.encode(TermsSchema, terms) as JobRow["terms"]
}

export function termsOf(job: Pick<JobRow, "terms">): Terms {
  return TermsSchema.parse(job.terms)
}

export function encodeSpecJson(spec: Spec): unknown {
  return z.encode(SpecSchema, spec)
}

export function specOf(job: Pick<JobRow, "spec">): Spec {
  return SpecSchema.parse(job.spec)
}

/** The bundles of inputs that a job names, each once. */
export function inputsOf(spec: Spec): Hex[] {
  return [...new Set(spec.shards.map((shard) => shard.inputs))]
}
