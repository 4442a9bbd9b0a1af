// One thumbnail of the grid: its button, its map and its words.
import { type ReadonlySignal, untracked } from "@preact/signals-core";
import { clusterOf } from "../sources/clusters";
import { currentFrequencies, frequencyOf } from "../sources/frequencies";
import type { Thumb } from "../sources/grid";
import { number } from "../state/format";
import { neuronLabel, neuronWords, rankedBy, runLabel, sortedBy } from "../state/selection";
import { THUMBNAIL_SIDE } from "../transport/constants";
import { same } from "../transport/same";
import { attribute, h, write } from "../ui/dom";
import { composeThumbnail } from "../ui/painting";
import { clusterColour, frequencyColour, onScale, reach } from "../ui/palette";
import { explain } from "../ui/term_card";
import type { View } from "../ui/view";
import { magnitudesIn, type Scale, styleOfGrid } from "./grid_scale";

export interface Cell {
  button: HTMLButtonElement;
  canvas: HTMLCanvasElement;
  /** What stands for the neuron in the compared run, in a corner. */
  second: HTMLCanvasElement;
  words: HTMLElement;
  name: HTMLElement;
  top: HTMLElement;
  total: HTMLElement;
  painted: string;
  paintedSecond: string;
}

export function makeCell(): Cell {
  const canvas = h("canvas", { class: "cw-thumb-map", width: THUMBNAIL_SIDE, height: THUMBNAIL_SIDE });
  const second = h("canvas", { class: "cw-thumb-second", width: 1, height: 1, hidden: true });
  const [name, top, total] = [h("span", {}), h("span", { class: "cw-muted" }), h("i", {})];
  const words = h("span", { class: "cw-thumb-name" }, name, top);
  const track = h("span", { class: "cw-thumb-total", "aria-hidden": "true" }, total);
  const button = h(
    "button",
    { class: "cw-thumb", type: "button", tabindex: "-1" },
    canvas,
    second,
    words,
    track,
  );
  return { button, canvas, second, words, name, top, total, painted: "", paintedSecond: "" };
}

/** `fill` shows a thumbnail in a cell, or that it is not there yet; `active` has the tab stop. */
export function createFill({ session }: View, scale: ReadonlySignal<Scale>) {
  const { store, grid, clusters, palettes, comparison, frequencies, settled } = session;
  const drawThumb = (
    cell: Cell,
    canvas: HTMLCanvasElement,
    thumb: Thumb,
    key: "painted" | "paintedSecond" = "painted",
  ) => {
    const shown = grid.shown.peek();
    const style =
      scale.peek() === "own" ? styleOfGrid(store) : onScale(styleOfGrid(store), thumb, shown?.scale ?? 0);
    const run = key === "painted" ? "" : store.compare.peek();
    const painted = JSON.stringify([
      style,
      thumb.neuron,
      shown?.context,
      run,
      palettes.peek().sequential.length,
    ]);
    if (painted === cell[key]) return;
    const { width, height } = thumb;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext("2d");
    if (!context) return;
    const image = context.createImageData(width, height);
    image.data.set(composeThumbnail(thumb.levels, thumb, style, palettes.peek()));
    context.putImageData(image, 0, 0);
    cell[key] = painted;
  };
  const fill = (cell: Cell, index: number, active: boolean) => {
    const thumb = grid.thumb(index);
    const { button, canvas, words, name, top, total } = cell;
    button.dataset.index = String(index);
    attribute(button, "tabindex", active ? "0" : "-1");
    attribute(button, "data-empty", !thumb);
    attribute(button, "aria-disabled", thumb ? null : "true");
    const known = thumb && grid.shown.peek();
    const second = known ? comparison.thumbOf(known.context, thumb.neuron) : null;
    cell.second.hidden = !second;
    if (!second) cell.paintedSecond = "";
    attribute(button, "data-second", second ? second.neuron.join(",") : null);
    if (!thumb) {
      cell.painted = cell.paintedSecond = "";
      for (const gone of ["data-neuron", "data-cluster", "data-frequency", "data-out", "aria-pressed"])
        button.removeAttribute(gone);
      words.removeAttribute("data-cluster");
      attribute(button, "aria-label", "loading");
      button.style.removeProperty("--cw-cluster");
      total.style.width = "0";
      write(top, "");
      return write(name, "");
    }
    const selected =
      store.neurons.peek().some((one) => same(thumb.neuron, one)) &&
      grid.shown.peek()?.context.layer === store.layer.peek();
    const byFrequency = store.colour_by.peek() === "frequency";
    const cluster = byFrequency ? -1 : clusterOf(clusters.shown.peek(), store, thumb.neuron);
    const measured = untracked(() => currentFrequencies(frequencies.shown.peek(), store, settled.peek()));
    const ownFrequency = frequencyOf(measured, store, thumb.neuron);
    const { context, topTotal = 0 } = grid.shown.peek() ?? {};
    const sorted = context?.sort ?? "total";
    const by = rankedBy(store._canvas.peek());
    const sum = `total${(context && magnitudesIn(store, context))?.short ?? ""}`;
    attribute(button, "data-neuron", thumb.neuron.join(","));
    attribute(button, "aria-pressed", String(selected));
    attribute(button, "data-cluster", cluster >= 0 ? cluster : null);
    attribute(button, "data-frequency", ownFrequency);
    attribute(words, "data-cluster", cluster >= 0 ? cluster : null);
    const out = session.ablation.has(store.layer.peek(), thumb.neuron);
    attribute(button, "data-out", out);
    attribute(
      button,
      "aria-label",
      `neuron ${thumb.neuron.join(" → ")}, ${sorted === "frequency" ? sortedBy(sorted, thumb.value, by) : number(thumb.value)}${cluster >= 0 ? `, cluster ${cluster}` : ""}${ownFrequency === undefined || sorted === "frequency" ? "" : `, ${sortedBy("frequency", ownFrequency, by)}`}${out ? ", ablated" : ""}`,
    );
    attribute(
      button,
      "title",
      [
        `${neuronWords(thumb.neuron)}   ${sorted === "total" ? `${sum}: ${number(thumb.value)}` : sortedBy(sorted, thumb.value, by)}`,
        ownFrequency === undefined || sorted === "frequency" ? "" : sortedBy("frequency", ownFrequency, by),
        sorted === "total" ? "" : `${sum}: ${number(thumb.total)}`,
        `largest value of the thumbnail: ${number(reach(thumb))}`,
        second
          ? `${runLabel(store.compare.peek())}: ${neuronLabel(second.neuron)}, total ${number(second.total)}`
          : "",
      ]
        .filter(Boolean)
        .join("\n"),
    );
    const part = topTotal > 0 ? Math.min(1, thumb.total / topTotal) : 0;
    total.style.width = `${part * 100}%`;
    attribute(button, "data-total", thumb.total);
    const shown = sorted === "frequency" ? thumb.value : ownFrequency;
    const frequency = shown === undefined ? "" : shortFrequency(shown);
    write(top, scale.peek() === "own" ? number(reach(thumb)) : frequency);
    const colour =
      ownFrequency !== undefined && measured?.range
        ? frequencyColour(palettes.peek(), ownFrequency, measured.range)
        : cluster >= 0
          ? clusterColour(cluster)
          : null;
    if (colour) button.style.setProperty("--cw-cluster", colour);
    else button.style.removeProperty("--cw-cluster");
    write(name, neuronLabel(thumb.neuron));
    explain(name, thumb.neuron.length > 1 ? "kernel" : "unit");
    drawThumb(cell, canvas, thumb);
    if (second) drawThumb(cell, cell.second, second, "paintedSecond");
  };
  return fill;
}

/** Beside the neuron's number, where there is little room: the heading of the grid has the unit. */
function shortFrequency(value: number): string {
  return Number.isNaN(value) ? "none" : value.toFixed(3);
}
