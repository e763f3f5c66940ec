import { readdirSync } from "node:fs"
import { createRequire } from "node:module"
import { availableParallelism } from "node:os"
import hardhatIgnitionViem from "@nomicfoundation/hardhat-ignition-viem"
import hardhatViem from "@nomicfoundation/hardhat-viem"
import { defineConfig } from "hardhat/config"
import type { HardhatPlugin } from "hardhat/types/plugins"

const require = createRequire(import.meta.url)

// The compiler comes from npm: nothing is downloaded, and everyone compiles with the same bytes.
const compiler = (runs: number) => ({
  version: "0.8.37",
  path: require.resolve("solc/soljson.js"),
  settings: { viaIR: true, evmVersion: "osaka", optimizer: { enabled: true, runs } },
})

// Tests deploy the optimized bytecode of the artifacts; their own code is compiled plainly, which takes a third of the
// time (but for one that imports a contract itself, which needs the optimizer to fit the stack).
const plain = { ...compiler(1), settings: { viaIR: true, evmVersion: "osaka", optimizer: { enabled: false } } }
const tests = readdirSync("test/contracts", { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".sol") && path !== "Vectors.t.sol")
  .map((path) => [`test/contracts/${path.replaceAll("\\", "/")}`, plain])

/** Compiling is what a fresh clone waits for. Left to itself, Hardhat leaves a core idle: of two, half of them. */
const allCores: HardhatPlugin = {
  id: "assay-all-cores",
  hookHandlers: {
    solidity: async () => ({
      default: async () => ({
        build: (context, roots, options, next) =>
          next(context, roots, { ...options, concurrency: availableParallelism() }),
      }),
    }),
  },
}

export default defineConfig({
  plugins: [hardhatViem, hardhatIgnitionViem, allCores],
  solidity: {
    compilers: [compiler(1_000_000)],
    overrides: {
      ...Object.fromEntries(tests),
      // Two halves and the rules travel in one creation code, which has a limit of its own.
      "contracts/Market.sol": compiler(200),
      "contracts/MarketRare.sol": compiler(200),
      "contracts/Rules.sol": compiler(200),
      // The vault of everything: as fast as fits.
      "contracts/Registry.sol": compiler(20_000),
      // The rare path: small code before cheap calls.
      "contracts/Challenges.sol": compiler(1),
      "contracts/Proofs.sol": compiler(1),
      "contracts/Jury.sol": compiler(1),
      "contracts/DisputeGame.sol": compiler(1),
      "contracts/GameOpen.sol": compiler(1),
      "contracts/GameJudge.sol": compiler(1),
      // What is called a thousand times is a loop of its own; the rest has to fit.
      "contracts/referee/Referee.sol": compiler(200),
      "contracts/Duties.sol": compiler(1),
    },
  },
  // `deploy` puts the URL of the chain at hand here.
  networks: { rpc: { type: "http", url: "http://127.0.0.1:8545" } },
  paths: { tests: { solidity: "./test/contracts" } },
  // Solidity's side of the golden vectors reads the file that TypeScript's side reads, and the tests deploy the very
  // bytecode of the artifacts.
  test: {
    solidity: {
      fsPermissions: { readFile: ["./protocol/vectors/vectors.json"], readDirectory: ["artifacts"] },
      // One seed, so that what fails here fails everywhere; a handler's revert is a fault, not a skipped move.
      fuzz: { runs: 64, seed: "0xa55a7" },
      invariant: { runs: 12, depth: 120, failOnRevert: true },
    },
  },
})
