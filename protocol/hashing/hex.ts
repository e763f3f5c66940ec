import type { Hex } from "viem"

/** Faster than viem's converters, and this is the inner loop of every tree: node's Buffer does the work natively. */
export function bytesOf(hex: Hex): Uint8Array {
  return Buffer.from(hex.slice(2), "hex")
}

export function hexOf(bytes: Uint8Array): Hex {
  return `0x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")}`
}
