import { unzipSync, zipSync } from "fflate"
import type { Tensor } from "#protocol"
import { engineError } from "../errors.ts"
import { decodeNpy, encodeNpy } from "./npy.ts"

/** NumPy's archive: a zip of .npy files, each named after its array. `maxBytes` bounds what a zip bomb unfolds to. */
export function decodeNpz(bytes: Uint8Array, maxBytes: number): Map<string, Tensor> {
  let total = 0
  let files: Record<string, Uint8Array>
  try {
    files = unzipSync(bytes, {
      filter: ({ name, originalSize }) => {
        if (!name.endsWith(".npy")) return false
        total += originalSize
        if (total > maxBytes)
          throw engineError("E_INPUT_TOO_LARGE", `the .npz file unfolds to more than ${maxBytes} bytes`, {
            remedy: "put fewer rows into one task",
          })
        return true
      },
    })
  } catch (cause) {
    if (total > maxBytes) throw cause
    throw engineError("E_INPUT_FORMAT", "this is not a usable .npz file: the zip archive is damaged", {
      remedy: "write it with numpy.savez(path, name=array)",
      cause,
    })
  }
  return new Map(Object.entries(files).map(([name, data]) => [name.slice(0, -".npy".length), decodeNpy(data)]))
}

/** The archive that `numpy.savez` writes, uncompressed. */
export function encodeNpz(arrays: Readonly<Record<string, Tensor>>): Uint8Array {
  const files = Object.entries(arrays).map(([name, tensor]) => [`${name}.npy`, encodeNpy(tensor)])
  // A fixed time: the same arrays are the same bytes, whenever they are written.
  return zipSync(Object.fromEntries(files), { level: 0, mtime: new Date("1980-01-01T00:00:00Z") })
}
