import { isNull } from "drizzle-orm"
import type { Address } from "viem"
import type { Deployment } from "#protocol"
import { refuse } from "../errors.ts"
import type { Db } from "./database.ts"
import { deployment as table } from "./schema.ts"

/**
 * Ties a database to one deployment and one coordinator for good: rows of another chain, of a local one that was
 * restarted, or of an account whose promises this one cannot keep, are refused.
 */
export async function bindDeployment(
  db: Db,
  { chainId, contracts, genesisHash, deployedBlock }: Deployment,
  coordinator: Address,
): Promise<void> {
  const own = { chainId, market: contracts.market, genesisHash, deployedBlock, coordinator }
  await db
    .insert(table)
    .values({ id: 1, ...own })
    .onConflictDoNothing()
  // Of a database that is older than the column the first who opens it is the owner: there was one key to a folder.
  await db.update(table).set({ coordinator }).where(isNull(table.coordinator))
  const [bound] = await db.select().from(table)
  if (bound?.chainId !== chainId || bound.market !== contracts.market || bound.genesisHash !== genesisHash) {
    const message =
      `the database belongs to another deployment (chain ${bound?.chainId}, market ${bound?.market}): ` +
      "use another ASSAY_DATA_DIR or DATABASE_URL for this one"
    throw refuse("E_WRONG_DEPLOYMENT", message, { chainId: bound?.chainId, market: bound?.market })
  }
  if (bound.coordinator !== coordinator) {
    const message = `the database belongs to coordinator ${bound.coordinator}, and this one is ${coordinator}: use its key, or another DATABASE_URL`
    throw refuse("E_WRONG_COORDINATOR", message, { coordinator: bound.coordinator })
  }
}
