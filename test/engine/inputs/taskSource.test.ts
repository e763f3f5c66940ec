import assert from "node:assert/strict"
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { zipSync } from "fflate"
import { type EngineError, encodeNpy, loadInputs, openTaskSource, parseInputFlag, writeTensorProto } from "#engine"
import { ramp, tensor } from "../support/graphs.ts"

const root = await mkdtemp(join(tmpdir(), "assay-inputs-"))
after(() => rm(root, { recursive: true }))

const one = [{ name: "x", dtype: "float32" as const, dims: [2, 2] }]
const two = [...one, { name: "mask", dtype: "bool" as const, dims: [2] }]
const x = ramp([2, 2])
const mask = tensor("bool", [2], [1, 0])

async function put(path: string, content: string | Uint8Array): Promise<string> {
  const full = join(root, path)
  await mkdir(join(full, ".."), { recursive: true })
  await writeFile(full, content)
  return full
}

function fails(promise: Promise<unknown>, code: string, message: RegExp) {
  return assert.rejects(promise, (error: EngineError) => error.code === code && message.test(error.message))
}

test("behavior: --input takes .npy, .npz, .json and .pb", async () => {
  const xValues = [...new Float32Array(x.data.slice().buffer)]
  const files = [
    await put("a/x.npy", encodeNpy(x)),
    await put("a/x.npz", zipSync({ "x.npy": encodeNpy(x) })),
    await put("a/x.json", JSON.stringify([xValues.slice(0, 2), xValues.slice(2)])),
    await put("a/x.pb", writeTensorProto(x, "whatever")),
  ]
  for (const path of files) assert.deepEqual(await loadInputs({ files: [{ name: "x", path }] }, one), [[x]])
})

test("behavior: inputs come in model order, whatever the order given", async () => {
  const files = [
    { name: "mask", path: await put("b/mask.npy", encodeNpy(mask)) },
    { name: "x", path: await put("b/x.npy", encodeNpy(x)) },
  ]
  assert.deepEqual(await loadInputs({ files }, two), [[x, mask]])
})

test("behavior: a directory makes a task a file, in the order people count", async () => {
  for (const n of [10, 9, 1]) await put(`c/${n}.npy`, encodeNpy(tensor("float32", [2, 2], [n, n, n, n])))
  await put("c/README.md", "ignored")
  const source = await openTaskSource({ from: join(root, "c") }, one)
  assert.deepEqual(
    [0, 1, 2].map((i) => source.label(i).split("/").at(-1)),
    ["1.npy", "9.npy", "10.npy"],
  )
  assert.deepEqual(await source.read(2), [tensor("float32", [2, 2], [10, 10, 10, 10])])
})

test("behavior: a directory of folders makes a task a folder, ONNX test data included", async () => {
  await put("d/t0/x.npy", encodeNpy(x))
  await put("d/t0/mask.npy", encodeNpy(mask))
  await put("d/t1/input_0.pb", writeTensorProto(x))
  await put("d/t1/input_1.pb", writeTensorProto(mask))
  await put("d/t1/output_0.pb", writeTensorProto(x))
  assert.deepEqual(await loadInputs({ from: join(root, "d") }, two), [
    [x, mask],
    [x, mask],
  ])
})

test("behavior: a list holds arrays or paths beside it, a line a task", async () => {
  await put("e/x.npy", encodeNpy(x))
  const list = await put(
    "e/list.jsonl",
    `{"x": "x.npy", "mask": [true, false]}\n\n{"mask": [1, 0], "x": [[1, 2], [3, 4]]}`,
  )
  assert.deepEqual(await loadInputs({ from: list }, two), [
    [x, mask],
    [tensor("float32", [2, 2], [1, 2, 3, 4]), mask],
  ])
})

test("behavior: a bare array a line will do for a model with one input", async () => {
  assert.deepEqual(await loadInputs({ from: await put("f.jsonl", "[[1,2],[3,4]]\n") }, one), [
    [tensor("float32", [2, 2], [1, 2, 3, 4])],
  ])
})

test("error: dtype names the input, what it is and what the model wants", async () => {
  const path = await put("g.npy", encodeNpy(tensor("float64", [2, 2], [1, 2, 3, 4])))
  await fails(
    loadInputs({ files: [{ name: "x", path }] }, one),
    "E_INPUT_DTYPE",
    /input "x" is float64 \[2,2\]; the model wants float32 \[2,2\]/,
  )
})
test("error: shape names the input, what it is and what the model wants", async () => {
  const path = await put("h.npy", encodeNpy(ramp([4])))
  await fails(
    loadInputs({ files: [{ name: "x", path }] }, one),
    "E_INPUT_SHAPE",
    /input "x" is float32 \[4\]; the model wants float32 \[2,2\]/,
  )
})
test("error: an unknown name lists the names there are", async () => {
  await assert.rejects(loadInputs({ files: [{ name: "y", path: "y.npy" }] }, one), (error: EngineError) => {
    return error.code === "E_INPUT_NAME" && /"x" float32 \[2,2\]/.test(error.detail.remedy ?? "")
  })
})
test("error: a missing input", () => fails(loadInputs({ files: [] }, one), "E_INPUT_MISSING", /"x" is missing/))
test("error: a missing file", () =>
  fails(loadInputs({ files: [{ name: "x", path: join(root, "none.npy") }] }, one), "E_INPUT_FILE", /no such file/))
test("error: a missing file in a folder of a task", async () => {
  await put("i/t0/x.npy", encodeNpy(x))
  await fails(loadInputs({ from: join(root, "i") }, two), "E_INPUT_MISSING", /t0.*"mask" is missing/)
})
test("error: an empty directory", async () => {
  await mkdir(join(root, "empty"))
  await fails(loadInputs({ from: join(root, "empty") }, one), "E_INPUT_MISSING", /holds no/)
})
test("error: a bad line says which line", async () => {
  const list = await put("j.jsonl", '{"x": [[1,2],[3,4]]}\n{"x": [[1,2],[3]]}\n')
  await fails(loadInputs({ from: list }, one), "E_INPUT_SHAPE", /j\.jsonl, line 2/)
  await fails(loadInputs({ from: await put("k.jsonl", "{") }, one), "E_INPUT_FORMAT", /line 1: this is not JSON/)
})
test("error: a .pb that is cut off, and one that is none", async () => {
  const cut = await put("cut.pb", writeTensorProto(x).subarray(0, 15))
  await fails(loadInputs({ files: [{ name: "x", path: cut }] }, one), "E_INPUT_TRUNCATED", /cut off/)
  const none = await put("none.pb", "hello")
  await fails(loadInputs({ files: [{ name: "x", path: none }] }, one), "E_INPUT_FORMAT", /pb tensor/)
})
test("error: bool inputs hold 0 and 1 alone, since a C++ bool of 2 is undefined", async () => {
  const path = await put("l.npy", encodeNpy({ ...mask, data: Uint8Array.of(2, 0) }))
  await fails(
    loadInputs({ files: [{ name: "m", path }] }, [{ name: "m", dtype: "bool", dims: [2] }]),
    "E_INPUT_FORMAT",
    /0 and 1/,
  )
})

test("args: NAME=FILE divides at the name, FILE alone stands for the only input", () => {
  assert.deepEqual(parseInputFlag("x=a=b.npy", one), { name: "x", path: "a=b.npy" })
  assert.deepEqual(parseInputFlag("a.npy", one), { name: "x", path: "a.npy" })
  assert.throws(() => parseInputFlag("a.npy", two), /which input/)
})
