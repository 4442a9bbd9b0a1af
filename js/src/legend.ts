// The clusters and their sizes.
import { chooseClusterCount, chooseNeurons } from "./actions";
import { attribute, h, type View } from "./dom";
import { count } from "./format";
import { clusterColour } from "./palette";
import { options } from "./panel";

/** Cluster chips with their counts; before clusters are asked for, the button that asks. */
export function createLegend(view: View): HTMLElement {
  const { store, clusters } = view.session;
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
  const chips = h("div", { class: "cw-chips", role: "group", "aria-label": "Clusters" });
  const size = h("select", {
    class: "cw-select",
    "aria-label": "Number of clusters",
    "data-testid": "n-clusters",
    on: { change: () => chooseClusterCount(store, Number(size.value)) },
  });
  const elements = h(
    "div",
    { class: "cw-legend" },
    button,
    chips,
    h("label", { class: "cw-inline" }, "k ", size),
  );
  const sizes = Array.from({ length: 11 }, (_, i) => String(i + 2));
  view.effect(() => {
    const known = clusters.shown.value;
    const current = known && known.layer === store.layer.value && known.n_clusters === store.n_clusters.value;
    const state = clusters.state.value;
    options(size, sizes, String(store.n_clusters.value));
    button.hidden = state !== "idle" && state !== "error";
    attribute(elements, "data-state", state);
    if (state === "error")
      return chips.replaceChildren(h("span", { class: "cw-problem" }, clusters.error.value));
    if (!current || state === "idle")
      return chips.replaceChildren(
        h(
          "span",
          { class: "cw-muted" },
          state === "loading" ? "clustering…" : "groups neurons whose maps look alike",
        ),
      );
    const exemplars = h(
      "button",
      {
        class: "cw-chip",
        type: "button",
        "data-testid": "exemplars",
        title: "Select the neuron nearest to the middle of each cluster",
        on: { click: () => chooseNeurons(store, known.exemplars, known.layer) },
      },
      "exemplars",
    );
    chips.replaceChildren(
      exemplars,
      ...known.counts.map((n, cluster) => {
        const chosen = store.cluster.value === cluster;
        const chip = h(
          "button",
          {
            class: "cw-chip",
            type: "button",
            "data-cluster": cluster,
            "aria-pressed": String(chosen),
            "aria-label": `cluster ${cluster}, ${n} neurons`,
            on: { click: () => store.set({ cluster: chosen ? -1 : cluster }) },
          },
          h("i", { class: "cw-swatch", style: `background:${clusterColour(cluster)}` }),
          `${cluster}`,
          h("span", { class: "cw-muted" }, count(n)),
        );
        return chip;
      }),
    );
  });
  return elements;
}
