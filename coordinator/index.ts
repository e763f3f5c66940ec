export { type Config, type Limits, type Policy, parseConfig } from "./config.ts"
export { CoordinatorError } from "./errors.ts"
export { type Coordinator, type StartOptions, startCoordinator } from "./node.ts"
