import type { Command } from "commander"

/** What a command's file gives: its flags and its handler, put on a commander command that has name and summary. */
export type CommandModule = { configure: (command: Command) => void }

export type CommandEntry = {
  readonly name: string
  readonly group: string
  readonly summary: string
  readonly example: string
  readonly load: () => Promise<CommandModule>
}

const start = "Start here"
const requester = "Have work done"
const worker = "Earn"
const look = "Look and check"
const operator = "Run the parts"

/** Only names and one line each: `assay help` must not load what it only lists. */
export const commands: readonly CommandEntry[] = [
  {
    name: "demo",
    group: start,
    summary: "from nothing to paid in one go, with a cheat among the workers",
    example: "assay demo",
    load: () => import("./demo.ts"),
  },
  {
    name: "up",
    group: start,
    summary: "run a local chain, the contracts, a coordinator and workers until stopped",
    example: "assay up --workers 4 --detach",
    load: () => import("./up.ts"),
  },
  {
    name: "down",
    group: start,
    summary: "stop what `up --detach` started",
    example: "assay down",
    load: () => import("./down.ts"),
  },
  {
    name: "doctor",
    group: start,
    summary: "check this machine and say what to do",
    example: "assay doctor",
    load: () => import("./doctor.ts"),
  },
  {
    name: "quote",
    group: requester,
    summary: "what a job would cost and how long it would take; spends nothing",
    example: "assay quote --model model.onnx --input x=x.npy --audit 5%",
    load: () => import("./quote.ts"),
  },
  {
    name: "submit",
    group: requester,
    summary: "post a paid job",
    example: "assay submit --model model.onnx --inputs inputs/ --wait --out results/",
    load: () => import("./submit.ts"),
  },
  {
    name: "jobs",
    group: requester,
    summary: "list jobs",
    example: "assay jobs --mine",
    load: () => import("./jobs.ts"),
  },
  {
    name: "job",
    group: requester,
    summary: "look at one job",
    example: "assay job 0x5f2c…",
    load: () => import("./job.ts"),
  },
  {
    name: "cancel",
    group: requester,
    summary: "close a job early and take the refund",
    example: "assay cancel 0x5f2c…",
    load: () => import("./cancel.ts"),
  },
  {
    name: "results",
    group: requester,
    summary: "fetch a job's outputs",
    example: "assay results 0x5f2c… --out results/",
    load: () => import("./results.ts"),
  },
  {
    name: "worker",
    group: worker,
    summary: "stake, compute and earn",
    example: "assay worker --threads 2",
    load: () => import("./worker.ts"),
  },
  {
    name: "stake",
    group: worker,
    summary: "turn tokens into seats, by which verifiers are drawn",
    example: "assay stake 200",
    load: () => import("./stake.ts"),
  },
  {
    name: "unstake",
    group: worker,
    summary: "give seats back; the tokens follow after the unbonding time",
    example: "assay unstake 200",
    load: () => import("./unstake.ts"),
  },
  {
    name: "reserve",
    group: worker,
    summary: "collateral for one coordinator: in, or out after notice",
    example: "assay reserve 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 500",
    load: () => import("./reserve.ts"),
  },
  {
    name: "withdraw",
    group: worker,
    summary: "take what the chain owes you",
    example: "assay withdraw",
    load: () => import("./withdraw.ts"),
  },
  {
    name: "payouts",
    group: look,
    summary: "earned, owed, withdrawn and slashed, read from the chain",
    example: "assay payouts",
    load: () => import("./payouts.ts"),
  },
  {
    name: "why",
    group: look,
    summary: "the story and the rule behind a state",
    example: "assay why job 0x5f2c…",
    load: () => import("./why.ts"),
  },
  {
    name: "verify",
    group: look,
    summary: "re-derive a job's draw, leaves, verdicts and payouts; trusts nobody",
    example: "assay verify 0x5f2c… --rerun",
    load: () => import("./verify.ts"),
  },
  {
    name: "dispute",
    group: look,
    summary: "compute a task again, and have the chain judge it if its result is wrong",
    example: "assay dispute 0x5f2c…/17",
    load: () => import("./dispute.ts"),
  },
  {
    name: "watch",
    group: look,
    summary: "compute samples of your jobs again, and dispute what is wrong",
    example: "assay watch --rate 10%",
    load: () => import("./watch.ts"),
  },
  {
    name: "inspect",
    group: look,
    summary: "a model's inputs, outputs, operations and cost",
    example: "assay inspect model.onnx",
    load: () => import("./inspect.ts"),
  },
  {
    name: "train",
    group: requester,
    summary: "train a model round by round, every step checkable",
    example: "assay train --config run.json --wait",
    load: () => import("./train.ts"),
  },
  {
    name: "model",
    group: requester,
    summary: "where a trained model came from, and whose it is",
    example: "assay model adder-run",
    load: () => import("./model.ts"),
  },
  {
    name: "export",
    group: requester,
    summary: "write a run's model as it is now",
    example: "assay export adder-run --out adder.onnx",
    load: () => import("./export.ts"),
  },
  {
    name: "quantize",
    group: look,
    summary: "make an integer program of a float32 model: smaller, faster, exact",
    example: "assay quantize model.onnx --calibrate samples/ --out model.integer.onnx",
    load: () => import("./quantize.ts"),
  },
  {
    name: "keys",
    group: operator,
    summary: "list, import, export and rotate keys",
    example: "assay keys list",
    load: () => import("./keys.ts"),
  },
  {
    name: "chain",
    group: operator,
    summary: "run a local Hardhat chain; it forgets when it stops",
    example: "assay chain --port 8545",
    load: () => import("./chain.ts"),
  },
  {
    name: "deploy",
    group: operator,
    summary: "deploy the contracts",
    example: "assay deploy",
    load: () => import("./deploy.ts"),
  },
  {
    name: "coordinator",
    group: operator,
    summary: "run a coordinator",
    example: "assay coordinator --port 8787",
    load: () => import("./coordinator.ts"),
  },
  {
    name: "run",
    group: operator,
    summary: "run a file of examples/, or your own, with assay's own Node",
    example: "assay run examples/adder/writeRun.ts /tmp/adder",
    load: () => import("./run.ts"),
  },
  {
    name: "test",
    group: operator,
    summary: "run the test suite",
    example: "assay test",
    load: () => import("./test.ts"),
  },
  {
    name: "bench",
    group: operator,
    summary: "print the figures that the README claims",
    example: "assay bench gas",
    load: () => import("./bench.ts"),
  },
]
