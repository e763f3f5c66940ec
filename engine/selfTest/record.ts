import { writeFile } from "node:fs/promises"
import { arch, cpus } from "node:os"
import { fileURLToPath } from "node:url"
import { createRunner } from "../run/runner.ts"
import { recordVectors } from "./selfTest.ts"

/**
 * `node engine/selfTest/record.ts [FILE]`: writes this machine's answers. Without FILE it replaces the recording of the
 * public profile, which changes what `exact-cpu-1` means and therefore needs a new profile name once there is a network.
 */
const path = process.argv[2] ?? fileURLToPath(new URL("./vectors.json", import.meta.url))
const runner = createRunner()
const recorded = await recordVectors(runner, `${arch()}, ${cpus()[0]?.model.trim() ?? "unknown processor"}`)
await runner.close()
await writeFile(path, `${JSON.stringify(recorded, null, 2)}\n`)
console.log(`${recorded.vectors.length} vectors in ${path}`)
