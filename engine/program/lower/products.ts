import { elementCount } from "#protocol"
import type { Value } from "../builder.ts"
import type { Ops } from "../ops.ts"
import { log } from "./elementwise.ts"
import { axisOf, float, input, int, intsOf, type Lower, type Lowering, product, refuse, uniform } from "./lowering.ts"

/** Sums of products, and what is made of sums: reductions, normalizations, softmax. */

export const products: Readonly<Record<string, Lower>> = {
  MatMul: (l) => [anyMatMul(l.o, input(l, 0), input(l, 1))],
  Gemm: (l) => {
    const { o } = l
    const flip = (x: Value, name: string) => (int(l, name, 0) === 1 ? o.transpose(x, [1, 0]) : x)
    const product = o.matMul(flip(input(l, 0), "transA"), scaled(o, flip(input(l, 1), "transB"), float(l, "alpha", 1)))
    const c = l.inputs[2]
    const beta = float(l, "beta", 1)
    return [c && beta !== 0 ? o.add(product, scaled(o, c, beta)) : product]
  },
  Softmax: (l) => softmaxLike(l, softmax),
  LogSoftmax: (l) => softmaxLike(l, logSoftmax),
  Hardmax: (l) =>
    softmaxLike(l, (o, x) => {
      const places = o.constant(o.builder.ints([...new Array(x.dims.at(-1)!).keys()]).constant!)
      return o.cast(o.compare("Equal", o.chooseLast("ArgMax", x, 1), places), "float32")
    }),
  ReduceSum: reduction((o, x) => o.sumLast(x)),
  ReduceMean: reduction((o, x) => o.meanLast(x)),
  ReduceSumSquare: reduction((o, x) => o.sumLast(o.mul(x, x))),
  ReduceL1: reduction((o, x) => o.sumLast(o.abs(x))),
  ReduceL2: reduction((o, x) => o.sqrt(o.sumLast(o.mul(x, x)))),
  ReduceLogSum: reduction((o, x) => log(o, o.sumLast(x))),
  ReduceLogSumExp: reduction((o, x) => {
    const { shifted, most } = shift(o, x)
    return o.add(log(o, o.sumLast(o.exp(shifted))), most)
  }),
  ReduceProd: reduction((o, x) => {
    const axis = x.dims.length - 1
    return Array.from({ length: x.dims[axis]! }, (_, i) => o.range(x, axis, i, i + 1)).reduce((a, b) => o.mul(a, b))
  }),
  ReduceMax: reduction((o, x) => o.extremeLast("ReduceMax", x, 1), true),
  ReduceMin: reduction((o, x) => o.extremeLast("ReduceMin", x, 1), true),
  ArgMax: choice("ArgMax"),
  ArgMin: choice("ArgMin"),
  LayerNormalization: (l) => {
    const { o } = l
    const x = input(l, 0)
    const axis = axisOf(int(l, "axis", -1), x.dims.length)
    if (l.node.outputs.slice(1).some((name) => name !== ""))
      refuse("it puts out its mean or deviation", "export it for inference")
    const size = product(x.dims.slice(axis))
    const rows = o.reshape(x, [...x.dims.slice(0, axis), size])
    const normal = o.reshape(normalizeLast(o, rows, float(l, "epsilon", 1e-5)), x.dims)
    return [affine(o, normal, l.inputs[1], l.inputs[2])]
  },
  SimplifiedLayerNormalization: (l) => [rootMeanSquare(l)],
  RMSNormalization: (l) => [rootMeanSquare(l)],
  LpNormalization: (l) => {
    const { o } = l
    const x = input(l, 0)
    const axis = axisOf(int(l, "axis", -1), x.dims.length)
    const last = o.axisLast(x, axis)
    const size = int(l, "p", 2) === 1 ? o.sumLast(o.abs(last)) : o.sqrt(o.sumLast(o.mul(last, last)))
    return [o.axisBack(o.div(last, size), axis)]
  },
  CumSum: (l) => {
    const { o } = l
    const x = input(l, 0)
    if (x.dtype !== "float32") refuse(`it adds up ${x.dtype}`, "cast it to float32")
    const axis = axisOf(
      uniform(l.inputs[1]) ?? refuse("its axis is computed", "export with a constant axis"),
      x.dims.length,
    )
    const n = x.dims[axis]!
    const [exclusive, reverse] = [int(l, "exclusive", 0), int(l, "reverse", 0)]
    const ones = Float32Array.from({ length: n * n }, (_, e) => {
      const [from, to] = [Math.floor(e / n), e % n]
      const ahead = reverse ? from - to : to - from
      return ahead > 0 || (ahead === 0 && !exclusive) ? 1 : 0
    })
    const last = o.axisLast(x, axis)
    const rows = o.reshape(last, [product(last.dims.slice(0, -1)), n])
    return [o.axisBack(o.reshape(o.matMul(rows, o.vector(ones, [n, n])), last.dims), axis)]
  },
}

export function rootMeanSquareLast(o: Ops, x: Value, epsilon: number): Value {
  return o.div(x, o.sqrt(o.add(o.meanLast(o.mul(x, x)), o.scalar(epsilon))))
}

export function scaled(o: Ops, x: Value, by: number): Value {
  return by === 1 ? x : o.mul(x, o.scalar(by))
}

export function swapped(o: Ops, x: Value): Value {
  const axes = [...x.dims.keys()]
  return o.transpose(x, [...axes.slice(0, -2), ...axes.slice(-2).reverse()])
}

/** Factors of rank 1 are rows or columns whose dim is dropped again. */
export function anyMatMul(o: Ops, a: Value, b: Value): Value {
  const [row, column] = [a.dims.length === 1, b.dims.length === 1]
  const left = row ? o.reshape(a, [1, a.dims[0]!]) : a
  const right = column ? o.reshape(b, [b.dims[0]!, 1]) : b
  const result = o.matMul(left, right)
  if (!row && !column) return result
  const dims = [...result.dims]
  if (column) dims.pop()
  if (row) dims.splice(column ? dims.length - 1 : dims.length - 2, 1)
  return o.reshape(result, dims)
}

/** What a mask hides, it hides as well with a number that is finite, and then no row is all -infinity: no NaN follows. */
const HIDDEN = -3e38

function finiteMask(o: Ops, x: Value): Value {
  const { node } = x
  if (node?.op !== "Add" && node?.op !== "Where") return x
  const inputs = node.inputs.map((read) => {
    const small = read.constant !== undefined || elementCount(read.dims) * 2 <= elementCount(x.dims)
    return read.dtype === "float32" && read.facts.low < HIDDEN && small ? o.atLeast(read, o.scalar(HIDDEN)) : read
  })
  return inputs.some((read, i) => read !== node.inputs[i]) ? o.emit(node.op, inputs) : x
}

/** Less the greatest of its row: what is left overflows in no exp. */
function shift(o: Ops, x: Value): { shifted: Value; most: Value } {
  const rows = o.orderly(finiteMask(o, x))
  const most = o.extremeLast("ReduceMax", rows, 1)
  return { shifted: o.sub(rows, most), most }
}

export function softmax(o: Ops, x: Value): Value {
  const powers = o.exp(shift(o, x).shifted)
  return o.div(powers, o.sumLast(powers))
}

function logSoftmax(o: Ops, x: Value): Value {
  const { shifted } = shift(o, x)
  return o.sub(shifted, log(o, o.sumLast(o.exp(shifted))))
}

function softmaxLike(l: Lowering, f: (o: Ops, x: Value) => Value): readonly Value[] {
  const { o, opset } = l
  const x = input(l, 0)
  const rank = x.dims.length
  // Up to opset 12 it ran over all dims from the axis on.
  const axis = axisOf(int(l, "axis", opset < 13 ? 1 : -1), rank)
  if (opset < 13) {
    const flat = o.reshape(x, [product(x.dims.slice(0, axis)), product(x.dims.slice(axis))])
    return [o.reshape(f(o, flat), x.dims)]
  }
  return [o.axisBack(f(o, o.axisLast(x, axis)), axis)]
}

export function normalizeLast(o: Ops, x: Value, epsilon: number): Value {
  const centered = o.sub(x, o.meanLast(x))
  const variance = o.meanLast(o.mul(centered, centered))
  return o.div(centered, o.sqrt(o.add(variance, o.scalar(epsilon))))
}

export function affine(o: Ops, x: Value, scale: Value | undefined, bias: Value | undefined): Value {
  const stretched = scale ? o.mul(x, scale) : x
  return bias ? o.add(stretched, bias) : stretched
}

function rootMeanSquare(l: Lowering): Value {
  const { o } = l
  const x = input(l, 0)
  if (axisOf(int(l, "axis", -1), x.dims.length) !== x.dims.length - 1)
    refuse("it normalizes more than the last axis", "reshape around it")
  return affine(o, rootMeanSquareLast(o, x, float(l, "epsilon", 1e-5)), l.inputs[1], undefined)
}

/** Over any axes: moved to the end, flattened into one, and put back. */
function reduction(f: (o: Ops, x: Value) => Value, anyType = false): Lower {
  return (l) => {
    const { o } = l
    const x = input(l, 0)
    const given = intsOf(l, 1, "axes")
    if ((!given || given.length === 0) && int(l, "noop_with_empty_axes", 0) === 1) return [x]
    const axes =
      given && given.length > 0
        ? given.map((axis) => axisOf(axis, x.dims.length)).sort((a, b) => a - b)
        : [...x.dims.keys()]
    if (!anyType && x.dtype !== "float32") return [integerSum(l, x, axes)]
    const kept = [...x.dims.keys()].filter((axis) => !axes.includes(axis))
    const moved = o.transpose(x, [...kept, ...axes])
    const rows = o.reshape(moved, [...kept.map((axis) => x.dims[axis]!), product(axes.map((axis) => x.dims[axis]!))])
    const dims =
      int(l, "keepdims", 1) === 1
        ? x.dims.map((dim, i) => (axes.includes(i) ? 1 : dim))
        : kept.map((axis) => x.dims[axis]!)
    return [o.reshape(f(o, rows), dims)]
  }
}

/** Integers add exactly in any order: halves are added to halves. */
function integerSum(l: Lowering, x: Value, axes: readonly number[]): Value {
  const { o, node } = l
  if (node.op !== "ReduceSum") return refuse(`it reduces ${x.dtype}`, "cast to float32 first")
  const sum = axes.reduce((rest, axis) => {
    let part = rest
    while (part.dims[axis]! > 1) {
      const size = part.dims[axis]!
      const half = size >> 1
      const paired = o.add(o.range(part, axis, 0, half), o.range(part, axis, half, 2 * half))
      part = size % 2 === 1 ? o.concat([paired, o.range(part, axis, size - 1, size)], axis) : paired
    }
    return part
  }, x)
  return int(l, "keepdims", 1) === 1
    ? sum
    : o.reshape(
        sum,
        x.dims.filter((_, i) => !axes.includes(i)),
      )
}

function choice(op: "ArgMax" | "ArgMin"): Lower {
  return (l) => {
    const { o } = l
    const x = input(l, 0)
    if (int(l, "select_last_index", 0) === 1) refuse("it takes the last of equals", "take the first")
    const axis = axisOf(int(l, "axis", 0), x.dims.length)
    const last = o.axisLast(x.dtype === "int64" || x.dtype === "int8" ? o.cast(x, "int32") : x, axis)
    const index = o.axisBack(o.chooseLast(op, last, 1), axis)
    return [
      int(l, "keepdims", 1) === 1
        ? index
        : o.reshape(
            index,
            x.dims.filter((_, i) => i !== axis),
          ),
    ]
  }
}
