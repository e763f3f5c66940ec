/** One value a line, integers beyond 2^53 as decimal strings, so that a diff shows which vector moved. */
export function vectorsJson(vectors: unknown): string {
  const text = JSON.stringify(vectors, (_, value) => (typeof value === "bigint" ? value.toString() : value), 1)
  return `${text}\n`
}
