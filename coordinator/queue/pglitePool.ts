import type { PGlite, Transaction } from "@electric-sql/pglite"

type Result = { rows: never[]; rowCount: number }
type Listener = (...args: never[]) => void
type Notification = { channel: string; payload: string }

/**
 * The embedded database in the shape of a `pg.Pool`, as far as BullMQ's PostgreSQL backend uses one.
 *
 * PGlite is one connection: single statements queue up by themselves, and a client that says BEGIN excludes the
 * others until it says COMMIT. LISTEN goes through `pglite.listen`, for there is no socket that could carry it.
 */
export function createPglitePool(pglite: PGlite) {
  const pool = {
    async query(text: string, params?: readonly unknown[]): Promise<Result> {
      return run(pglite, text, params)
    },
    async connect() {
      return createClient(pglite)
    },
    // The database belongs to who opened it: closing the queue does not close it.
    async end() {},
    // An embedded engine has no idle connection that could drop, so none of these events ever comes.
    on(_event: string, _listener: Listener) {
      return pool
    },
    removeAllListeners() {
      return pool
    },
  }
  return pool
}

/** The namespace of the queue's tables first: its statements name none. None of them is called as one of ours. */
export async function pinSearchPath(pglite: PGlite, schema = "bullmq"): Promise<void> {
  await pglite.exec(`SET search_path TO ${schema}, public`)
}

function createClient(pglite: PGlite) {
  const notified = new Set<(message: Notification) => void>()
  const unlisten: (() => Promise<void>)[] = []
  let open: { tx: Transaction; finish: (outcome: "commit" | "rollback") => Promise<void> } | undefined

  const client = {
    async query(text: string, params?: readonly unknown[]): Promise<Result> {
      const word = text.trim().replace(/;$/, "").toUpperCase()
      if (word === "BEGIN") {
        open = await begin(pglite)
        return { rows: [], rowCount: 0 }
      }
      if (word === "COMMIT" || word === "ROLLBACK") {
        const closing = open
        open = undefined
        await closing?.finish(word === "COMMIT" ? "commit" : "rollback")
        return { rows: [], rowCount: 0 }
      }
      const listen = /^LISTEN\s+"?([A-Za-z0-9_]+)"?;?$/i.exec(text.trim())
      if (listen?.[1]) {
        const channel = listen[1]
        unlisten.push(
          await pglite.listen(channel, (payload) => {
            for (const listener of notified) listener({ channel, payload })
          }),
        )
        return { rows: [], rowCount: 0 }
      }
      return run(open?.tx ?? pglite, text, params)
    },
    on(event: string, listener: Listener) {
      if (event === "notification") notified.add(listener as unknown as (message: Notification) => void)
      return client
    },
    removeListener(_event: string, listener: Listener) {
      notified.delete(listener as unknown as (message: Notification) => void)
      return client
    },
    removeAllListeners() {
      notified.clear()
      return client
    },
    release() {
      notified.clear()
      for (const stop of unlisten.splice(0)) void stop().catch(() => undefined) // the database may be closed by now
    },
  }
  return client
}

/** Opens a transaction that outlives the call: PGlite wants the work as a callback, BullMQ sends it statement by statement. */
async function begin(pglite: PGlite) {
  const started = Promise.withResolvers<Transaction>()
  const ended = Promise.withResolvers<"commit" | "rollback">()
  const whole = pglite.transaction(async (tx) => {
    started.resolve(tx)
    if ((await ended.promise) === "rollback") await tx.rollback()
  })
  whole.catch(started.reject)
  const tx = await started.promise
  return {
    tx,
    finish: async (outcome: "commit" | "rollback") => {
      ended.resolve(outcome)
      await whole
    },
  }
}

async function run(target: PGlite | Transaction, text: string, params?: readonly unknown[]): Promise<Result> {
  // Only the simple protocol takes several statements at once (migrations); only the extended one takes parameters.
  if (params === undefined || params.length === 0) {
    const results = await target.exec(text)
    const last = results.at(-1)
    return { rows: (last?.rows ?? []) as never[], rowCount: last?.affectedRows ?? last?.rows.length ?? 0 }
  }
  const { rows, affectedRows } = await target.query(text, [...params])
  return { rows: rows as never[], rowCount: affectedRows ?? rows.length }
}
