import {
  type Address,
  type Hex,
  isAddressEqual,
  type LocalAccount,
  type PublicClient,
  parseEventLogs,
  toHex,
} from "viem"
import {
  assayTokenAbi,
  type Deployment,
  jobIdOf,
  modelIdOf,
  modelRegistryAbi,
  runNonce,
  splitRunNonce,
  type Terms,
} from "#protocol"
import { eventsNamed, readHistory } from "../chain/readHistory.ts"
import { revertedWith, sendCall } from "../chain/sendCall.ts"
import { clientError } from "../errors.ts"
import { findPostedJob } from "../jobs/jobSalt.ts"
import { readBatches } from "../payouts/ledger.ts"

export type ModelPlan = {
  /** Of every round's job of the run. */
  readonly programRoot: Hex
  /** Most jobs of the run, and most units that a job's terms may come to: a share a unit. */
  readonly jobs: number
  readonly unitsPerJob: bigint
  /** Of whoever opens it. */
  readonly ownShares: bigint
  /** What users of the model pay, in 1/10,000 of a job's fees. */
  readonly royalty: number
  readonly title: string
}

export type Holder = {
  readonly account: Address
  readonly shares: bigint
  /** Earned and not yet claimed, of this model alone while its shares did not move; 0 until income is divided. */
  readonly claimable: bigint
}

export type RegisteredModel = {
  readonly modelId: Hex
  readonly owner: Address
  readonly title: string
  readonly programRoot: Hex
  readonly royalty: number
  readonly complete: boolean
  /** Chain time in seconds after which nothing is credited any more and income is divided; 0 until it is complete. */
  readonly creditUntil: number
  /** sha256 of manifest and model file; of zeros until it is complete. */
  readonly manifest: Hex
  readonly model: Hex
  readonly shares: bigint
  readonly holders: readonly Holder[]
  /** Royalties that were ever paid. */
  readonly income: bigint
}

export type Models = {
  /** Before a run's first round. */
  open(plan: ModelPlan): Promise<Hex>
  /**
   * The nonce of the run's next job: work gives shares in jobs of the model's own nonces alone.
   * @param from how many jobs the run has at least
   * @returns undefined where all jobs of the plan are posted
   */
  nextNonce(modelId: Hex, from: number): Promise<bigint | undefined>
  /** The model whose shares a job's work gives, for workers to ask before they work; undefined where it gives none. */
  modelOf(jobId: bigint): Promise<Hex | undefined>
  /** Gives shares for every final batch of the model's run that gave none yet. Anyone may. @returns how many batches */
  credit(modelId: Hex): Promise<number>
  /** Ends the run: by its owner, once. */
  complete(modelId: Hex, result: { state: Hex; manifest: Hex; model: Hex }): Promise<Hex>
  /** The royalty that using the model in a job of ours comes to. @throws E_MODEL_INCOMPLETE while it is in training */
  royaltyOf(modelId: Hex, terms: Terms): Promise<bigint>
  pay(modelId: Hex, payment: { jobId: bigint; amount: bigint }): Promise<Hex>
  /** Takes what this account's shares have earned. */
  claim(modelIds: readonly Hex[]): Promise<{ tx: Hex; amount: bigint }>
  read(modelId: Hex): Promise<RegisteredModel>
}

export type ModelsDeps = {
  readonly chain: PublicClient
  readonly deployment: Deployment
  /** @throws E_NO_ACCOUNT where nobody pays */
  readonly spender: () => LocalAccount
}

/** The ModelRegistry as a client uses it: shares of trained models, and what they earn. */
export function createModels({ chain, deployment, spender }: ModelsDeps): Models {
  const { models, market, token } = deployment.contracts
  const at = { address: models, abi: modelRegistryAbi } as const
  const send = (functionName: string, args: readonly unknown[]) =>
    sendCall(chain, spender(), { ...at, functionName, args })
  const eventsOf = async (tx: Hex) => {
    const { logs } = await chain.getTransactionReceipt({ hash: tx })
    return parseEventLogs({ abi: modelRegistryAbi, logs, strict: true })
  }
  const modelOf = (modelId: Hex) => chain.readContract({ ...at, functionName: "modelOf", args: [BigInt(modelId)] })
  const eventsFrom = { ...at, fromBlock: BigInt(deployment.deployedBlock), strict: true } as const

  return {
    async open({ title, ...plan }) {
      const [nonce] = crypto.getRandomValues(new Uint32Array(1))
      const tx = await send("open", [plan, nonce, title])
      const opened = (await eventsOf(tx)).find((event) => event.eventName === "ModelOpened")!
      return toHex(opened.args.modelId, { size: 32 })
    },

    async nextNonce(modelId, from) {
      const { owner, nonce, plan } = await modelOf(modelId)
      for (let index = from; index < plan.jobs; index++) {
        const next = runNonce({ model: nonce, index })
        const jobId = jobIdOf({ chainId: deployment.chainId, market, requester: owner, nonce: next })
        if (!(await findPostedJob(chain, deployment, jobId))) return next
      }
      return undefined
    },

    async modelOf(jobId) {
      const posted = await findPostedJob(chain, deployment, jobId)
      if (!posted) return undefined
      const { terms, nonce } = posted
      const place = splitRunNonce(nonce)
      const modelId = modelIdOf({
        chainId: deployment.chainId,
        models,
        owner: terms.requester,
        nonce: place.model,
      })
      const model = await modelOf(modelId).catch((error: unknown) => {
        if (revertedWith(error) === "ModelUnknown") return undefined
        throw error
      })
      if (!model || terms.programRoot !== model.plan.programRoot) return undefined
      const gives = place.index < model.plan.jobs && mostUnits(terms) <= model.plan.unitsPerJob
      return gives ? modelId : undefined
    },

    async credit(modelId) {
      const { owner, openedAt, nonce, plan } = await modelOf(modelId)
      const history = await readHistory(chain, deployment)
      const indices = new Map(
        eventsNamed(history, "JobPosted")
          .map(({ args }) => ({ ...args, place: splitRunNonce(args.nonce) }))
          .filter(({ requester, place }) => isAddressEqual(requester, owner) && place.model === nonce)
          .map(({ jobId, place }) => [jobId, place.index]),
      )
      const batches = readBatches(history)
      let credited = 0
      for (const { args } of eventsNamed(history, "BatchFinalized")) {
        const { terms, batch } = batches.get(args.batchId)!
        const index = indices.get(batch.jobId)
        const isOfRun = index !== undefined && index < plan.jobs && terms.programRoot === plan.programRoot
        if (!isOfRun || batch.commitBlock <= openedAt || args.paidRanges === 0n) continue
        if (mostUnits(terms) > plan.unitsPerJob) continue
        const known = await chain.readContract({
          ...at,
          functionName: "isCredited",
          args: [BigInt(modelId), args.batchId],
        })
        if (known) continue
        try {
          await send("credit", [BigInt(modelId), index, terms, batch])
          credited++
        } catch (error) {
          // Anyone may, so somebody else may have been first.
          if (revertedWith(error) !== "CreditTwice") throw error
        }
      }
      return credited
    },

    complete: (modelId, { state, manifest, model }) => send("complete", [BigInt(modelId), state, manifest, model]),

    async royaltyOf(modelId, terms) {
      const { creditUntil } = await modelOf(modelId)
      if (creditUntil === 0) {
        throw clientError("E_MODEL_INCOMPLETE", `model ${modelId} is in training: nobody knows yet whose a royalty is`)
      }
      return chain.readContract({ ...at, functionName: "royaltyUp", args: [BigInt(modelId), terms] })
    },

    async pay(modelId, { jobId, amount }) {
      await sendCall(chain, spender(), {
        address: token,
        abi: assayTokenAbi,
        functionName: "approve",
        args: [models, amount],
      })
      return send("pay", [BigInt(modelId), jobId, amount])
    },

    async claim(modelIds) {
      const tx = await send("claim", [modelIds.map(BigInt)])
      const claimed = (await eventsOf(tx)).find((event) => event.eventName === "IncomeClaimed")
      return { tx, amount: claimed?.args.amount ?? 0n }
    },

    async read(modelId) {
      const id = BigInt(modelId)
      const [{ owner, plan, creditUntil, manifest, model }, shares] = await Promise.all([
        modelOf(modelId),
        chain.readContract({ ...at, functionName: "sharesOf", args: [id] }),
      ])
      const [[opened], paid, moved] = await Promise.all([
        chain.getContractEvents({ ...eventsFrom, eventName: "ModelOpened", args: { modelId: id } }),
        chain.getContractEvents({ ...eventsFrom, eventName: "RoyaltyPaid", args: { modelId: id } }),
        Promise.all([
          chain.getContractEvents({ ...eventsFrom, eventName: "TransferSingle" }),
          chain.getContractEvents({ ...eventsFrom, eventName: "TransferBatch" }),
        ]),
      ])
      const accounts = new Set(
        moved
          .flat()
          .filter(({ args }) => ("id" in args ? args.id === id : args.ids.includes(id)))
          .map(({ args }) => args.to),
      )
      const holders = await Promise.all(
        [...accounts].map(async (account): Promise<Holder> => {
          const [held, claimable] = await Promise.all([
            chain.readContract({ ...at, functionName: "balanceOf", args: [account, id] }),
            chain.readContract({ ...at, functionName: "claimable", args: [account, id] }),
          ])
          return { account, shares: held, claimable }
        }),
      )
      return {
        modelId,
        owner,
        title: opened!.args.title,
        programRoot: plan.programRoot,
        royalty: plan.royalty,
        complete: creditUntil !== 0,
        creditUntil,
        manifest,
        model,
        shares,
        holders: holders.filter((holder) => holder.shares > 0n).sort((a, b) => (a.shares > b.shares ? -1 : 1)),
        income: paid.reduce((sum, { args }) => sum + args.amount, 0n),
      }
    },
  }
}

const mostUnits = ({ tasks, maxUnits }: Terms): bigint => BigInt(tasks) * BigInt(maxUnits)
