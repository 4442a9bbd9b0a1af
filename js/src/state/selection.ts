// What is selected: several neurons, else one, else one cluster, else the whole layer; its key, its name and its validity.
import type {
  CanvasInfo,
  Channel,
  LayerInfo,
  Overlay,
  RunInfo,
  RunKey,
  Selection,
  Sort,
} from "../transport/messages";
import { number } from "./format";
import { canvasOf, ready, type Store } from "./store";
import type { Traits } from "./traits";

export function layerOf(info: CanvasInfo, name: string): LayerInfo | undefined {
  return info.layers.find((layer) => layer.name === name);
}

export function neuronCount(layer: LayerInfo): number {
  return layer.neurons.reduce((product, n) => product * n, 1);
}

/** The first output that a unit has kernels to: that of its group. */
function firstOutput({ neurons: [n_units = 1, perUnit = 1], n_groups }: LayerInfo, unit: number): number {
  return Math.floor((unit * n_groups) / n_units) * perUnit;
}

/** The neuron at a flat index: all kernels of unit 0, then those of unit 1, and so on. */
export function neuronAt(layer: LayerInfo, place: number): number[] {
  const perUnit = layer.neurons[1];
  if (perUnit === undefined) return [place];
  const unit = Math.floor(place / perUnit);
  return [unit, firstOutput(layer, unit) + (place % perUnit)];
}

/** The neuron's flat index. */
export function flatIndex(layer: LayerInfo, neuron: number[]): number {
  const [unit = 0, output = 0] = neuron;
  const perUnit = layer.neurons[1];
  return perUnit === undefined ? unit : unit * perUnit + (output % perUnit);
}

export function isNeuronOf(layer: LayerInfo, neuron: number[]): boolean {
  const [unit = -1, output] = neuron;
  const [n_units = 0, perUnit] = layer.neurons;
  if (neuron.length !== layer.neurons.length || !neuron.every(Number.isInteger)) return false;
  if (unit < 0 || unit >= n_units) return false;
  if (output === undefined || perUnit === undefined) return true;
  const first = firstOutput(layer, unit);
  return output >= first && output < first + perUnit;
}

/** The selection to ask for, or null while the traits don't fit together (another rule's canvas is not there yet). */
export function currentSelection(store: Store): Selection | null {
  const info = canvasOf(store);
  const name = store.layer.value;
  const neuron = store.neuron.value;
  const neurons = store.neurons.value;
  const cluster = store.cluster.value;
  const n_clusters = store.n_clusters.value;
  const layer = info && layerOf(info, name);
  if (!layer || (neuron && !isNeuronOf(layer, neuron))) return null;
  const channel = currentChannel(store);
  const colour = channel === "sum" ? {} : { channel };
  if (neurons.length > (neuron ? 1 : 0) && neurons.every((one) => isNeuronOf(layer, one)))
    return { layer: name, neuron: null, neurons, cluster: -1, n_clusters, ...colour };
  return { layer: name, neuron, neurons: [], cluster: neuron ? -1 : cluster, n_clusters, ...colour };
}

/** The colour that contributions are to; the sum where the layer's maps have none of their own. */
export function currentChannel(store: Store): Channel {
  const info = store._canvas.value;
  const layer = ready(info) ? layerOf(info, store.layer.value) : undefined;
  const channel = store.channel.value;
  return layer?.why_no_colours ? "sum" : channel;
}

/** What the frame has over it: the map of the selection, or a finding about its layer, whoever is selected there. */
export function currentOverlay(store: Store): Selection | null {
  const overlay = store.overlay.value;
  const selection = currentSelection(store);
  const limits = store.band.value;
  const band = limits && hasBand(overlay) ? { band: limits } : {};
  if (!selection || overlay === "selection") return selection && { ...selection, ...band };
  const { layer, n_clusters } = selection;
  return { layer, neuron: null, neurons: [], cluster: -1, n_clusters, overlay, ...band };
}

export const OVERLAYS: Record<Overlay, string> = {
  selection: "selection",
  neurons: "neurons per pixel",
  intensity: "contribution − brightness",
  change: "change between frames",
  gradient: "gradient of the picture",
  laplacian: "Laplacian of the picture",
  picture: "picture, its colours added",
};

/** Whether it is limited to a band of frequencies, where one is chosen: findings are not. */
export function hasBand(overlay: Overlay): boolean {
  return overlay === "selection" || overlay === "picture";
}

export function bandInWords([low = 0, high = 0]: readonly number[]): string {
  const [from, to] = [low, high].map((limit) =>
    Math.abs(limit * 100 - Math.round(limit * 100)) < 1e-9 ? limit.toFixed(2) : number(limit),
  );
  return `${from} to ${to} cycles a pixel`;
}

const MOST_LISTED = 24;

/** Whether an order is by contributions to a pixel or a region: see `rankedBy`. */
export function isRanked(sort: Sort): boolean {
  return sort === "pixel" || sort === "region";
}

/** What neurons are sorted by, and the points of the scatter sized by, in words. */
export const SORTS: Record<Sort, string> = {
  pixel: "this pixel",
  region: "this region",
  total: "total",
  change: "change",
  frequency: "frequency",
  difference: "difference",
  index: "index",
};

/** The rule that orders a canvas's neurons by a pixel or a region, where it is not the canvas's own; else null. */
export function rankedBy({ rule, ranked_by }: CanvasInfo | Record<string, never>): string | null {
  return ranked_by && ranked_by !== rule ? ranked_by : null;
}

/**
 * What a neuron is sorted by: its value in words. Contributions to a pixel or a region, whose pixels are added, may be `by`
 * another rule; the scatter has their magnitudes, the grid their values with a sign.
 */
export function sortedBy(sort: Sort, value: number, by: string | null, isMagnitude = false): string {
  const what = sort === "region" ? `sum over ${SORTS[sort]}` : SORTS[sort];
  const ranked = `${isMagnitude ? "magnitude, " : ""}${what}${by ? ` by ${by}` : ""}`;
  const name = isRanked(sort) ? ranked : SORTS[sort];
  if (sort !== "frequency") return `${name}: ${number(value)}`;
  return Number.isNaN(value)
    ? "no frequency: the map is 0 or the same everywhere"
    : `frequency: ${number(value)} cycles a pixel`;
}

export interface Magnitudes {
  /** In brackets after the word total; empty where there is one colour only. */
  short: string;
  whole: string;
}

/** Which magnitudes a total of a layer adds. */
export function magnitudesOf(info: CanvasInfo, layer: string, channel: Channel = "sum"): Magnitudes {
  const one = "the magnitudes of the contributions";
  if (channel !== "sum" && channel !== "abs") return { short: "", whole: `${one} to ${channel}` };
  if (info.n_channels === 1) return { short: "", whole: one };
  if (channel === "sum" && layerOf(info, layer)?.each_colour === false)
    return {
      short: " (colours added)",
      whole: `${one}, the colours added first: ${info.rule} does not tell them apart in this layer`,
    };
  return { short: " (each colour)", whole: `${one} to each colour` };
}

/** 64 bits of two FNV-like hashes: a lasso catches thousands of neurons, too many to spell out in every key. */
export function digest(text: string): string {
  let [a, b] = [0x811c9dc5, 0x9747b28c];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 0x01000193);
    b = Math.imul(b ^ code, 0x85ebca6b) ^ (b >>> 13);
  }
  return [a, b].map((part) => (part >>> 0).toString(16)).join("");
}

/** Equal for equal selections; also what the frame's `data-selection` says. */
/** Whether all neurons of the layer are selected, not some of them. */
export function isWholeLayer({ neuron, neurons, cluster }: Selection): boolean {
  return !neuron && neurons.length === 0 && cluster < 0;
}

/** The neurons alone: not every rule knows the colours, so what compares rules adds them. */
export function neuronsOf({ channel: _, overlay: __, band: ___, ...chosen }: Selection): Selection {
  return chosen;
}

export function selectionKey(selection: Selection): string {
  const { layer, overlay, channel, band } = selection;
  const within = band ? `~${band.join("-")}` : "";
  if (overlay && overlay !== "selection") return `${layer}/${overlay}${within}`;
  const colour = channel && channel !== "sum" ? `:${channel}` : "";
  return chosenKey(selection) + colour + within;
}

function chosenKey({ layer, neuron, neurons, cluster, n_clusters }: Selection): string {
  if (neuron) return `${layer}/${neuron.join(",")}`;
  if (neurons.length) {
    const list = neurons.map((one) => one.join(",")).join(";");
    // One that is left of several is summed up as they are, unlike a neuron on its own.
    if (neurons.length === 1) return `${layer}/${list};`;
    return `${layer}/${neurons.length > MOST_LISTED ? `${neurons.length}#${digest(list)}` : list}`;
  }
  return cluster >= 0 ? `${layer}/cluster=${cluster}of${n_clusters}` : `${layer}/*`;
}

/** About what it takes to keep: a lasso catches thousands of neurons. */
export function selectionBytes({ neurons }: Selection): number {
  return 400 + 40 * neurons.length;
}

/** A step of a training by its number, another run by its name. */
export function runLabel(run: RunKey): string {
  return typeof run === "number" ? `step ${run}` : (run ?? "");
}

/** A run in a menu. */
export function runInMenu({ key, error }: RunInfo): string {
  return error ? `${key} (broken)` : String(key);
}

export function neuronLabel(neuron: number[]): string {
  return neuron.join("→");
}

/** A neuron where there is room for words. */
export function neuronWords(neuron: number[]): string {
  const [unit, output] = neuron;
  return output === undefined ? `neuron ${unit}` : `neuron in ${unit} → out ${output}`;
}

/** By layer and number of clusters, the names that the user gave; empty for those without. */
export type ClusterNames = Record<string, string[]>;

export function namesKey(layer: string, n_clusters: number): string {
  return `${layer}/${n_clusters}`;
}

export const CHANNELS: Record<Channel, string> = {
  sum: "sum of colours",
  red: "red",
  green: "green",
  blue: "blue",
  abs: "|R|+|G|+|B|",
};

export function selectionLabel(selection: Selection, names: ClusterNames = {}): string {
  const { overlay, channel, band } = selection;
  const isFinding = overlay !== undefined && overlay !== "selection";
  return [
    isFinding ? OVERLAYS[overlay] : chosenLabel(selection, names),
    !isFinding && channel && channel !== "sum" ? CHANNELS[channel] : "",
    band ? bandInWords(band) : "",
  ]
    .filter(Boolean)
    .join(" · ");
}

function chosenLabel(
  { layer, neuron, neurons, cluster, n_clusters }: Selection,
  names: ClusterNames,
): string {
  if (neuron) return neuronWords(neuron);
  if (neurons.length) return `${neurons.length} neurons`;
  if (cluster < 0) return "whole layer";
  return names[namesKey(layer, n_clusters)]?.[cluster] || `cluster ${cluster}`;
}

export type Found = { neuron: number[] } | { problem: string };

/** "17" or "3,17", as typed into the search field. */
export function parseNeuron(text: string, layer: LayerInfo): Found {
  const numbers = text.trim().split(/[\s,→>-]+/);
  const form = layer.neurons.length === 1 ? "one number, like 17" : "two numbers, like 3,17";
  if (numbers.length !== layer.neurons.length || !numbers.every((n) => /^\d+$/.test(n)))
    return { problem: `A neuron of ${layer.name} is ${form}` };
  const neuron = numbers.map(Number);
  if (isNeuronOf(layer, neuron)) return { neuron };
  const [n_units = 0, perUnit = 0] = layer.neurons;
  const [unit = 0] = neuron;
  if (layer.n_groups > 1 && unit < n_units) {
    const first = firstOutput(layer, unit);
    return { problem: `Unit ${unit} has kernels to outputs ${first} to ${first + perUnit - 1} only` };
  }
  const last = [n_units - 1, perUnit * layer.n_groups - 1].slice(0, layer.neurons.length).join(",");
  return {
    problem: `${neuron.join(",")} is outside 0 to ${last} of ${layer.name}; of another layer: its name first`,
  };
}

/** A layer's name on the page: short among the canvas's layers, in full where it is none of them. */
export function layerName(info: Traits["_canvas"], layer: string): string {
  return (ready(info) && namesOf(info).get(layer)) || layer;
}

/** They are looked up at each painting and change with the canvas only. */
const named = new WeakMap<CanvasInfo, Map<string, string>>();

function namesOf(info: CanvasInfo): Map<string, string> {
  const known = named.get(info) ?? shortNames(info.layers.map(({ name }) => name));
  named.set(info, known);
  return known;
}

/**
 * Short names that still tell the layers apart: the fewest neighbouring parts of the module path that no other layer
 * has, not starting with a number (`decoder.3.conv.upconv.0` is `decoder.3`).
 */
export function shortNames(names: string[]): Map<string, string> {
  const windows = (name: string) => {
    const parts = name.split(".");
    const found: string[] = [];
    for (let length = 1; length <= parts.length; length++)
      for (let at = 0; at + length <= parts.length; at++) found.push(parts.slice(at, at + length).join("."));
    return found;
  };
  const uses = new Map<string, number>();
  for (const name of names)
    for (const window of new Set(windows(name))) uses.set(window, (uses.get(window) ?? 0) + 1);
  return new Map(
    names.map((name) => [
      name,
      windows(name).find((window) => uses.get(window) === 1 && !/^\d/.test(window)) ?? name,
    ]),
  );
}
