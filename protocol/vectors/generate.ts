import { writeFile } from "node:fs/promises"
import { buildVectors } from "./build.ts"
import { vectorsJson } from "./json.ts"

// node protocol/vectors/generate.ts : writes vectors.json anew. A line of it that changes is a format that broke.
await writeFile(new URL("vectors.json", import.meta.url), vectorsJson(await buildVectors()))
