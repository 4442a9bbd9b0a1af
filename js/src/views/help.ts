// The list of keys and of what the mouse does, over the widget.

import { savedOf } from "../state/saved";
import { h } from "../ui/dom";
import type { View } from "../ui/view";

const KEYS = [
  ["← →", "previous, next frame"],
  ["space", "play, pause"],
  ["[ ]", "previous, next layer"],
  ["shift + arrows", "move the pinned pixel"],
  ["Esc", "clear the selected neuron"],
  ["k, shift + k", "ablate the selection or put it back; put all back"],
  ["arrows, Delete in the list of regions", "move, take one off the list"],
  ["r", "the selection under every rule, side by side"],
  ["/", "find a neuron: 17 or 3,17"],
  ["+ − 0", "zoom in, out, fit"],
  ["?", "this list"],
] as const;

const MOUSE = [
  ["click the frame", "pin a pixel: its neurons are ranked under PIXEL"],
  ["wheel, drag, double click", "zoom, move, fit the frame"],
  ["shift-drag, shift-alt-drag", "draw a region: a box, a lasso; + keeps it in a list"],
  ["rest on the frame", "preview the neurons of that pixel"],
  ["click a thumbnail or a bar", "select that neuron: its contributions cover the frame"],
  ["shift-click one", "add it to the selection, or take it out"],
  ["click or drag the curve", "move the playhead"],
  ["click a cluster", "select it: its map on the frame, its neurons in the list"],
] as const;

/** Keys that need a kernel: a saved page does not list them. */
const LIVE = new Set(["k, shift + k", "r", "arrows, Delete in the list of regions"]);

export function createHelp({ root, session, effect }: Pick<View, "root" | "session" | "effect">) {
  const live: HTMLElement[] = [];
  const list = (rows: readonly (readonly [string, string])[]) =>
    h(
      "dl",
      { class: "cw-keys" },
      ...rows.flatMap(([key, action]) => {
        const parts = [h("dt", {}, key), h("dd", {}, action)];
        if (LIVE.has(key)) live.push(...parts);
        return parts;
      }),
    );
  const close = h(
    "button",
    { class: "cw-button", type: "button", on: { click: () => toggle(false) } },
    "Close",
  );
  const element = h(
    "div",
    {
      class: "cw-help",
      role: "dialog",
      "aria-modal": "true",
      "aria-label": "Help",
      hidden: true,
      "data-testid": "help",
    },
    h(
      "div",
      { class: "cw-help-card" },
      h("h3", { class: "cw-title" }, "Keys"),
      list(KEYS),
      h("h3", { class: "cw-title" }, "Mouse"),
      list(MOUSE),
      close,
    ),
  );
  effect(() => {
    const saved = savedOf(session.store._canvas.value) !== null;
    for (const part of live) part.hidden = saved;
  });
  let before: Element | null = null;
  const toggle = (open = element.hidden) => {
    if (open !== element.hidden) return;
    element.hidden = !open;
    if (open) {
      before = document.activeElement;
      // The focus would scroll to the end of the list: it is read from its beginning.
      close.focus({ preventScroll: true });
      element.firstElementChild?.scrollIntoView?.({ block: "nearest" });
    } else if (before instanceof HTMLElement && root.contains(before)) before.focus();
    else root.focus();
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.target === element) toggle(false);
  });
  element.addEventListener("keydown", (event) => {
    // The only thing to reach in the dialog is its button: Tab stays on it.
    if (event.key === "Tab") event.preventDefault();
  });
  return { element, toggle, isOpen: () => !element.hidden };
}
