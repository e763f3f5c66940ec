import { createHash } from "node:crypto"
import { cpSync, existsSync } from "node:fs"
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** Beside the packages: what is made once for a checkout and can be made again. */
const FOLDER = fileURLToPath(new URL("../../.assay", import.meta.url))
const PACKAGE = new URL("../package.json", import.meta.resolve("@electric-sql/pglite"))
const NAME = /^database-[0-9a-f]{16}$/

/**
 * A folder with a database that nothing was written to, its tables up to date. Making one takes seconds and gives the
 * same every time, so it is made once, kept, and copied. `make` fills an empty folder. Undefined where none can be kept.
 */
export async function templateFolder(
  migrationsFolder: string,
  make: (dir: string) => Promise<void>,
): Promise<string | undefined> {
  const path = join(FOLDER, `database-${await versionOf(migrationsFolder)}`)
  if (existsSync(path)) return path
  const draft = `${path}.${process.pid}.part`
  try {
    await mkdir(draft, { recursive: true })
    await make(draft)
    await rename(draft, path)
    for (const name of await readdir(FOLDER))
      if (NAME.test(name) && join(FOLDER, name) !== path) await rm(join(FOLDER, name), { recursive: true, force: true })
    return path
  } catch (error) {
    await rm(draft, { recursive: true, force: true })
    const { code } = error as NodeJS.ErrnoException
    // Another process was faster; or the checkout belongs to somebody else, and each database is made anew.
    if (code === "ENOTEMPTY" || code === "EEXIST") return path
    if (code === "EACCES" || code === "EROFS" || code === "EPERM") return undefined
    throw error
  }
}

/** Copies it to a folder that is absent or empty, whole or not at all. */
export async function copyTemplate(template: string, dir: string): Promise<void> {
  const draft = `${dir}.${process.pid}.part`
  await mkdir(dirname(dir), { recursive: true })
  try {
    // A thousand small files: in one go it takes a twentieth of the time.
    cpSync(template, draft, { recursive: true })
    await rm(dir, { recursive: true, force: true })
    await rename(draft, dir)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

/** What a database depends on: the engine and the migrations. */
async function versionOf(migrationsFolder: string): Promise<string> {
  const hash = createHash("sha256").update(await readFile(PACKAGE))
  for (const name of (await readdir(migrationsFolder)).filter((file) => file.endsWith(".sql")).sort())
    hash.update(`\0${name}\0`).update(await readFile(join(migrationsFolder, name)))
  return hash.digest("hex").slice(0, 16)
}
