import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Hex } from "viem"
import { z } from "zod"
import {
  decodeBundle,
  encodeBundle,
  type Parameter,
  parameterCount,
  type RoundProgram,
  type RoundState,
  roundPorts,
  type Tensors,
} from "#engine"
import { hexOf, sha256, type TrainingManifest, TrainingManifestSchema, tensorRoot } from "#protocol"
import { clientError } from "../errors.ts"
import { fedInputs, feedOf, type RunData } from "./runData.ts"
import { beginRun, contributions, type RoundRecord, type TrainingRun } from "./trainingRun.ts"

/** What of a run is fixed when it begins. */
export type RunPlan = {
  readonly program: RoundProgram
  /** The model that is trained, and what of it. */
  readonly forward: Uint8Array
  readonly parameters: readonly Parameter[]
  readonly title: string
  readonly rounds: number
  /** Where the data are no part of the program. */
  readonly data?: RunData
  /** Files that the program was made from, by name, with their sha256. */
  readonly sources: TrainingManifest["sources"]
}

export type RunFolder = {
  readonly plan: RunPlan
  readonly run: TrainingRun
  /** Writes what has changed; the manifest last, so that it never names a state that is not there. */
  save(run: TrainingRun): Promise<void>
  /** Also the model that it has come to. */
  saveModel(run: TrainingRun, model: Uint8Array): Promise<SavedModel>
}

/** Where the model is, and sha256 of it and of the manifest that names it. */
export type SavedModel = { readonly path: string; readonly sha256: Hex; readonly manifestSha256: Hex }

const MANIFEST = "manifest.json"
const PROGRAM = "program.onnx"
const CLOSING = "closing.onnx"
const GENESIS = "genesis.bundle"
const FORWARD = "forward.onnx"
const DATA = "data"
const MODEL = "model.onnx"

export async function createRunFolder(dir: string, plan: RunPlan): Promise<RunFolder> {
  await mkdir(dir, { recursive: true })
  if ((await readdir(dir)).includes(MANIFEST)) {
    throw clientError("E_RUN_EXISTS", `${dir} holds a run already: go on with it, or name another folder`)
  }
  await writeFile(join(dir, PROGRAM), plan.program.model)
  await writeFile(join(dir, CLOSING), plan.program.closing)
  await writeFile(join(dir, FORWARD), plan.forward)
  await writeFile(join(dir, GENESIS), encodeState(plan.program.genesis))
  if (plan.data) {
    await mkdir(join(dir, DATA), { recursive: true })
    for (const shard of plan.data.shards) await copyFile(shard.path, shardPath(dir, shard))
  }
  const folder = folderOf(dir, plan, beginRun(plan.program.genesis))
  await folder.save(folder.run)
  return folder
}

/** @throws E_RUN_FOLDER where the folder holds no run, or files that are not those that its manifest names */
export async function openRunFolder(dir: string): Promise<RunFolder> {
  const manifest = await readManifest(dir)
  const { program: facts, title, rounds, sources, played, posted, modelId } = manifest
  const data = manifest.data && {
    ...manifest.data,
    shards: manifest.data.shards.map((hash) => ({ sha256: hash, path: shardPath(dir, { sha256: hash }) })),
  }
  const read = async (name: string, hash: string) => {
    const bytes = await readRunFile(dir, name)
    if (hexOf(sha256(bytes)) === hash) return bytes
    throw clientError("E_RUN_FOLDER", `${join(dir, name)} is not the file that the run began with`)
  }
  const model = await read(PROGRAM, facts.sha256)
  const closing = await read(CLOSING, facts.closingSha256)
  const genesis = decodeState(await read(GENESIS, facts.genesisSha256))
  const forward = await read(FORWARD, facts.forwardSha256)
  const { slots, steps, parameters } = facts
  const program = {
    model,
    closing,
    genesis,
    slots,
    steps,
    parameters: parameterCount(parameters),
    ports: roundPorts(model),
    ...(data ? { feed: feedOf(data, fedInputs(model)) } : {}),
  }
  const stateOf = async (round: number) =>
    round === 0 ? genesis : decodeState(await readRunFile(dir, stateName(round)))
  const records: RoundRecord[] = []
  for (const record of played) {
    records.push(record.final ? record : { ...record, began: await stateOf(record.round) })
  }
  const run = {
    rounds: records,
    state: await stateOf(played.length),
    ...(posted ? { posted } : {}),
    ...(modelId ? { modelId } : {}),
  }
  return folderOf(dir, { program, forward, parameters, title, rounds, sources, ...(data ? { data } : {}) }, run)
}

export async function readManifest(dir: string): Promise<TrainingManifest> {
  const parsed = TrainingManifestSchema.safeParse(parseJson(await readRunFile(dir, MANIFEST)))
  if (parsed.success) return parsed.data
  throw clientError("E_RUN_FOLDER", `${join(dir, MANIFEST)} is no run's manifest: ${z.prettifyError(parsed.error)}`)
}

function folderOf(dir: string, plan: RunPlan, begun: TrainingRun): RunFolder {
  const write = async (manifest: TrainingManifest) => {
    const text = JSON.stringify(z.encode(TrainingManifestSchema, manifest), null, 2)
    // Thousands of losses, a line each, would bury everything else.
    const lines = text.replace(/\[[-\d.e,\s]+\]/g, (numbers) => numbers.replace(/\s+/g, " "))
    const bytes = new TextEncoder().encode(`${lines}\n`)
    await writeFile(join(dir, MANIFEST), bytes)
    return hexOf(sha256(bytes))
  }
  return {
    plan,
    run: begun,
    async save(run) {
      const needed = [run.state, ...run.rounds.flatMap(({ began }) => began ?? [])].filter(({ round }) => round > 0)
      const names = new Set(needed.map(({ round }) => stateName(round)))
      const there = await readdir(dir)
      for (const state of needed) {
        // A round that is played again may end in another state of the same number.
        await writeFile(join(dir, stateName(state.round)), encodeState(state))
      }
      await write(manifestOf(plan, run))
      for (const name of there) {
        if (/^state-\d+\.bundle$/.test(name) && !names.has(name)) await rm(join(dir, name))
      }
    },
    async saveModel(run, model) {
      await writeFile(join(dir, MODEL), model)
      const hash = hexOf(sha256(model))
      const manifestSha256 = await write({ ...manifestOf(plan, run), model: hash })
      return { path: join(dir, MODEL), sha256: hash, manifestSha256 }
    },
  }
}

export function manifestOf(plan: RunPlan, run: TrainingRun): TrainingManifest {
  const { program, title, rounds, sources, data } = plan
  const { slots, steps } = program
  return {
    version: 0,
    title,
    program: {
      sha256: hexOf(sha256(program.model)),
      closingSha256: hexOf(sha256(program.closing)),
      genesisSha256: hexOf(sha256(encodeState(program.genesis))),
      forwardSha256: hexOf(sha256(plan.forward)),
      slots,
      steps,
      parameters: plan.parameters.map(({ name, dims, offset }) => ({ name, dims: [...dims], offset })),
    },
    sources,
    ...(data ? { data: { ...data, shards: data.shards.map((shard) => shard.sha256) } } : {}),
    rounds,
    played: run.rounds.map(({ began: _, slots: each, rates, ...record }) => ({
      ...record,
      rates: [...rates],
      slots: each.map((slot) => slot && { ...slot, losses: [...slot.losses] }),
    })),
    ...(run.posted ? { posted: run.posted } : {}),
    ...(run.modelId ? { modelId: run.modelId } : {}),
    contributors: Object.fromEntries(contributions(run)),
    state: stateRoots(run.state),
  }
}

export function stateRoots({ shared, gathered }: RoundState): TrainingManifest["state"] {
  const roots = Object.entries({ ...shared, ...gathered }).map(([name, tensor]) => [name, tensorRoot(tensor)] as const)
  return Object.fromEntries(roots)
}

const stateName = (round: number) => `state-${round}.bundle`

function encodeState({ round, shared, gathered, included, own }: RoundState): Uint8Array {
  const named = (group: string, tensors: Tensors) =>
    Object.entries(tensors).map(([name, tensor]) => ({ name: `${round}/${group}/${name}`, tensor }))
  return encodeBundle([
    ...named("shared", shared),
    ...named("gathered", gathered),
    {
      name: `${round}/included/slots`,
      tensor: { dtype: "uint8", dims: [included.length], data: Uint8Array.from(included, Number) },
    },
    ...own.flatMap((tensors, slot) => named(`slot-${slot}`, tensors)),
  ])
}

function decodeState(bytes: Uint8Array): RoundState {
  const groups = new Map<string, Record<string, Tensors[string]>>()
  let round = 0
  for (const { name, tensor } of decodeBundle(bytes)) {
    const [number = "", group = "", part = ""] = name.split("/")
    round = Number(number)
    groups.set(group, { ...groups.get(group), [part]: tensor })
  }
  const own = [...groups.keys()].filter((group) => group.startsWith("slot-"))
  return {
    round,
    shared: groups.get("shared") ?? {},
    gathered: groups.get("gathered") ?? {},
    included: Array.from(groups.get("included")?.slots?.data ?? [], Boolean),
    own: own.map((_, slot) => groups.get(`slot-${slot}`) ?? {}),
  }
}

/** By its content: the same data in two runs have the same name. */
function shardPath(dir: string, { sha256: hash }: { readonly sha256: Hex }): string {
  return join(dir, DATA, `${hash.slice(2)}.npz`)
}

async function readRunFile(dir: string, name: string): Promise<Uint8Array> {
  return readFile(join(dir, name)).catch((cause: unknown) => {
    throw clientError("E_RUN_FOLDER", `${dir} holds no ${name}: it is no folder of a run`, { cause })
  })
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    // The schema says what it is not.
    return undefined
  }
}
