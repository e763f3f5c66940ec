import { lineY, plot, text } from "@observablehq/plot"
import { parseHTML } from "linkedom"

export type LossCurve = {
  readonly name: string
  /** One a step. */
  readonly losses: readonly number[]
}

const WINDOW = 10

/** Losses over steps on a logarithmic scale, each point the mean of ten steps, as a file of SVG. */
export function plotLosses(curves: readonly LossCurve[]): string {
  const points = curves.flatMap(({ name, losses }) =>
    Array.from({ length: Math.ceil(losses.length / WINDOW) }, (_, i) => {
      const part = losses.slice(i * WINDOW, (i + 1) * WINDOW)
      return { name, step: i * WINDOW + part.length, loss: part.reduce((sum, loss) => sum + loss, 0) / part.length }
    }),
  )
  const { document } = parseHTML("<html><body></body></html>")
  const place = { x: "step", y: "loss" }
  const figure = plot({
    document,
    width: 720,
    height: 320,
    marginLeft: 56,
    marginRight: 24,
    grid: true,
    x: { label: "step" },
    y: { type: "log", label: "loss", tickFormat: "~g" },
    color: { domain: curves.map(({ name }) => name), scheme: "tableau10", legend: false },
    marks: [
      lineY(points, { ...place, stroke: "name" }),
      ...curves.map(({ name }, i) =>
        text([name], { text: [name], fill: [name], frameAnchor: "top-right", dx: -6, dy: 8 + 16 * i, fontSize: 12 }),
      ),
    ],
  })
  // Without these a viewer takes the file for no image, or draws black on black.
  figure.setAttribute("xmlns", "http://www.w3.org/2000/svg")
  figure.setAttribute("style", "background: white; color: black")
  return `${figure.outerHTML}\n`
}
