/**
 * The same memory as a plain Uint8Array. A Buffer is one too, but its `slice` is a view where a plain array's is a
 * copy, and the two never compare equal: tensors hold plain arrays alone.
 */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
