import type { Value } from "../builder.ts"
import { int64s, numbersOf } from "../elements.ts"
import type { Ops } from "../ops.ts"
import { constantOf, float, input, int, ints, type Lower, type Lowering, refuse, text } from "./lowering.ts"
import { softmax } from "./products.ts"
import { classifierTrees, regressorTrees, sumOfLeaves, type Trees } from "./trees.ts"

/**
 * What is not a neural network: trees, linear models and the steps before and after them, as scikit-learn, XGBoost and
 * LightGBM are exported: https://github.com/onnx/onnx/blob/main/docs/Operators-ml.md
 */
export const classical: Readonly<Record<string, Lower>> = {
  TreeEnsembleRegressor: (l) => {
    const aggregate = text(l, "aggregate_function", "SUM")
    if (aggregate !== "SUM" && aggregate !== "AVERAGE")
      refuse(`it takes the ${aggregate} of its trees`, "use their sum or average")
    const trees = regressorTrees(l)
    const sum = sumOfLeaves(l, numbers(l, 0), trees)
    const mean = aggregate === "SUM" ? sum : l.o.div(sum, l.o.scalar(trees.roots.length))
    const scores = based(l, mean)
    // onnxruntime leaves a score that is alone as it is.
    return [trees.targets === 1 ? scores : transformed(l, scores)]
  },
  TreeEnsembleClassifier: (l) => {
    const classes = labels(l, "classlabels_int64s")
    const trees = classifierTrees(l, classes.length)
    const scores = sumOfLeaves(l, numbers(l, 0), trees)
    if (classes.length !== 2) return decided(l, based(l, scores), classes)
    return trees.targets === 2 ? bySign(l, based(l, scores)) : ofOneClass(l, scores, trees, classes)
  },
  LinearRegressor: (l) => [transformed(l, linear(l, int(l, "targets", 1)))],
  LinearClassifier: (l) => {
    const classes = labels(l, "classlabels_ints")
    const given = l.node.attributes.get("coefficients")?.floats ?? []
    if (given.length / input(l, 0).dims.at(-1)! !== classes.length)
      refuse("it has coefficients for one of two classes", EXPORT)
    return decided(l, linear(l, classes.length), classes)
  },
  Scaler: (l) => {
    const { o } = l
    const [offset, scale] = ["offset", "scale"].map((name) => o.vector(l.node.attributes.get(name)?.floats ?? []))
    return [o.mul(o.sub(numbers(l, 0), offset!), scale!)]
  },
  Normalizer: (l) => {
    const { o } = l
    const x = numbers(l, 0)
    const norm = text(l, "norm", "MAX")
    const size =
      norm === "L1"
        ? o.sumLast(o.abs(x))
        : norm === "L2"
          ? o.sqrt(o.sumLast(o.mul(x, x)))
          : o.extremeLast("ReduceMax", o.orderly(x), 1)
    return [o.div(x, o.where(o.compare("Equal", size, o.scalar(0)), o.scalar(1), size))]
  },
  Binarizer: (l) => {
    const { o } = l
    return [o.cast(o.compare("Greater", numbers(l, 0), o.scalar(float(l, "threshold", 0))), "float32")]
  },
  Imputer: (l) => {
    const { o } = l
    const x = input(l, 0)
    const replaced = l.node.attributes.get("replaced_value_float")?.f ?? 0
    const values = l.node.attributes.get("imputed_value_floats")?.floats ?? []
    if (x.dtype !== "float32" || values.length === 0) refuse(`it fills in ${x.dtype}`, "fill in float32")
    const isMissing = Number.isNaN(replaced)
      ? o.not(o.compare("Equal", x, x))
      : o.compare("Equal", x, o.scalar(replaced))
    return [o.where(isMissing, o.expand(o.vector(values), x.dims), x)]
  },
  FeatureVectorizer: (l) => [
    l.o.concat(
      l.inputs.map((_, i) => numbers(l, i)),
      1,
    ),
  ],
  ArrayFeatureExtractor: (l) => {
    const { o } = l
    const x = input(l, 0)
    const places = o.constant(int64s(numbersOf(constantOf(input(l, 1), "places"))))
    const rows = x.dims.length === 1 ? o.reshape(x, [1, x.dims[0]!]) : x
    return [o.gather(rows, places, rows.dims.length - 1)]
  },
}

const EXPORT = "export the model with scores for every class"

/** Features of any type count as float32, (rows, features). */
function numbers(l: Lowering, at: number): Value {
  const x = l.o.cast(input(l, at), "float32")
  return x.dims.length === 1 ? l.o.reshape(x, [1, x.dims[0]!]) : x
}

function labels(l: Lowering, name: string): readonly number[] {
  const found = ints(l, name) ?? []
  return found.length > 0 ? found : refuse("its classes are strings", "number the classes, and name them afterwards")
}

function linear(l: Lowering, targets: number): Value {
  const { o } = l
  const x = numbers(l, 0)
  const features = x.dims[1]!
  const coefficients = l.node.attributes.get("coefficients")?.floats ?? []
  if (coefficients.length !== targets * features)
    refuse(`it has ${coefficients.length} coefficients for ${targets} x ${features}`, "export the model again")
  const weights = Array.from({ length: features * targets }, (_, e) => {
    const [feature, target] = [Math.floor(e / targets), e % targets]
    return coefficients[target * features + feature]!
  })
  const sums = o.matMul(x, o.vector(weights, [features, targets]))
  const intercepts = l.node.attributes.get("intercepts")?.floats ?? []
  return intercepts.length > 0 ? o.add(sums, o.vector(intercepts)) : sums
}

function based(l: Lowering, scores: Value): Value {
  const base = l.node.attributes.get("base_values")?.floats ?? []
  return base.length > 0 ? l.o.add(scores, l.o.vector(base)) : scores
}

/** The class with the greatest score, the first of equals, and the scores. */
function decided(l: Lowering, scores: Value, classes: readonly number[]): readonly Value[] {
  const { o } = l
  return [o.gather(o.constant(int64s(classes)), o.chooseLast("ArgMax", scores, 0), 0), transformed(l, scores)]
}

function transformed(l: Lowering, scores: Value): Value {
  const { o } = l
  const transform = text(l, "post_transform", "NONE")
  if (transform === "NONE") return scores
  if (transform === "LOGISTIC") return o.sigmoid(scores)
  if (transform === "SOFTMAX") return softmax(o, scores)
  return refuse(`its scores become ${transform}`, "use NONE, LOGISTIC or SOFTMAX")
}

/** Of two classes that both have scores onnxruntime asks only the sign of the second, and numbers them itself. */
function bySign(l: Lowering, scores: Value): readonly Value[] {
  const { o } = l
  return [o.cast(above(o, o.range(scores, 1, 1, 2), 0), "int64"), transformed(l, scores)]
}

/** Where the leaves speak of one class alone, its score decides, and what is said of the other depends on which it is. */
function ofOneClass(
  l: Lowering,
  scores: Value,
  { spokenOf, allPositive }: Trees,
  classes: readonly number[],
): readonly Value[] {
  const { o } = l
  const base = l.node.attributes.get("base_values")?.floats ?? []
  if (base.length > (spokenOf === 0 ? 1 : 0)) refuse("it has a base for a class that no tree speaks of", EXPORT)
  const score = based(l, scores)
  const label = o.gather(o.constant(int64s(classes)), o.cast(above(o, score, allPositive ? 0.5 : 0), "int64"), 0)
  if (spokenOf === 1) return [label, transformed(l, o.concat([o.filled(0, score.dims), score], 1))]
  if (allPositive) return [label, o.concat([o.sub(o.scalar(1), score), score], 1)]
  const both = o.concat([o.neg(score), score], 1)
  return [label, text(l, "post_transform", "NONE") === "LOGISTIC" ? o.sigmoid(both) : both]
}

function above(o: Ops, column: Value, bound: number): Value {
  return o.reshape(o.compare("Greater", column, o.scalar(bound)), [column.dims[0]!])
}
