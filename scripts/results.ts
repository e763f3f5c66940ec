import type { Command } from "commander"
import { formatJobId } from "#protocol"
import { action } from "./shared/action.ts"
import { usageError } from "./shared/errors.ts"
import { openSpender } from "./shared/openClient.ts"
import { parseJobId } from "./shared/parse.ts"
import { writeOutputs } from "./shared/writeOutputs.ts"

export function configure(command: Command): void {
  command
    .argument("<id>", "the job's id")
    .option("--out <dir>", "where outputs go")
    .action(
      action<{ out?: string }>(async (context, { out: dir }, [id = ""]) => {
        const jobId = parseJobId(id)
        if (dir === undefined) throw usageError("E_USAGE", "say where outputs go with --out DIR")
        const { client } = await openSpender(context)
        const results = await client.results(jobId, { signal: context.signal })
        const outputs = await writeOutputs(dir, results)
        context.out.result(
          { jobId: formatJobId(jobId), out: dir, outputs },
          () => `${outputs.length} outputs are in ${dir}, beside manifest.json`,
        )
      }),
    )
}
