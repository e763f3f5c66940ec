/** `ok` is null for what was not done, and `detail` says what it would need: it is never counted as passed. */
export type Check = { readonly name: string; readonly ok: boolean | null; readonly detail: string }

export function check(name: string, ok: boolean, detail: string): Check {
  return { name, ok, detail }
}

export function notDone(name: string, needs: string): Check {
  return { name, ok: null, detail: `not done: ${needs}` }
}

/** One check over many things: passes if none is wrong, and names the first that is. */
export function checkAll<T>(
  name: string,
  items: readonly T[],
  wrong: (item: T) => string | undefined,
  what: string,
): Check {
  for (const item of items) {
    const fault = wrong(item)
    if (fault !== undefined) return check(name, false, fault)
  }
  return check(name, true, `${items.length} ${what}`)
}
