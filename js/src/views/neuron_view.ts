// Thumbnails of the layer's neurons: only those in sight exist as elements.
import { signal } from "@preact/signals-core";
import { clusterOf } from "../sources/clusters";
import { type GridContext, SIDE, type Thumb } from "../sources/grid";
import { chooseNeuron, currentLayer, toggleNeuron } from "../state/actions";
import { count, number } from "../state/format";
import { areConsecutive, framesOf, hasMap } from "../state/saved";
import {
  CHANNELS,
  currentChannel,
  flatIndex,
  type Magnitudes,
  magnitudesOf,
  neuronCount,
  neuronLabel,
  parseNeuron,
  SORTS,
  selectionLabel,
} from "../state/selection";
import { ready } from "../state/store";
import type { Sort } from "../transport/messages";
import { same } from "../transport/same";
import { composeBar, composeThumbnail } from "../ui/compose";
import { attribute, h, uniqueId, write } from "../ui/dom";
import { clusterColour, onScale, reach, type Style } from "../ui/palette";
import { createPanel, options, segmented } from "../ui/panel";
import type { View } from "../ui/view";
import { createLegend } from "./legend";
import { regionPicture } from "./region_view";
import { createScatterView } from "./scatter_view";

const FORMS = [
  { value: "grid", text: "grid", title: "A thumbnail of each neuron's map" },
  { value: "scatter", text: "scatter", title: "Neurons that look alike lie near each other" },
] as const;
const SCALES = [
  {
    value: "layer",
    text: "one scale",
    title: "Equal colours are equal values in all thumbnails of the layer",
  },
  {
    value: "own",
    text: "own",
    title: "Each thumbnail from 0 to its own largest value, which stands below it",
  },
] as const;
const NOT_KEPT = "This page does not keep the map of this neuron";
const GAP = 6;
const NARROWEST = 84;
const LABEL = 22;
const BORDER = 3;
interface Geometry {
  columns: number;
  width: number;
  height: number;
}

interface Cell {
  button: HTMLButtonElement;
  canvas: HTMLCanvasElement;
  name: HTMLElement;
  top: HTMLElement;
  total: HTMLElement;
  painted: string;
}

export function createNeuronView(view: View) {
  const { session } = view;
  const { store, grid, clusters, palettes } = session;
  const panel = createPanel(view, "neurons", "Neurons", () => {
    if (form.peek() === "scatter") session.scatter.retry();
    else grid.retry();
  });

  const sort = h("select", {
    class: "cw-select",
    "aria-label": "Sort neurons by",
    "data-testid": "sort",
    on: { change: () => store.set({ sort: sort.value as Sort }) },
  });
  options(sort, Object.keys(SORTS), "total", (value) => SORTS[value as Sort]);
  const problem = h("span", { class: "cw-hidden", role: "alert", id: uniqueId() });
  const search = h("input", {
    class: "cw-search",
    type: "text",
    inputmode: "numeric",
    placeholder: "/ find",
    "aria-label": "Find a neuron by its number",
    "aria-describedby": problem.id,
    "data-testid": "search",
    spellcheck: "false",
    autocomplete: "off",
  });
  const find = () => {
    const layer = currentLayer(store);
    if (!layer || search.value.trim() === "") return;
    const found = parseNeuron(search.value, layer);
    const kept = "problem" in found || hasMap(store._canvas.peek(), layer.name, found.neuron);
    const wrong = "problem" in found ? found.problem : kept ? "" : NOT_KEPT;
    attribute(search, "aria-invalid", wrong ? "true" : null);
    search.title = wrong;
    write(problem, wrong);
    if ("problem" in found || wrong) return view.say(wrong, "error");
    chooseNeuron(store, found.neuron);
    finds.value += 1;
    search.select();
  };
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") find();
    if (event.key === "Escape") view.root.focus();
  });
  search.addEventListener("input", () => attribute(search, "aria-invalid", null));
  const scatter = createScatterView(view);
  const sorted = h("span", {}, "sort");
  const sorting = h("label", { class: "cw-inline" }, sorted, " ", sort);
  const form = signal<"grid" | "scatter">("grid");
  const explained = signal("");
  const forms = segmented("How neurons are shown", FORMS, (value) => {
    form.value = value;
  });
  panel.tools.append(search, problem, sorting, scatter.method, forms.element);

  const spacer = h("div", { class: "cw-grid-space" });
  const scroller = h(
    "div",
    {
      class: "cw-grid",
      role: "group",
      "aria-label": "Contribution maps of the neurons",
      "data-testid": "grid",
    },
    spacer,
  );
  const empty = h("p", { class: "cw-hint cw-hidden" }, "No neuron of this layer is in the cluster");
  panel.body.append(scroller, empty, scatter.element);
  const scale = signal<"layer" | "own">("layer");
  const scales = segmented("Scale of the thumbnails", SCALES, (value) => {
    scale.value = value;
  });
  const bar = h("canvas", { class: "cw-bar-colours", width: 256, height: 1, "aria-hidden": "true" });
  const [low, high] = [h("span", { class: "cw-bar-low" }), h("span", { class: "cw-bar-high" })];
  const colours = h("div", { class: "cw-colourbar", "data-testid": "grid-scale" }, low, bar, high);
  const totals = h("span", { class: "cw-muted cw-scale-totals" });
  const scaling = h("div", { class: "cw-scale" }, scales.element, colours, totals);
  panel.foot.append(scaling, createLegend(view));

  const cells = new Map<number, Cell>();
  const spare: Cell[] = [];
  let active = 0;
  /** The selection that was last scrolled to: the user may scroll away from it. */
  let followed = "";
  /** What the kernel is not asked for the place of: what was selected at first, and what has been found. */
  let sought = `${store.layer.peek()}/${store.neuron.peek()}/0`;
  /** Moves with each search: one for what is selected already scrolls to it again. */
  const finds = signal(0);
  let order = "";

  const length = () => {
    const shown = grid.shown.peek();
    const layer = currentLayer(store);
    return shown ? shown.n : layer ? neuronCount(layer) : 0;
  };
  const geometry = (): Geometry => {
    const info = store._canvas.peek();
    const aspect = ready(info) ? info.height / info.width : 1;
    const across = Math.max(NARROWEST, scroller.clientWidth - 2 * GAP);
    const columns = Math.max(1, Math.floor((across + GAP) / (NARROWEST + GAP)));
    const width = Math.floor((across - (columns - 1) * GAP) / columns);
    const picture = Math.min(width * 1.5, Math.max(24, Math.round((width - 2 * BORDER) * aspect)));
    return { columns, width, height: picture + 2 * BORDER + LABEL };
  };
  const visible = ({ columns, height }: Geometry) => {
    const row = height + GAP;
    const first = Math.max(0, Math.floor((scroller.scrollTop - GAP) / row)) * columns;
    const rows = Math.ceil((scroller.clientHeight || row) / row) + 1;
    return { first, last: Math.min(length(), first + rows * columns) - 1 };
  };
  const makeCell = (): Cell => {
    const canvas = h("canvas", { class: "cw-thumb-map", width: SIDE, height: SIDE });
    const [name, top, total] = [h("span", {}), h("span", { class: "cw-muted" }), h("i", {})];
    const words = h("span", { class: "cw-thumb-name" }, name, top);
    const track = h("span", { class: "cw-thumb-total", "aria-hidden": "true" }, total);
    const button = h("button", { class: "cw-thumb", type: "button", tabindex: "-1" }, canvas, words, track);
    return { button, canvas, name, top, total, painted: "" };
  };

  const layOut = ({ columns, height }: Geometry) => {
    spacer.style.height = `${Math.ceil(length() / columns) * (height + GAP) + GAP}px`;
  };
  const paint = view.painter(() => {
    // While the host swaps its style sheets nothing has a size; what is there stays right for the old one.
    if (scroller.clientWidth === 0) return;
    const shape = geometry();
    const { first, last } = visible(shape);
    layOut(shape);
    const there = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    for (const [index, cell] of cells) {
      if (index >= first && index <= last) continue;
      // The focus is not lost by scrolling: its thumbnail stays, and is kept as right as those in sight.
      if (cell.button === document.activeElement && index < length()) {
        there.push(index);
        continue;
      }
      cell.button.remove();
      cells.delete(index);
      spare.push(cell);
    }
    for (const index of there) {
      let cell = cells.get(index);
      if (!cell) {
        cell = spare.pop() ?? makeCell();
        cells.set(index, cell);
        spacer.append(cell.button);
      }
      const [row, column] = [Math.floor(index / shape.columns), index % shape.columns];
      const { style } = cell.button;
      style.transform = `translate(${GAP + column * (shape.width + GAP)}px, ${GAP + row * (shape.height + GAP)}px)`;
      style.width = `${shape.width}px`;
      style.height = `${shape.height}px`;
      fill(cell, index);
    }
    empty.classList.toggle("cw-hidden", !(grid.shown.peek()?.n === 0));
    if (last >= first) grid.see(view, first, last);
  });

  const magnitudesIn = ({ layer, channel }: Pick<GridContext, "layer" | "channel">): Magnitudes | null => {
    const info = store._canvas.value;
    return ready(info) ? magnitudesOf(info, layer, channel) : null;
  };
  const fill = (cell: Cell, index: number) => {
    const thumb = grid.thumb(index);
    const { button, canvas, name, top, total } = cell;
    button.dataset.index = String(index);
    attribute(button, "tabindex", index === active ? "0" : "-1");
    attribute(button, "data-empty", !thumb);
    attribute(button, "aria-disabled", thumb ? null : "true");
    if (!thumb) {
      cell.painted = "";
      for (const gone of ["data-neuron", "data-cluster", "data-out", "aria-pressed"])
        button.removeAttribute(gone);
      attribute(button, "aria-label", "loading");
      button.style.removeProperty("--cw-cluster");
      total.style.width = "0";
      write(top, "");
      return write(name, "");
    }
    const selected =
      store.neurons.peek().some((one) => same(thumb.neuron, one)) &&
      grid.shown.peek()?.context.layer === store.layer.peek();
    const cluster = clusterOf(clusters.shown.peek(), store, thumb.neuron);
    const { context, topTotal = 0 } = grid.shown.peek() ?? {};
    const sorted = context?.sort ?? "total";
    const sum = `total${(context && magnitudesIn(context))?.short ?? ""}`;
    attribute(button, "data-neuron", thumb.neuron.join(","));
    attribute(button, "aria-pressed", String(selected));
    attribute(button, "data-cluster", cluster >= 0 ? cluster : null);
    const out = session.knockout.has(store.layer.peek(), thumb.neuron);
    attribute(button, "data-out", out);
    attribute(
      button,
      "aria-label",
      `neuron ${thumb.neuron.join(" → ")}, ${number(thumb.value)}${cluster >= 0 ? `, cluster ${cluster}` : ""}${out ? ", knocked out" : ""}`,
    );
    attribute(
      button,
      "title",
      [
        `${neuronLabel(thumb.neuron)}   ${sorted === "total" ? sum : SORTS[sorted]}: ${number(thumb.value)}`,
        sorted === "total" ? "" : `${sum}: ${number(thumb.total)}`,
        `largest value of the thumbnail: ${number(reach(thumb))}`,
      ]
        .filter(Boolean)
        .join("\n"),
    );
    const part = topTotal > 0 ? Math.min(1, thumb.total / topTotal) : 0;
    total.style.width = `${part * 100}%`;
    attribute(button, "data-total", thumb.total);
    write(top, scale.peek() === "own" ? number(reach(thumb)) : "");
    if (cluster >= 0) button.style.setProperty("--cw-cluster", clusterColour(cluster));
    else button.style.removeProperty("--cw-cluster");
    write(name, neuronLabel(thumb.neuron));
    drawThumb(cell, canvas, thumb);
  };
  const styleOfGrid = (): Style => ({
    maps: store.maps.value,
    palette: store.palette.value,
    opacity: 1,
    contrast: store.contrast.value,
  });
  const drawThumb = (cell: Cell, canvas: HTMLCanvasElement, thumb: Thumb) => {
    const shown = grid.shown.peek();
    const style = scale.peek() === "own" ? styleOfGrid() : onScale(styleOfGrid(), thumb, shown?.scale ?? 0);
    const painted = JSON.stringify([style, thumb.neuron, shown?.context, palettes.peek().sequential.length]);
    if (painted === cell.painted) return;
    const { width, height } = thumb;
    if (canvas.width !== width) canvas.width = width;
    if (canvas.height !== height) canvas.height = height;
    const context = canvas.getContext("2d");
    if (!context) return;
    const image = context.createImageData(width, height);
    image.data.set(composeThumbnail(thumb.levels, thumb, style, palettes.peek()));
    context.putImageData(image, 0, 0);
    cell.painted = painted;
  };

  view.effect(() => {
    for (const part of [grid.shown, grid.arrivals, clusters.shown, palettes, store.maps, store.palette])
      part.value;
    for (const part of [
      store.contrast,
      store.neurons,
      store.layer,
      store.n_clusters,
      store.knocked_out,
      store._canvas,
      scale,
    ])
      part.value;
    const context = grid.shown.value?.context;
    const now = context ? JSON.stringify({ ...context, time: 0 }) : "";
    if (now !== order) {
      order = now;
      scroller.scrollTop = 0;
      active = 0;
    }
    paint();
  });
  view.effect(() => {
    const shown = grid.shown.value;
    const style = styleOfGrid();
    scaling.hidden = form.value === "scatter";
    scales.press(scale.value);
    colours.classList.toggle("cw-hidden", scale.value === "own" || !shown);
    const own = scale.value === "own" ? "each map to its own largest value · " : "";
    const magnitudes = shown && magnitudesIn(shown.context);
    write(totals, shown ? `${own}bars: totals${magnitudes?.short ?? ""}, to ${number(shown.topTotal)}` : "");
    attribute(
      totals,
      "title",
      `Below each map, the sum over the frame of ${magnitudes?.whole ?? "its magnitudes"}; a full bar is the total of the layer's strongest neuron`,
    );
    const context = bar.getContext("2d");
    if (!shown || !context) return;
    const image = context.createImageData(256, 1);
    image.data.set(composeBar(style, palettes.value, null));
    context.putImageData(image, 0, 0);
    // It is that of the strongest neurons: a weaker one may exceed it somewhere.
    const top = shown.scale / style.contrast;
    write(low, style.maps === "signed" ? `≤ ${number(-top)}` : "0");
    write(high, `≥ ${number(top)}`);
    attribute(colours, "title", `Of all thumbnails of ${shown.context.layer}, the colours added`);
  });
  const clusterName = ({ layer, cluster, n_clusters }: GridContext) =>
    selectionLabel({ layer, neuron: null, neurons: [], cluster, n_clusters }, store.cluster_names.value);
  view.effect(() => {
    const info = store._canvas.value;
    const shown = grid.shown.value;
    const points = session.scatter;
    const open = form.value === "scatter";
    forms.press(form.value, () => ready(info) && info.embeddings.length > 0);
    scatter.show(open);
    scroller.hidden = open;
    write(sorted, open ? "size" : "sort");
    const wrong = open && session.values.state.value === "error" ? session.values.error.value : "";
    attribute(sort, "aria-label", open ? "Size points by" : "Sort neurons by");
    const says = [open ? "What the points are as large as" : "", explained.value].filter(Boolean).join(". ");
    attribute(sort, "title", wrong || says);
    if (open) {
      panel.stand(points.state.value, points.error.value);
      const at = points.shown.value;
      write(
        panel.label,
        at?.layer === store.layer.value ? `${count(at.points.length / 2)} · frame ${at.time}` : "",
      );
      return;
    }
    panel.stand(grid.state.value, grid.error.value);
    const frame = shown && ready(info) && info.n_frames > 1 ? ` · frame ${shown.context.time}` : "";
    // A saved canvas, or page, keeps some of the layer's neurons.
    const whole = currentLayer(store);
    const some = shown && whole && shown.context.cluster < 0 && shown.n < neuronCount(whole);
    const of = some ? ` of ${count(neuronCount(whole))}` : "";
    const channel = shown?.context.channel ?? "sum";
    const colour = channel === "sum" ? "" : ` · ${CHANNELS[channel]}`;
    write(
      panel.label,
      shown
        ? `${count(shown.n)}${of}${shown.context.cluster >= 0 ? ` in ${clusterName(shown.context)}` : ""}${colour}${frame}`
        : "",
    );
  });
  view.effect(() => {
    const info = store._canvas.value;
    const magnitudes = magnitudesIn({ layer: store.layer.value, channel: currentChannel(store) });
    for (const option of sort.options) {
      const name = SORTS[option.value as Sort];
      if (option.value === "pixel") write(option, store.pixel.value ? name : `${name} (none yet)`);
      if (option.value === "region") write(option, store.region.value ? name : `${name} (none yet)`);
      if (option.value === "change") option.hidden = ready(info) && !areConsecutive(framesOf(info));
      if (option.value === "total") write(option, `${name}${magnitudes?.short ?? ""}`);
    }
    if (sort.value !== store.sort.value) sort.value = store.sort.value;
    explained.value = `The total is the sum over the frame of ${magnitudes?.whole ?? "the magnitudes"}`;
  });

  view.effect(() => {
    const info = store._canvas.value;
    const pixel = store.pixel.value;
    attribute(scroller, "data-pixel", pixel?.join(","));
    if (!ready(info) || !pixel) return;
    const [y = 0, x = 0] = pixel;
    scroller.style.setProperty("--cw-y", String((y + 0.5) / info.height));
    scroller.style.setProperty("--cw-x", String((x + 0.5) / info.width));
  });

  view.effect(() => {
    const info = store._canvas.value;
    const region = ready(info) ? store.region.value : null;
    attribute(scroller, "data-region", region !== null);
    if (region && ready(info)) scroller.style.setProperty("--cw-region", regionPicture(region, info));
    else scroller.style.removeProperty("--cw-region");
  });

  // --- hands ----------------------------------------------------------------------------------------------------

  const show = (index: number) => {
    const shape = geometry();
    const { columns, height } = shape;
    // What is not laid out yet can't be scrolled to.
    layOut(shape);
    const top = Math.floor(index / columns) * (height + GAP);
    const bottom = top + height + 2 * GAP;
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (bottom > scroller.scrollTop + scroller.clientHeight)
      scroller.scrollTop = bottom - scroller.clientHeight;
    paint();
  };
  view.effect(() => {
    const neuron = store.neuron.value;
    const shown = grid.shown.value;
    grid.arrivals.value;
    const layer = currentLayer(store);
    if (!neuron || !shown || !layer || shown.context.layer !== layer.name) return;
    const key = `${layer.name}/${neuron}/${finds.value}`;
    const wish = `${key}/${order}`;
    if (wish === followed) return;
    const told = grid.found.value;
    const known = told && same(told.neuron, neuron) && same(told.context, shown.context) ? told : null;
    const at = placeInGrid(neuron, flatIndex(layer, neuron)) ?? known?.place ?? null;
    if (at === null && !known) return key === sought ? undefined : grid.locate(neuron);
    [sought, followed] = [key, wish];
    if (at === null) {
      if (shown.context.cluster >= 0)
        view.say(
          `Neuron ${neuronLabel(neuron)} is not in ${clusterName(shown.context)}, which is what the grid shows`,
        );
      return;
    }
    active = at;
    show(at);
  });
  function placeInGrid(neuron: number[], flat: number): number | null {
    const shown = grid.shown.peek();
    if (shown?.context.sort === "index" && shown.context.cluster < 0) return flat;
    for (const [index, { button }] of cells) if (button.dataset.neuron === neuron.join(",")) return index;
    for (let index = 0; index < Math.min(shown?.n ?? 0, 600); index++)
      if (same(grid.thumb(index)?.neuron, neuron)) return index;
    return null;
  }
  scroller.addEventListener("scroll", paint, { passive: true });
  scroller.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLElement>(".cw-thumb");
    const index = Number(button?.dataset.index ?? Number.NaN);
    const thumb = grid.thumb(index);
    const layer = grid.shown.peek()?.context.layer;
    if (!thumb || !layer) return;
    active = index;
    sought = `${layer}/${thumb.neuron}/${finds.peek()}`;
    followed = `${sought}/${order}`;
    if (event.shiftKey) toggleNeuron(store, thumb.neuron, layer);
    else chooseNeuron(store, thumb.neuron, layer);
  });
  scroller.addEventListener("keydown", (event) => {
    const { columns } = geometry();
    const steps: Record<string, number> = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      PageUp: -4 * columns,
      PageDown: 4 * columns,
      Home: -Number.MAX_SAFE_INTEGER,
      End: Number.MAX_SAFE_INTEGER,
    };
    const step = event.shiftKey ? undefined : steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    active = Math.max(0, Math.min(length() - 1, active + step));
    show(active);
    requestAnimationFrame(() => {
      cells.get(active)?.button.focus({ preventScroll: true });
      paint();
    });
    paint();
  });
  const observer = new ResizeObserver(paint);
  observer.observe(scroller);
  view.signal.addEventListener("abort", () => {
    observer.disconnect();
    grid.forget(view);
  });
  const focusSearch = () => {
    search.focus();
    search.select();
  };
  return { element: panel.element, focusSearch };
}
