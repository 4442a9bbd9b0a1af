// Lines over the frames: the selection's total, and how much its map differs from the previous frame's; dashed, the
// total of a second run.
import type { Curve } from "../sources/curve";
import { number } from "../state/format";
import { h } from "../ui/dom";
import { createLineChart, type Line, type Scale } from "../ui/line_chart";
import type { View } from "../ui/view";

/** Between the panel's edges and the first and last frame, in CSS pixels; the film strip keeps them too. */
export const [LEFT, RIGHT] = [56, 20];

export function createTimeChart(view: View) {
  const element = h("div", { class: "cw-curve", "data-testid": "curve", "data-done": 0 });
  let frames = 0;
  let curve: Curve | null = null;
  let second: Curve | null = null;
  const chart = createLineChart(element, () => {
    if (frames < 2) return null;
    const series = [curve?.totals, curve?.changes, second?.totals].map(
      (values) => values ?? new Float64Array(),
    );
    const scale: Scale = {
      ends: fromZero(series, 1.06),
      side: "left",
      // Before the first total there is no scale to read.
      label: (value) => (curve && curve.done > 0 ? short(value) : ""),
    };
    const lines = ["total", "change", "other"].map(
      (name, i): Line => ({
        name,
        values: series[i] as Float64Array,
        scale,
        points: "alone",
        isJoined: true,
      }),
    );
    return {
      left: LEFT,
      right: RIGHT,
      ends: [0, frames - 1],
      space: 50,
      label: String,
      scales: [scale],
      lines,
    };
  });
  const draw = view.painter(chart.draw);
  view.whenResized(element, draw);
  return {
    element,
    show(shown: Curve | null, count: number, other: Curve | null = null) {
      [curve, frames, second] = [shown, count, other];
      draw();
    },
  };
}

/** From zero, or the lowest value under it, to a little over the highest. */
export function fromZero(series: readonly ArrayLike<number>[], pad: number): [number, number] {
  const values = series.flatMap((one) => Array.from(one)).filter(Number.isFinite);
  const high = values.reduce((most, value) => Math.max(most, value), 1e-12);
  return [values.reduce((least, value) => Math.min(least, value), 0), high * pad];
}

/** Without zeros at the end. */
function short(value: number): string {
  return number(value)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}
