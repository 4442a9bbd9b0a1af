// The drawing of the scatter: points, rings around neurons, the second run's points with lines to them, and the lasso.
import { type ReadonlySignal, type Signal, untracked } from "@preact/signals-core";
import { currentClusters } from "../sources/clusters";
import { currentFrequencies } from "../sources/frequencies";
import { middles } from "../sources/scatter";
import { currentLayer } from "../state/actions";
import { flatIndex, layerOf, neuronAt } from "../state/selection";
import { ready } from "../state/store";
import { NO_CLUSTER } from "../transport/constants";
import { attribute } from "../ui/dom";
import { clusterColour, frequencyColour } from "../ui/palette";
import { themeColours } from "../ui/theme";
import type { View } from "../ui/view";
import type { Place } from "./scatter_lasso";
import { PAD, type ScatterPlane } from "./scatter_plane";

const MOST_LINKED = 12;
/** Points from this size on, in CSS pixels, have an edge where they are coloured by a value. */
const EDGED = 4;

/** Draws the plane on a canvas after every change; returns what draws it anew. */
export function drawScatter(
  view: View,
  element: HTMLElement,
  canvas: HTMLCanvasElement,
  plane: ScatterPlane,
  lasso: Signal<Place[]>,
  /** The crosshair of the lasso by keyboard. */
  cursor: ReadonlySignal<Place | null>,
) {
  const { store, scatter, values, clusters, pixels, comparison, palettes, frequencies, settled } =
    view.session;
  const { square, sizes, placed, viewport } = plane;
  const { pointed } = scatter;
  const colour = themeColours(view.root);

  /** The neurons of this layer that the pixel view lists. */
  const listed = () => {
    const at = pixels.preview.peek() ?? (store.pixel.peek() ? pixels.pinned.shown.peek() : null);
    return at?.neurons.filter((ranked) => ranked.layer === store.layer.peek()) ?? [];
  };
  /** Keeps what is drawn next in one of two squares. */
  const clip = (context: CanvasRenderingContext2D, left: number) => {
    const { w, height } = square();
    context.beginPath();
    context.rect?.(left, 0, w + PAD, height);
    context.clip?.();
  };
  /** The second run's neurons: smaller, without clusters, which are of the first; and the line to the counterpart. */
  const paintSecond = (context: CanvasRenderingContext2D, colours: { points: string; line: string }) => {
    const other = comparison.scatter.shown.peek();
    const shown = placed();
    const isOther = comparison.isOn.peek() && other?.run === store.compare.peek();
    attribute(canvas, "data-other", isOther ? other.run : null);
    if (!other || !isOther) return;
    const { x, x2, y, height, w } = square();
    context.strokeStyle = colours.line;
    context.lineWidth = 1;
    context.globalAlpha = 0.25;
    context.beginPath();
    context.moveTo(PAD * 1.5 + w, PAD);
    context.lineTo(PAD * 1.5 + w, height - PAD);
    context.stroke();
    context.globalAlpha = 0.7;
    context.fillStyle = colours.points;
    context.save?.();
    clip(context, PAD * 1.5 + w);
    const side = other.points.length > 3000 ? 2 : 4;
    for (let i = 0; i < other.points.length; i += 2)
      context.fillRect(
        x2(other.points[i] ?? 0) - side / 2,
        y(other.points[i + 1] ?? 0) - side / 2,
        side,
        side,
      );
    context.restore?.();
    context.globalAlpha = 1;
    const layer = currentLayer(store);
    const info = store._compared.peek();
    for (const neuron of linked()) {
      const found = layer ? comparison.counterpart(layer.name, neuron) : null;
      const theirs = found && ready(info) ? layerOf(info, found.layer) : undefined;
      if (!layer || !found || !theirs || theirs.name !== other.layer) continue;
      const [at, to] = [flatIndex(layer, neuron), flatIndex(theirs, found.neuron)];
      const ends = [
        shown?.points[2 * at],
        shown?.points[2 * at + 1],
        other.points[2 * to],
        other.points[2 * to + 1],
      ];
      const [ax, ay, bx, by] = ends.map((value) => value ?? Number.NaN) as [number, number, number, number];
      if (Number.isNaN(ax) || Number.isNaN(bx)) continue;
      context.beginPath();
      context.moveTo(x(ax), y(ay));
      context.lineTo(x2(bx), y(by));
      context.stroke();
      context.beginPath();
      context.arc(x2(bx), y(by), side / 2 + 3, 0, 2 * Math.PI);
      context.stroke();
    }
  };
  /** The neuron under the pointer, else those that are selected, if they are few. */
  const linked = (): number[][] => {
    const [at, layer, selected] = [pointed.peek(), currentLayer(store), store.neurons.peek()];
    if (at !== null && layer) return [neuronAt(layer, at)];
    return selected.length <= MOST_LINKED ? selected : [];
  };

  const drawLasso = (context: CanvasRenderingContext2D) => {
    const [{ x, y }, set, at] = [square(), lasso.peek(), cursor.peek()];
    const drawn = at ? [...set, at] : set;
    context.strokeStyle = context.fillStyle = colour("--cw-fg");
    context.lineWidth = 1;
    if (drawn.length > 1) {
      context.beginPath();
      for (const [px, py] of drawn) context.lineTo(x(px), y(py));
      context.closePath();
      context.setLineDash([4, 3]);
      context.stroke();
      context.setLineDash([]);
    }
    if (!at) return;
    for (const [px, py] of set) context.fillRect(x(px) - 2.5, y(py) - 2.5, 5, 5);
    for (const [line, ink] of [
      [4, "--cw-bg"],
      [1.5, "--cw-fg"],
    ] as const) {
      context.lineWidth = line;
      context.strokeStyle = colour(ink);
      context.beginPath();
      context.moveTo(x(at[0]) - 9, y(at[1]));
      context.lineTo(x(at[0]) + 9, y(at[1]));
      context.moveTo(x(at[0]), y(at[1]) - 9);
      context.lineTo(x(at[0]), y(at[1]) + 9);
      context.stroke();
    }
  };

  /** The number of each cluster in its middle, for who cannot tell its colour; the middles are kept for the next paint. */
  let centred: { points: Float32Array; labels: Uint8Array; middles: ReturnType<typeof middles> } | null =
    null;
  const numbersOf = (points: Float32Array, labels: Uint8Array | null) => {
    if (labels && (centred?.points !== points || centred.labels !== labels))
      centred = { points, labels, middles: middles(points, labels) };
    const only = store.cluster.peek();
    const known = [...((labels && centred?.middles) ?? [])].sort(([one], [other]) => one - other);
    return known.filter(([label]) => label !== NO_CLUSTER && (only < 0 || label === only));
  };
  const writeNumbers = (context: CanvasRenderingContext2D, numbers: ReturnType<typeof numbersOf>) => {
    const { x, y } = square();
    context.font = "600 13px system-ui, sans-serif";
    context.textAlign = "center";
    context.textBaseline = "middle";
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = colour("--cw-bg");
    context.fillStyle = colour("--cw-fg");
    for (const [label, [px, py]] of numbers) {
      context.strokeText(String(label), x(px), y(py));
      context.fillText(String(label), x(px), y(py));
    }
  };

  const paint = view.painter(() => {
    const { width, height, x, y } = square();
    const context = canvas.getContext("2d");
    if (element.hidden || !context || width < 2) return;
    const scale = window.devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
    if (canvas.height !== Math.round(height * scale)) canvas.height = Math.round(height * scale);
    const shown = placed();
    const layer = currentLayer(store);
    context.setTransform?.(scale, 0, 0, scale, 0, 0);
    context.clearRect?.(0, 0, width, height);
    attribute(canvas, "data-layer", shown?.layer);
    attribute(canvas, "data-method", shown?.method);
    const [sized, ranked] = [sizes(), listed()];
    attribute(canvas, "data-sized", sized?.sort);
    attribute(canvas, "data-ringed", ranked.map(({ neuron }) => neuron.join()).join(" ") || null);
    const labels = currentClusters(clusters.shown.peek(), store)?.labels ?? null;
    const byFrequency = store.colour_by.peek() === "frequency";
    const numbers = shown && !byFrequency ? numbersOf(shown.points, labels) : [];
    attribute(canvas, "data-numbers", numbers.map(([label]) => label).join(" ") || null);
    if (!shown || !layer || !context.fillRect) return;
    const known = untracked(() => currentFrequencies(frequencies.shown.peek(), store, settled.peek()));
    attribute(canvas, "data-coloured", known ? "frequency" : null);
    const [edge, grey] = [colour("--cw-fg"), colour("--cw-muted")];
    const colourOf = (at: number, label: number) => {
      if (!byFrequency) return label === NO_CLUSTER ? base : clusterColour(label);
      if (!known?.range) return base;
      return frequencyColour(palettes.peek(), known.values[at] ?? Number.NaN, known.range) ?? grey;
    };
    const only = store.cluster.peek();
    const count = shown.points.length / 2;
    const side = count > 6000 ? 2 : count > 1500 ? 3 : 5;
    const least = Math.min(side, 2);
    const sideOf = (at: number) =>
      sized ? least + (2.4 * side + 2) * Math.sqrt(Math.abs(sized.values[at] || 0) / sized.top) : side;
    const base = colour("--cw-accent");
    const isDouble = comparison.isOn.peek();
    context.save?.();
    if (isDouble) clip(context, PAD / 2);
    for (let i = 0; i < count; i++) {
      const [px, py] = [shown.points[2 * i] ?? Number.NaN, shown.points[2 * i + 1] ?? Number.NaN];
      if (Number.isNaN(px)) continue;
      const label = labels?.[i] ?? NO_CLUSTER;
      context.fillStyle = colourOf(i, label);
      context.globalAlpha = only >= 0 && labels && label !== only ? 0.12 : 0.7;
      const own = sideOf(i);
      if (own < 4) {
        context.fillRect(x(px) - own / 2, y(py) - own / 2, own, own);
        continue;
      }
      context.beginPath();
      context.arc(x(px), y(py), own / 2, 0, 2 * Math.PI);
      context.fill();
      if (!known || own < EDGED) continue;
      // The lightest and the darkest colours are near the ground of one theme or the other.
      context.lineWidth = 0.75;
      context.strokeStyle = edge;
      context.stroke();
    }
    context.globalAlpha = 1;
    writeNumbers(context, numbers);
    const ring = (neuron: number[], gap: number, line: number, stroke: string) => {
      const at = flatIndex(layer, neuron);
      const [px, py] = [shown.points[2 * at] ?? Number.NaN, shown.points[2 * at + 1] ?? Number.NaN];
      if (Number.isNaN(px)) return;
      context.beginPath();
      context.arc(x(px), y(py), sideOf(at) / 2 + gap, 0, 2 * Math.PI);
      context.lineWidth = line;
      context.strokeStyle = stroke;
      context.stroke();
    };
    const [quiet, strong] = [colour("--cw-muted"), colour("--cw-fg")];
    for (const { neuron } of ranked) ring(neuron, 1.5, 1, quiet);
    const selected = store.neurons.peek();
    const [gap, line] = selected.length > 50 ? [1, 1] : [2.5, 2];
    for (const neuron of selected) ring(neuron, gap, line, strong);
    const at = pointed.peek();
    if (at !== null && at < count) ring(neuronAt(layer, at), 4, 1, strong);
    context.restore?.();
    paintSecond(context, { points: colour("--cw-positive"), line: strong });
    drawLasso(context);
  });
  view.effect(() => {
    for (const part of [
      scatter.shown,
      clusters.shown,
      frequencies.shown,
      palettes,
      store.colour_by,
      store.neurons,
      store.cluster,
      store.n_clusters,
      store.layer,
    ])
      part.value;
    for (const part of [values.shown, values.state, pixels.preview, pixels.pinned.shown, store.pixel])
      part.value;
    for (const part of [
      store.run,
      comparison.isOn,
      comparison.scatter.shown,
      comparison.pairs.shown,
      pointed,
    ])
      part.value;
    lasso.value;
    cursor.value;
    viewport.value;
    paint();
  });
  return paint;
}
