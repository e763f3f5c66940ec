import assert from "node:assert/strict"
import { after, before, describe, test } from "node:test"
import type { Hex } from "viem"
import type { QueuedShard, ShardQueue } from "../../../coordinator/queue/shardQueue.ts"

export type QueueSetting = {
  name: string
  /** Why this machine cannot run it. */
  skip?: string | undefined
  start(): Promise<{
    /** Opens the queue: again and again, on the same store (a second replica, a restart). */
    open(settings?: { lockMs?: number; recoverMs?: number }): Promise<ShardQueue>
    stop(): Promise<void>
  }>
}

let capabilities = 0
/** Every case has a capability of its own, so that cases share one store without meeting. */
const freshCapability = (): Hex => `0x${(++capabilities).toString(16).padStart(64, "0")}`

const shardsOf = (capability: Hex, count: number, jobId = (1n << 190n) + 7n): QueuedShard[] =>
  Array.from({ length: count }, (_, shard) => ({ jobId, shard, attempt: 0, capability }))

/** The one suite that every setting of the queue must pass. */
export function describeShardQueue(setting: QueueSetting): void {
  describe(`shard queue on ${setting.name}`, { skip: setting.skip }, () => {
    let host: Awaited<ReturnType<QueueSetting["start"]>>
    let queue: ShardQueue
    before(async () => {
      host = await setting.start()
      queue = await host.open()
    })
    after(async () => {
      await queue?.close()
      await host?.stop()
    })

    test("behavior: shards come in the order of pushing, with ids of 192 bits intact", async () => {
      const capability = freshCapability()
      await queue.push(shardsOf(capability, 3))
      const taken = [await queue.take(capability), await queue.take(capability), await queue.take(capability)]
      assert.deepEqual(
        taken.map((item) => item && [item.jobId, item.shard, item.attempt]),
        [0, 1, 2].map((shard) => [(1n << 190n) + 7n, shard, 0]),
      )
      assert.equal(await queue.take(capability), null)
      for (const item of taken) await queue.done(item!)
      assert.equal(await queue.waiting(capability), 0)
    })

    test("behavior: an empty queue answers at once", async () => {
      const capability = freshCapability()
      await queue.take(capability) // opens the line
      const start = Date.now()
      assert.equal(await queue.take(capability), null)
      assert.ok(Date.now() - start < 1_000, "take did not wait")
    })

    test("behavior: a capability sees its own shards only", async () => {
      const [mine, other] = [freshCapability(), freshCapability()]
      await queue.push(shardsOf(other, 1))
      assert.equal(await queue.take(mine), null)
      const taken = await queue.take(other)
      assert.equal(taken?.capability, other)
      await queue.done(taken!)
    })

    test("behavior: pushing an entry that waits changes nothing; a later attempt is another entry", async () => {
      const capability = freshCapability()
      const [shard] = shardsOf(capability, 1)
      await queue.push([shard!])
      await queue.push([shard!])
      assert.equal(await queue.waiting(capability), 1)
      const first = await queue.take(capability)
      await queue.push([{ ...shard!, attempt: 1 }])
      await queue.done(first!)
      const second = await queue.take(capability)
      assert.equal(second?.attempt, 1)
      await queue.done(second!)
      // Once done, the same entry may come again (the database is asked whether it should).
      await queue.push([shard!])
      assert.equal(await queue.waiting(capability), 1)
    })

    test("behavior: many takers at once never get the same shard", async () => {
      const capability = freshCapability()
      await queue.push(shardsOf(capability, 24))
      const taken = await Promise.all(Array.from({ length: 40 }, () => queue.take(capability)))
      const got = taken.filter((item) => item !== null)
      assert.equal(got.length, 24)
      assert.equal(new Set(got.map((item) => item.shard)).size, 24)
      await Promise.all(got.map((item) => queue.done(item)))
      assert.equal(await queue.waiting(capability), 0)
    })

    test("behavior: what is given back is taken again, after its delay if it has one", async () => {
      const capability = freshCapability()
      await queue.push(shardsOf(capability, 1))
      const first = await queue.take(capability)
      await queue.giveBack(first!)
      const second = await queue.take(capability)
      assert.equal(second?.shard, 0)
      const start = Date.now()
      await queue.giveBack(second!, 300)
      assert.equal(await queue.take(capability), null)
      assert.equal(await queue.waiting(capability), 1)
      let third = await queue.take(capability)
      while (!third && Date.now() - start < 5_000) {
        await new Promise((resolve) => setTimeout(resolve, 25))
        third = await queue.take(capability)
      }
      assert.equal(third?.shard, 0)
      assert.ok(Date.now() - start >= 290, "the delay was kept")
      await queue.done(third!)
    })

    test("behavior: what a process held when it died returns to the queue, and its late word is ignored", async () => {
      const capability = freshCapability()
      const dying = await host.open({ lockMs: 150, recoverMs: 200 })
      await dying.push(shardsOf(capability, 1))
      const held = await dying.take(capability)
      assert.equal(held?.shard, 0)
      assert.equal(await queue.take(capability), null)
      const start = Date.now()
      let again = null
      while (!again && Date.now() - start < 10_000) {
        again = await queue.take(capability)
        if (!again) await new Promise((resolve) => setTimeout(resolve, 50))
      }
      assert.equal(again?.shard, 0)
      await dying.done(held!)
      await queue.done(again!)
      assert.equal(await queue.waiting(capability), 0)
      await dying.close()
    })

    test("behavior: entries outlive the process that pushed them", async () => {
      const capability = freshCapability()
      const first = await host.open()
      await first.push(shardsOf(capability, 2))
      await first.close()
      const second = await host.open()
      assert.equal(await second.waiting(capability), 2)
      const taken = await second.take(capability)
      assert.equal(taken?.shard, 0)
      await second.close()
    })
  })
}
