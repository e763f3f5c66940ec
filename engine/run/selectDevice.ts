import { createHash } from "node:crypto"
import { EngineError } from "../errors.ts"
import { writeModel } from "../onnx/writeModel.ts"
import { decodeElements, encodeElements } from "../tensor/elements.ts"
import { type Device, tolerantProfile } from "./profile.ts"
import { createRunner } from "./runner.ts"

export const DEVICES: readonly Device[] = ["cpu", "cuda", "webgpu", "coreml", "dml"]

export type DeviceProbe = { readonly device: Device; readonly ok: boolean; readonly why: string }
export type DeviceChoice = {
  readonly device: Device
  /** One line for people: what was taken, and why what was asked for was not. */
  readonly message: string
  readonly probes: readonly DeviceProbe[]
}

/** Long enough for a driver to compile its first kernels, short enough that a hanging one does not hold up a start. */
const PROBE_TIMEOUT_MS = 30_000
const GIB = 1024 ** 3

/** A provider that is compiled in may still lack its driver or its device: only a run tells. */
export async function probeDevice(device: Device): Promise<DeviceProbe> {
  // In a process of its own: a broken driver takes the process down, not us.
  const runner = createRunner({
    profile: tolerantProfile(device, 1),
    timeoutMs: PROBE_TIMEOUT_MS,
    memoryBytes: 8 * GIB,
  })
  try {
    const model = tinyModel()
    const sha256 = `0x${createHash("sha256").update(model).digest("hex")}` as const
    await runner.load(model, sha256)
    const [y] = await runner.run(sha256, [
      { dtype: "float32", dims: [2, 2], data: encodeElements("float32", [1, 2, 3, 4]) },
    ])
    const got = decodeElements(y!).map(Number)
    const right = [7, 10, 15, 22].every((want, i) => Math.abs(got[i]! - want) < 1e-2)
    return { device, ok: right, why: right ? "ran a model" : `it computed ${got} for a matrix squared` }
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    return { device, ok: false, why: error.message }
  } finally {
    await runner.close()
  }
}

/** The device for tolerant work: what was asked for if it works, else the CPU; "auto" takes the fastest that works. */
export async function selectDevice(want: Device | "auto"): Promise<DeviceChoice> {
  const probes: DeviceProbe[] = []
  for (const device of want === "auto" ? candidates() : [want, "cpu" as const]) {
    if (probes.some((probe) => probe.device === device)) continue
    const probe = await probeDevice(device)
    probes.push(probe)
    if (probe.ok) return { device, message: messageFor(want, device, probes), probes }
  }
  throw new EngineError({
    code: "E_DEVICE_UNAVAILABLE",
    message: `no device can run a model: ${probes.map(({ device, why }) => `${device}: ${why}`).join("; ")}`,
    remedy: "run assay doctor, and reinstall onnxruntime-node for this platform",
  })
}

/** What may be there on this platform, fastest first. */
function candidates(): Device[] {
  if (process.platform === "darwin") return ["coreml", "webgpu", "cpu"]
  if (process.platform === "win32") return ["dml", "webgpu", "cpu"]
  return process.arch === "x64" ? ["cuda", "webgpu", "cpu"] : ["webgpu", "cpu"]
}

function messageFor(want: Device | "auto", device: Device, probes: readonly DeviceProbe[]): string {
  const failed = probes.filter(({ ok }) => !ok)
  if (failed.length === 0) return `computing on ${device}`
  const reasons = failed.map((probe) => `${probe.device}: ${probe.why}`).join("; ")
  return want === "auto"
    ? `computing on ${device} (${reasons})`
    : `computing on ${device}, since ${want} does not work here (${reasons})`
}

/** x times itself. */
function tinyModel(): Uint8Array {
  return writeModel({
    name: "tiny",
    nodes: [{ op: "MatMul", inputs: ["x", "x"], outputs: ["y"] }],
    inputs: [{ name: "x", dtype: "float32", dims: [2, 2] }],
    outputs: [{ name: "y", dtype: "float32", dims: [2, 2] }],
  })
}
