import { type Address, type Hex, type LocalAccount, type PublicClient, toHex } from "viem"
import { createRunner, memoryTierFor, type PreparedModel, prepareModel } from "#engine"
import {
  type Deployment,
  formatJobId,
  type Info,
  InfoSchema,
  inputsRoot,
  JobListSchema,
  type JobSummary,
  type JobView,
  JobViewSchema,
  jobIdOf,
  type MemoryTier,
  marketAbi,
  marketDomain,
  type Tensor,
  type Why,
  WhySchema,
} from "#protocol"
import { chainTimeOf, connectChain, genesisOf } from "./chain/connectChain.ts"
import { sendCall } from "./chain/sendCall.ts"
import type { DisputeResult } from "./disputes/disputeLeaf.ts"
import { type DisputeTaskDeps, type DisputeTaskParams, disputeTask } from "./disputes/disputeTask.ts"
import { type Watched, type WatchParams, watchJobs } from "./disputes/watchJobs.ts"
import { clientError } from "./errors.ts"
import { createCoordinator } from "./http/coordinator.ts"
import { type FetchResultsParams, fetchResults, type TaskOutput } from "./jobs/fetchResults.ts"
import { type FollowJobParams, followJob } from "./jobs/followJob.ts"
import { deriveJobSalt, findPostedJob, readPostedJob } from "./jobs/jobSalt.ts"
import { commitTasks, type JobPlan, planJob, type TaskInputs } from "./jobs/planJob.ts"
import { type PostJobResult, postJob } from "./jobs/postJob.ts"
import { chooseCapability, chooseShardSize, type PriceWishes, priceJob } from "./jobs/price.ts"
import { type Quote, quoteJob } from "./jobs/quoteJob.ts"
import { createModels, type Models } from "./models/models.ts"
import { type Payout, readPayouts } from "./payouts/readPayouts.ts"
import { type VerifyJobResult, verifyJob } from "./verify/verifyJob.ts"

export type ClientParams = {
  readonly coordinatorUrl: string
  readonly rpcUrl: string
  /** Asked of the coordinator, and checked against the chain, where none is given. */
  readonly deployment?: Deployment
  /** Who pays and signs; reading needs none. */
  readonly account?: LocalAccount
}

export type JobRequest = PriceWishes & {
  /** Prepared where many jobs run the same one: preparing compiles it. */
  readonly model: Uint8Array | PreparedModel
  readonly tasks: readonly TaskInputs[]
  readonly shardSize?: number
  /** From now, in chain time. */
  readonly deadlineSeconds?: number
  /** Makes the job's id, with the requester: what is posted twice under one is paid once. Random where it is not said. */
  readonly nonce?: bigint
  /** Chain time in seconds, instead of `deadlineSeconds`. */
  readonly deadline?: bigint
  readonly title?: string
  /** Anyone may see its inputs, compute its tasks again, and dispute what is wrong, for a bounty. */
  readonly isPublic?: boolean
  /** Tensors that results will repeat: the job's workers may read them, and send the rest alone. */
  readonly expected?: readonly Tensor[]
}

/** A job ready to be posted, and what it would cost; nothing has been spent or sent. */
export type Prepared = {
  readonly jobId: bigint
  readonly plan: JobPlan
  readonly quote: Quote
  readonly nonce: bigint
  /** Chain time in seconds. */
  readonly deadline: bigint
}

export type WhySubject =
  | { readonly kind: "job"; readonly jobId: bigint }
  | { readonly kind: "task"; readonly jobId: bigint; readonly index: number }
  | { readonly kind: "worker"; readonly account: Address }

export type Client = {
  readonly deployment: Deployment
  readonly chain: PublicClient
  info(): Promise<Info>
  /** Checks everything that can be checked, and says what it would cost. */
  prepare(request: JobRequest): Promise<Prepared>
  quote(request: JobRequest): Promise<Quote>
  /** Locks the escrow. */
  post(request: JobRequest | Prepared, options?: { signal?: AbortSignal }): Promise<PostJobResult>
  /** The transaction that posted a job; undefined where none did. */
  postingOf(jobId: bigint): Promise<Hex | undefined>
  follow(jobId: bigint, options?: Omit<FollowJobParams, "jobId">): Promise<JobView>
  job(jobId: bigint): Promise<JobView>
  jobs(query?: { requester?: Address; limit?: number }): Promise<JobSummary[]>
  results(jobId: bigint, options?: Pick<FetchResultsParams, "isShared" | "signal">): Promise<TaskOutput[]>
  /** Whether a job of ours runs this model on these very tasks: by its program root and its inputs' root (R1). */
  isPlanOf(jobId: bigint, work: Pick<JobRequest, "model" | "tasks">): Promise<boolean>
  /** Nothing new starts after this; what is under way is still paid (R18). */
  close(jobId: bigint): Promise<Hex>
  /** Books what the job did not use as owed to its requester. @returns the transaction and the amount */
  refund(jobId: bigint): Promise<{ tx: Hex; amount: bigint }>
  verify(jobId: bigint, options?: { rerun?: boolean; signal?: AbortSignal }): Promise<VerifyJobResult>
  /** Computes a task again and, where its committed leaf is wrong, plays the dispute game to its end. */
  dispute(params: DisputeTaskParams): Promise<DisputeResult>
  /** Computes again what it samples for itself, and disputes what is wrong. */
  watch(params: WatchParams): Promise<Watched>
  payouts(account?: Address): Promise<Payout[]>
  /** Shares of trained models, and what they earn. */
  readonly models: Models
  why(subject: WhySubject): Promise<Why>
}

const DEADLINE_SECONDS = 3600

export async function createClient(params: ClientParams): Promise<Client> {
  const { account, rpcUrl } = params
  const deployment = params.deployment ?? (await askDeployment(params))
  const chain = await connectChain(rpcUrl, deployment)
  const { market } = deployment.contracts
  const domain = marketDomain({ chainId: deployment.chainId, market })
  const identity = account && { account: account.address, signer: signerOf(account), domain }
  const chainTime = () => chainTimeOf(chain)
  const coordinator = createCoordinator({ url: params.coordinatorUrl, identity, chainTime })

  function spender(): LocalAccount {
    if (account) return account
    throw clientError("E_NO_ACCOUNT", "this needs an account that pays and signs: give one")
  }

  const info = () => coordinator.get("/v1/info", InfoSchema)

  async function prepare(request: JobRequest): Promise<Prepared> {
    const requester = spender()
    const now = await info()
    const model = request.model instanceof Uint8Array ? await prepareOnce(request.model) : request.model
    const shardSize = request.shardSize ?? chooseShardSize(request.tasks.length, now)
    const price = priceJob(now, request, { tasks: request.tasks.length, shardSize })
    const {
      nonce = BigInt(toHex(crypto.getRandomValues(new Uint8Array(8)))),
      deadline = (await chainTime()) + BigInt(request.deadlineSeconds ?? DEADLINE_SECONDS),
    } = request
    const plan = planJob({
      model,
      tasks: request.tasks,
      requester: requester.address,
      coordinator: now.coordinator,
      shardSize,
      memoryGiB: chooseCapability(now, tierOf(model)).memoryGiB,
      price,
      deadline,
      jobSalt: await deriveJobSalt(requester, deployment, nonce),
      ...(request.title === undefined ? {} : { title: request.title }),
      ...(request.isPublic ? { isPublic: true } : {}),
      ...(request.expected ? { expected: request.expected } : {}),
    })
    const jobId = jobIdOf({ chainId: deployment.chainId, market, requester: requester.address, nonce })
    return { jobId, plan, quote: quoteJob(now, plan.terms), nonce, deadline }
  }

  async function withRunner<T>(run: (deps: DisputeTaskDeps) => Promise<T>): Promise<T> {
    const runner = createRunner()
    try {
      return await run({ chain, coordinator, deployment, account: spender(), runner })
    } finally {
      await runner.close()
    }
  }

  const posted = (jobId: bigint) => readPostedJob(chain, deployment, jobId)

  return {
    deployment,
    chain,
    info,
    prepare,
    quote: async (request) => (await prepare(request)).quote,
    async post(request, { signal } = {}) {
      const prepared = "plan" in request ? request : await prepare(request)
      return postJob({ chain, coordinator, account: spender(), deployment }, prepared, signal)
    },
    postingOf: async (jobId) => (await findPostedJob(chain, deployment, jobId))?.tx,
    follow: (jobId, options = {}) => followJob(coordinator, { ...options, jobId }),
    job: (jobId) => coordinator.get(`/v1/jobs/${formatJobId(jobId)}`, JobViewSchema),
    async jobs({ requester, limit = 50 } = {}) {
      const query = new URLSearchParams({ limit: String(limit), ...(requester ? { requester } : {}) })
      return (await coordinator.get(`/v1/jobs?${query}`, JobListSchema)).jobs
    },
    async results(jobId, options = {}) {
      const { nonce } = await posted(jobId)
      const jobSalt = await deriveJobSalt(spender(), deployment, nonce)
      return fetchResults(coordinator, { ...options, jobId, jobSalt })
    },
    async isPlanOf(jobId, { model, tasks }) {
      const { terms, nonce } = await posted(jobId)
      const prepared = model instanceof Uint8Array ? await prepareOnce(model) : model
      const jobSalt = await deriveJobSalt(spender(), deployment, nonce)
      const inputs = commitTasks({ tasks, model: prepared, jobSalt })
      return terms.programRoot === prepared.programRoot && terms.inputs === inputsRoot(inputs.commitments)
    },
    async close(jobId) {
      const { terms } = await posted(jobId)
      return sendCall(chain, spender(), {
        address: market,
        abi: marketAbi,
        functionName: "close",
        args: [jobId, terms],
      })
    },
    async refund(jobId) {
      const { terms } = await posted(jobId)
      const call = { address: market, abi: marketAbi, functionName: "refund", args: [jobId, terms] }
      const tx = await sendCall(chain, spender(), call)
      const { blockNumber } = await chain.getTransactionReceipt({ hash: tx })
      const events = {
        address: market,
        abi: marketAbi,
        eventName: "JobRefunded",
        args: { jobId },
        strict: true,
      } as const
      const logs = await chain.getContractEvents({ ...events, fromBlock: blockNumber, toBlock: blockNumber })
      return { tx, amount: logs.reduce((sum, { args }) => sum + args.amount, 0n) }
    },
    verify: (jobId, options = {}) => verifyJob({ chain, coordinator, deployment, account }, { ...options, jobId }),
    dispute: (wish) => withRunner((deps) => disputeTask(deps, wish)),
    watch: (wish) => withRunner((deps) => watchJobs(deps, wish)),
    payouts: (one) => readPayouts(chain, deployment, one),
    models: createModels({ chain, deployment, spender }),
    why: (subject) => coordinator.get(pathOf(subject), WhySchema),
  }
}

/** A coordinator's word on where the contracts are is a claim; the chain, which the caller names, decides. */
async function askDeployment({ coordinatorUrl, rpcUrl }: ClientParams): Promise<Deployment> {
  const nobody = createCoordinator({ url: coordinatorUrl, identity: undefined, chainTime: async () => 0n })
  const { network, chainId, contracts, deployedBlock, params } = await nobody.get("/v1/info", InfoSchema)
  const genesisHash = await genesisOf(rpcUrl)
  return { network, chainId, contracts, deployedBlock, params, rpcUrl, genesisHash }
}

/** In a child process, for a model is untrusted even where it is one's own: it may come from anywhere. */
async function prepareOnce(bytes: Uint8Array): Promise<PreparedModel> {
  const runner = createRunner()
  try {
    return await prepareModel({ runner }, bytes)
  } finally {
    await runner.close()
  }
}

function tierOf({ memoryBytes }: PreparedModel): MemoryTier {
  const tier = memoryTierFor(memoryBytes)
  if (tier) return tier
  const message = `the model needs about ${Math.ceil(memoryBytes / 1024 ** 3)} GiB, more than the largest tier of workers: make it smaller`
  throw clientError("E_MODEL_TOO_LARGE", message)
}

function signerOf(account: LocalAccount) {
  if (!account.sign) throw clientError("E_NO_ACCOUNT", "the account cannot sign: give one made from a private key")
  return { address: account.address, sign: account.sign }
}

function pathOf(subject: WhySubject): string {
  if (subject.kind === "worker") return `/v1/why/worker/${subject.account}`
  const job = formatJobId(subject.jobId)
  return subject.kind === "job" ? `/v1/why/job/${job}` : `/v1/why/task/${job}/${subject.index}`
}
