// The panel of the layer's neurons: as thumbnails or as points, in which order, and which are found.
import { signal } from "@preact/signals-core";
import { currentLayer } from "../state/actions";
import { count, percent } from "../state/format";
import { areConsecutive, framesOf, savedOf } from "../state/saved";
import {
  CHANNELS,
  currentChannel,
  isRanked,
  layerName,
  neuronCount,
  rankedBy,
  SORTS,
} from "../state/selection";
import { ready } from "../state/store";
import type { Sort } from "../transport/messages";
import { attribute, h, icon, write } from "../ui/dom";
import { createPanel, options, segmented } from "../ui/panel";
import { explain } from "../ui/term_card";
import type { Term } from "../ui/terms";
import type { View } from "../ui/view";
import { createGridScale, magnitudesIn, type Scale } from "./grid_scale";
import { createNeuronColours } from "./neuron_colours";
import { clusterName, createNeuronGrid } from "./neuron_grid";
import { createNeuronSearch } from "./neuron_search";
import { createScatterView } from "./scatter_view";

const FORMS = [
  { value: "grid", text: "grid", term: "map" },
  { value: "scatter", text: "scatter", term: "scatter" },
] as const;

const SORT_TERMS: Record<Sort, Term> = {
  pixel: "this pixel",
  region: "this region",
  total: "total",
  change: "change",
  frequency: "frequency",
  difference: "difference",
  index: "index",
};

export function createNeuronView(view: View) {
  const { session } = view;
  const { store, grid } = session;
  const panel = createPanel(view, "neurons", "Neurons", "neuron", () => {
    if (form.peek() === "scatter") session.scatter.retry();
    else grid.retry();
  });

  const sort = h("select", {
    class: "cw-select",
    "aria-label": "Sort neurons by",
    "data-testid": "sort",
    on: { change: () => store.set({ sort: sort.value as Sort }) },
  });
  options(sort, Object.keys(SORTS), "total", (value) => SORTS[value as Sort]);
  const search = createNeuronSearch(view);
  const scatter = createScatterView(view);
  const sorted = h("span", { class: "cw-term" }, "sort");
  const sorting = h("label", { class: "cw-inline" }, sorted, " ", sort);
  const form = signal<"grid" | "scatter">("grid");
  const explained = signal("");
  const forms = segmented("How neurons are shown", FORMS, (value) => {
    form.value = value;
  });
  const several = h(
    "button",
    {
      class: "cw-icon-button",
      type: "button",
      "aria-label": "Select several neurons",
      title: "Select several: each click adds a neuron or takes it out (as with shift)",
      "data-testid": "several",
      on: {
        click: () => {
          view.several.value = !view.several.peek();
        },
      },
    },
    icon("several"),
  );
  view.effect(() => attribute(several, "aria-pressed", String(view.several.value)));
  panel.tools.append(several, search.element, sorting, scatter.method, forms.element);
  const scaling = createGridScale(view);
  const thumbnails = createNeuronGrid(view, scaling.scale, search.finds);
  panel.body.append(...thumbnails.elements, scatter.element);
  panel.foot.append(scaling.element, createNeuronColours(view));

  view.effect(() => {
    const info = store._canvas.value;
    const shown = grid.shown.value;
    const points = session.scatter;
    const open = form.value === "scatter";
    forms.press(form.value, () => ready(info) && info.embeddings.length > 0);
    scatter.show(open);
    thumbnails.scroller.hidden = open;
    scaling.element.hidden = open;
    write(sorted, open ? "size" : "sort");
    const wrong = open && session.values.state.value === "error" ? session.values.error.value : "";
    attribute(sort, "aria-label", open ? "Size points by" : "Sort neurons by");
    const says = open ? "Points are as large as that." : store.sort.value === "total" ? explained.value : "";
    for (const part of [sorted, sort]) explain(part, SORT_TERMS[store.sort.value], wrong || says);
    if (open) {
      panel.stand(points.state.value, points.error.value);
      const at = points.shown.value;
      write(
        panel.label,
        at?.layer === store.layer.value
          ? `${layerName(info, at.layer)} · ${count(at.points.length / 2)} · frame ${at.time}`
          : "",
      );
      return;
    }
    panel.stand(grid.state.value, grid.error.value);
    const frame = shown && ready(info) && info.n_frames > 1 ? ` · frame ${shown.context.time}` : "";
    // A saved canvas or page contains some of the layer's neurons only.
    const whole = currentLayer(store);
    const some = shown && whole && shown.context.cluster < 0 && shown.n < neuronCount(whole);
    const of = some ? ` of ${count(neuronCount(whole))}` : "";
    const channel = shown?.context.channel ?? "sum";
    const colour = channel === "sum" ? "" : ` · ${CHANNELS[channel]}`;
    write(
      panel.label,
      shown
        ? `${layerName(info, shown.context.layer)} · ${count(shown.n)}${of}${shown.context.cluster >= 0 ? ` in ${clusterName(store, shown.context)}` : ""}${colour}${frame}${orderOf(shown.halfWidth, shown.context.sort, scaling.scale.value, rankedBy(info))}`
        : "",
    );
  });
  view.effect(() => {
    const info = store._canvas.value;
    const magnitudes = magnitudesIn(store, { layer: store.layer.value, channel: currentChannel(store) });
    for (const option of sort.options) {
      const name = SORTS[option.value as Sort];
      if (option.value === "pixel") write(option, store.pixel.value ? name : `${name} (none)`);
      if (option.value === "region") write(option, store.region.value ? name : `${name} (none)`);
      if (option.value === "change") option.hidden = ready(info) && !areConsecutive(framesOf(info));
      if (option.value === "frequency") option.hidden = savedOf(info) !== null;
      if (option.value === "difference")
        option.hidden = !session.comparison.isOn.value || savedOf(info) !== null;
      if (option.value === "total") write(option, `${name}${magnitudes?.short ?? ""}`);
    }
    if (sort.value !== store.sort.value) sort.value = store.sort.value;
    explained.value = magnitudes ? `Added are ${magnitudes.whole}.` : "";
  });
  return { element: panel.element, focusSearch: search.focus, restyle: scatter.restyle };
}

/** What to say of an order by another rule, by estimates, and of one from the lowest. */
function orderOf(halfWidth: number, sort: Sort, scale: Scale, by: string | null): string {
  if (by && isRanked(sort)) return ` · order by ${by}`;
  // On scales of their own thumbnails show their largest values in the place of their frequencies.
  if (sort === "frequency") return ` · lowest frequency first${scale === "own" ? "" : ", cycles a pixel"}`;
  const of = sort === "change" ? "changes" : sort === "region" ? "contributions" : "totals";
  return halfWidth > 0 ? ` · order estimated, ${of} ± ${percent(halfWidth)}` : "";
}
