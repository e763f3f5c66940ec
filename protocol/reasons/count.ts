/** So many of something, for people: "1 shard", "2 shards". */
export function formatCount(count: number | bigint, one: string): string {
  return `${count} ${one}${Number(count) === 1 ? "" : "s"}`
}
