import type { InferenceSession } from "onnxruntime-node"

/**
 * How sessions execute.
 *
 * `exact-cpu-1` is part of the protocol: two machines that pass its self-test give the same bits, so nothing in it may
 * depend on the machine or on chance.
 * - Graph optimizations are off. They fuse and fold by rules that change with onnxruntime's version and with the
 *   instruction set (layouts of convolutions), and by which inner tensors are exposed. Without them the graph that is
 *   committed to is the graph that runs, operation by operation, which is what the referee will judge.
 * - One thread, sequential: with several, sums are split by how many there are.
 * - Denormals stay, no bfloat16 shortcut and no vendor kernels on ARM, no guesses about quantized graphs.
 */

export type Device = "cpu" | "cuda" | "webgpu" | "coreml" | "dml"
export type NumericClass = "exact" | "tolerant"

export const EXACT_PROFILE = "exact-cpu-1"
export const TOLERANT_PROFILE = "tolerant-1"

export type ExecutionProfile = {
  readonly numericClass: NumericClass
  readonly device: Device
  /** Of one session. Always 1 in the exact class, where more cores mean more processes. */
  readonly threads: number
}

export function exactProfile(): ExecutionProfile {
  return { numericClass: "exact", device: "cpu", threads: 1 }
}

export function tolerantProfile(device: Device, threads: number): ExecutionProfile {
  return { numericClass: "tolerant", device, threads }
}

export function sessionOptions(profile: ExecutionProfile): InferenceSession.SessionOptions {
  const common = { interOpNumThreads: 1, executionMode: "sequential", logSeverityLevel: 3 } as const
  if (profile.numericClass === "exact")
    return {
      ...common,
      executionProviders: ["cpu"],
      graphOptimizationLevel: "disabled",
      intraOpNumThreads: 1,
      extra: {
        session: {
          set_denormal_as_zero: "0",
          intra_op: { allow_spinning: "0" },
          inter_op: { allow_spinning: "0" },
          disable_quant_qdq: "1",
        },
        mlas: { enable_gemm_fastmath_arm64_bfloat16: "0", disable_kleidiai: "1" },
      },
    }
  return {
    ...common,
    executionProviders: [profile.device],
    graphOptimizationLevel: "all",
    intraOpNumThreads: profile.threads,
  }
}
