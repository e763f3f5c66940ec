import type { SQL } from "drizzle-orm"
import type { Db } from "./database.ts"

/** Rows of a statement that the query builder cannot say; both drivers answer with `rows`. */
export async function query<R extends Record<string, unknown>>(db: Db, statement: SQL): Promise<R[]> {
  const result = (await db.execute(statement)) as unknown as { rows: R[] }
  return result.rows
}
