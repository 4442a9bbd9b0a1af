// The scale of the thumbnails: shared by the layer or each its own; its colours and what the bars below the maps are.
import { signal } from "@preact/signals-core";
import type { GridContext } from "../sources/grid";
import { number } from "../state/format";
import { CHANNELS, type Magnitudes, magnitudesOf } from "../state/selection";
import { ready, type Store } from "../state/store";
import { attribute, h, write } from "../ui/dom";
import { composeBar } from "../ui/painting";
import type { Style } from "../ui/palette";
import { segmented } from "../ui/panel";
import { explain } from "../ui/term_card";
import type { View } from "../ui/view";

const SCALES = [
  {
    value: "layer",
    text: "one scale",
    term: "one scale",
  },
  {
    value: "own",
    text: "own",
    title: "Each thumbnail from 0 to its own largest value, which stands below it",
  },
] as const;

export type Scale = "layer" | "own";

/** Which magnitudes a total of the grid adds. Read inside an effect. */
export function magnitudesIn(
  store: Store,
  { layer, channel }: Pick<GridContext, "layer" | "channel">,
): Magnitudes | null {
  const info = store._canvas.value;
  return ready(info) ? magnitudesOf(info, layer, channel) : null;
}

/** How thumbnails are drawn, but for their scale. Read inside an effect. */
export function styleOfGrid(store: Store): Style {
  return {
    maps: store.maps.value,
    palette: store.palette.value,
    opacity: 1,
    contrast: store.contrast.value,
  };
}

export function createGridScale(view: View) {
  const { store, grid, palettes } = view.session;
  const scale = signal<Scale>("layer");
  const scales = segmented("Scale of the thumbnails", SCALES, (value) => {
    scale.value = value;
  });
  const bar = h("canvas", { class: "cw-bar-colours", width: 256, height: 1, "aria-hidden": "true" });
  const [low, high] = [h("span", { class: "cw-bar-low" }), h("span", { class: "cw-bar-high" })];
  const colours = h("div", { class: "cw-colourbar", "data-testid": "grid-scale" }, low, bar, high);
  const totals = h("span", { class: "cw-muted cw-scale-totals" });
  const scaling = h("div", { class: "cw-scale" }, scales.element, colours, totals);
  view.effect(() => {
    const shown = grid.shown.value;
    const style = styleOfGrid(store);
    scales.press(scale.value);
    colours.classList.toggle("cw-hidden", scale.value === "own" || !shown);
    const own = scale.value === "own" ? "each map to its own largest value · " : "";
    const magnitudes = shown && magnitudesIn(store, shown.context);
    write(totals, shown ? `${own}bars: totals${magnitudes?.short ?? ""}, to ${number(shown.topTotal)}` : "");
    const whole = magnitudes ? `Added are ${magnitudes.whole}. ` : "";
    explain(totals, "total", `${whole}A full bar is the total of the layer's strongest neuron.`);
    const context = bar.getContext("2d");
    if (!shown || !context) return;
    const image = context.createImageData(256, 1);
    image.data.set(composeBar(style, palettes.value, null));
    context.putImageData(image, 0, 0);
    // The limit is that of the strongest neurons; a weaker one may exceed it somewhere, hence ≤ and ≥.
    const top = shown.scale / style.contrast;
    write(low, style.maps === "signed" ? `≤ ${number(-top)}` : "0");
    write(high, `≥ ${number(top)}`);
    const { layer, channel } = shown.context;
    const colour = channel === "sum" ? "the colours added" : CHANNELS[channel];
    attribute(colours, "title", `Of all thumbnails of ${layer}, ${colour}`);
  });
  return { element: scaling, scale };
}
