// Lines over the frames: the selection's total, and how much its map differs from the previous frame's; dashed, the
// total of a second run.
import uPlot from "uplot";
import type { Curve } from "../sources/curve";
import { number } from "../state/format";
import { axisOf, themeColours } from "../ui/chart";
import { h } from "../ui/dom";
import type { View } from "../ui/view";

/** Between the panel's edges and the first and last frame, in CSS pixels; the film strip keeps them too. */
export const [LEFT, RIGHT] = [56, 12];

export function createTimeChart(view: View) {
  const element = h("div", { class: "cw-curve", "data-testid": "curve", "data-done": 0 });
  let plot: uPlot | null = null;
  let frames = 0;
  let curve: Curve | null = null;
  let second: Curve | null = null;
  const colour = themeColours(view.root);
  const known = (values: Float64Array | undefined) =>
    Array.from({ length: frames }, (_, frame) => {
      const value = values?.[frame] ?? Number.NaN;
      return Number.isNaN(value) ? null : value;
    });
  const data = (): uPlot.AlignedData => [
    Array.from({ length: frames }, (_, frame) => frame),
    known(curve?.totals),
    known(curve?.changes),
    known(second?.totals),
  ];
  const axis = (size: number) => axisOf(colour, size);
  const line = (name: string, fill: string | null, dash: number[] = []): uPlot.Series => ({
    dash,
    stroke: () => colour(name),
    ...(fill ? { fill: () => colour(fill) } : {}),
    width: 1.75,
    // A frame whose neighbours are not known is drawn as a point: a line needs two.
    points: {
      size: 5,
      fill: () => colour(name),
      space: 8,
      filter: (plot, series, show) => (show ? null : alone(plot.data[series])),
    },
  });
  const make = (width: number, height: number) =>
    new uPlot(
      {
        width,
        height,
        padding: [8, RIGHT, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: false, range: () => [0, Math.max(1, frames - 1)] },
          y: { range: (_u, low, high) => [Math.min(0, low ?? 0), Math.max(high ?? 1, 1e-12) * 1.06] },
        },
        axes: [
          { ...axis(22), incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] },
          {
            ...axis(LEFT),
            // Before the first total there is no scale to read.
            values: (_u, splits) => splits.map((split) => (curve && curve.done > 0 ? tick(split) : "")),
            space: 20,
          },
        ],
        series: [
          {},
          line("--cw-accent", "--cw-accent-wash"),
          line("--cw-positive", null),
          line("--cw-accent", null, [5, 4]),
        ],
      },
      data(),
      element,
    );
  const draw = view.painter(() => {
    const { clientWidth: width, clientHeight: height } = element;
    if (element.hidden || width < 40 || height < 40 || frames < 2) return;
    if (!plot) {
      plot = make(width, height);
      return;
    }
    if (plot.width !== width || plot.height !== height) plot.setSize({ width, height });
    plot.setData(data());
  });
  const observer = new ResizeObserver(draw);
  observer.observe(element);
  view.signal.addEventListener("abort", () => {
    observer.disconnect();
    plot?.destroy();
    plot = null;
  });
  return {
    element,
    show(shown: Curve | null, count: number, other: Curve | null = null) {
      [curve, frames, second] = [shown, count, other];
      draw();
    },
    restyle: () => plot?.redraw(),
  };
}

/** The places of values that stand alone. */
export function alone(values: ArrayLike<number | null | undefined> | undefined): number[] {
  const has = (at: number) => (values?.[at] ?? null) !== null;
  return Array.from({ length: values?.length ?? 0 }, (_, at) => at).filter(
    (at) => has(at) && !has(at - 1) && !has(at + 1),
  );
}

function tick(value: number): string {
  return number(value)
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "");
}
