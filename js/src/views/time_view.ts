// Time: the selection's total and change on every frame, filled in as they are computed; small frames; the playhead.

import { signal } from "@preact/signals-core";
import { number, percent, plusMinus } from "../state/format";
import { framesOf } from "../state/saved";
import { magnitudesOf, selectionKey, selectionLabel } from "../state/selection";
import { ready } from "../state/store";
import { attribute, h, write } from "../ui/dom";
import { createPanel, segmented } from "../ui/panel";
import { explain } from "../ui/term_card";
import { countWhile, type View } from "../ui/view";
import { createFilmStrip } from "./film_strip";
import { createRunChart } from "./run_chart";
import { createTimeChart } from "./time_chart";

const AXES = [
  { value: "time", text: "frames" },
  { value: "runs", text: "runs", term: "run" },
] as const;

export function createTimeView(view: View) {
  const { store, comparison, curve, runCurve, faithfulness } = view.session;
  /** Whether the panel follows the selection over the runs, in place of the frames. */
  const overRuns = signal(false);
  const panel = createPanel(view, "time", "Time", "total", () =>
    (overRuns.peek() ? runCurve : curve).retry(),
  );
  const axes = segmented<"time" | "runs">("What the curve runs over", AXES, (axis) => {
    overRuns.value = axis === "runs";
  });
  panel.tools.append(axes.element);
  const runChart = createRunChart(view);
  const chart = createTimeChart(view);
  const film = createFilmStrip(view);
  const start = h(
    "button",
    { class: "cw-button", type: "button", "data-testid": "whole-layer", on: { click: () => curve.start() } },
    "whole layer",
  );
  const hint = h("p", { class: "cw-hint" }, "Select a neuron or a cluster, or sum up the ", start);
  const above = h("div", { class: "cw-curve-area" }, chart.element, runChart.element, hint);
  panel.body.append(above, film.loop, film.track);

  const subject = h("span", {});
  const [total, change] = ["total", "change"].map((name) =>
    h("span", { class: `cw-key cw-key-${name}`, "data-testid": `time-${name}` }),
  ) as [HTMLElement, HTMLElement];
  const scored = h("span", { class: "cw-key cw-key-scored", "data-testid": "time-scored", hidden: true });
  const progress = h("span", { class: "cw-muted cw-time-progress", "data-testid": "time-progress" });
  panel.label.append(subject, total, change, scored, progress);

  view.effect(() => {
    const info = store._canvas.value;
    const [still, several] = [ready(info) && framesOf(info).length < 2, store._runs.value.length > 1];
    axes.element.hidden = !several || still;
    if (several && still) overRuns.value = true;
    else if (!several) overRuns.value = false;
    axes.press(overRuns.value ? "runs" : "time");
    write(panel.title, overRuns.value ? "Runs" : "Time");
    // One frame has no time: the total of its map stands with the frame.
    panel.element.hidden = still && !several;
  });
  countWhile(view, runCurve.seen, overRuns);
  view.effect(() => {
    const info = store._canvas.value;
    const frames = ready(info) && framesOf(info).length > 1 ? info.n_frames : 1;
    const shown = curve.shown.value;
    curve.arrivals.value;
    const runs = overRuns.value;
    const shownRuns = runCurve.shown.value;
    runCurve.arrivals.value;
    [store.run.value, store.compare.value, faithfulness.shown.value];
    const source = runs ? runCurve : curve;
    panel.stand(frames < 2 && !runs ? "ready" : source.state.value, source.error.value);
    runChart.element.hidden = !runs;
    attribute(runChart.element, "data-done", shownRuns?.done.filter(Boolean).length ?? 0);
    attribute(runChart.element, "data-total", shownRuns?.runs.length ?? 0);
    runChart.show(runs ? shownRuns : null);
    attribute(chart.element, "data-done", shown?.done ?? 0);
    attribute(chart.element, "data-total", frames);
    attribute(chart.element, "data-selection", shown ? selectionKey(shown.selection) : "");
    chart.element.hidden = !shown || runs;
    hint.hidden = shown !== null || runs;
    film.loop.hidden = film.track.hidden = frames < 2 || runs;
    const other = comparison.isOn.value ? comparison.curve.shown.value : null;
    comparison.curve.arrivals.value;
    attribute(chart.element, "data-other", other?.done ?? null);
    chart.show(shown, frames, other);
  });
  /** What is known of the run that is shown. */
  const labelRuns = () => {
    const shown = runCurve.shown.value;
    [runCurve.arrivals.value, faithfulness.shown.value];
    const at = shown?.runs.indexOf(store.run.value) ?? -1;
    const [sum, decibels, score] = [shown?.totals, shown?.psnr, shown?.faithfulness].map(
      (values) => values?.[at] ?? Number.NaN,
    ) as [number, number, number];
    const { selection = null } = shown ?? {};
    total.hidden = !selection;
    change.hidden = Number.isNaN(decibels);
    write(subject, selection ? selectionLabel(selection, store.cluster_names.value) : "");
    const info = store._canvas.value;
    const magnitudes =
      selection && ready(info) ? magnitudesOf(info, selection.layer, selection.channel) : null;
    write(total, `total${magnitudes?.short ?? ""} ${number(sum)}${plusMinus(shown?.halfWidths[at] ?? 0)}`);
    write(change, `PSNR ${decibels.toFixed(1)} dB`);
    const known = shown?.done.filter(Boolean).length ?? 0;
    scored.hidden = Number.isNaN(score);
    write(scored, `faithfulness ${number(score)}`);
    explain(scored, "faithfulness");
    const missing = shown && known < shown.runs.length ? `${known} / ${shown.runs.length} runs` : "";
    write(progress, missing);
    explain(total, "total", magnitudes ? `A pixel's magnitude adds ${magnitudes.whole}.` : "");
    explain(change, "PSNR");
    attribute(panel.label, "title", panel.label.textContent);
  };
  view.effect(() => {
    const shown = curve.shown.value;
    curve.arrivals.value;
    const time = store.time.value;
    const [sum, differs] = [shown?.totals[time] ?? Number.NaN, shown?.changes[time] ?? Number.NaN];
    total.hidden = change.hidden = !shown;
    scored.hidden = true;
    if (overRuns.value) return labelRuns();
    const some = shown && shown.done < shown.totals.length;
    write(subject, shown ? selectionLabel(shown.selection, store.cluster_names.value) : "");
    const absent = shown?.absent.size ?? 0;
    write(progress, some ? `${shown.done - absent} / ${shown.totals.length - absent} frames` : "");
    const info = store._canvas.value;
    const magnitudes =
      shown && ready(info) ? magnitudesOf(info, shown.selection.layer, shown.selection.channel) : null;
    write(total, `total${magnitudes?.short ?? ""} ${number(sum)}${plusMinus(shown?.halfWidths[time] ?? 0)}`);
    const isKnown = sum > 0 && !Number.isNaN(differs);
    const reach = plusMinus(shown?.changeHalfWidths[time] ?? 0);
    write(change, `change ${number(differs)}${reach || (isKnown ? ` (${percent(differs / sum)})` : "")}`);
    attribute(panel.label, "title", panel.label.textContent);
    const whole = magnitudes ? `A pixel's magnitude adds ${magnitudes.whole}.` : "";
    explain(total, "total", whole);
    const said = reach ? "" : "In brackets: its part of the total.";
    explain(change, "change", `${whole} ${said}`.trim());
  });
  return { element: panel.element };
}
