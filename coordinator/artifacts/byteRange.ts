import { type Readable, Transform, type TransformCallback } from "node:stream"

export type ByteRange = { readonly from: number; readonly to: number }

/** `bytes=FROM-TO`, both included. Anything else is answered with the whole, as HTTP allows: undefined. */
export function parseByteRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=([0-9]{1,15})-([0-9]{1,15})$/.exec(header ?? "")
  if (!match) return undefined
  const [from, to] = [Number(match[1]), Number(match[2])]
  return from <= to && to < size ? { from, to } : undefined
}

/** A part of a stream that is read to its end: one that fails at its end, for its hash is wrong, fails the part as well. */
export function sliceOf(source: Readable, { from, to }: ByteRange): Readable {
  let at = 0
  let held: Buffer | undefined
  const slice = new Transform({
    transform(chunk: Buffer, _encoding, done: TransformCallback) {
      const part = chunk.subarray(Math.max(0, from - at), Math.max(0, to + 1 - at))
      at += chunk.byteLength
      if (part.byteLength === 0) return done()
      const ready = held
      held = part
      done(null, ready)
    },
    flush: (done: TransformCallback) => done(null, held),
  })
  source.once("error", (error) => slice.destroy(error))
  return source.pipe(slice)
}
