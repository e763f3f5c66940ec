import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { readTensorProto } from "#engine"
import type { Tensor } from "#protocol"

/** Test models of the ONNX project, which stand beside the repository and are not part of it. */
const SHARED = process.env.ASSAY_SHARED ?? resolve(import.meta.dirname, "../../../../shared")
export const CASES_DIR = join(SHARED, "onnx-cases", "pytorch-operator")
export const casesMissing = existsSync(CASES_DIR) ? false : `no ONNX test models at ${CASES_DIR} (set ASSAY_SHARED)`

export type OnnxCase = {
  readonly name: string
  readonly model: Uint8Array
  readonly dir: string
  readonly inputs: Tensor[]
  readonly outputs: Tensor[]
}

export function onnxCases(): OnnxCase[] {
  if (casesMissing) return []
  return readdirSync(CASES_DIR).map((name) => {
    const dir = join(CASES_DIR, name)
    const tensors = (kind: string) =>
      readdirSync(join(dir, "test_data_set_0"))
        .filter((file) => file.startsWith(kind))
        .sort((a, b) => Number(/\d+/.exec(a)) - Number(/\d+/.exec(b)))
        .map((file) => readTensorProto(readFileSync(join(dir, "test_data_set_0", file))).read())
    return {
      name,
      dir,
      model: new Uint8Array(readFileSync(join(dir, "model.onnx"))),
      inputs: tensors("input_"),
      outputs: tensors("output_"),
    }
  })
}
