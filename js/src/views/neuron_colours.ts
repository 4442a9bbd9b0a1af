// What the colours of neurons stand for: their clusters, or the frequencies of their maps, with a colour bar of these.
import { currentFrequencies } from "../sources/frequencies";
import { count } from "../state/format";
import { savedOf } from "../state/saved";
import type { ColourBy } from "../transport/messages";
import { attribute, h, write } from "../ui/dom";
import { frequencyColour } from "../ui/palette";
import { segmented } from "../ui/panel";
import { explain } from "../ui/term_card";
import type { View } from "../ui/view";
import { createLegend } from "./legend";

const CHOICES = [
  { value: "cluster", text: "cluster", title: "Neurons have the colours of their clusters" },
  { value: "frequency", text: "frequency", title: "Neurons have the colours of their centroid frequencies" },
] as const;
const COLOURS = 32; // in each half of the bar

/** The legend of the clusters, with the choice before it; with frequencies, the colour bar in its place. */
export function createNeuronColours(view: View): HTMLElement {
  const { store, frequencies, palettes, settled } = view.session;
  const legend = createLegend(view);
  const choice = segmented<ColourBy>("Colour neurons by", CHOICES, (colour_by) => store.set({ colour_by }));
  choice.element.classList.add("cw-colour-by");
  // Equal factors are equal steps of the colours: the number between the halves of the bar says so.
  const bars = [0, 1].map(() =>
    h("canvas", { class: "cw-bar-colours", width: COLOURS, height: 1, "aria-hidden": "true" }),
  ) as [HTMLCanvasElement, HTMLCanvasElement];
  const [low, high] = [h("span", { class: "cw-bar-low" }), h("span", { class: "cw-bar-high" })];
  const middle = h("span", { class: "cw-bar-middle" });
  const colours = h("div", { class: "cw-colourbar" }, low, bars[0], middle, bars[1], high);
  const unit = explain(h("span", { class: "cw-muted cw-term" }, "cycles a pixel"), "centroid");
  const said = h("span", { class: "cw-muted cw-frequency-said" });
  const frequency = h(
    "div",
    { class: "cw-frequency-bar", "data-testid": "frequency-bar" },
    colours,
    unit,
    said,
  );
  legend.prepend(choice.element);
  legend.append(frequency);
  view.effect(() => {
    const by = store.colour_by.value;
    const isSaved = savedOf(store._canvas.value) !== null;
    choice.element.hidden = isSaved;
    choice.press(by);
    const isByFrequency = by === "frequency" && !isSaved;
    attribute(legend, "data-by", isByFrequency ? "frequency" : "cluster");
    frequency.hidden = !isByFrequency;
    if (!isByFrequency) return;
    const known = currentFrequencies(frequencies.shown.value, store, settled.value);
    const state = frequencies.state.value;
    colours.hidden = unit.hidden = !known?.range;
    attribute(said, "data-state", state);
    said.classList.toggle("cw-problem", state === "error");
    const none = known?.values.filter(Number.isNaN).length ?? 0;
    const about = none ? `${count(none)} without a frequency` : "";
    write(said, state === "error" ? frequencies.error.value : known ? about : "measuring every map…");
    attribute(said, "title", said.textContent);
    if (!known?.range) return;
    const { range } = known;
    write(middle, Math.sqrt(range[0] * range[1]).toFixed(3));
    write(low, range[0].toFixed(3));
    write(high, range[1].toFixed(3));
    bars.forEach((bar, half) => {
      const context = bar.getContext("2d");
      if (!context?.fillRect) return;
      for (let at = 0; at < COLOURS; at++) {
        const part = (half + at / (COLOURS - 1)) / 2;
        const value = range[0] * (range[1] / range[0]) ** part;
        context.fillStyle = frequencyColour(palettes.value, value, range) ?? "transparent";
        context.fillRect(at, 0, 1, 1);
      }
    });
  });
  return legend;
}
