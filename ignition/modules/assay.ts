import { buildModule } from "@nomicfoundation/hardhat-ignition/modules"

/**
 * The contracts bind one another as immutables, so their addresses are foretold from the deployer's nonce and each
 * waits for the one before it. The Market is the last of them: its constructor checks that the others name it, so that a
 * wrong prediction cannot go live. The ModelRegistry only reads it.
 */
function assayModule(id: string, { ownBeacon }: { ownBeacon: boolean }) {
  return buildModule(id, (m) => {
    const at = (name: string) => m.getParameter(name)
    const token = m.contract("AssayToken", [at("faucetAmount"), at("faucetInterval")])
    const first = ownBeacon ? [token, m.contract("BlockBeacon", [], { after: [token] })] : [token]
    const referee = m.contract("Referee", [], { after: first })
    // The game's endings, which with the rest of the game would exceed what one transaction may create.
    const judge = m.contract("GameJudge", [at("gameConfig")], { after: [referee] })
    const registry = m.contract("Registry", [at("registryConfig")], { after: [judge] })
    const peers = [at("registry"), at("market")]
    const challenges = m.contract("Challenges", [...peers, at("jury"), at("game"), at("demandGas")], {
      after: [registry],
    })
    const jury = m.contract("Jury", [...peers, at("challenges"), at("game")], { after: [challenges] })
    const game = m.contract("DisputeGame", [at("gameConfig"), judge], { after: [jury] })
    const market = m.contract("Market", [at("marketParams")], { after: [game] })
    const models = m.contract("ModelRegistry", [market, token, at("modelGrace")], { after: [market] })
    return { token, referee, judge, registry, challenges, jury, game, market, models }
  })
}

/** Chain 31337: with the beacon of block hashes, which no other chain accepts (R31). */
export const localModule = assayModule("AssayLocal", { ownBeacon: true })
/** Elsewhere a beacon that exists already is named. */
export const publicModule = assayModule("Assay", { ownBeacon: false })
