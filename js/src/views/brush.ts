// The brush: paints a region, or rubs it out, pixel by pixel.
import { computed, type Signal, signal } from "@preact/signals-core";
import { chooseRegion } from "../state/actions";
import { maskOf, type Point, runsOf, stroke } from "../state/raster";
import { MOST_RUNS } from "../transport/constants";
import type { Region } from "../transport/messages";
import { attribute, h, icon, svg, write } from "../ui/dom";
import type { View } from "../ui/view";
import type { Size } from "../ui/viewport";
import type { Place, Tool } from "./tool";

/** Diameters in pixels of the frame. */
const SIZES = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];
/** The first brush is this part of the frame's width. */
const FIRST = 1 / 16;

export function createBrush(
  view: View,
  frameSize: () => Size,
  drawn: Signal<Region | null>,
  /** Whether Alt is held over the frame. */
  alt: Signal<boolean>,
  leave: () => void,
): Tool {
  const { store, history } = view.session;
  const chosen: Signal<number | null> = signal(null);
  const erases = signal(false);
  const at = computed(() => chosen.value ?? nearest(frameSize().width * FIRST));
  const diameter = () => SIZES[at.value] ?? 1;
  const resize = (by: number) => {
    chosen.value = Math.max(0, Math.min(SIZES.length - 1, at.peek() + by));
  };
  let under: { mask: Uint8Array; value: 0 | 1; from: Point; changed: boolean } | null = null;

  const slider = h("input", {
    class: "cw-range",
    type: "range",
    min: 0,
    max: SIZES.length - 1,
    step: 1,
    "aria-label": "Size of the brush",
    title: "Size of the brush ([ and ])",
    "data-testid": "brush-size",
    on: { input: () => (chosen.value = slider.valueAsNumber) },
  });
  const size = h("output", { class: "cw-brush-size" });
  const erase = h(
    "button",
    {
      class: "cw-icon-button",
      type: "button",
      "aria-label": "Erase",
      title: "Erase (e, or hold Alt)",
      "data-testid": "brush-erase",
      on: { click: () => (erases.value = !erases.peek()) },
    },
    icon("eraser"),
  );
  const done = h(
    "button",
    {
      class: "cw-button",
      type: "button",
      title: "Put the brush away (Enter)",
      "data-testid": "brush-done",
      on: { click: leave },
    },
    "done",
  );
  const bar = h(
    "div",
    { class: "cw-tool-bar", role: "group", "aria-label": "Brush", "data-testid": "brush-bar" },
    slider,
    size,
    erase,
    done,
  );
  view.effect(() => {
    slider.value = String(at.value);
    slider.style.setProperty("--cw-filled", `${(100 * at.value) / (SIZES.length - 1)}%`);
    const text = `${diameter()} px`;
    attribute(slider, "aria-valuetext", text);
    write(size, text);
    attribute(erase, "aria-pressed", String(erases.value));
  });

  const cancel = () => {
    under = null;
    drawn.value = null;
  };
  const move = (to: Point) => {
    if (!under) return;
    const { mask, value, from } = under;
    const changed = stroke(mask, frameSize(), from, to, diameter() / 2, value);
    under.changed ||= changed;
    under.from = to;
    if (changed || !drawn.peek()) drawn.value = { points: [], runs: runsOf(mask) };
  };
  return {
    bar,
    hint: "Arrows move the brush, space paints, e erases, Enter ends",
    press(from, withAlt) {
      const value = erases.peek() === withAlt ? 1 : 0;
      under = { mask: maskOf(store.region.peek(), frameSize()), value, from, changed: false };
      move(from);
    },
    drag: move,
    lift() {
      const painted = under;
      cancel();
      if (!painted?.changed) return;
      const runs = runsOf(painted.mask);
      if (runs.length > MOST_RUNS)
        return view.say("The region has too many parts: paint with a larger brush", "error");
      history.split();
      chooseRegion(store, runs.length ? { points: [], runs } : null);
    },
    cancel,
    drop: cancel,
    finish() {},
    key(name) {
      if (name === "[") return () => resize(-1);
      if (name === "]") return () => resize(1);
      return name === "e" ? () => (erases.value = !erases.peek()) : null;
    },
    enter: () => true,
    draw(group: SVGElement, { left, top, scale }: Place, cursor: Point | null) {
      attribute(group, "data-erases", erases.value !== alt.value);
      const r = (diameter() / 2) * scale;
      if (!cursor) return;
      const ring = { cx: left + cursor[1] * scale, cy: top + cursor[0] * scale, r: Math.max(r, 2) };
      group.append(
        svg("circle", { ...ring, class: "cw-halo", "data-testid": "brush-ring" }),
        svg("circle", { ...ring, class: "cw-line" }),
      );
    },
  };
}

function nearest(diameter: number): number {
  const far = SIZES.map((one) => Math.abs(Math.log(one / Math.max(1, diameter))));
  return far.indexOf(Math.min(...far));
}
