// The bar under the frame: the numbers that its colours stand for, and where the colours end, which is dragged and locked.
import { drawnAs, isOfContributions, type Picture, planeOf } from "../sources/pictures";
import { number } from "../state/format";
import { attribute, h, icon, write } from "../ui/dom";
import type { ExportPlan } from "../ui/export_png";
import { composeBar, groundOf } from "../ui/painting";
import { type Range, reach, type Style } from "../ui/palette";
import type { View } from "../ui/view";
import type { ComparisonView } from "./comparison_view";
import { isGrey, OF_DIFFERENCES, scaleOf } from "./frame_words";
import { frameStyle } from "./style_of";

/** So many CSS pixels of a drag double the limit, or halve it. */
const DOUBLING = 60;
const STEP = 1.1;
const LEVELS =
  "A raw level is the output's own number, before it is clipped to a colour: 1 is from black to white";
const GREYS = Uint8ClampedArray.from({ length: 1024 }, (_, i) => (i % 4 === 3 ? 255 : i >> 2));

export function createColourBar(view: View, covered: (picture: Picture) => boolean, second: ComparisonView) {
  const { store, picture, palettes } = view.session;
  const colours = h("canvas", { class: "cw-bar-colours", width: 256, height: 1, "aria-hidden": "true" });
  const grip = h(
    "div",
    {
      class: "cw-bar-grip",
      role: "slider",
      tabindex: 0,
      "aria-label": "Contribution at which the colours end",
      "aria-valuemin": 0,
      "data-testid": "limit",
    },
    colours,
  );
  const lock = h("button", {
    class: "cw-icon-button cw-bar-lock",
    type: "button",
    "aria-label": "Lock the colours",
    "data-testid": "lock-limit",
    on: { click: () => store.set({ limit: store.limit.peek() === null ? top : null }) },
  });
  const [low, high] = [h("span", { class: "cw-bar-low" }), h("span", { class: "cw-bar-high" })];
  const [what, more] = [h("span", {}), h("span", { class: "cw-bar-more" })];
  const unit = h("span", { class: "cw-bar-levels" });
  const words = h("span", { class: "cw-bar-unit", "aria-hidden": "true" }, what, more, unit);
  const legend = h("div", { class: "cw-colourbar", "data-testid": "colourbar" }, low, grip, high, lock);
  const element = h("div", { class: "cw-frame-scale" }, words, legend);

  /** Where the colours end now; null where they are not of contributions. */
  let top: number | null = null;
  const choose = (limit: number, moving = false) => {
    if (limit > 0 && Number.isFinite(limit)) store.set({ limit: Number(limit.toPrecision(3)) }, moving);
  };

  const paint = view.painter(() => {
    const now = picture.peek();
    const frame = now?.frame ?? null;
    const map = now && covered(now) ? now.map : null;
    const between = second.difference.peek();
    const difference = !map && frame?.source === "difference" ? frame : null;
    const grey = !map && !between && frame && isGrey(frame) ? frame : null;
    const { style: chosen, top: shared } = frameStyle(store, map, second.top());
    const isSigned = difference !== null || between?.signed === true;
    const maps = isSigned ? "signed" : map ? drawnAs(map, chosen.maps) : chosen.maps;
    const style: Style = { ...chosen, maps };
    const context = colours.getContext("2d");
    if (!context) return;
    // The bar has the colours of the picture: a map is transparent where it is weak.
    const ground = map && frame && !between ? groundOf(frame, chosen, palettes.peek()) : null;
    const image = context.createImageData(256, 1);
    image.data.set(grey ? GREYS : composeBar(style, palettes.peek(), ground));
    context.putImageData(image, 0, 0);
    const range = map ? planeOf(map, style.maps) : (difference ?? grey);
    // How far the pictures of two runs are apart has no palette: the largest difference is white.
    legend.classList.toggle("cw-hidden", between ? !between.signed : !range);
    const scale = between || difference || grey ? OF_DIFFERENCES : map ? scaleOf(map, style.maps) : null;
    write(what, scale?.what ?? "");
    write(more, scale?.more ?? "");
    write(unit, scale?.unit ? ` (${scale.unit})` : "");
    attribute(
      words,
      "title",
      scale?.unit.includes("level") ? `${words.textContent}. ${LEVELS}` : words.textContent,
    );
    const own = map !== null && !between && isOfContributions(map);
    lock.hidden = !own;
    attribute(grip, "tabindex", own ? 0 : -1);
    attribute(grip, "aria-disabled", own ? null : "true");
    top = null;
    if (!range && !between) return;
    const largest = reach(range as Range);
    const end = between?.top ?? grey?.high ?? (shared ?? largest) / style.contrast;
    const isBeyond = grey
      ? false
      : between
        ? style.contrast > 1
        : Math.max(largest, second.top() ?? 0) > 1.001 * end;
    attribute(legend, "data-signed", style.maps === "signed" && !grey);
    write(low, style.maps === "signed" && !grey ? `${isBeyond ? "≤ " : ""}${number(-end)}` : "0");
    write(high, `${isBeyond ? "≥ " : ""}${number(end)}`);
    if (own) top = end;
    attribute(grip, "aria-valuenow", end);
    attribute(grip, "aria-valuemax", 2 * end);
    attribute(grip, "aria-valuetext", number(end));
    const over = ground ? "Colours as they lie over the mean colour of the frame. " : "";
    const how = "Drag it to move where the colours end; double-click for the map's own largest";
    attribute(grip, "title", own ? `${over}${how}` : null);
  });
  view.effect(() => {
    frameStyle(store, null, second.top());
    if (picture.value) covered(picture.value);
    palettes.value;
    second.difference.value;
    paint();
  });
  view.effect(() => {
    const locked = store.limit.value !== null;
    attribute(lock, "aria-pressed", String(locked));
    attribute(
      lock,
      "title",
      locked
        ? "Colours are locked: equal colours are equal numbers. Click to give each map its own largest number again"
        : "Lock the colours: the same numbers have the same colours for every neuron and frame",
    );
    lock.replaceChildren(icon(locked ? "locked" : "unlocked"));
  });

  let from: { x: number; top: number } | null = null;
  grip.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !top) return;
    event.preventDefault();
    grip.focus();
    grip.setPointerCapture?.(event.pointerId);
    from = { x: event.clientX, top };
  });
  const moved = (event: PointerEvent) => (from ? from.top * 2 ** ((event.clientX - from.x) / DOUBLING) : 0);
  grip.addEventListener("pointermove", (event) => {
    if (from && event.buttons & 1 && event.clientX !== from.x) choose(moved(event), true);
  });
  grip.addEventListener("pointerup", (event) => {
    if (from && event.clientX !== from.x) choose(moved(event));
    from = null;
  });
  grip.addEventListener("pointercancel", () => (from = null));
  grip.addEventListener("dblclick", () => store.set({ limit: null }));
  grip.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: 1 / STEP, ArrowDown: 1 / STEP, ArrowRight: STEP, ArrowUp: STEP }[event.key];
    if (by && top) choose(top * by);
    else if (event.key === "Enter") store.set({ limit: null });
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  return {
    element,
    plan: (): ExportPlan["bar"] =>
      legend.classList.contains("cw-hidden")
        ? null
        : { canvas: colours, low: low.textContent ?? "", high: high.textContent ?? "" },
  };
}
