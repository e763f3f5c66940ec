import type { Command } from "commander"
import { createRunner, type Inspection, inspectModel } from "#engine"
import { action } from "./shared/action.ts"
import { readModelFile } from "./shared/jobRequest.ts"

export function configure(command: Command): void {
  command.argument("<model>", "the ONNX file").action(
    action(async ({ out }, _options, [path = ""]) => {
      const bytes = await readModelFile(path)
      // In a child process, with limits: a model is untrusted even where it is one's own.
      const runner = createRunner()
      try {
        const inspection = await inspectModel({ runner }, bytes)
        out.result(inspection, () => describe(path, inspection))
        if (!inspection.exact.ok) process.exitCode = 1
      } finally {
        await runner.close()
      }
    }),
  )
}

function describe(path: string, model: Inspection): string {
  const port = ({ name, dtype, dims }: Inspection["inputs"][number]) => `  ${name}  ${dtype} [${dims.join(", ")}]`
  const cost =
    model.flops === undefined
      ? "not known"
      : `${(model.flops / 1e6).toFixed(2)} million operations a task, about ${((model.memoryBytes ?? 0) / 2 ** 20).toFixed(0)} MiB (tier ${model.memoryTierGiB ?? "none"} GiB)`
  return [
    `${path}: ${model.fileBytes} bytes, opset ${model.opset}${model.producer ? `, by ${model.producer}` : ""}, ${model.parameters} parameters`,
    "inputs",
    ...model.inputs.map(port),
    "outputs",
    ...model.outputs.map(port),
    `operations  ${model.operations.map(({ op, count }) => `${op} ${count}`).join(", ")}`,
    `cost        ${cost}`,
    `digest      ${model.digest.tensors.join(", ") || "the outputs"} (${model.digest.note})`,
    model.exact.ok ? "exact       yes: the same bits on every machine that passes the self-test" : "exact       no",
    ...model.exact.refused.map(
      ({ node, op, why, remedy }) => `  ${[op, node].filter(Boolean).join(" ") || "the model"}: ${why} → ${remedy}`,
    ),
  ].join("\n")
}
