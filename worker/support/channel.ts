/** Hands things from one stage of a pipeline to the next, holding at most `capacity` of them. */
export type Channel<T> = {
  /** Resolves when there is room: wait for it before making the thing. False once the channel is closed. */
  room(): Promise<boolean>
  /** Takes what there was room for; false, and nothing is taken, once the channel is closed. */
  put(item: T): boolean
  /** Undefined once the channel is closed and empty. */
  take(): Promise<T | undefined>
  /** No more is put in; what is inside can still be taken. */
  close(): void
  /** Takes out what nobody has taken. */
  drain(): T[]
}

export function createChannel<T>(capacity: number): Channel<T> {
  const items: T[] = []
  let closed = false
  let waiting: (() => void)[] = []
  const changed = () => new Promise<void>((resolve) => waiting.push(resolve))
  const change = () => {
    const woken = waiting
    waiting = []
    for (const wake of woken) wake()
  }
  return {
    async room() {
      while (!closed && items.length >= capacity) await changed()
      return !closed
    },
    put(item) {
      if (closed) return false
      items.push(item)
      change()
      return true
    },
    async take() {
      while (items.length === 0 && !closed) await changed()
      const item = items.shift()
      change()
      return item
    },
    close() {
      closed = true
      change()
    },
    drain() {
      const rest = items.splice(0)
      change()
      return rest
    },
  }
}
