// The grid of thumbnails: only those in sight exist as elements. It scrolls to the neuron that is selected.
import type { ReadonlySignal } from "@preact/signals-core";
import type { GridContext } from "../sources/grid";
import { chooseNeuron, currentLayer, toggleNeuron } from "../state/actions";
import { flatIndex, neuronCount, neuronLabel, selectionLabel } from "../state/selection";
import { ready, type Store } from "../state/store";
import { same } from "../transport/same";
import { attribute, h } from "../ui/dom";
import type { View } from "../ui/view";
import { createMoves } from "./grid_moves";
import type { Scale } from "./grid_scale";
import { regionPicture } from "./region_outline";
import { type Cell, createFill, makeCell } from "./thumbnail";

const GAP = 6;
const NARROWEST = 84;
const LABEL = 22;
const BORDER = 3;
interface Geometry {
  columns: number;
  width: number;
  height: number;
}

/** The name of the cluster that a grid is limited to. Read inside an effect. */
export function clusterName(
  store: Store,
  { layer, cluster, n_clusters }: Pick<GridContext, "layer" | "cluster" | "n_clusters">,
): string {
  return selectionLabel({ layer, neuron: null, neurons: [], cluster, n_clusters }, store.cluster_names.value);
}

/** `finds` is incremented with each search for a neuron. */
export function createNeuronGrid(view: View, scale: ReadonlySignal<Scale>, finds: ReadonlySignal<number>) {
  const { store, grid, clusters, palettes, comparison, frequencies } = view.session;
  const fill = createFill(view, scale);
  const moves = createMoves();
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

  const cells = new Map<number, Cell>();
  const spare: Cell[] = [];
  let active = 0;
  /** The selection that was last scrolled to: the user may scroll away from it. */
  let followed = "";
  /** The selection whose place the kernel is not asked for: the initial one, and the last one found. */
  let sought = `${store.layer.peek()}/${store.neuron.peek()}/0`;
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

  const layOut = ({ columns, height }: Geometry) => {
    spacer.style.height = `${Math.ceil(length() / columns) * (height + GAP) + GAP}px`;
  };
  const paint = view.painter(() => {
    // While the host swaps its style sheets nothing has a size: leave everything as it is.
    if (scroller.clientWidth === 0) return;
    const shape = geometry();
    const { first, last } = visible(shape);
    layOut(shape);
    const there = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    for (const [index, cell] of cells) {
      if (index >= first && index <= last) continue;
      // Scrolling must not lose the focus: the focused thumbnail stays, and is updated like those in sight.
      if (cell.button === document.activeElement && index < length()) {
        there.push(index);
        continue;
      }
      cell.button.remove();
      cells.delete(index);
      spare.push(cell);
    }
    const transform = (index: number) => {
      const [row, column] = [Math.floor(index / shape.columns), index % shape.columns];
      return `translate(${GAP + column * (shape.width + GAP)}px, ${GAP + row * (shape.height + GAP)}px)`;
    };
    const { run, layer } = grid.shown.peek()?.context ?? {};
    moves.begin(JSON.stringify([run, layer]));
    for (const index of there) {
      let cell = cells.get(index);
      if (!cell) {
        cell = spare.pop() ?? makeCell();
        cells.set(index, cell);
        spacer.append(cell.button);
      }
      const { style } = cell.button;
      style.transform = transform(index);
      style.width = `${shape.width}px`;
      style.height = `${shape.height}px`;
      fill(cell, index, index === active);
      moves.put(cell.button, index, transform);
    }
    moves.end(there.length);
    empty.classList.toggle("cw-hidden", !(grid.shown.peek()?.n === 0));
    attribute(scroller, "data-run", grid.shown.peek()?.context.run ?? null);
    attribute(scroller, "data-under", grid.shown.peek()?.context.rule ?? null);
    if (last >= first) grid.see(view, first, last);
    const context = grid.shown.peek()?.context;
    if (context && comparison.isOn.peek())
      comparison.see(
        context,
        there.flatMap((index) => grid.thumb(index) ?? []).map(({ neuron }) => neuron),
      );
  });

  view.effect(() => {
    for (const part of [
      grid.shown,
      grid.arrivals,
      clusters.shown,
      frequencies.shown,
      palettes,
      store.maps,
      store.palette,
    ])
      part.value;
    const { isOn, thumbs, pairs } = comparison;
    for (const part of [isOn, thumbs.shown, pairs.shown, store.compare]) part.value;
    for (const part of [
      store.contrast,
      store.neurons,
      store.layer,
      store.n_clusters,
      store.ablated,
      store.colour_by,
      store._canvas,
      scale,
    ])
      part.value;
    const context = grid.shown.value?.context;
    const now = context ? JSON.stringify({ ...context, time: 0, look: 0 }) : "";
    if (now !== order) {
      order = now;
      scroller.scrollTop = 0;
      active = 0;
    }
    paint();
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

  // --- input ----------------------------------------------------------------------------------------------------

  const show = (index: number) => {
    const shape = geometry();
    const { columns, height } = shape;
    // A row can be scrolled to only once it is laid out.
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
          `Neuron ${neuronLabel(neuron)} is not in ${clusterName(store, shown.context)}, which is what the grid shows`,
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
  // An estimated order gets better in place, but not under the pointer, nor while a button is down anywhere.
  const holders = { over: {}, down: {} };
  const listen = (target: EventTarget, type: string, holder: object, isHeld: boolean) =>
    target.addEventListener(type, () => grid.hold(holder, isHeld), {
      capture: target === document, // also where a part of the page keeps its events to itself
      signal: view.signal,
    });
  listen(scroller, "pointerenter", holders.over, true);
  listen(scroller, "pointerleave", holders.over, false);
  listen(document, "pointerdown", holders.down, true);
  for (const type of ["pointerup", "pointercancel"]) listen(document, type, holders.down, false);
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
    if (view.adds(event)) toggleNeuron(store, thumb.neuron, layer);
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
  view.whenResized(scroller, paint);
  view.signal.addEventListener("abort", () => {
    grid.forget(view);
    for (const holder of Object.values(holders)) grid.hold(holder, false);
  });
  return { elements: [scroller, empty], scroller };
}
