// The band of frequencies that the map over the frame is limited to: dragged over the chart, or moved by its two ends.
import { computed, type ReadonlySignal, signal } from "@preact/signals-core";
import { chooseBand } from "../state/actions";
import { bandInWords } from "../state/selection";
import { attribute, h, write } from "../ui/dom";
import { explain } from "../ui/term_card";
import type { View } from "../ui/view";
import { LEFT, NYQUIST, RIGHT } from "./spectrum_chart";

type Band = readonly [low: number, high: number];

/** In cycles a pixel: what a key moves an end by, and how wide a band is that is clicked. */
const STEP = 0.01;
const LARGE = 0.05;

const snap = (frequency: number) => Math.round(frequency / STEP) / Math.round(1 / STEP);
const within = (frequency: number, least: number, most: number) => Math.max(least, Math.min(most, frequency));

/** Puts the ends of the band on the chart; `shown` is the band that is set, or drawn right now. */
export function createBandTool(view: View, area: HTMLElement, along: (clientX: number) => number | null) {
  const { store } = view.session;
  const drawn = signal<Band | null>(null);
  const shown = computed(() => drawn.value ?? (store.band.value as Band | null));
  const ends = () => shown.peek() ?? ([0, NYQUIST] as const);
  const handles = ["Lowest frequency of the band", "Highest frequency of the band"].map((label, end) =>
    h("div", {
      class: "cw-band-end",
      role: "slider",
      tabindex: 0,
      "aria-label": label,
      "aria-valuemin": 0,
      "data-testid": end ? "band-high" : "band-low",
      on: { keydown: (event) => press(event, end) },
    }),
  );
  area.append(...handles);
  const words = h("span", { class: "cw-term", "data-testid": "band" });
  explain(words, "band");
  const clear = h(
    "button",
    {
      class: "cw-button cw-band-clear",
      type: "button",
      "data-testid": "clear-band",
      on: { click: () => chooseBand(store, null) },
    },
    "clear",
  );
  const bar = h("span", { class: "cw-band" }, words, clear);
  view.effect(() => {
    const band = shown.value;
    write(words, band ? bandInWords(band) : "drag: a band for the frame");
    clear.hidden = band === null;
    const [low, high] = band ?? [0, NYQUIST];
    handles.forEach((handle, end) => {
      const at = end ? high : low;
      const share = within(at, 0, NYQUIST) / NYQUIST;
      handle.style.left = `calc(${LEFT}px + (100% - ${LEFT + RIGHT}px) * ${share})`;
      attribute(handle, "aria-valuenow", at);
      attribute(handle, "aria-valuemax", Math.max(NYQUIST, high));
      attribute(handle, "aria-valuetext", `${at.toFixed(2)} cycles a pixel${band ? "" : ", no band"}`);
    });
  });

  const press = (event: KeyboardEvent, end: number) => {
    const [low, high] = ends();
    const by = {
      ArrowLeft: -STEP,
      ArrowDown: -STEP,
      ArrowRight: STEP,
      ArrowUp: STEP,
      PageDown: -LARGE,
      PageUp: LARGE,
    }[event.key];
    const far = { Home: 0, End: NYQUIST }[event.key];
    if (
      (by === undefined && far === undefined) ||
      event.shiftKey ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey
    )
      return;
    event.preventDefault();
    event.stopPropagation();
    const to = snap(far ?? (end ? high : low) + (by ?? 0));
    if (end) chooseBand(store, [low, within(to, snap(low + STEP), NYQUIST)]);
    else chooseBand(store, [within(to, 0, snap(Math.min(high, NYQUIST) - STEP)), high]);
  };

  let from: number | null = null;
  let moved = false;
  const at = (event: PointerEvent) => within(along(event.clientX) ?? 0, 0, NYQUIST);
  const stop = () => {
    from = null;
    drawn.value = null;
  };
  area.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    area.setPointerCapture?.(event.pointerId);
    const end = handles.indexOf(event.target as HTMLDivElement);
    // An end is moved away from the other one.
    from = end < 0 ? at(event) : (ends()[1 - end] ?? 0);
    moved = end >= 0;
  });
  area.addEventListener("pointermove", (event) => {
    if (from === null || !(event.buttons & 1)) return;
    const [one, other] = [snap(from), snap(at(event))];
    moved ||= one !== other;
    if (one !== other) drawn.value = [Math.min(one, other), Math.max(one, other)];
  });
  area.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const start = from;
    const band = drawn.peek();
    stop();
    if (band) chooseBand(store, band);
    else if (!moved) {
      const low = snap(Math.min(Math.floor(start / LARGE + 1e-9), NYQUIST / LARGE - 1) * LARGE);
      chooseBand(store, [low, snap(low + LARGE)]);
    }
    // The keys go on from where the pointer left off.
    handles[at(event) < start ? 0 : 1]?.focus({ preventScroll: true });
  });
  area.addEventListener("pointercancel", stop);
  return { bar, shown: shown as ReadonlySignal<Band | null> };
}
