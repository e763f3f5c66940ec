import type { Value } from "../builder.ts"
import type { Ops } from "../ops.ts"
import { log, sine } from "./elementwise.ts"
import { input, type Lower, refuse } from "./lowering.ts"

/**
 * Circular and hyperbolic functions and their inverses, as polynomials near zero and by a relation elsewhere. Intervals
 * and coefficients are those of the Cephes library in single precision: https://www.netlib.org/cephes/
 */
export const trigonometry: Readonly<Record<string, Lower>> = {
  Tan: float((o, x) => o.div(sine(o, x), cosine(o, x))),
  Sinh: float((o, x) =>
    odd(o, x, (a) => {
      const power = o.exp(a)
      const far = o.sub(times(o, power, 0.5), o.div(o.scalar(0.5), power))
      return near(o, a, 1, grown(o, a, [2.03721912945e-4, 8.33028376239e-3, 1.66667160211e-1]), far)
    }),
  ),
  Cosh: float((o, x) => {
    const power = o.exp(o.abs(x))
    return o.add(times(o, power, 0.5), o.div(o.scalar(0.5), power))
  }),
  Asin: float((o, x) =>
    odd(o, x, (a) => {
      const { isFar, arc } = arcOf(o, a)
      return o.where(isFar, o.sub(o.scalar(Math.PI / 2), times(o, arc, 2)), arc)
    }),
  ),
  Acos: float((o, x) => {
    const { isFar, arc } = arcOf(o, o.abs(x))
    const isBelow = o.compare("Less", x, o.scalar(0))
    const far = times(o, arc, 2)
    const whole = o.where(isBelow, o.sub(o.scalar(Math.PI), far), far)
    const half = o.scalar(Math.PI / 2)
    return o.where(isFar, whole, o.where(isBelow, o.add(half, arc), o.sub(half, arc)))
  }),
  Atan: float((o, x) =>
    odd(o, x, (a) => {
      const one = o.scalar(1)
      const [isFar, isMiddle] = [Math.SQRT2 + 1, Math.SQRT2 - 1].map((bound) =>
        o.compare("Greater", a, o.scalar(bound)),
      ) as [Value, Value]
      const choose = (far: Value, middle: Value, close: Value) => o.where(isFar, far, o.where(isMiddle, middle, close))
      const t = choose(o.div(o.scalar(-1), a), o.div(o.sub(a, one), o.add(a, one)), a)
      const begin = choose(o.scalar(Math.PI / 2), o.scalar(Math.PI / 4), o.scalar(0))
      return o.add(begin, grown(o, t, [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1]))
    }),
  ),
  Asinh: float((o, x) =>
    odd(o, x, (a) => {
      const far = log(o, o.add(a, o.sqrt(o.add(o.mul(a, a), o.scalar(1)))))
      return near(o, a, 0.5, grown(o, a, [2.0122003309e-2, -4.2699340972e-2, 7.4847586088e-2, -1.6666288134e-1]), far)
    }),
  ),
  Acosh: float((o, x) => {
    const z = o.sub(x, o.scalar(1))
    const far = log(o, o.add(x, o.sqrt(o.mul(z, o.add(x, o.scalar(1))))))
    const coefficients = [1.7596881071e-3, -7.5272886713e-3, 2.6454905019e-2, -1.1784741703e-1, 1.4142135263]
    return near(o, z, 0.5, o.mul(o.sqrt(z), horner(o, z, coefficients)), far)
  }),
  Atanh: float((o, x) =>
    odd(o, x, (a) => {
      const one = o.scalar(1)
      const far = times(o, log(o, o.div(o.add(one, a), o.sub(one, a))), 0.5)
      const close = grown(o, a, [1.8174007834e-1, 8.24370301e-2, 1.466914317e-1, 1.997821645e-1, 3.333373003e-1])
      return near(o, a, 0.5, close, far)
    }),
  ),
}

function float(f: (o: Ops, x: Value) => Value): Lower {
  return (l) => {
    const x = input(l, 0)
    return x.dtype === "float32" ? [f(l.o, x)] : refuse(`it works on ${x.dtype}`, "cast its input to float32")
  }
}

function cosine(o: Ops, x: Value): Value {
  return sine(o, o.add(x, o.scalar(Math.PI / 2)))
}

function times(o: Ops, x: Value, factor: number): Value {
  return o.mul(x, o.scalar(factor))
}

function horner(o: Ops, x: Value, [first, ...rest]: readonly number[]): Value {
  return rest.reduce<Value>((sum, coefficient) => o.add(o.mul(sum, x), o.scalar(coefficient)), o.scalar(first!))
}

/** x + x^3 p(x^2), for functions that begin like x. */
function grown(o: Ops, x: Value, coefficients: readonly number[]): Value {
  const square = o.mul(x, x)
  return o.add(o.mul(o.mul(horner(o, square, coefficients), square), x), x)
}

/** f(-x) = -f(x): only x >= 0 is computed. */
function odd(o: Ops, x: Value, f: (a: Value) => Value): Value {
  const result = f(o.abs(x))
  return o.where(o.compare("Less", x, o.scalar(0)), o.neg(result), result)
}

function near(o: Ops, x: Value, bound: number, close: Value, far: Value): Value {
  return o.where(o.compare("Less", x, o.scalar(bound)), close, far)
}

/** asin(a) up to 0.5; beyond it asin(sqrt((1 - a) / 2)), from which both inverses follow. */
function arcOf(o: Ops, a: Value): { isFar: Value; arc: Value } {
  const isFar = o.compare("Greater", a, o.scalar(0.5))
  const t = o.where(isFar, o.sqrt(times(o, o.sub(o.scalar(1), a), 0.5)), a)
  const arc = grown(o, t, [4.2163199048e-2, 2.4181311049e-2, 4.5470025998e-2, 7.4953002686e-2, 1.6666752422e-1])
  return { isFar, arc }
}
