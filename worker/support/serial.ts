/** Runs one thing at a time in the order asked; a failure is its asker's alone. */
export type Serial = <T>(run: () => Promise<T>) => Promise<T>

export function createSerial(): Serial {
  let last: Promise<unknown> = Promise.resolve()
  return (run) => {
    const next = last.then(run, run)
    last = next.catch(() => undefined)
    return next
  }
}
