import { elementCount } from "#protocol"
import { engineError } from "../errors.ts"
import type { Value } from "../program/builder.ts"
import { int64s } from "../program/elements.ts"
import { log } from "../program/lower/elementwise.ts"
import type { Ops } from "../program/ops.ts"
import { sameDims } from "../program/values.ts"
import { dropWhere } from "./derivatives/elementwise.ts"
import type { Seed } from "./differentiate.ts"

export type Loss =
  /**
   * Softmax cross-entropy from logits (..., C) with integer targets (...), averaged over the places where `mask` (...)
   * is not 0, or over all. Targets and mask are columns of the data set or tensors of the model; one outside 0 .. C-1
   * counts as no class. A mask of weights is divided by their sum, or by 1 if that is less.
   */
  | { readonly kind: "crossEntropy"; readonly logits: string; readonly targets: string; readonly mask?: string }
  /** A tensor of the model that is the loss itself: float32 of one element. */
  | { readonly kind: "tensor"; readonly name: string }

/** The loss of one step, float32 [1], and where differentiation starts. */
export type LossResult = { readonly loss: Value; readonly seed: Seed }

export function namesOf(loss: Loss): string[] {
  return loss.kind === "tensor"
    ? [loss.name]
    : [loss.logits, loss.targets, ...(loss.mask === undefined ? [] : [loss.mask])]
}

/** Throws E_TRAIN_LOSS_NOT_SCALAR or E_TRAIN_SHAPE where the tensors do not make one number. */
export function lossOf(o: Ops, loss: Loss, values: ReadonlyMap<string, Value>): LossResult {
  o.builder.label("loss")
  if (loss.kind === "tensor") {
    const value = values.get(loss.name)!
    if (elementCount(value.dims) !== 1 || value.dtype !== "float32")
      throw engineError(
        "E_TRAIN_LOSS_NOT_SCALAR",
        `the loss "${loss.name}" is ${value.dtype} [${value.dims}], not one float32`,
        { remedy: "reduce it by ReduceMean to one number in the model", input: loss.name },
      )
    return { loss: o.reshape(value, [1]), seed: { value, gradient: o.filled(1, value.dims) } }
  }
  return crossEntropy(o, values.get(loss.logits)!, values.get(loss.targets)!, loss.mask, values)
}

/** Far beyond what training leaves, and finite: then no row of differences holds a NaN, and the logarithm is short. */
const LARGEST_LOGIT = 1e30

/**
 * -log softmax(z)[target] = log sum exp(z - max) - (z - max)[target]; by z it has the gradient softmax(z) - onehot,
 * which needs no logarithm.
 */
function crossEntropy(
  o: Ops,
  logits: Value,
  targets: Value,
  maskName: string | undefined,
  values: ReadonlyMap<string, Value>,
): LossResult {
  const mask = maskName === undefined ? undefined : values.get(maskName)!
  const classes = logits.dims.at(-1)
  const outer = logits.dims.slice(0, -1)
  if (logits.dtype !== "float32" || classes === undefined || targets.dtype === "float32")
    throw shapeError(`logits are ${logits.dtype} [${logits.dims}] and targets ${targets.dtype}`)
  for (const [what, value] of [
    ["targets", targets],
    ["mask", mask],
  ] as const)
    if (value && !sameDims(value.dims, outer))
      throw shapeError(`logits are [${logits.dims}], so ${what} must be [${outer}], not [${value.dims}]`)
  const rows = elementCount(outer)
  const z = o.orderly(o.clamp(o.reshape(logits, [rows, classes]), -LARGEST_LOGIT, LARGEST_LOGIT))
  const shifted = o.sub(z, o.extremeLast("ReduceMax", z, 1))
  const powers = o.exp(shifted)
  const sum = o.sumLast(powers)
  const places = o.cast(o.constant(int64s([...new Array(classes).keys()])), targets.dtype)
  const right = o.compare("Equal", o.reshape(targets, [rows, 1]), places)
  const surprise = o.sub(log(o, sum), o.sumLast(dropWhere(o, o.not(right), shifted))) // (rows, 1)
  const weights = mask ? o.reshape(o.cast(mask, "float32"), [rows, 1]) : undefined
  const count = weights ? o.atLeast(total(o, weights), o.scalar(1)) : o.vector([rows])
  const loss = o.div(total(o, weights ? o.mul(surprise, weights) : surprise), count)
  const error = o.sub(o.div(powers, sum), o.cast(right, "float32"))
  const gradient = weights ? o.mul(error, o.div(weights, count)) : o.mul(error, o.scalar(1 / rows))
  return { loss, seed: { value: logits, gradient: o.reshape(gradient, logits.dims) } }
}

/** The sum of all elements, as [1]. */
function total(o: Ops, x: Value): Value {
  return o.reshape(o.sumLast(o.reshape(x, [1, elementCount(x.dims)])), [1])
}

function shapeError(why: string) {
  return engineError("E_TRAIN_SHAPE", `these tensors make no cross-entropy: ${why}`, {
    remedy: "logits are float32 (..., C), targets integers (...), the mask numbers (...)",
  })
}
