import type { Tensor } from "#protocol"
import type { ValueInfo } from "../backend.ts"
import { engineError } from "../errors.ts"

const NUMPY_NAMES: Record<string, string> = { bool: "bool_" }

/** Says which input, what it is, and what the model wants. */
export function checkInput(tensor: Tensor, want: ValueInfo): Tensor {
  const is = `input "${want.name}" is ${tensor.dtype} [${tensor.dims}]`
  const wants = `the model wants ${want.dtype} [${want.dims}]`
  if (tensor.dtype !== want.dtype)
    throw engineError("E_INPUT_DTYPE", `${is}; ${wants}`, {
      remedy: `convert it, in NumPy: array.astype(numpy.${NUMPY_NAMES[want.dtype] ?? want.dtype})`,
      input: want.name,
    })
  if (tensor.dims.length !== want.dims.length || tensor.dims.some((dim, i) => dim !== want.dims[i]))
    throw engineError("E_INPUT_SHAPE", `${is}; ${wants}`, {
      remedy: `reshape it to [${want.dims}], or export the model with the shape that you have`,
      input: want.name,
    })
  if (tensor.dtype === "bool" && tensor.data.some((byte) => byte > 1))
    throw engineError("E_INPUT_FORMAT", `${is} but holds bytes other than 0 and 1`, { input: want.name })
  return tensor
}

/** All inputs of a task in model order: none missing, none unknown. */
export function arrangeInputs(given: ReadonlyMap<string, Tensor>, wants: readonly ValueInfo[]): Tensor[] {
  for (const name of given.keys()) if (!wants.some((want) => want.name === name)) throw unknownInput(name, wants)
  return wants.map((want) => {
    const tensor = given.get(want.name)
    if (!tensor) throw missingInput(want)
    return checkInput(tensor, want)
  })
}

export function unknownInput(name: string, wants: readonly ValueInfo[]) {
  return engineError("E_INPUT_NAME", `the model has no input "${name}"`, {
    remedy: `its inputs are: ${wants.map(describe).join(", ")}`,
    input: name,
  })
}

export function missingInput(want: ValueInfo) {
  return engineError("E_INPUT_MISSING", `the input "${want.name}" is missing`, {
    remedy: `the model wants ${describe(want)}`,
    input: want.name,
  })
}

function describe({ name, dtype, dims }: ValueInfo): string {
  return `"${name}" ${dtype} [${dims}]`
}
