// The layer's neurons as points of a plane. Colour: the cluster. Size: the value that neurons are sorted by. Ring: the
// pixel view lists the neuron. Click a point to select it, or draw around several; zoomed in, a drag moves the plane, and
// one with Shift draws. A second run's neurons are right of them, and a line leads to the one that stands for the neuron
// under the pointer, whose map lies in a corner.
import { signal } from "@preact/signals-core";
import { currentClusters } from "../sources/clusters";
import { inside, nearest, nextTowards } from "../sources/scatter";
import { chooseNeuron, chooseNeurons, currentLayer, toggleNeuron } from "../state/actions";
import { number } from "../state/format";
import {
  currentChannel,
  flatIndex,
  layerOf,
  neuronAt,
  neuronCount,
  neuronLabel,
  rankedBy,
  sortedBy,
} from "../state/selection";
import { ready } from "../state/store";
import { NO_CLUSTER } from "../transport/constants";
import type { Embedding } from "../transport/messages";
import { same } from "../transport/same";
import { attribute, h, write, zoomOf } from "../ui/dom";
import { composeThumbnail } from "../ui/painting";
import { clusterColour } from "../ui/palette";
import { options } from "../ui/panel";
import { watchPinch } from "../ui/pinch";
import { explain } from "../ui/term_card";
import { themeColours } from "../ui/theme";
import type { View } from "../ui/view";
import { FITTED, pan, type Size, zoomAt } from "../ui/viewport";
import { watchWheel } from "../ui/wheel";
import { styleOfGrid } from "./grid_scale";
import { createZoomControl } from "./zoom_control";

const METHODS: Record<Embedding, string> = { pca: "PCA", tsne: "t-SNE", umap: "UMAP" };
const PAD = 8;
const REACH = 9;
const SLIP = 4;
const MOST_LINKED = 12;
/** What the axes are: those of t-SNE and UMAP are nothing by themselves. */
const AXES: Partial<Record<Embedding, string>> = { pca: "→ component 1   ↑ component 2" };
const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

export function createScatterView(view: View) {
  const { store, scatter, values, clusters, pixels, comparison, palettes, settled } = view.session;
  const canvas = h("canvas", { class: "cw-scatter", "data-testid": "scatter", width: 1, height: 1 });
  const told = h("output", {});
  const map = h("canvas", {
    class: "cw-tip-map",
    "data-testid": "pointed-map",
    width: 1,
    height: 1,
    hidden: true,
  });
  const tip = h("div", { class: "cw-tip", hidden: true }, told, map);
  const axes = h("span", { class: "cw-muted cw-axes", "aria-hidden": "true" });
  const element = h(
    "div",
    {
      class: "cw-scatter-stage",
      role: "group",
      tabindex: 0,
      "aria-label":
        "Neurons as points: arrows go from one to the next, Enter selects it, space adds it to the selection",
      hidden: true,
    },
    canvas,
    axes,
    tip,
  );
  const method = h("select", {
    class: "cw-select",
    "aria-label": "How the neurons are arranged",
    "data-testid": "embedding",
    hidden: true,
    on: {
      change: () => {
        scatter.method.value = method.value as Embedding;
      },
    },
  });
  explain(method, "scatter");
  const colour = themeColours(view.root);
  const lasso = signal<[number, number][]>([]);
  const { pointed } = scatter;
  const viewport = signal(FITTED);

  /** The unit square on the canvas, in CSS pixels; `x2` is that of the second run. */
  const square = () => {
    const { clientWidth: width, clientHeight: height } = element;
    const parts = comparison.isOn.peek() ? 2 : 1;
    const w = Math.max(1, (width - (parts + 1) * PAD) / parts);
    const hgt = Math.max(1, height - 2 * PAD);
    const { zoom, x: middle, y: level } = viewport.peek();
    const x = (at: number) => PAD + ((at - middle) * zoom + 0.5) * w;
    return {
      width,
      height,
      x,
      x2: (at: number) => x(at) + w + PAD,
      y: (at: number) => PAD + ((1 - at - level) * zoom + 0.5) * hgt,
      w,
      h: hgt,
    };
  };
  /** The values that give the sizes of points; null while they are not known: all points are equal then. */
  const sizes = () => {
    const [shown, known] = [scatter.shown.peek(), values.shown.peek()];
    const fits =
      known &&
      shown &&
      known.run === shown.run &&
      known.layer === shown.layer &&
      values.state.peek() !== "idle";
    return fits && known.top > 0 ? known : null;
  };
  /** The neurons of this layer that the pixel view lists. */
  const listed = () => {
    const at = pixels.preview.peek() ?? (store.pixel.peek() ? pixels.pinned.shown.peek() : null);
    return at?.neurons.filter((ranked) => ranked.layer === store.layer.peek()) ?? [];
  };
  const placed = () => {
    const shown = scatter.shown.peek();
    return shown?.run === store.run.peek() && shown.layer === store.layer.peek() ? shown : null;
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
    if (!shown || !layer || !context.fillRect) return;
    const labels = currentClusters(clusters.shown.peek(), store)?.labels ?? null;
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
      context.fillStyle = label === NO_CLUSTER ? base : clusterColour(label);
      context.globalAlpha = only >= 0 && labels && label !== only ? 0.12 : 0.7;
      const own = sideOf(i);
      if (own < 4) {
        context.fillRect(x(px) - own / 2, y(py) - own / 2, own, own);
        continue;
      }
      context.beginPath();
      context.arc(x(px), y(py), own / 2, 0, 2 * Math.PI);
      context.fill();
    }
    context.globalAlpha = 1;
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
    const drawn = lasso.peek();
    if (drawn.length > 1) {
      context.beginPath();
      for (const [px, py] of drawn) context.lineTo(x(px), y(py));
      context.closePath();
      context.lineWidth = 1;
      context.strokeStyle = colour("--cw-fg");
      context.setLineDash([4, 3]);
      context.stroke();
      context.setLineDash([]);
    }
  });
  view.effect(() => {
    for (const part of [
      scatter.shown,
      clusters.shown,
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
    viewport.value;
    paint();
  });
  view.effect(() => {
    const info = store._canvas.value;
    const known = ready(info) ? info.embeddings : [];
    options(method, known, scatter.method.value, (value) => METHODS[value as Embedding]);
    write(axes, AXES[scatter.method.value] ?? "");
  });

  // --- input ----------------------------------------------------------------------------------------------------

  let pressed: { x: number; y: number; moved: boolean; pans: boolean } | null = null;
  const isOnZoom = ({ target }: Event) => (target as Element).closest(".cw-zoom") !== null;
  const size = (): Size => ({ width: square().w, height: square().h });
  const zoom = (factor: number, at?: Pick<MouseEvent, "clientX" | "clientY">) => {
    const { left, top } = element.getBoundingClientRect();
    const [{ width, height }, scale] = [size(), zoomOf(element)];
    const point = at
      ? { x: (at.clientX - left) / scale - PAD, y: (at.clientY - top) / scale - PAD }
      : { x: width / 2, y: height / 2 };
    viewport.value = zoomAt(viewport.peek(), factor, point, size(), size());
  };
  const move = (dx: number, dy: number) => {
    const scale = zoomOf(element);
    viewport.value = pan(viewport.peek(), dx / scale, dy / scale, size(), size());
  };
  const letGo = () => {
    pressed = null;
    lasso.value = [];
  };
  const isZoomed = () => viewport.peek().zoom > 1;
  const fit = () => {
    viewport.value = FITTED;
  };
  element.append(
    createZoomControl(view, viewport, (factor) => zoom(factor), fit, { name: "scatter-zoom", keys: false }),
  );
  watchPinch(element, letGo, ({ factor, dx, dy, clientX, clientY }) => {
    letGo();
    move(dx, dy);
    zoom(factor, { clientX, clientY });
  });
  watchWheel(element, view.root, isZoomed, zoom);
  const located = (event: MouseEvent): [number, number] => {
    const box = element.getBoundingClientRect();
    const [{ w, h: hgt }, scale] = [square(), zoomOf(element)];
    const { zoom, x, y } = viewport.peek();
    return [
      x + (((event.clientX - box.left) / scale - PAD) / w - 0.5) / zoom,
      1 - y - (((event.clientY - box.top) / scale - PAD) / hgt - 0.5) / zoom,
    ];
  };
  const under = (event: MouseEvent) => {
    const shown = placed();
    const [x, y] = located(event);
    return shown
      ? nearest(shown.points, x, y, REACH / Math.min(square().w, square().h) / viewport.peek().zoom)
      : null;
  };
  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || isOnZoom(event)) return;
    event.preventDefault();
    element.focus({ preventScroll: true });
    element.setPointerCapture?.(event.pointerId);
    const pans = isZoomed() && !event.shiftKey;
    pressed = { x: event.clientX, y: event.clientY, moved: false, pans };
    if (!pans) lasso.value = [located(event)];
  });
  element.addEventListener("pointermove", (event) => {
    if (pressed) {
      pressed.moved ||= Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) >= SLIP;
      if (!pressed.moved) return;
      if (!pressed.pans) lasso.value = [...lasso.peek(), located(event)];
      else {
        move(event.clientX - pressed.x, event.clientY - pressed.y);
        Object.assign(pressed, { x: event.clientX, y: event.clientY });
      }
      return;
    }
    if (!isOnZoom(event)) pointed.value = under(event);
  });
  element.addEventListener("pointerleave", () => {
    pointed.value = null;
  });
  element.addEventListener("pointercancel", letGo);
  element.addEventListener("pointerup", (event) => {
    const was = pressed;
    const drawn = lasso.peek();
    const [shown, layer] = [placed(), currentLayer(store)];
    pressed = null;
    lasso.value = [];
    if (!was || !shown || !layer) return;
    if (was.moved && was.pans) return;
    if (was.moved) {
      const caught = inside(shown.points, drawn).map((at) => neuronAt(layer, at));
      const before = view.adds(event) ? store.neurons.peek() : [];
      const added = caught.filter((neuron) => !before.some((one) => same(one, neuron)));
      if (caught.length) chooseNeurons(store, [...before, ...added]);
      return;
    }
    const at = under(event);
    if (at === null) return;
    if (view.adds(event)) toggleNeuron(store, neuronAt(layer, at), layer.name);
    else chooseNeuron(store, neuronAt(layer, at));
  });
  element.addEventListener("keydown", (event) => {
    const [shown, layer, at] = [placed(), currentLayer(store), pointed.peek()];
    if (!shown || !layer || event.target !== element || event.ctrlKey || event.metaKey) return;
    const arrow = ARROWS[event.key];
    const chosen = store.neuron.peek();
    const start = at ?? (chosen && flatIndex(layer, chosen));
    if (arrow) {
      const { x, y } = viewport.peek();
      const from = start === null ? [x, 1 - y] : [shown.points[2 * start], shown.points[2 * start + 1]];
      const next = nextTowards(shown.points, [from[0] ?? 0.5, from[1] ?? 0.5], ...arrow);
      if (next !== null) pointed.value = next;
    } else if (event.key === "Enter" && at !== null) chooseNeuron(store, neuronAt(layer, at));
    else if (event.key === " " && at !== null) toggleNeuron(store, neuronAt(layer, at), layer.name);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  view.effect(() => {
    const [at, layer] = [pointed.value, currentLayer(store)];
    const isThere = at !== null && layer !== undefined && at < neuronCount(layer);
    tip.hidden = !isThere;
    if (!isThere) return;
    const neuron = neuronAt(layer, at);
    const sized = sizes();
    const value = sized
      ? `   ${sortedBy(sized.sort, sized.values[at] ?? Number.NaN, rankedBy(store._canvas.peek()))}`
      : "";
    const other = comparison.isOn.peek() ? comparison.counterpart(layer.name, neuron) : null;
    const linkedTo =
      other?.correlation == null ? "" : `   ↔ ${neuronLabel(other.neuron)}: ${number(other.correlation)}`;
    write(told, neuronLabel(neuron) + value + linkedTo);
    const known = view.session.pointed.shown.value;
    const isOfIt =
      known?.layer === layer.name &&
      known.run === store.run.value &&
      known.rule === store.rule.value &&
      known.time === settled.value &&
      known.channel === currentChannel(store);
    const thumb = isOfIt ? known.thumbs.get(neuron.join(",")) : undefined;
    map.hidden = !thumb;
    const context = thumb && map.getContext("2d");
    if (!thumb || !context) return;
    Object.assign(map, { width: thumb.width, height: thumb.height });
    const image = context.createImageData(thumb.width, thumb.height);
    image.data.set(composeThumbnail(thumb.levels, thumb, styleOfGrid(store), palettes.value));
    context.putImageData(image, 0, 0);
  });
  const observer = new ResizeObserver(paint);
  observer.observe(element);
  view.signal.addEventListener("abort", () => {
    observer.disconnect();
    if (!element.hidden) scatter.seen.value -= 1;
  });

  return {
    element,
    method,
    restyle: paint,
    show(open: boolean) {
      if (open === !element.hidden) return;
      element.hidden = method.hidden = !open;
      scatter.seen.value += open ? 1 : -1;
      paint();
    },
  };
}
