import { readFile, stat } from "node:fs/promises"
import { extname } from "node:path"
import type { Tensor } from "#protocol"
import type { ValueInfo } from "../backend.ts"
import { EngineError, engineError } from "../errors.ts"
import { MODEL_LIMITS } from "../model/marketRules.ts"
import { readTensorProto, TensorProtoError } from "../onnx/tensorProto.ts"
import { WireError } from "../onnx/wire.ts"
import { fromNestedArrays } from "../tensor/nestedArrays.ts"
import { decodeNpy } from "../tensor/npy.ts"
import { decodeNpz } from "../tensor/npz.ts"
import { plainBytes } from "../tensor/plainBytes.ts"
import { arrangeInputs, checkInput, missingInput, unknownInput } from "./checkInput.ts"

export const INPUT_EXTENSIONS = [".npy", ".npz", ".json", ".pb"] as const

/** JSON text of a number is up to five times as long as its bytes. */
export const MAX_TEXT_BYTES = 5 * MODEL_LIMITS.ioBytes

export function isInputFile(path: string): boolean {
  return (INPUT_EXTENSIONS as readonly string[]).includes(extname(path).toLowerCase())
}

/** One input of the model from one file. */
export async function readInputFile(path: string, want: ValueInfo): Promise<Tensor> {
  const bytes = await readBounded(path)
  return inFile(path, () => {
    switch (extname(path).toLowerCase()) {
      case ".npy":
        return checkInput(decodeNpy(bytes), want)
      case ".npz": {
        const arrays = decodeNpz(bytes, MODEL_LIMITS.ioBytes)
        const tensor = arrays.get(want.name) ?? (arrays.size === 1 ? [...arrays.values()][0] : undefined)
        if (!tensor) throw missingInput(want)
        return checkInput(tensor, want)
      }
      case ".json":
        return fromNestedArrays(parseJson(bytes), want)
      case ".pb":
        return checkInput(decodePb(bytes), want)
      default:
        throw unknownExtension(path)
    }
  })
}

/** All inputs of one task from one file: the one input, or an archive or object that names several. */
export async function readTaskFile(path: string, wants: readonly ValueInfo[]): Promise<Tensor[]> {
  const [only, ...others] = wants
  const extension = extname(path).toLowerCase()
  if (only && others.length === 0 && extension !== ".json") return [await readInputFile(path, only)]
  const bytes = await readBounded(path)
  return inFile(path, () => {
    if (extension === ".npz") return arrangeInputs(decodeNpz(bytes, MODEL_LIMITS.ioBytes), wants)
    if (extension === ".json") return fromNamedArrays(parseJson(bytes), wants)
    throw engineError(
      "E_INPUT_MISSING",
      `one ${extension} file holds one tensor, but the model has ${wants.length} inputs`,
      {
        remedy: `give a folder a task with a file an input (${wants.map(({ name }) => `${name}.npy`).join(", ")}), or .npz files`,
      },
    )
  })
}

/** `{name: nested array}`, or the bare array where the model has one input. */
export function fromNamedArrays(value: unknown, wants: readonly ValueInfo[]): Tensor[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    if (wants.length !== 1) throw engineError("E_INPUT_FORMAT", "the JSON must be an object that names each input")
    return [fromNestedArrays(value, wants[0]!)]
  }
  for (const name of Object.keys(value)) if (!wants.some((want) => want.name === name)) throw unknownInput(name, wants)
  return wants.map((want) => {
    if (!Object.hasOwn(value, want.name)) throw missingInput(want)
    return fromNestedArrays((value as Record<string, unknown>)[want.name], want)
  })
}

export async function readBounded(path: string): Promise<Uint8Array> {
  try {
    const { size } = await stat(path)
    if (size > MAX_TEXT_BYTES)
      throw engineError("E_INPUT_TOO_LARGE", `${path} has ${size} bytes; at most ${MAX_TEXT_BYTES} are read`, {
        remedy: "put fewer rows into one task",
      })
    return plainBytes(await readFile(path))
  } catch (cause) {
    throw cause instanceof EngineError ? cause : fileError(path, cause)
  }
}

export function fileError(path: string, cause: unknown) {
  const why = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : (cause as Error).message
  return engineError("E_INPUT_FILE", `cannot read ${path}: ${why}`, { remedy: "check the path", cause })
}

export function parseJson(bytes: Uint8Array | string): unknown {
  try {
    return JSON.parse(typeof bytes === "string" ? bytes : new TextDecoder("utf-8", { fatal: true }).decode(bytes))
  } catch (cause) {
    throw engineError("E_INPUT_FORMAT", `this is not JSON: ${(cause as Error).message}`, {
      remedy: "write nested arrays of numbers",
      cause,
    })
  }
}

/** An error from inside a file says which file. */
export function inFile<T>(where: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw namingFile(where, error)
  }
}

export function namingFile(where: string, error: unknown): unknown {
  if (!(error instanceof EngineError)) return error
  return new EngineError({ ...error.detail, message: `${where}: ${error.message}` }, { cause: error })
}

function decodePb(bytes: Uint8Array): Tensor {
  try {
    return readTensorProto(bytes).read()
  } catch (cause) {
    if (cause instanceof WireError && cause.truncated)
      throw engineError("E_INPUT_TRUNCATED", "the .pb tensor is cut off", {
        remedy: "copy or write the file again",
        cause,
      })
    if (cause instanceof WireError || cause instanceof TensorProtoError)
      throw engineError("E_INPUT_FORMAT", `this is not a usable .pb tensor: ${cause.message}`, {
        remedy: "write it with onnx.numpy_helper.from_array(array).SerializeToString()",
        cause,
      })
    throw cause
  }
}

function unknownExtension(path: string) {
  return engineError("E_INPUT_FORMAT", `${path} is none of ${INPUT_EXTENSIONS.join(", ")}`, {
    remedy: "convert it, for example with numpy.save",
  })
}
