import { writeFile } from "node:fs/promises"
import { codesMarkdown } from "./markdown.ts"

await writeFile(new URL("../../docs/codes.md", import.meta.url), codesMarkdown())
