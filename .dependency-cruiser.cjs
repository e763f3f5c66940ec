// The arrows of the house: contracts <- protocol <- engine <- {coordinator, worker, client} <- scripts, web.
// coordinator, worker and client never import one another: they meet over HTTP and the chain.

const rooms = {
  protocol: [],
  engine: ["protocol"],
  coordinator: ["protocol", "engine"],
  worker: ["protocol", "engine"],
  client: ["protocol", "engine"],
  // The demo shows an example at work, and `bench` runs the figures.
  scripts: ["protocol", "engine", "coordinator", "worker", "client", "ignition", "examples", "bench"],
  ignition: ["protocol"],
}
// Tests, figures and examples may use any room; no room may use them.
const everything = "protocol|engine|coordinator|worker|client|scripts|ignition|web|test|bench|examples"

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: "no-cycle",
      severity: "error",
      comment: "Files that need each other are one file, or hide a third.",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    ...Object.entries(rooms).map(([room, below]) => ({
      name: `arrows-of-${room}`,
      severity: "error",
      comment: `${room} imports from ${below.length > 0 ? below.join(", ") : "no other room"}.`,
      from: { path: `^${room}/` },
      to: { path: `^(${everything})/`, pathNot: `^(${[room, ...below].join("|")})/` },
    })),
    {
      name: "room-by-its-door",
      severity: "error",
      comment: "Another room's services are reached through its index.ts; protocol and engine also by file.",
      from: { path: "^scripts/" },
      to: { path: "^(coordinator|worker|client)/", pathNot: "^(coordinator|worker|client)/(index|main)\\.ts$" },
    },
    {
      name: "not-resolvable",
      severity: "error",
      from: { path: `^(${everything})/` },
      to: { couldNotResolve: true },
    },
    {
      name: "no-dev-dependency-at-run-time",
      severity: "error",
      from: { path: `^(${Object.keys(rooms).join("|")})/` },
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["type-only"] },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(node_modules|artifacts|cache|\\.assay|\\.ci|web/dist)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "node", "default", "types"], extensions: [".ts", ".js", ".json", ".d.ts"] },
  },
}
