import type { Hex } from "viem"
import type { Tensor } from "#protocol"
import type { ValueInfo } from "../backend.ts"
import type { EngineErrorDetail } from "../errors.ts"
import type { ExecutionProfile } from "./profile.ts"

/** What parent and child say to each other, over Node's IPC channel in its binary ("advanced") serialization. */

export type ChildSettings = {
  readonly profile: ExecutionProfile
  readonly maxSessions: number
  /** Sessions beyond this are dropped, least recently used first; the process as a whole is watched by the parent. */
  readonly sessionBytes: number
  readonly maxOutputBytes: number
}

export type Request =
  | { readonly type: "source"; readonly sha256: Hex; readonly path: string }
  | { readonly type: "load"; readonly id: number; readonly sha256: Hex; readonly fresh: boolean }
  | { readonly type: "run"; readonly id: number; readonly sha256: Hex; readonly inputs: readonly Tensor[] }
  | { readonly type: "probe"; readonly id: number; readonly path: string }
  | { readonly type: "program"; readonly id: number; readonly sha256: Hex }

/** A value as onnxruntime sees it after it inferred shapes; a string or -1 is a dimension that it could not infer. */
export type ProbedValue = {
  readonly name: string
  readonly type: string
  readonly dims: readonly (number | string)[]
}

export type Reply =
  | { readonly type: "ready" }
  | {
      readonly type: "loaded"
      readonly id: number
      readonly inputs: readonly ValueInfo[]
      readonly outputs: readonly ValueInfo[]
    }
  | { readonly type: "ran"; readonly id: number; readonly outputs: readonly Tensor[] }
  | { readonly type: "probed"; readonly id: number; readonly values: readonly ProbedValue[] }
  | { readonly type: "program"; readonly id: number; readonly root: Hex }
  | { readonly type: "failed"; readonly id: number; readonly detail: EngineErrorDetail }
