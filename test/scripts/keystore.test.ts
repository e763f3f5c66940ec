import assert from "node:assert/strict"
import { readdir, readFile, stat } from "node:fs/promises"
import { test } from "node:test"
import { privateKeyToAccount } from "viem/accounts"
import { keyPath, listKeys, randomKey, readKey, writeKey } from "../../scripts/shared/keystore.ts"
import { tempDir } from "./support/assay.ts"

test("behavior: a key comes back with its password, and is for its owner's eyes alone", async (t) => {
  const dir = await tempDir(t)
  const key = randomKey()
  const stored = await writeKey({ dir, name: "local-worker", key, password: "secret", strength: "throwaway" })
  assert.equal(stored.address, privateKeyToAccount(key).address)
  assert.deepEqual(listKeys(dir), [stored])
  assert.equal(await readKey(stored.path, "secret"), key)
  assert.equal((await stat(stored.path)).mode & 0o777, 0o600)
  assert.ok(!(await readFile(stored.path, "utf8")).includes(key.slice(2)))
})

test("error: a wrong password opens nothing and says which file", async (t) => {
  const dir = await tempDir(t)
  const { path } = await writeKey({ dir, name: "a", key: randomKey(), password: "right", strength: "throwaway" })
  await assert.rejects(readKey(path, "wrong"), { code: "E_KEY_PASSWORD" })
})

test("error: a key is never overwritten", async (t) => {
  const dir = await tempDir(t)
  const params = { dir, name: "a", key: randomKey(), password: "p", strength: "throwaway" } as const
  const { path } = await writeKey(params)
  const before = await readFile(path, "utf8")
  await assert.rejects(writeKey({ ...params, key: randomKey() }), { code: "E_KEY_EXISTS" })
  assert.equal(await readFile(path, "utf8"), before)
})

test("behavior: of two that make one key at once one wins, and the file is its", async (t) => {
  const dir = await tempDir(t)
  const params = { dir, name: "a", password: "p", strength: "throwaway" } as const
  const keys = Array.from({ length: 8 }, randomKey)
  const made = await Promise.allSettled(keys.map((key) => writeKey({ ...params, key })))
  const winners = made.flatMap(({ status }, i) => (status === "fulfilled" ? [keys[i]] : []))
  assert.equal(winners.length, 1)
  assert.equal(await readKey(keyPath(dir, "a"), "p"), winners[0])
  assert.deepEqual(await readdir(dir), ["a.json"], "no draft stays")
})

test("behavior: a key with money elsewhere than on a throwaway chain has the full scrypt", async (t) => {
  const dir = await tempDir(t)
  const { path } = await writeKey({ dir, name: "sepolia-worker", key: randomKey(), password: "p", strength: "full" })
  const { Crypto, crypto = Crypto } = JSON.parse(await readFile(path, "utf8"))
  assert.equal(crypto.kdfparams.n, 2 ** 17)
})

test("error: a name that would lead out of the folder is no name", async (t) => {
  const dir = await tempDir(t)
  for (const name of ["../x", "a/b", "", "A"]) assert.throws(() => keyPath(dir, name), { code: "E_BAD_KEY_NAME" })
})
