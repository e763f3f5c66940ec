import { open, readdir, stat } from "node:fs/promises"
import { basename, dirname, extname, join, resolve } from "node:path"
import type { Tensor } from "#protocol"
import type { ValueInfo } from "../backend.ts"
import { engineError } from "../errors.ts"
import { fromNestedArrays } from "../tensor/nestedArrays.ts"
import { missingInput, unknownInput } from "./checkInput.ts"
import {
  fileError,
  inFile,
  isInputFile,
  MAX_TEXT_BYTES,
  namingFile,
  parseJson,
  readInputFile,
  readTaskFile,
} from "./readTensorFile.ts"

/** The tasks of a job, read one at a time: a job's inputs may be larger than memory. */
export type TaskSource = {
  readonly count: number
  /** File, folder or line that a task comes from. */
  label(index: number): string
  /** The task's inputs in model order, checked against the model. */
  read(index: number): Promise<Tensor[]>
  close(): Promise<void>
}

export type InputFlags = {
  /** `--input NAME=FILE`: one task. */
  readonly files?: readonly { readonly name: string; readonly path: string }[]
  /** `--inputs DIR` or `--inputs LIST.jsonl`: many. */
  readonly from?: string
}

const NATURAL = new Intl.Collator("en", { numeric: true })

export async function openTaskSource(
  { files = [], from }: InputFlags,
  wants: readonly ValueInfo[],
): Promise<TaskSource> {
  if (from !== undefined && files.length > 0)
    throw engineError("E_INPUT_NAME", "--input and --inputs exclude each other", { remedy: "give one of them" })
  if (from === undefined) return singleTask(files, wants)
  const stats = await stat(from).catch((cause: unknown) => {
    throw fileError(from, cause)
  })
  if (stats.isDirectory()) return directory(from, wants)
  if (extname(from).toLowerCase() === ".jsonl") return lines(from, wants)
  return sourceOf([from], (path) => readTaskFile(path, wants))
}

/** All tasks at once, for jobs that fit in memory. */
export async function loadInputs(flags: InputFlags, wants: readonly ValueInfo[]): Promise<Tensor[][]> {
  const source = await openTaskSource(flags, wants)
  try {
    const tasks: Tensor[][] = []
    for (let i = 0; i < source.count; i++) tasks.push(await source.read(i))
    return tasks
  } finally {
    await source.close()
  }
}

/** `NAME=FILE` as typed; a bare FILE stands for the only input. */
export function parseInputFlag(text: string, wants: readonly ValueInfo[]): { name: string; path: string } {
  // Names may hold "=": the longest input name that fits wins, else the first "=" divides.
  const known = wants.filter(({ name }) => text.startsWith(`${name}=`)).sort((a, b) => b.name.length - a.name.length)[0]
  if (known) return { name: known.name, path: text.slice(known.name.length + 1) }
  const at = text.indexOf("=")
  if (at > 0) return { name: text.slice(0, at), path: text.slice(at + 1) }
  if (wants.length === 1) return { name: wants[0]!.name, path: text }
  throw engineError("E_INPUT_NAME", `"${text}" does not say which input it is`, {
    remedy: `write NAME=FILE; the inputs are: ${wants.map(({ name }) => name).join(", ")}`,
  })
}

function singleTask(files: readonly { name: string; path: string }[], wants: readonly ValueInfo[]): TaskSource {
  const names = new Set<string>()
  for (const { name } of files) {
    if (!wants.some((want) => want.name === name)) throw unknownInput(name, wants)
    if (names.has(name)) throw engineError("E_INPUT_NAME", `the input "${name}" is given twice`, { input: name })
    names.add(name)
  }
  for (const want of wants) if (!names.has(want.name)) throw missingInput(want)
  const label = files.map(({ path }) => path).join(", ")
  return sourceOf([label], () =>
    Promise.all(wants.map((want) => readInputFile(files.find(({ name }) => name === want.name)!.path, want))),
  )
}

async function directory(path: string, wants: readonly ValueInfo[]): Promise<TaskSource> {
  const entries = (await readdir(path, { withFileTypes: true }))
    .filter((entry) => !entry.name.startsWith(".") && (entry.isDirectory() || isInputFile(entry.name)))
    .sort((a, b) => NATURAL.compare(a.name, b.name) || (a.name < b.name ? -1 : 1))
  if (entries.length === 0)
    throw engineError("E_INPUT_MISSING", `${path} holds no .npy, .npz, .json or .pb file and no folder`, {
      remedy: "put one file a task there, or one folder a task with a file an input",
    })
  const folders = new Set(entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name)))
  return sourceOf(
    entries.map((entry) => join(path, entry.name)),
    (task) => (folders.has(task) ? readTaskFolder(task, wants) : readTaskFile(task, wants)),
  )
}

/** A file an input, named after it; also the layout of ONNX's own test data (`input_0.pb`, `output_0.pb`). */
async function readTaskFolder(path: string, wants: readonly ValueInfo[]): Promise<Tensor[]> {
  const files = (await readdir(path)).filter((name) => isInputFile(name) && !/^output_\d+\.pb$/.test(name))
  const byInput = new Map<string, string>()
  for (const file of files) {
    const stem = basename(file, extname(file))
    const position = /^input_(\d+)$/.exec(stem)?.[1]
    const want =
      wants.find(({ name }) => name === stem) ?? (position === undefined ? undefined : wants[Number(position)])
    if (!want) throw namingFile(path, unknownInput(stem, wants))
    if (byInput.has(want.name))
      throw engineError("E_INPUT_NAME", `${path}: the input "${want.name}" has two files`, { input: want.name })
    byInput.set(want.name, join(path, file))
  }
  return Promise.all(
    wants.map((want) => {
      const file = byInput.get(want.name)
      if (file === undefined) throw namingFile(path, missingInput(want))
      return readInputFile(file, want)
    }),
  )
}

/** A JSON object a line: input name to nested array, or to the path of a file beside the list. */
async function lines(path: string, wants: readonly ValueInfo[]): Promise<TaskSource> {
  const file = await open(path)
  const starts = await nonEmptyLines(file)
  if (starts.length === 0) {
    await file.close()
    throw engineError("E_INPUT_MISSING", `${path} has no line`, {
      remedy: "write one JSON object a line, one line a task",
    })
  }
  const label = (index: number) => `${path}, line ${starts[index]!.line}`
  return {
    count: starts.length,
    label,
    read: async (index) => {
      const { at, bytes } = starts[index]!
      if (bytes > MAX_TEXT_BYTES)
        throw engineError(
          "E_INPUT_TOO_LARGE",
          `${label(index)} has ${bytes} bytes; at most ${MAX_TEXT_BYTES} are read`,
          {
            remedy: "put fewer rows into one task, or name a .npy file in the line",
          },
        )
      const buffer = Buffer.alloc(bytes)
      await file.read(buffer, 0, bytes, at)
      try {
        return await readLine(parseJson(buffer), dirname(resolve(path)), wants)
      } catch (error) {
        throw namingFile(label(index), error)
      }
    },
    close: () => file.close(),
  }
}

async function readLine(value: unknown, folder: string, wants: readonly ValueInfo[]): Promise<Tensor[]> {
  const named =
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : wants.length === 1
        ? { [wants[0]!.name]: value }
        : undefined
  if (!named) throw engineError("E_INPUT_FORMAT", "the line must be an object that names each input")
  for (const name of Object.keys(named)) if (!wants.some((want) => want.name === name)) throw unknownInput(name, wants)
  return Promise.all(
    wants.map((want) => {
      if (!Object.hasOwn(named, want.name)) throw missingInput(want)
      const given = named[want.name]
      return typeof given === "string"
        ? readInputFile(resolve(folder, given), want)
        : inFile(want.name, () => fromNestedArrays(given, want))
    }),
  )
}

type Line = { readonly at: number; readonly bytes: number; readonly line: number }

async function nonEmptyLines(file: Awaited<ReturnType<typeof open>>): Promise<Line[]> {
  const found: Line[] = []
  let [at, start, line, blank] = [0, 0, 1, true]
  const end = (to: number) => {
    if (!blank) found.push({ at: start, bytes: to - start, line })
    ;[start, line, blank] = [to + 1, line + 1, true]
  }
  for await (const chunk of file.createReadStream({ autoClose: false, start: 0 }) as AsyncIterable<Buffer>)
    for (const byte of chunk) {
      if (byte === 0x0a) end(at)
      else if (byte > 0x20) blank = false
      at++
    }
  end(at)
  return found
}

function sourceOf(labels: readonly string[], read: (label: string) => Promise<Tensor[]>): TaskSource {
  return {
    count: labels.length,
    label: (index) => labels[index]!,
    read: (index) => read(labels[index]!),
    close: async () => {},
  }
}
