// Time: the selection's total and change on every frame, filled in as they are computed; small frames; the playhead.

import { number, percent } from "../state/format";
import { framesOf } from "../state/saved";
import { magnitudesOf, selectionKey, selectionLabel } from "../state/selection";
import { ready } from "../state/store";
import { same } from "../transport/same";
import { attribute, h, write } from "../ui/dom";
import { createPanel } from "../ui/panel";
import { explain } from "../ui/term_card";
import type { View } from "../ui/view";
import { createFilmStrip } from "./film_strip";
import { createTimeChart } from "./time_chart";

export function createTimeView(view: View) {
  const { store, curve, maps } = view.session;
  const panel = createPanel(view, "time", "Time", "total", () => curve.retry());
  const chart = createTimeChart(view);
  const film = createFilmStrip(view);
  const start = h(
    "button",
    { class: "cw-button", type: "button", "data-testid": "whole-layer", on: { click: () => curve.start() } },
    "whole layer",
  );
  const words = h("span", {});
  const hint = h("p", { class: "cw-hint" }, words, start);
  const above = h("div", { class: "cw-curve-area" }, chart.element, hint);
  panel.body.append(above, film.loop, film.track);

  const subject = h("span", {});
  const [total, change] = ["total", "change"].map((name) =>
    h("span", { class: `cw-key cw-key-${name}`, "data-testid": `time-${name}` }),
  ) as [HTMLElement, HTMLElement];
  const progress = h("span", { class: "cw-muted", "data-testid": "time-progress" });
  panel.label.append(subject, total, change, progress);

  view.effect(() => {
    const info = store._canvas.value;
    const frames = ready(info) && framesOf(info).length > 1 ? info.n_frames : 1;
    const shown = curve.shown.value;
    curve.arrivals.value;
    panel.stand(frames < 2 ? "ready" : curve.state.value, curve.error.value);
    attribute(chart.element, "data-done", shown?.done ?? 0);
    attribute(chart.element, "data-total", frames);
    attribute(chart.element, "data-selection", shown ? selectionKey(shown.selection) : "");
    chart.element.hidden = !shown;
    hint.hidden = shown !== null;
    start.hidden = frames < 2;
    film.loop.hidden = film.track.hidden = frames < 2;
    attribute(panel.body, "data-still", frames < 2);
    chart.show(shown, frames);
  });
  view.effect(() => {
    const shown = curve.shown.value;
    curve.arrivals.value;
    const time = store.time.value;
    const [sum, differs] = [shown?.totals[time] ?? Number.NaN, shown?.changes[time] ?? Number.NaN];
    total.hidden = change.hidden = !shown;
    const some = shown && shown.done < shown.totals.length;
    write(subject, shown ? selectionLabel(shown.selection, store.cluster_names.value) : "");
    const absent = shown?.absent.size ?? 0;
    write(progress, some ? ` · ${shown.done - absent} / ${shown.totals.length - absent} frames` : "");
    const info = store._canvas.value;
    const magnitudes =
      shown && ready(info) ? magnitudesOf(info, shown.selection.layer, shown.selection.channel) : null;
    write(total, `total${magnitudes?.short ?? ""} ${number(sum)}`);
    const share = sum > 0 && !Number.isNaN(differs) ? ` (${percent(differs / sum)})` : "";
    write(change, `change ${number(differs)}${share}`);
    attribute(panel.label, "title", panel.label.textContent);
    const whole = magnitudes ? `A pixel's magnitude adds ${magnitudes.whole}.` : "";
    explain(total, "total", whole);
    explain(change, "change", `${whole} In brackets: its part of the total.`.trim());
  });
  view.effect(() => {
    const info = store._canvas.value;
    if (!ready(info) || framesOf(info).length >= 2) {
      write(words, "Select a neuron or a cluster, or sum up the");
      return;
    }
    const map = maps.shown.value;
    const current =
      map && same(map.selection.neuron, store.neuron.value) && map.selection.layer === store.layer.value;
    const { layer, channel, overlay = "selection" } = map?.selection ?? {};
    const magnitudes =
      layer !== undefined && overlay === "selection" ? magnitudesOf(info, layer, channel) : null;
    const sum = current
      ? `: ${selectionLabel(map.selection)} adds up to ${number(map.total)}${magnitudes?.short ?? ""}`
      : "";
    attribute(words, "title", current && magnitudes ? `Sum of ${magnitudes.whole}` : null);
    const alone =
      info.n_frames > 1 ? `Frame ${store.time.value} alone is kept here` : "A single image has no time";
    write(words, `${alone}${sum}`);
  });
  return { element: panel.element, restyle: chart.restyle };
}
