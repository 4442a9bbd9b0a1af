// A second run in the frame panel: beside the first, under a divider that is dragged, or as what the first has more.
import { signal } from "@preact/signals-core";
import { drawnAs, type Frame, type Picture, planeOf } from "../sources/pictures";
import { compareWith } from "../state/actions";
import { number } from "../state/format";
import { currentOverlay, runInMenu, runLabel, selectionKey } from "../state/selection";
import type { Store } from "../state/store";
import type { Comparison } from "../transport/messages";
import { createContours } from "../ui/contours";
import { type Difference, frameDifference, mapDifference } from "../ui/difference";
import { attribute, h, svg, write } from "../ui/dom";
import { composePicture, type Pixels } from "../ui/painting";
import { reach } from "../ui/palette";
import { options, segmented } from "../ui/panel";
import { word } from "../ui/term_card";
import type { View } from "../ui/view";
import type { Placed, Size } from "../ui/viewport";
import { contoursOf, frameStyle, styleOf } from "./style_of";

const MODES = [
  { value: "side", text: "side by side" },
  { value: "wipe", text: "wipe", title: "The second run right of a line that can be dragged" },
  {
    value: "picture",
    text: "Δ picture",
    title: "How far the two pictures are apart; black is no difference",
  },
  { value: "map", text: "Δ map", title: "The first run's map less the second's" },
] as const satisfies { value: Comparison; text: string; title?: string }[];
const NONE = "–";
const STEP = 0.05;

/** Whether a picture's map is that of the selection: else one of the two belongs to another neuron for a moment. */
function isCurrent({ map }: Picture, store: Store): boolean {
  const selection = currentOverlay(store);
  return map !== null && selection !== null && selectionKey(map.selection) === selectionKey(selection);
}

export type ComparisonView = ReturnType<typeof createComparisonView>;

export function createComparisonView(view: View, covered: (picture: Picture) => boolean) {
  const { store, comparison, picture, palettes } = view.session;
  const isOver = () => store.comparison.value !== "side";

  // --- the controls ---------------------------------------------------------------------------------------------

  const menu = h("select", {
    class: "cw-select",
    "aria-label": "Compare with the run",
    "data-testid": "compare",
    on: {
      change: () => {
        const run = store._runs.peek()[menu.selectedIndex - 1];
        compareWith(store, run?.key ?? null);
      },
    },
  });
  const modes = segmented<Comparison>("How two runs are compared", MODES, (mode) =>
    store.set({ comparison: mode }),
  );
  const said = h("span", { class: "cw-muted cw-compared-said", "data-testid": "compared-said" });
  const controls = h(
    "div",
    { class: "cw-comparison", "data-testid": "comparison", hidden: true },
    word("compare", "compare with", "cw-name"),
    menu,
    modes.element,
    said,
  );
  view.effect(() => {
    const runs = store._runs.value;
    controls.hidden = runs.length < 2;
    const other = store.compare.value;
    const texts = ["no run", ...runs.map(runInMenu)];
    const values = [NONE, ...runs.map(({ key }) => String(key))];
    options(menu, values, other === null ? NONE : String(other), (name, at) => texts[at] ?? name);
    menu.selectedIndex = 1 + runs.findIndex(({ key }) => key === other); // 1 and "1" can both be keys
    modes.element.hidden = other === null;
    modes.press(store.comparison.value);
  });

  // --- the second picture ---------------------------------------------------------------------------------------

  const canvas = h("canvas", { class: "cw-frame-canvas", "data-testid": "compared", width: 1, height: 1 });
  const marks = svg("svg", { class: "cw-marks", "aria-hidden": "true" });
  const [ours, theirs] = ["ours", "theirs"].map((side) =>
    h("span", { class: `cw-run-name-on cw-${side}`, "data-testid": `run-${side}` }),
  ) as [HTMLElement, HTMLElement];
  const stage = h("div", { class: "cw-stage cw-compared", role: "img", hidden: true }, canvas);
  stage.append(marks, theirs);
  const at = signal(0.5);
  const divider = h("div", {
    class: "cw-divider",
    role: "slider",
    tabindex: 0,
    "aria-label": "Where the second run begins",
    "aria-valuemin": 0,
    "aria-valuemax": 100,
    "data-testid": "divider",
    hidden: true,
  });
  const difference = signal<Difference | null>(null);
  const placed = signal<{ place: Placed; stage: Size } | null>(null);

  /** The larger of what both maps reach: equal colours are equal values. */
  const top = (): number | null => {
    const [a, b] = [picture.value?.map, comparison.isOn.value ? comparison.picture.value?.map : null];
    if (!a || !b) return null;
    const [one, other] = [a, b].map((map) => reach(planeOf(map, drawnAs(map, store.maps.value))));
    return Math.max(one ?? 0, other ?? 0);
  };

  const pixelsOf = (): Pixels | null => {
    const [one, other] = [picture.value, comparison.picture.value];
    const mode = store.comparison.value;
    if (!one || !other || (!other.frame && !other.map)) return null;
    if (one.time !== other.time && mode !== "side") return null;
    if (mode === "picture") {
      // Where neurons are ablated of the first alone, the difference would be that, too.
      const alike = one.frame && other.frame && one.frame.source === other.frame.source;
      return alike ? frameDifference(one.frame as Frame, other.frame as Frame) : null;
    }
    if (mode === "map") {
      const current = isCurrent(one, store) && isCurrent(other, comparison.store);
      return current ? mapDifference(one, other, styleOf(store), palettes.value) : null;
    }
    const map = covered(other) ? other.map : null;
    const { style, top: end } = frameStyle(store, map, top());
    return composePicture({ ...other, map }, style, palettes.value, end);
  };
  const contours = createContours();
  const placeContours = () => {
    const known = placed.peek();
    if (known) contours.place(known.place, canvas);
  };
  const contourPath = (): string => {
    const other = comparison.picture.peek();
    const mode = store.comparison.peek();
    if (!other || mode === "picture" || mode === "map") return "";
    const map = covered(other) ? other.map : null;
    const { style, top: end } = frameStyle(store, map, top());
    return contoursOf(store, map, style, end, (other.frame ?? other.map)?.width ?? 1);
  };
  const paint = view.painter(() => {
    const shown = comparison.isOn.peek() ? pixelsOf() : null;
    canvas.classList.toggle("cw-hidden", !shown);
    difference.value = shown && "top" in shown ? (shown as Difference) : null;
    const other = comparison.picture.peek();
    attribute(canvas, "data-run", other?.run);
    attribute(canvas, "data-time", other?.time);
    attribute(canvas, "data-mode", store.comparison.peek());
    attribute(canvas, "data-selection", other?.map ? selectionKey(other.map.selection) : "");
    if (!shown) return;
    const { width, height, rgba } = shown;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext("2d");
    if (!context) return;
    const image = context.createImageData(width, height);
    image.data.set(rgba);
    context.putImageData(image, 0, 0);
    contours.draw(contourPath());
    placeContours();
  });
  view.effect(() => {
    frameStyle(store, null, null);
    palettes.value;
    store.contours.value;
    picture.value;
    comparison.picture.value;
    store.comparison.value;
    comparison.isOn.value;
    if (comparison.picture.value) covered(comparison.picture.value);
    paint();
  });

  view.effect(() => {
    const on = comparison.isOn.value;
    const [mode, other] = [store.comparison.value, comparison.picture.value];
    stage.hidden = !on;
    divider.hidden = !on || mode !== "wipe";
    attribute(stage, "data-over", on && isOver());
    ours.hidden = theirs.hidden = !on;
    // The last picture stays until the next is there, under its own label.
    const run = runLabel(other?.run ?? store.compare.value);
    const decibels = other?.frame?.psnr == null ? "" : ` · ${other.frame.psnr.toFixed(1)} dB`;
    const isDifference = mode === "picture" || mode === "map";
    const first = runLabel(picture.value?.run ?? null);
    write(ours, first);
    ours.hidden ||= isDifference;
    // Where neurons are ablated of the first, which the second has not.
    const whole = other?.frame && other.frame.source !== store.source.value ? " · original" : "";
    write(theirs, isDifference ? `${first} − ${run}` : `${run}${decibels}${whole}`);
    attribute(stage, "aria-label", isDifference ? `${first} less ${run}` : `the same of ${run}`);
  });
  view.effect(() => {
    const known = placed.value;
    if (!known) return;
    const { left, top, width, height } = known.place;
    Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    canvas.style.transform = `translate(${left}px, ${top}px)`;
    placeContours();
  });
  view.effect(() => {
    const part = store.comparison.value === "wipe" ? at.value : 0;
    stage.style.clipPath = isOver() ? `inset(0 0 0 ${part * 100}%)` : "";
    divider.style.left = `${part * 100}%`;
    attribute(divider, "aria-valuenow", Math.round(part * 100));
  });

  const drag = (event: PointerEvent) => {
    const { left, width } = stage.getBoundingClientRect();
    if (width > 0) at.value = Math.max(0, Math.min(1, (event.clientX - left) / width));
  };
  divider.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    divider.setPointerCapture?.(event.pointerId);
  });
  divider.addEventListener("pointermove", (event) => {
    if (event.buttons & 1) drag(event);
  });
  divider.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -STEP, ArrowRight: STEP }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    at.value = Math.max(0, Math.min(1, at.peek() + by));
  });

  view.effect(() => {
    const { frames, maps, pairs } = comparison;
    if (!comparison.isOn.value) return write(said, "");
    const broken = [frames, maps].find(({ state }) => state.value === "error");
    if (broken) return write(said, broken.error.value);
    const colourless = comparison.whyNoColour();
    if (colourless) return write(said, colourless);
    if (pairs.state.value === "error") return write(said, pairs.error.value);
    if (pairs.state.value === "loading") return write(said, "matching neurons by their maps…");
    const several = store.neurons.value;
    if (several.length > 1) {
      const known = several.filter((one) => comparison.counterpart(store.layer.value, one));
      const all = known.length === several.length;
      return write(said, all ? "" : `${known.length} of ${several.length} neurons have a counterpart there`);
    }
    const neuron = store.neuron.value;
    const found = neuron && comparison.counterpart(store.layer.value, neuron);
    if (!neuron) return write(said, "");
    if (!found) return write(said, "the neuron has no counterpart there");
    const { layer, neuron: other, correlation } = found;
    const name = layer === store.layer.value ? "" : `${layer} `;
    write(
      said,
      correlation === null ? "" : `↔ ${name}${other.join("→")}, correlation ${number(correlation)}`,
    );
  });

  return {
    controls,
    stage,
    canvas,
    divider,
    ours,
    top,
    /** What the frame shows in place of two pictures, for the bar of its colours. Read inside an effect. */
    difference,
    /** Where the first picture lies on its stage: the second lies there on its own, with the same marks. */
    follow(where: Placed, size: Size, drawn: readonly Node[]): void {
      placed.value = { place: where, stage: size };
      marks.replaceChildren(
        ...(comparison.isOn.value ? [contours.element, ...drawn.map((node) => node.cloneNode(true))] : []),
      );
    },
  };
}
