// The selection's total, the PSNR, and the faithfulness where it was measured, over the runs; a click goes to the run.
import uPlot from "uplot";
import type { RunCurve } from "../sources/run_curve";
import { chooseRun } from "../state/actions";
import { number } from "../state/format";
import { axisOf, themeColours } from "../ui/chart";
import { h } from "../ui/dom";
import type { View } from "../ui/view";

const [LEFT, RIGHT] = [56, 44];

export function createRunChart(view: View) {
  const { store } = view.session;
  const element = h("div", { class: "cw-curve", "data-testid": "run-curve" });
  let plot: uPlot | null = null;
  let curve: RunCurve | null = null;
  let drawn = "";
  const colour = themeColours(view.root);
  const known = (values: Float64Array | undefined) =>
    [...(values ?? [])].map((value) => (Number.isNaN(value) ? null : value));
  const data = (): uPlot.AlignedData => [
    [...(curve?.runs.keys() ?? [])],
    known(curve?.totals),
    known(curve?.psnr),
    known(curve?.faithfulness),
  ];
  const axis = (size: number) => axisOf(colour, size);
  const line = (name: string, scale: string): uPlot.Series => ({
    stroke: () => colour(name),
    // Between runs that have names there is nothing to interpolate.
    width: curve?.runs.every((run) => typeof run === "number") ? 1.75 : 0,
    scale,
    points: { show: true, size: 4, fill: () => colour(name) },
  });
  /** A line where the run stands that is shown, dashed where the second one does. */
  const marks = ({ ctx, bbox, valToPos }: uPlot) => {
    const scale = window.devicePixelRatio || 1;
    for (const [run, dash] of [
      [store.run.peek(), []],
      [store.compare.peek(), [4 * scale, 3 * scale]],
    ] as const) {
      const at = curve?.runs.indexOf(run) ?? -1;
      if (run === null || at < 0) continue;
      const x = Math.round(valToPos(at, "x", true)) + 0.5;
      ctx.save();
      ctx.strokeStyle = colour("--cw-accent");
      ctx.lineWidth = 1.5 * scale;
      ctx.setLineDash([...dash]);
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      ctx.restore();
    }
  };
  const range =
    (pad: number) =>
    (_u: uPlot, low: number | null, high: number | null): [number, number] => [
      Math.min(0, low ?? 0),
      Math.max(high ?? 1, 1e-12) * pad,
    ];
  const make = (width: number, height: number, runs: RunCurve["runs"]) =>
    new uPlot(
      {
        width,
        height,
        padding: [8, 0, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: {
          x: { time: false, range: () => [-0.3, Math.max(1, runs.length - 1) + 0.3] },
          y: { range: range(1.06) },
          dB: { range: range(1.06) },
          // From no relation to the same order: the height of the chart.
          rank: { range: () => [0, 1.06] },
        },
        axes: [
          {
            ...axis(22),
            space: runs.every((run) => typeof run === "number") ? 44 : 84,
            incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000],
            values: (_u, splits) => splits.map((at) => (Number.isInteger(at) ? short(runs[at] ?? null) : "")),
          },
          {
            ...axis(LEFT),
            // Without totals there is no scale to read.
            values: (_u, splits) => splits.map((value) => (curve?.selection ? number(value) : "")),
            space: 28,
          },
          {
            ...axis(RIGHT),
            scale: "dB",
            side: 1,
            grid: { show: false },
            values: (_u, splits) => splits.map((value) => `${Math.round(value)} dB`),
            space: 28,
          },
        ],
        series: [{}, line("--cw-accent", "y"), line("--cw-positive", "dB"), line("--cw-scored", "rank")],
        hooks: { draw: [marks] },
      },
      data(),
      element,
    );
  const draw = view.painter(() => {
    const { clientWidth: width, clientHeight: height } = element;
    if (element.hidden || width < 40 || height < 40 || !curve) return;
    const runs = JSON.stringify(curve.runs);
    if (plot && drawn !== runs) {
      plot.destroy();
      plot = null;
    }
    drawn = runs;
    if (!plot) {
      plot = make(width, height, curve.runs);
      return;
    }
    if (plot.width !== width || plot.height !== height) plot.setSize({ width, height });
    plot.setData(data());
  });
  const observer = new ResizeObserver(draw);
  observer.observe(element);
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !plot || !curve) return;
    const { left } = plot.over.getBoundingClientRect();
    const at = Math.round(plot.posToVal(event.clientX - left, "x"));
    const run = curve.runs[Math.max(0, Math.min(curve.runs.length - 1, at))];
    if (run !== undefined) chooseRun(store, run);
  });
  view.signal.addEventListener("abort", () => {
    observer.disconnect();
    plot?.destroy();
    plot = null;
  });
  return {
    element,
    show(shown: RunCurve | null) {
      curve = shown;
      draw();
    },
    restyle: () => plot?.redraw(),
  };
}

function short(run: RunCurve["runs"][number]): string {
  const text = String(run ?? "");
  return text.length > 13 ? `${text.slice(0, 12)}…` : text;
}
