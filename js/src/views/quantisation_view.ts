// Under the picture of what quantised weights lose: their bits, which of them share a grid, and the loss of PSNR.
import type { ReadonlySignal, Signal } from "@preact/signals-core";
import type { Frame, Picture } from "../sources/pictures";
import { ready } from "../state/store";
import { MOST_BITS } from "../transport/constants";
import type { Scheme } from "../transport/messages";
import { attribute, h, write } from "../ui/dom";
import { segmented } from "../ui/panel";
import type { View } from "../ui/view";
import { createCover, qualityText } from "./ablation_view";

const SCHEMES = [
  { value: "per-tensor", text: "per tensor", title: "One grid of values for all weights of a layer" },
  { value: "per-channel", text: "per channel", title: "A grid of values for each output channel of a layer" },
] as const satisfies { value: Scheme; text: string; title: string }[];

export function createQuantisationView(
  { session: { store }, effect }: View,
  picture: ReadonlySignal<Picture | null>,
  over: Signal<boolean>,
): HTMLElement {
  const bits = h("input", {
    class: "cw-range",
    type: "range",
    min: 1,
    max: MOST_BITS,
    step: 1,
    "aria-label": "Bits of each weight",
    "data-testid": "bits",
    on: {
      input: () => store.set({ bits: bits.valueAsNumber }, true),
      change: () => {
        store.set({ bits: bits.valueAsNumber });
        store.release();
      },
    },
  });
  const bitsText = h("output", { class: "cw-factor" });
  const [scaling, schemes] = [
    h("label", { class: "cw-inline cw-scaling", title: "Bits of each weight" }, bits, bitsText),
    segmented<Scheme>("Which weights share a grid of values", SCHEMES, (scheme) => store.set({ scheme })),
  ];
  const cover = createCover(over, "Lay the map of the contributions over the loss", "quantisation-cover");
  const quality = h("output", { class: "cw-quality", "data-testid": "quantisation-psnr" });
  const bar = h(
    "div",
    {
      class: "cw-ablation",
      role: "group",
      "aria-label": "Quantised weights",
      "data-testid": "quantisation-bar",
    },
    scaling,
    schemes.element,
    cover,
    quality,
  );
  effect(() => {
    bar.hidden = store.source.value !== "quantisation";
    const now = store.bits.value;
    if (bits.valueAsNumber !== now) bits.value = String(now);
    bits.style.setProperty("--cw-filled", `${(100 * (now - 1)) / (MOST_BITS - 1)}%`);
    attribute(bits, "aria-valuetext", words(now));
    write(bitsText, words(now));
    schemes.press(store.scheme.value);
    attribute(cover, "aria-pressed", String(over.value));
  });
  effect(() => {
    const info = store._canvas.value;
    const left = ready(info) ? Object.entries(info.quantisation.left_out) : [];
    const rest = left.map(([layer, why]) => `${layer} stays as it is: ${why}`);
    attribute(scaling, "title", ["Bits of each weight", ...rest].join("\n"));
  });
  effect(() => {
    const frame = picture.value?.frame;
    const told = frame?.quantised
      ? qualityText(frame, [`at ${words(frame.quantised.bits)}`, "with the weights as they are"])
      : { text: "", title: "" };
    write(quality, told.text);
    attribute(quality, "title", told.title || null);
  });
  return bar;
}

function words(bits: number): string {
  return `${bits} bit${bits === 1 ? "" : "s"}`;
}

/** What a picture shows, in its label. */
export function quantisedLabel(frame: Frame | null): string | null {
  if (!frame?.quantised) return null;
  return `lost at ${words(frame.quantised.bits)}`;
}
