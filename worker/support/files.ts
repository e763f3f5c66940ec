import { randomBytes } from "node:crypto"
import { mkdir, open, rename } from "node:fs/promises"
import { dirname } from "node:path"

/** Either the old content or the new one survives a crash, never a half: a flushed temporary file takes the name. */
export async function writeDurably(path: string, bytes: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  // A name of its own: two may write the same content at once.
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`
  const file = await open(temporary, "w", 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
  await syncFolder(dirname(path))
}

/** A new name is durable only once its folder is. Windows cannot flush a folder and does not need to. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return
  const folder = await open(path, "r")
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
