import type { Deployment } from "#protocol"
import { refuse } from "../errors.ts"
import type { Db } from "./database.ts"
import { deployment as table } from "./schema.ts"

/** Ties a database to one deployment for good: rows of another chain, or of a local one that was restarted, are refused. */
export async function bindDeployment(
  db: Db,
  { chainId, contracts, genesisHash, deployedBlock }: Deployment,
): Promise<void> {
  const own = { chainId, market: contracts.market, genesisHash, deployedBlock }
  await db
    .insert(table)
    .values({ id: 1, ...own })
    .onConflictDoNothing()
  const [bound] = await db.select().from(table)
  if (bound?.chainId === chainId && bound.market === contracts.market && bound.genesisHash === genesisHash) return
  const message =
    `the database belongs to another deployment (chain ${bound?.chainId}, market ${bound?.market}): ` +
    "use another ASSAY_DATA_DIR or DATABASE_URL for this one"
  throw refuse("E_WRONG_DEPLOYMENT", message, { chainId: bound?.chainId, market: bound?.market })
}
