// The buttons on the picture that zoom it: out, how far it is zoomed, which fits it again, and in.
import type { ReadonlySignal } from "@preact/signals-core";
import { attribute, h, write } from "../ui/dom";
import type { View } from "../ui/view";
import { type Viewport, ZOOM_STEP } from "../ui/viewport";

export function createZoomControl(
  view: View,
  viewport: ReadonlySignal<Viewport>,
  zoom: (factor: number) => void,
  fit: () => void,
  /** In test ids; and whether the widget's keys zoom what these buttons do. */
  { name: of = "zoom", keys = true } = {},
): HTMLElement {
  const button = (name: string, words: string, text: string, click: () => void) => {
    const title = keys ? words : words.replace(/ \(.*/, "");
    return h(
      "button",
      {
        class: "cw-segment cw-zoom-button",
        type: "button",
        title,
        "aria-label": title,
        "data-testid": `${of}-${name}`,
        on: { click },
      },
      text,
    );
  };
  const out = button("out", "Zoom out (−)", "−", () => zoom(1 / ZOOM_STEP));
  const factor = button("fit", "Fit the picture (0)", "1×", fit);
  const element = h(
    "div",
    { class: "cw-segments cw-zoom", role: "group", "aria-label": "Zoom" },
    out,
    factor,
    button("in", "Zoom in (+)", "+", () => zoom(ZOOM_STEP)),
  );
  view.effect(() => {
    const now = viewport.value.zoom;
    const text = `${now < 10 ? now.toFixed(1).replace(/\.0$/, "") : Math.round(now)}×`;
    write(factor, text);
    // What a button is called begins with what stands on it.
    attribute(factor, "aria-label", `${text}: ${factor.title}`);
    attribute(element, "data-zoomed", now > 1);
    attribute(out, "aria-disabled", now > 1 ? null : "true");
  });
  return element;
}
