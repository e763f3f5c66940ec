/** The forger of the examples without its friends: drawn as a verifier it would audit honestly. */
export { createBackend } from "../../../examples/cheats/forger.ts"
