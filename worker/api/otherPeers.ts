import type { Peer } from "./peer.ts"

export type OpenPeer = (url: string) => Peer

/**
 * Peers at addresses that came out of an event: anyone can write one, so on a public network a worker is not talked
 * into asking hosts of its own network.
 */
export function createPeers({ open, isLocal }: { open: OpenPeer; isLocal: boolean }) {
  const peers = new Map<string, Peer>()
  return (url: string): Peer | undefined => {
    if (!isAllowed(url, isLocal)) return undefined
    const peer = peers.get(url) ?? open(url)
    peers.set(url, peer)
    return peer
  }
}

function isAllowed(text: string, isLocal: boolean): boolean {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    // An address that is none: nobody can be reached there.
    return false
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return false
  if (url.username || url.password) return false
  return isLocal || !isPrivateHost(url.hostname)
}

function isPrivateHost(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, "").toLowerCase()
  if (name === "localhost" || name.endsWith(".localhost") || name.endsWith(".local") || name.endsWith(".internal")) {
    return true
  }
  if (name.includes(":")) return /^(::|::1|f[cd]..|fe[89ab].|::ffff:)/.test(name)
  return /^(0|10|127|169\.254|192\.168|172\.(1[6-9]|2[0-9]|3[01])|100\.(6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-7]))\./.test(
    name,
  )
}
