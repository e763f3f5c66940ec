import { existsSync } from "node:fs"
import { mkdir, mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { PGlite } from "@electric-sql/pglite"
import { btree_gist } from "@electric-sql/pglite/contrib/btree_gist"
import { drizzle as drizzlePg } from "drizzle-orm/node-postgres"
import { migrate as migratePg } from "drizzle-orm/node-postgres/migrator"
import type { PgDatabase, PgQueryResultHKT } from "drizzle-orm/pg-core"
import { drizzle as drizzlePglite } from "drizzle-orm/pglite"
import { migrate as migratePglite } from "drizzle-orm/pglite/migrator"
import pg from "pg"
import * as schema from "./schema.ts"
import { copyTemplate, templateFolder } from "./template.ts"

export type Schema = typeof schema
/** Either driver, and a transaction of either: what every query of the coordinator is written against. */
export type Db = PgDatabase<PgQueryResultHKT, Schema>

export type Database = {
  db: Db
  /** The embedded engine, which the embedded queue shares; absent with an outside Postgres. */
  pglite?: PGlite
  /** The outside server's pool, which the queue shares. */
  pool?: pg.Pool
  close(): Promise<void>
}

export type DatabaseConfig = {
  /** Outside Postgres; the embedded one when absent. */
  databaseUrl?: string | undefined
  /** Folder of the embedded database; one that goes with it when absent (tests). */
  databaseDir?: string | undefined
  /** A connection dropped while it was idle; the pool replaces it. */
  onError?: (error: Error) => void
}

const migrationsFolder = fileURLToPath(new URL("./migrations", import.meta.url))

/** Opens the one database that is the truth, and brings its tables up to date. */
export async function openDatabase(config: DatabaseConfig): Promise<Database> {
  return config.databaseUrl ? openPostgres(config.databaseUrl, config.onError) : openEmbedded(config.databaseDir)
}

async function openEmbedded(databaseDir: string | undefined): Promise<Database> {
  const dataDir = databaseDir ?? (await mkdtemp(join(tmpdir(), "assay-database-")))
  await prepareFolder(dataDir)
  const { db, pglite } = await openFolder(dataDir)
  const close = async () => {
    await pglite.close()
    if (!databaseDir) await rm(dataDir, { recursive: true, force: true })
  }
  return { db, pglite, close }
}

/** A folder without a database gets a copy of an empty one. */
async function prepareFolder(dataDir: string): Promise<void> {
  if (existsSync(join(dataDir, "PG_VERSION"))) return
  const template = await templateFolder(migrationsFolder, async (dir) => {
    const { pglite } = await openFolder(dir)
    await pglite.close()
  })
  if (template) await copyTemplate(template, dataDir)
  else await mkdir(dataDir, { recursive: true })
}

async function openFolder(dataDir: string): Promise<{ db: Db; pglite: PGlite }> {
  const pglite = await PGlite.create({ dataDir, extensions: { btree_gist } })
  const db = drizzlePglite(pglite, { schema })
  await migratePglite(db, { migrationsFolder })
  return { db, pglite }
}

// Any constant will do, as long as every replica of the coordinator uses the same one.
const MIGRATION_LOCK = 0x6173736179

async function openPostgres(url: string, onError: DatabaseConfig["onError"]): Promise<Database> {
  const pool = new pg.Pool({ connectionString: url, max: 10 })
  // Without a listener a server that restarts would take this process with it.
  pool.on("error", (error) => onError?.(error))
  const db = drizzlePg(pool, { schema })
  // Replicas start together: one migrates, the others wait for it.
  const client = await pool.connect()
  try {
    await client.query("SELECT pg_advisory_lock($1)", [MIGRATION_LOCK])
    try {
      await migratePg(drizzlePg(client), { migrationsFolder })
    } finally {
      await client.query("SELECT pg_advisory_unlock($1)", [MIGRATION_LOCK])
    }
  } finally {
    client.release()
  }
  return { db, pool, close: () => pool.end() }
}
