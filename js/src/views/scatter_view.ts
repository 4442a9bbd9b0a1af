// The layer's neurons as points of a plane. Colour: the cluster. Size: the value that neurons are sorted by. Ring: the
// pixel view lists the neuron. Click a point to select it, or draw around several, with keys too; zoomed in, a drag moves
// the plane, and one with Shift draws. A second run's neurons are right of them, and a line leads to the one that stands for the neuron
// under the pointer, whose map lies in a corner.
import { signal } from "@preact/signals-core";
import { currentLayer } from "../state/actions";
import { number } from "../state/format";
import { currentChannel, neuronAt, neuronCount, neuronLabel, rankedBy, sortedBy } from "../state/selection";
import { ready } from "../state/store";
import type { Embedding } from "../transport/messages";
import { h, write } from "../ui/dom";
import { composeThumbnail } from "../ui/painting";
import { options } from "../ui/panel";
import { explain } from "../ui/term_card";
import type { View } from "../ui/view";
import { styleOfGrid } from "./grid_scale";
import { drawScatter } from "./scatter_drawing";
import { watchScatter } from "./scatter_input";
import type { Place } from "./scatter_lasso";
import { createScatterPlane } from "./scatter_plane";

const METHODS: Record<Embedding, string> = { pca: "PCA", tsne: "t-SNE", umap: "UMAP" };
/** What the axes are: those of t-SNE and UMAP are nothing by themselves. */
const AXES: Partial<Record<Embedding, string>> = { pca: "→ component 1   ↑ component 2" };

export function createScatterView(view: View) {
  const { store, scatter, comparison, palettes, settled } = view.session;
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
        "Neurons as points: arrows go from one to the next, Enter selects it, space adds it to the selection, l draws around several",
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
  const lasso = signal<Place[]>([]);
  const { pointed } = scatter;

  const plane = createScatterPlane(view, element);
  const keyLasso = watchScatter(view, element, plane, lasso);
  element.append(keyLasso.element);
  const paint = drawScatter(view, element, canvas, plane, lasso, keyLasso.cursor);
  view.effect(() => {
    const info = store._canvas.value;
    const known = ready(info) ? info.embeddings : [];
    options(method, known, scatter.method.value, (value) => METHODS[value as Embedding]);
    write(axes, AXES[scatter.method.value] ?? "");
  });

  view.effect(() => {
    const [at, layer] = [pointed.value, currentLayer(store)];
    const isThere = at !== null && layer !== undefined && at < neuronCount(layer);
    tip.hidden = !isThere;
    if (!isThere) return;
    const neuron = neuronAt(layer, at);
    const sized = plane.sizes();
    const value = sized
      ? `   ${sortedBy(sized.sort, sized.values[at] ?? Number.NaN, rankedBy(store._canvas.peek()), true)}`
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
  view.whenResized(element, paint);
  view.signal.addEventListener("abort", () => {
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
      keyLasso.drop();
      paint();
    },
  };
}
