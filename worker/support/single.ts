/** At most one run at a time: a call that comes while one is under way is dropped, since the next will come. */
export function createSingle(run: () => Promise<void>, onError: (error: unknown) => void): () => void {
  let running = false
  return () => {
    if (running) return
    running = true
    run()
      .catch(onError)
      .finally(() => {
        running = false
      })
  }
}
