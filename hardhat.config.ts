import { createRequire } from "node:module"
import hardhatIgnitionViem from "@nomicfoundation/hardhat-ignition-viem"
import hardhatViem from "@nomicfoundation/hardhat-viem"
import { defineConfig } from "hardhat/config"

const require = createRequire(import.meta.url)

export default defineConfig({
  plugins: [hardhatViem, hardhatIgnitionViem],
  solidity: {
    version: "0.8.37",
    // The compiler comes from npm: nothing is downloaded, and everyone compiles with the same bytes.
    path: require.resolve("solc/soljson.js"),
    settings: { viaIR: true, evmVersion: "osaka", optimizer: { enabled: true, runs: 1_000_000 } },
  },
  paths: { tests: { solidity: "./test/contracts" } },
})
