// The slider over the layers, with the names of its steps below it.
import { signal } from "@preact/signals-core";
import { chooseLayer, currentLayer } from "../state/actions";
import { layerName } from "../state/selection";
import { ready } from "../state/store";
import type { LayerInfo } from "../transport/messages";
import { attribute, h, write } from "../ui/dom";
import { range, slide } from "../ui/range";
import { word } from "../ui/term_card";
import type { View } from "../ui/view";

/** CSS pixels: of a letter under the slider, between two names, and of the thumb, by which their line is shorter. */
const [LETTER, GAP, THUMB] = [6.2, 6, 14];

function layerTitle({ name, op, neurons, n_groups }: LayerInfo): string {
  const groups = n_groups > 1 ? ` in ${n_groups} groups` : "";
  return `${name}: ${op}${groups}, ${neurons.join(" × ")} neurons`;
}

/**
 * Names of steps that are `spacing` CSS pixels apart, with as many of their first letters, or where these are alike of their
 * last, as there is room for; none where two would still be alike.
 */
export function stepNames(names: readonly string[], spacing: number): string[] {
  const letters = names.map(({ length }) => length);
  // A name lies within the slider: that of the first step at its right, that of the last at its left.
  const part = (at: number) => at / Math.max(1, names.length - 1);
  const width = (at: number) => (letters[at] ?? 0) * LETTER;
  const between = (at: number) => width(at) * (1 - part(at)) + width(at + 1) * part(at + 1) + GAP;
  for (let at = 0; at + 1 < names.length; ) {
    if (between(at) <= spacing) {
      at += 1;
      continue;
    }
    const longer = (letters[at] ?? 0) >= (letters[at + 1] ?? 0) ? at : at + 1;
    if (letters[longer] === 1) return [];
    letters[longer] = (letters[longer] ?? 0) - 1;
    at = 0;
  }
  const cuts = [
    names.map((name, at) => name.slice(0, letters[at])),
    names.map((name, at) => name.slice(-(letters[at] ?? 0))),
  ];
  return cuts.find((cut) => new Set(cut).size === names.length) ?? [];
}

/** What tells a layer from its neighbours: `3` of `decoder.3`. */
function lastPart(layer: string): string {
  return layer.slice(layer.lastIndexOf(".") + 1).replace(/_layer$/, "");
}

/** The word, the slider over the names of its steps, and the name of the layer. */
export function createLayerControl({ session: { store }, effect, whenResized }: View): HTMLElement[] {
  const slider = range({
    name: "layer",
    label: "Layer",
    input: (at) => {
      const info = store._canvas.peek();
      const layer = ready(info) ? info.layers[at] : undefined;
      if (layer) chooseLayer(store, layer.name);
    },
  });
  const steps = h("div", { class: "cw-steps", "aria-hidden": "true" });
  const width = signal(0);
  whenResized(slider, () => {
    width.value = slider.clientWidth;
  });
  effect(() => {
    const info = store._canvas.value;
    const layers = ready(info) ? info.layers : [];
    const names = stepNames(
      layers.map(({ name }) => lastPart(layerName(info, name))),
      (width.value - THUMB) / Math.max(1, layers.length - 1),
    );
    steps.replaceChildren(
      ...names.map((text, at) => {
        const layer = layers[at]?.name ?? "";
        const step = h("span", { title: layer, on: { click: () => chooseLayer(store, layer) } }, text);
        step.style.setProperty("--cw-at", String(at / Math.max(1, names.length - 1)));
        attribute(step, "data-chosen", layer === store.layer.value);
        return step;
      }),
    );
  });
  const name = h("output", { class: "cw-value cw-layer-name", "data-testid": "layer-name" });
  effect(() => {
    const info = store._canvas.value;
    const layer = currentLayer(store);
    if (!ready(info)) return;
    const at = info.layers.findIndex((one) => one.name === store.layer.value);
    slide(slider, Math.max(0, at), store.layer.value, info.layers.length - 1);
    write(name, layer ? layerName(info, layer.name) : store.layer.value);
    name.title = layer ? layerTitle(layer) : "";
  });
  return [word("layer", "layer", "cw-name"), h("div", { class: "cw-stepped" }, slider, steps), name];
}
