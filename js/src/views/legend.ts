// The clusters: what each looks like, its name, which can be edited, and its size.
import { signal } from "@preact/signals-core";
import { type Clusters, currentClusters } from "../sources/clusters";
import { chooseCluster, chooseClusterCount, chooseNeurons, nameCluster } from "../state/actions";
import { count, plusMinus } from "../state/format";
import { hasMap, savedOf } from "../state/saved";
import { namesKey, neuronLabel } from "../state/selection";
import { LONGEST_NAME, MAX_CLUSTERS, MIN_CLUSTERS } from "../transport/constants";
import { attribute, h, icon, write } from "../ui/dom";
import { composeThumbnail } from "../ui/painting";
import { clusterColour } from "../ui/palette";
import { options } from "../ui/panel";
import { explain, word } from "../ui/term_card";
import type { View } from "../ui/view";

/** Cluster chips with their counts; before clusters are asked for, the button that asks. */
export function createLegend(view: View): HTMLElement {
  const { store, clusters, palettes } = view.session;
  const editing = signal(-1);
  const button = h(
    "button",
    {
      class: "cw-button",
      type: "button",
      "data-testid": "cluster-neurons",
      on: {
        click: () => {
          clusters.asked.value = true;
        },
      },
    },
    "Cluster neurons",
  );
  explain(button, "cluster");
  const chips = h("div", { class: "cw-chips", role: "group", "aria-label": "Clusters" });
  const size = h("select", {
    class: "cw-select",
    "aria-label": "Number of clusters",
    "data-testid": "n-clusters",
    on: { change: () => chooseClusterCount(store, Number(size.value)) },
  });
  const sizing = h("label", { class: "cw-inline" }, word("cluster", "clusters"), " ", size);
  const elements = h("div", { class: "cw-legend" }, button, chips, sizing);
  const sizes = Array.from({ length: MAX_CLUSTERS - MIN_CLUSTERS + 1 }, (_, i) => String(i + MIN_CLUSTERS));

  const thumbnail = (known: Clusters, cluster: number) => {
    const canvas = h("canvas", { class: "cw-chip-map", width: known.width, height: known.height });
    canvas.style.borderColor = clusterColour(cluster);
    const [levels, low, high] = [known.thumbs[cluster], known.low[cluster], known.high[cluster]];
    const context = canvas.getContext("2d");
    if (!levels || !context || low === undefined || high === undefined) return canvas;
    const style = {
      maps: store.maps.value,
      palette: store.palette.value,
      opacity: 1,
      contrast: store.contrast.value,
    };
    const image = context.createImageData(known.width, known.height);
    image.data.set(composeThumbnail(levels, { low, high }, style, palettes.value));
    context.putImageData(image, 0, 0);
    return canvas;
  };
  const nameOf = (cluster: number) =>
    store.cluster_names.value[namesKey(store.layer.value, store.n_clusters.value)]?.[cluster] ?? "";
  const choose = (cluster: number) => {
    const alone = store.neuron.peek() === null;
    // If a neuron of the cluster has been selected since, a click selects the whole cluster again.
    chooseCluster(store, store.cluster.peek() === cluster && alone ? -1 : cluster);
  };
  const chip = (known: Clusters, cluster: number, n: number) => {
    const chosen = store.cluster.value === cluster;
    const name = nameOf(cluster);
    const exemplar = known.exemplars[cluster];
    const called = name || `cluster ${cluster}`;
    return h(
      "button",
      {
        class: "cw-chip",
        type: "button",
        "data-cluster": cluster,
        "aria-pressed": String(chosen),
        "aria-label": `${called}, ${n} neurons`,
        title: `${called}: ${count(n)} neurons${exemplar ? `, such as ${neuronLabel(exemplar)}` : ""}; its map has a scale of its own; double-click to name it`,
        on: {
          click: () => choose(cluster),
          dblclick: () => edit(cluster),
        },
      },
      thumbnail(known, cluster),
      h("span", { class: "cw-chip-name" }, name || `${cluster}`),
      h("span", { class: "cw-muted" }, count(n)),
    );
  };
  const edit = (cluster: number) => {
    // The first click of the double click may have deselected it.
    chooseCluster(store, cluster);
    editing.value = cluster;
    const field = chips.querySelector<HTMLInputElement>(".cw-rename");
    field?.focus();
    field?.select();
  };
  const pencil = (cluster: number) => {
    const button = h("button", {
      class: "cw-chip cw-pencil",
      type: "button",
      "aria-label": `Name cluster ${cluster}`,
      title: "Name this cluster",
      "data-testid": "name-cluster",
      on: { click: () => edit(cluster) },
    });
    button.append(icon("pencil"));
    return button;
  };
  const field = (cluster: number) => {
    const input = h("input", {
      class: "cw-search cw-rename",
      type: "text",
      maxlength: LONGEST_NAME,
      placeholder: `cluster ${cluster}`,
      value: nameOf(cluster),
      "aria-label": `Name of cluster ${cluster}`,
      "data-testid": "cluster-name",
      spellcheck: "false",
      autocomplete: "off",
    });
    let done = false;
    const end = (save: boolean, back: boolean) => {
      if (done) return;
      done = true;
      if (save) nameCluster(store, cluster, input.value);
      editing.value = -1;
      if (back) chips.querySelector<HTMLElement>(`[data-cluster="${cluster}"]`)?.focus();
    };
    input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") end(true, true);
      if (event.key === "Escape") end(false, true);
    });
    input.addEventListener("blur", () => end(true, false));
    return input;
  };

  view.effect(() => {
    const known = currentClusters(clusters.shown.value, store);
    const state = clusters.state.value;
    options(size, sizes, String(store.n_clusters.value));
    sizing.hidden = savedOf(store._canvas.value) !== null;
    button.hidden = state !== "idle" && state !== "error";
    attribute(elements, "data-state", state);
    if (state === "error")
      return chips.replaceChildren(h("span", { class: "cw-problem" }, clusters.error.value));
    if (!known || state === "idle")
      return chips.replaceChildren(
        h(
          "span",
          { class: "cw-muted" },
          state === "loading" ? "clustering…" : "groups neurons whose maps look alike",
        ),
      );
    const nearest = known.exemplars.filter((neuron) => hasMap(store._canvas.value, known.layer, neuron));
    const exemplars = h(
      "button",
      {
        class: "cw-chip",
        type: "button",
        "data-testid": "exemplars",
        hidden: nearest.length < known.exemplars.length,
        on: { click: () => chooseNeurons(store, nearest, known.layer) },
      },
      "exemplars",
    );
    explain(exemplars, "exemplars", "Click to select them.");
    const chosen = store.cluster.value;
    const scrolled = chips.scrollLeft;
    const estimated = h("span", { class: "cw-muted", "data-testid": "clusters-estimated" });
    estimated.hidden = known.half_width === 0;
    write(estimated, `estimated${plusMinus(known.half_width)}`);
    attribute(
      estimated,
      "title",
      "What the neurons are grouped by is estimated from the pixels of a sample: half of a 95 % interval, the median",
    );
    chips.replaceChildren(
      estimated,
      exemplars,
      ...known.counts.flatMap((n, cluster): HTMLElement[] => {
        if (editing.value === cluster) return [field(cluster)];
        return cluster === chosen ? [chip(known, cluster, n), pencil(cluster)] : [chip(known, cluster, n)];
      }),
    );
    chips.scrollLeft = scrolled;
  });
  return elements;
}
