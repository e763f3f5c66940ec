/** Networks by the name that `--network` takes. Others are used by `--rpc` with a deployment file. */
export const NETWORKS = {
  local: { chainId: 31_337, rpcUrl: "http://127.0.0.1:8545" },
  sepolia: { chainId: 11_155_111, rpcUrl: undefined },
  "base-sepolia": { chainId: 84_532, rpcUrl: undefined },
} as const
export type NetworkName = keyof typeof NETWORKS

export const LOCAL_CHAIN_ID = NETWORKS.local.chainId

/** The folder of one deployment's state: nothing of an old chain meets a new one. */
export function deploymentFolder({
  network,
  chainId,
  market,
}: {
  network: string
  chainId: number
  market: string
}): string {
  return `${network}-${chainId}-${market.slice(2, 10).toLowerCase()}`
}
