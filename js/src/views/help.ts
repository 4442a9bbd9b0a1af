// Over the widget: keys, what the mouse does, and what the words mean.

import { savedOf } from "../state/saved";
import { createDialog, type Dialog } from "../ui/dialog";
import { h } from "../ui/dom";
import { documentLink } from "../ui/term_card";
import { TERMS, type Term } from "../ui/terms";
import type { View } from "../ui/view";

const TASKS = [
  [
    "Which neurons make this?",
    "Click it: the strongest stand under Pixel. Draw a box around a larger part, and sort Neurons by this region.",
  ],
  [
    "Is that true?",
    "Faithfulness, above the frame, says how far the rule agrees with taking neurons out. Press r for the selection under every rule.",
  ],
  [
    "Where else does it write?",
    "Click the neuron: its map covers the frame. More contrast, under style, shows weak traces; the curve follows it through time.",
  ],
  ["What is without it?", "Press k: the picture without the selection, and the PSNR that it costs."],
  ["Send me the figure", "export: all panels or one, as PDF, SVG or PNG; the numbers as CSV or NPZ."],
] as const;

const KEYS = [
  ["← →", "previous, next frame"],
  ["space", "play, pause"],
  [", .", "previous, next run"],
  ["[ ]", "previous, next layer; with the brush: its size"],
  ["shift + arrows", "move the pinned pixel"],
  [
    "Esc",
    "put a tool away; clear the band of frequencies; then the selected neurons, the cluster, the region, the pixel",
  ],
  ["arrows, space, Enter with the brush", "move it (far with shift), paint, put it away; e: erase"],
  ["the same with the polygon", "move, set a corner, close it; Backspace: take a corner back"],
  ["arrows, Enter, space in the scatter", "go from neuron to neuron, select it, add it"],
  ["l in the scatter", "lasso: arrows, space, Enter, Backspace, Esc as with the polygon; shift + Enter adds"],
  ["ctrl + z, ctrl + shift + z", "undo, redo what was chosen"],
  ["k, shift + k", "ablate the selection or put it back; put all back"],
  ["arrows, Page Up, Page Down at an end of the band", "move it, under Spectrum"],
  ["arrows, Delete in the list of regions", "move, take one off the list"],
  ["r", "the selection under every rule, side by side"],
  ["/", "find a neuron: 17 or 3,17"],
  ["+ − 0", "zoom in, out, fit"],
  ["?", "this list"],
] as const;

const MOUSE = [
  ["click the frame", "pin a pixel: its neurons are ranked under Pixel"],
  ["wheel, drag, double click", "zoom, move, fit the frame (with ctrl before its first click)"],
  ["two fingers", "zoom and move the frame"],
  ["drag the line beside a panel", "resize it; double-click for the usual size"],
  ["shift-drag, shift-alt-drag", "draw a region: a box, a lasso; + keeps it in a list"],
  ["press with the brush, with alt", "paint a region, erase it"],
  ["click with the polygon", "set a corner; the first one or a double click closes it"],
  ["drag with the middle button", "move the frame with a tool in hand"],
  ["rest on the frame", "preview the neurons of that pixel"],
  ["click a thumbnail or a bar", "select that neuron: its contributions cover the frame"],
  ["shift-click or ctrl-click one", "add it to the selection, or take it out"],
  ["drag in the scatter", "select what it goes around; zoomed in, move it (with shift: select)"],
  ["click or drag the curve", "move the playhead"],
  ["drag over the spectrum, or click it", "choose a band: the frame shows these frequencies of the map"],
  ["click a cluster", "select it: its map on the frame, its neurons in the list"],
] as const;

/** Keys that need a kernel: a saved page does not list them. */
const LIVE = new Set([
  "Is that true?",
  "What is without it?",
  "Send me the figure",
  "k, shift + k",
  "r",
  "arrows, Delete in the list of regions",
  "arrows, Enter, space in the scatter",
  "l in the scatter",
  "drag in the scatter",
  "arrows, Page Up, Page Down at an end of the band",
  "drag over the spectrum, or click it",
]);

export function createHelp({ session, effect }: Pick<View, "session" | "effect">): Dialog {
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
  const words = (Object.entries(TERMS) as [Term, string][]).flatMap(([term, sentence]) => [
    h("dt", {}, term),
    h("dd", {}, sentence, " ", documentLink(term)),
  ]);
  const title = (text: string) => h("h3", { class: "cw-title" }, text);
  const dialog = createDialog("help", "Help");
  dialog.element.append(
    h("div", { class: "cw-dialog-head" }, title("How to"), dialog.close),
    list(TASKS),
    title("Keys"),
    list(KEYS),
    title("Mouse"),
    list(MOUSE),
    title("Words"),
    h("dl", { class: "cw-keys cw-words", "data-testid": "words" }, ...words),
  );
  effect(() => {
    const saved = savedOf(session.store._canvas.value) !== null;
    for (const part of live) part.hidden = saved;
  });
  return dialog;
}
