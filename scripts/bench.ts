import type { Command } from "commander"
import type { Figure } from "../bench/figure.ts"
import { BENCHES } from "../bench/index.ts"
import { action } from "./shared/action.ts"
import { ensureCompiled } from "./shared/compile.ts"
import { usageError } from "./shared/errors.ts"

export function configure(command: Command): void {
  command
    .description(
      `Print the figures that the README claims, each beside its goal or its competitor: ${Object.keys(BENCHES).join(", ")}.`,
    )
    .argument("[name]", "one of them; all when none is named")
    .action(
      action(async ({ out, signal }, _options, [name]) => {
        const names = Object.keys(BENCHES)
        if (name !== undefined && !names.includes(name)) {
          throw usageError("E_UNKNOWN_BENCH", `there is no figure '${name}': there are ${names.join(", ")}`)
        }
        await ensureCompiled(out.say)
        const figures: Figure[] = []
        for (const each of names) {
          if ((name !== undefined && each !== name) || signal.aborted) continue
          out.say(`measuring ${each}`)
          figures.push(...((await BENCHES[each]?.()) ?? []))
        }
        out.result(figures, () =>
          figures
            .map(
              (figure) =>
                `${figure.name.padEnd(36)} ${figure.value.toPrecision(4).padStart(10)} ${figure.unit}, against ${figure.against}${figure.ratio === null ? "" : ` (${figure.ratio.toFixed(2)})`}`,
            )
            .join("\n"),
        )
      }),
    )
}
