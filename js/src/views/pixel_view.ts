// The neurons that make one pixel, or the region, as signed bars in the order of their rank, and how many make most of it;
// in their place, the spectrum. Neurons are ranked by the magnitudes of their contributions to each colour. The bar is the
// sum of the colours; where they cancel in it, a pale bar behind it is as long as the magnitudes: the order can be seen.
import { computed, signal } from "@preact/signals-core";
import { clusterOf } from "../sources/clusters";
import type { PixelNeurons } from "../sources/pixels";
import type { RegionNeurons } from "../sources/region_neurons";
import { chooseNeuron, toggleNeuron } from "../state/actions";
import { count, number, percent, plusMinus } from "../state/format";
import { hasMap, NOT_KEPT } from "../state/saved";
import {
  CHANNELS,
  layerName,
  neuronLabel,
  neuronWords,
  rankedBy,
  runLabel,
  selectionLabel,
} from "../state/selection";
import { ready } from "../state/store";
import type { Channel, LayerShare, RankedNeuron, RunKey } from "../transport/messages";
import { same } from "../transport/same";
import { attribute, h, write } from "../ui/dom";
import { clusterColour } from "../ui/palette";
import { createPanel } from "../ui/panel";
import { rove } from "../ui/roving";
import { explain, word } from "../ui/term_card";
import { isTerm } from "../ui/terms";
import { countWhile, type View } from "../ui/view";
import { clusterName } from "./neuron_grid";
import { followTab } from "./panel_tab";
import { createShareCurve } from "./share_curve";
import { createSpectrumView } from "./spectrum_view";

const ORDER = "order: pale bars";
const OF_ORDER = "neurons are in the order of the magnitudes of all their colours, which cancel in the sum";

interface Row {
  button: HTMLButtonElement;
  name: HTMLElement;
  bar: HTMLElement;
  /** The magnitudes over all colours, where these cancel in the sum. */
  whole: HTMLElement;
  /** What its counterpart in the second run contributes. */
  other: HTMLElement;
  value: HTMLElement;
  share: HTMLElement;
}

export function createPixelView(view: View) {
  const { store, pixels, regionNeurons, clusters, ablation, comparison } = view.session;
  const panel = createPanel(view, "pixel", "Pixel", "contribution", () => sources[tab.peek()].retry());
  const tab = followTab(view, panel);
  const ofRegion = computed(() => tab.value === "region");
  countWhile(view, regionNeurons.seen, ofRegion);
  const list = h("div", { class: "cw-bars", role: "group" });
  const hint = h("p", { class: "cw-hint" }, "Click a pixel of the frame to see which neurons make it");
  const layers = h("table", { class: "cw-shares", "data-testid": "shares" });
  const skeleton = h("div", { class: "cw-skeleton", "aria-hidden": "true" });
  const ofNeurons = h("div", {}, skeleton, list, hint);
  panel.body.append(ofNeurons);
  const spectrum = createSpectrumView(
    view,
    panel,
    computed(() => tab.value === "spectrum"),
  );
  const sources = { pixel: pixels.pinned, region: regionNeurons, spectrum };
  const curve = createShareCurve();
  panel.foot.append(curve.element, layers);
  const rows: Row[] = [];
  const active = signal(0);
  rove(list, () => rows.filter(({ button }) => !button.hidden).map(({ button }) => button), active);

  const makeRow = (): Row => {
    const [name, value, share] = ["name", "value", "share"].map((part) =>
      h("span", { class: `cw-bar-${part}` }),
    );
    explain(share as HTMLElement, "share");
    const whole = h("i", { class: "cw-bar-whole", hidden: true });
    const bar = h("i", { class: "cw-bar-fill" });
    const other = h("i", { class: "cw-bar-fill cw-bar-other", hidden: true });
    const button = h(
      "button",
      { class: "cw-bar", type: "button", on: { click: (event) => choose(button, view.adds(event)) } },
      name as HTMLElement,
      h("span", { class: "cw-bar-track", "aria-hidden": "true" }, whole, bar, other),
      value as HTMLElement,
      share as HTMLElement,
    );
    return { button, whole, bar, other, name, value, share } as Row;
  };
  const choose = ({ dataset }: HTMLButtonElement, add: boolean) => {
    if (dataset.layer === undefined || !dataset.neuron) return;
    const neuron = dataset.neuron.split(",").map(Number);
    if (!hasMap(store._canvas.peek(), dataset.layer, neuron)) return view.say(NOT_KEPT);
    if (add) toggleNeuron(store, neuron, dataset.layer);
    else chooseNeuron(store, neuron, dataset.layer);
  };

  const showBars = (neurons: RankedNeuron[]) => {
    while (rows.length < neurons.length) {
      const row = makeRow();
      rows.push(row);
      list.append(row.button);
    }
    const isPaired = comparison.isOn.value && !ofRegion.value;
    const seconds = neurons.map(({ layer, neuron }) => (isPaired ? comparison.barOf(layer, neuron) : null));
    const run = isPaired ? runLabel(store.compare.value) : "";
    const values = [...neurons.map(reach), ...seconds.flatMap((value) => value ?? [])];
    const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
    const zero = high > low ? -low / (high - low) : 0;
    list.style.setProperty("--cw-zero", `${zero * 100}%`);
    attribute(list, "data-paired", run !== "");
    const put = (fill: HTMLElement, value: number) => {
      const width = high > low ? Math.abs(value) / (high - low) : 0;
      fill.style.left = `${(value < 0 ? zero - width : zero) * 100}%`;
      fill.style.width = `${width * 100}%`;
      attribute(fill, "data-sign", value < 0 ? "-" : "+");
    };
    rows.forEach(({ button, name, whole, bar, other, value, share }, i) => {
      const ranked = neurons[i];
      button.hidden = !ranked;
      if (!ranked) return;
      attribute(button, "tabindex", i === Math.min(active.value, neurons.length - 1) ? 0 : -1);
      const label = `${layerName(store._canvas.value, ranked.layer)}  ${neuronLabel(ranked.neuron)}`;
      const second = seconds[i] ?? null;
      const beside = second === null ? "" : `; ${second} in ${run}`;
      attribute(button, "data-layer", ranked.layer);
      attribute(button, "data-neuron", ranked.neuron.join(","));
      attribute(button, "data-value", ranked.value);
      // The row's text is its name; this is its description.
      const out = ablation.has(ranked.layer, ranked.neuron);
      const kept = hasMap(store._canvas.value, ranked.layer, ranked.neuron);
      // Colours that cancel in the sum still count: the order and the share are of magnitudes.
      const colours = cancels(ranked) ? `, ${ranked.magnitude} in all colours` : "";
      attribute(button, "data-out", out);
      const cluster =
        ranked.layer === store.layer.value ? clusterOf(clusters.shown.value, store, ranked.neuron) : -1;
      const of = { layer: ranked.layer, cluster, n_clusters: store.n_clusters.value };
      const facts = [
        `${ranked.layer}, ${neuronWords(ranked.neuron)}: ${ranked.value}${colours}${beside}`,
        ranked.share === null ? "" : `${percent(ranked.share)} of its layer`,
        cluster < 0 ? "" : clusterName(store, of),
        out ? "ablated" : "",
      ].filter(Boolean);
      attribute(button, "title", `${facts.join(", ")}${kept ? "" : `\n${NOT_KEPT}`}`);
      attribute(button, "aria-disabled", kept ? null : "true");
      const chosen =
        ranked.layer === store.layer.value && store.neurons.value.some((one) => same(ranked.neuron, one));
      attribute(button, "aria-pressed", String(chosen));
      const isColoured = cluster >= 0 && store.colour_by.value === "cluster";
      attribute(button, "data-cluster", isColoured ? cluster : null);
      attribute(button, "data-member", cluster >= 0 && cluster === store.cluster.value);
      if (cluster >= 0) button.style.setProperty("--cw-cluster", clusterColour(cluster));
      write(name, label);
      write(value, number(ranked.value));
      write(share, ranked.share === null ? "" : percent(ranked.share));
      put(bar, ranked.value);
      whole.hidden = !cancels(ranked);
      attribute(button, "data-magnitude", whole.hidden ? null : ranked.magnitude);
      if (!whole.hidden) put(whole, reach(ranked));
      other.hidden = second === null;
      attribute(button, "data-other", second);
      if (second !== null) put(other, second);
    });
  };
  /** Rows are made when the layers change, and only written to when the pixel does; so is what is scrolled to. */
  let listed = "";
  const showLayers = (shares: LayerShare[]) => {
    const current = store.layer.value;
    const by = rankedBy(store._canvas.value);
    const wanted = JSON.stringify([by, current, ...shares.map(({ layer }) => layer)]);
    layers.hidden = shares.length === 0;
    if (wanted !== listed) listLayers(shares, current, by);
    shares.forEach(({ layer, n50, n90, n_neurons }, i) => {
      const line = layers.querySelectorAll("tbody tr")[i];
      if (!line) return;
      const title = `${layer}: ${count(n50)} neurons make 50 %, ${count(n90)} make 90 % (of ${count(n_neurons)})${by ? `, by ${by}` : ""}`;
      attribute(line, "data-n50", n50);
      attribute(line, "data-n90", n90);
      attribute(line, "title", title);
      for (const [column, n] of [n50, n90, n_neurons].entries())
        write(line.children[column + 1] as Element, count(n));
    });
    if (wanted === listed) return;
    listed = wanted;
    const chosen = layers.querySelector<HTMLElement>(".cw-current");
    const { offsetHeight: height } = layers.tHead ?? layers;
    if (chosen)
      panel.foot.scrollTop = chosen.offsetTop + chosen.offsetHeight + height - panel.foot.clientHeight;
  };
  const listLayers = (shares: LayerShare[], current: string, by: string | null) => {
    const head = ["layer", "50 % by", "90 % by", "of"].map((text) =>
      h("th", { scope: "col" }, isTerm(text) ? word(text) : word("neuron", text)),
    );
    if (by) head[0]?.append(` · ${by}`);
    const lines = shares.map(({ layer }) =>
      h(
        "tr",
        { "data-layer": layer, class: layer === current ? "cw-current" : "" },
        h("th", { scope: "row" }, layerName(store._canvas.value, layer)),
        ...[0, 1, 2].map(() => h("td", {})),
      ),
    );
    layers.replaceChildren(h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...lines));
  };
  /** What the order and the bars need to be understood. */
  const ofBars = (neurons: RankedNeuron[], channel: Channel, asked: Channel): string[] => {
    const by = rankedBy(store._canvas.value);
    return [
      // If some layer has no contributions by colour, bars of all layers are of the sum: say so.
      channel === "sum" && asked === "sum"
        ? ""
        : channel === asked
          ? CHANNELS[channel]
          : `bars: ${CHANNELS[channel]}`,
      by ? `chosen by ${by}` : "",
      neurons.some(cancels) ? ORDER : "",
    ].filter(Boolean);
  };
  /** The last answer stays until the next is there: of which run and frame it is. */
  const ofWhich = (run: RunKey, time: number): string[] => {
    const info = store._canvas.value;
    const other = run !== null && run !== store.run.value ? [runLabel(run)] : [];
    return ready(info) && info.n_frames > 1 ? [...other, `frame ${time}`] : other;
  };
  const describe = (
    { run, pixel, ranked_at, time, channel, selected, selection, neurons }: PixelNeurons,
    preview: boolean,
  ) => {
    const parts = [`(${pixel.join(", ")})${preview ? " preview" : ""}`, ...ofWhich(run, time)];
    if (!same(ranked_at, pixel)) parts.push(`as at (${ranked_at.join(", ")})`);
    const name = selection.neuron
      ? neuronLabel(selection.neuron)
      : selectionLabel({ ...selection, channel: "sum" }, store.cluster_names.value);
    if (selected !== null) parts.push(`${name}: ${number(selected)}`);
    return [...parts, ...ofBars(neurons, channel, selection.channel ?? "sum")].join(" · ");
  };
  const describeRegion = (shown: RegionNeurons) => {
    const { run, time, n_pixels, channel, neurons, half_width: halfWidth } = shown;
    const estimated = halfWidth > 0 ? [`estimated${plusMinus(halfWidth)}`] : [];
    const size = `mean of ${count(n_pixels)} ${n_pixels === 1 ? "pixel" : "pixels"}`;
    return [size, ...ofWhich(run, time), ...ofBars(neurons, channel, store.channel.value), ...estimated].join(
      " · ",
    );
  };
  const show = (shown: PixelNeurons | RegionNeurons | null, waits: boolean) => {
    hint.hidden = shown !== null || waits;
    skeleton.hidden = shown !== null || !waits;
    attribute(list, "data-empty", !shown);
    attribute(panel.element, "data-time", shown?.time);
    const said = panel.label.textContent ?? "";
    attribute(panel.label, "title", said.includes(ORDER) ? `${said}: ${OF_ORDER}` : said);
    showBars(shown?.neurons ?? []);
    showLayers(shown?.layers ?? []);
    curve.draw(shown?.layers ?? [], store.layer.value);
  };

  view.effect(() => {
    attribute(panel.element, "data-of", tab.value);
    ofNeurons.hidden = tab.value === "spectrum";
    if (tab.value === "spectrum") {
      for (const name of ["data-pixel", "data-preview"]) attribute(panel.element, name, null);
      showLayers([]);
      return curve.draw([], "");
    }
    attribute(list, "aria-label", `Strongest neurons of the ${ofRegion.value ? "region" : "pixel"}`);
    if (ofRegion.value) {
      // Nothing in its label says of which region an answer is: one of another region is not shown.
      const answer = regionNeurons.shown.value;
      const shown = answer && same(answer.region, store.region.value) ? answer : null;
      panel.stand(regionNeurons.state.value, regionNeurons.error.value);
      attribute(panel.element, "data-pixel", null);
      attribute(panel.element, "data-preview", null);
      write(panel.label, shown ? describeRegion(shown) : "");
      return show(shown, true);
    }
    const preview = pixels.preview.value;
    const shown = preview ?? (store.pixel.value ? pixels.pinned.shown.value : null);
    const waits = !preview && store.pixel.value !== null;
    panel.stand(waits ? pixels.pinned.state.value : "ready", pixels.pinned.error.value);
    attribute(panel.element, "data-pixel", shown?.pixel.join(","));
    attribute(panel.element, "data-preview", preview !== null);
    write(panel.label, shown ? describe(shown, preview !== null) : "");
    show(shown, waits);
  });
  return { element: panel.element };
}

/** Whether colours cancel in the sum that the bar is of. */
function cancels({ value, magnitude }: RankedNeuron): boolean {
  return magnitude > Math.abs(value) * 1.001;
}

/** How far its bars go, on the side of its sum. */
function reach(neuron: RankedNeuron): number {
  const { value, magnitude } = neuron;
  return cancels(neuron) ? (value < 0 ? -magnitude : magnitude) : value;
}
