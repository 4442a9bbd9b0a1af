// The selection's total, the PSNR, and the faithfulness where it was measured, over the runs; a click goes to the run.
import type { RunCurve } from "../sources/run_curve";
import { chooseRun } from "../state/actions";
import { number } from "../state/format";
import { h } from "../ui/dom";
import { createLineChart, type Line, type Mark, type Scale } from "../ui/line_chart";
import type { View } from "../ui/view";
import { fromZero } from "./time_chart";

const [LEFT, RIGHT] = [56, 44];

export function createRunChart(view: View) {
  const { store } = view.session;
  const element = h("div", { class: "cw-curve", "data-testid": "run-curve" });
  let curve: RunCurve | null = null;
  const chart = createLineChart(element, () => {
    if (!curve) return null;
    const { runs, totals, psnr, faithfulness, selection } = curve;
    // Between runs that have names there is nothing to interpolate.
    const areSteps = runs.every((run) => typeof run === "number");
    // Without totals there is no scale to read.
    const total: Scale = {
      ends: fromZero([totals], 1.06),
      side: "left",
      label: (value) => (selection ? number(value) : ""),
    };
    const decibels: Scale = {
      ends: fromZero([psnr], 1.06),
      side: "right",
      label: (value) => `${Math.round(value)} dB`,
    };
    const rank: Scale = { ends: rankEnds(faithfulness), side: null, label: String };
    const line = (name: string, values: Float64Array, scale: Scale): Line => ({
      name,
      values,
      scale,
      points: "all",
      isJoined: areSteps,
    });
    const marks = [store.run.peek(), store.compare.peek()].map(
      (run, i): Mark => ({ at: run === null ? -1 : runs.indexOf(run), isDashed: i === 1 }),
    );
    return {
      left: LEFT,
      right: RIGHT,
      ends: [-0.3, Math.max(1, runs.length - 1) + 0.3],
      space: areSteps ? 44 : 84,
      label: (at) => short(runs[at] ?? null),
      scales: [total, decibels, rank],
      lines: [
        line("total", totals, total),
        line("change", psnr, decibels),
        line("scored", faithfulness, rank),
      ],
      marks: marks.filter(({ at }) => at >= 0),
    };
  });
  const draw = view.painter(chart.draw);
  view.whenResized(element, draw);
  element.addEventListener("pointerdown", (event) => {
    const at = event.button === 0 ? chart.at(event.clientX) : null;
    if (at === null || !curve) return;
    const run = curve.runs[Math.max(0, Math.min(curve.runs.length - 1, at))];
    if (run !== undefined) chooseRun(store, run);
  });
  return {
    element,
    show(shown: RunCurve | null) {
      curve = shown;
      draw();
    },
  };
}

/** From no relation, or the opposite order where there is one, to the same order: the height of the chart. */
export function rankEnds(correlations: ArrayLike<number>): [number, number] {
  return [fromZero([correlations], 1)[0], 1.06];
}

function short(run: RunCurve["runs"][number]): string {
  const text = String(run ?? "");
  return text.length > 13 ? `${text.slice(0, 12)}…` : text;
}
