import { enableCompileCache } from "node:module"
import { join } from "node:path"

// Compiled sources are kept in the clone, so that the second `assay` starts in half the time of the first.
enableCompileCache(join(import.meta.dirname, "..", ".assay", "compile-cache"))

const { runProgram } = await import("./program.ts")
process.exitCode = await runProgram(process.argv.slice(2))
