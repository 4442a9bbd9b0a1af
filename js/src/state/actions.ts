// The changes that the user can make, whether with the mouse, a slider or a key.
import { LONGEST_NAME, MAX_CLUSTERS, MIN_CLUSTERS } from "../transport/constants";
import type { LayerInfo, PanelTab, Region, RunKey } from "../transport/messages";
import { same } from "../transport/same";
import { followed } from "./regions";
import { framesOf, hasMap, nearestFrame } from "./saved";
import { hasBand, layerOf, namesKey } from "./selection";
import { isSwitching, ready, type Store } from "./store";
import type { Traits } from "./traits";

export function currentLayer(store: Store): LayerInfo | undefined {
  const info = store._canvas.value;
  return ready(info) ? layerOf(info, store.layer.value) : undefined;
}

export function goTo(store: Store, time: number): void {
  const info = store._canvas.peek();
  if (!ready(info)) return;
  const frames = framesOf(info);
  chooseTime(store, frames[nearestFrame(frames, Math.round(time))] ?? 0);
}

/** The region of an object in the list that moves goes with it. */
export function chooseTime(store: Store, time: number, held = false): void {
  store.set({ time, region: followed(store, time) }, held);
}

export function stepTime(store: Store, by: number): void {
  const frames = framesOf(store._canvas.peek());
  const at = nearestFrame(frames, store.time.peek()) + by;
  goTo(store, frames[Math.max(0, Math.min(frames.length - 1, at))] ?? 0);
}

/** The frames that play, all of them when both ends are the clip's. */
export function chooseLoop(store: Store, first: number, last: number): void {
  const info = store._canvas.peek();
  if (!ready(info) || !(first >= 0 && first < last && last < info.n_frames)) return;
  const frames = framesOf(info);
  const [from = 0, to = 0] = [first, last].map((time) => frames[nearestFrame(frames, time)]);
  if (from < to) store.set({ loop: from === frames[0] && to === frames.at(-1) ? null : [from, to] });
}

export function togglePlaying(store: Store): void {
  const info = store._canvas.peek();
  if (framesOf(info).length > 1) store.set({ playing: !store.playing.peek() });
}

export function chooseRun(store: Store, run: RunKey): void {
  if (run === store.run.peek()) return;
  store.set({ run });
  // Of a run with other layers nothing can be asked for before Python has sent what they are.
  if (isSwitching(store)) store.save();
}

/** Shows a second run in the same views; null for none. */
export function compareWith(store: Store, run: RunKey): void {
  store.set({ compare: run });
  store.save(); // nothing can be asked about it before Python has said what it is
}

/** To the next run, or the one before; `around` goes on from the other end, over runs that are known to be broken. */
export function stepRun(store: Store, by: number, around = false): void {
  const runs = store._runs.peek();
  const { length } = runs;
  const at = runs.findIndex(({ key }) => key === store.run.peek());
  if (!around) {
    const next = runs[Math.max(0, Math.min(length - 1, at + by))];
    if (next) chooseRun(store, next.key);
    return;
  }
  const rest = Array.from({ length }, (_, i) => runs[(((at + by * (i + 1)) % length) + length) % length]);
  const next = rest.find((run) => run?.error === "");
  if (next) chooseRun(store, next.key);
}

/**
 * Changes layer, neuron and colour in one save: the new layer may have neither that neuron nor that colour. Units stay
 * selected by their index, which goes with the unit in residual networks and grids; a kernel's index says nothing elsewhere.
 */
export function chooseLayer(store: Store, layer: string): void {
  if (layer === store.layer.peek()) return;
  const neurons = store.neurons.peek().filter((neuron) => isUnitOf(store, layer, neuron));
  store.set({ ...toLayer(store, layer), neurons, neuron: neurons.at(-1) ?? null });
}

function isUnitOf(store: Store, name: string, neuron: number[]): boolean {
  const info = store._canvas.peek();
  const shape = ready(info) ? layerOf(info, name)?.neurons : undefined;
  const [unit = 0] = neuron;
  return neuron.length === 1 && shape?.length === 1 && unit < (shape[0] ?? 0) && hasMap(info, name, neuron);
}

function toLayer(store: Store, layer: string): Partial<Traits> {
  const info = store._canvas.peek();
  const colourless = ready(info) && layerOf(info, layer)?.why_no_colours;
  return colourless ? { layer, channel: "sum" } : { layer };
}

export function stepLayer(store: Store, by: number): void {
  const info = store._canvas.peek();
  if (!ready(info)) return;
  const at = info.layers.findIndex(({ name }) => name === store.layer.peek());
  const layer = info.layers[Math.max(0, Math.min(info.layers.length - 1, at + by))];
  if (layer) chooseLayer(store, layer.name);
}

export function chooseNeuron(store: Store, neuron: number[] | null, layer = store.layer.peek()): void {
  store.set({ ...toLayer(store, layer), neuron, neurons: neuron ? [neuron] : [] });
}

/** `neuron` is the last of them: views that show one neuron show that one. */
export function chooseNeurons(store: Store, neurons: number[][], layer = store.layer.peek()): void {
  store.set({ ...toLayer(store, layer), neurons, neuron: neurons.at(-1) ?? null });
}

/** Adds a neuron to the selection, or takes it out again. */
export function toggleNeuron(store: Store, neuron: number[], layer: string): void {
  const before = layer === store.layer.peek() ? store.neurons.peek() : [];
  const without = before.filter((one) => !same(one, neuron));
  chooseNeurons(store, without.length < before.length ? without : [...before, neuron], layer);
}

/** Drawing a region sorts neurons by it; without a region that order does not exist. */
export function chooseRegion(store: Store, region: Region | null): void {
  const sort = region ? "region" : store.sort.peek() === "region" ? "pixel" : store.sort.peek();
  store.set({ region, sort, ...turned(store, region ? "region" : "pixel") });
}

export function pin(store: Store, pixel: number[] | null): void {
  store.set(pixel ? { pixel, ...turned(store, "pixel") } : { pixel });
}

/** Beside the frame stand the neurons of what was chosen last; the spectrum stays. */
function turned(store: Store, panel: PanelTab): Partial<Traits> {
  return store.panel.peek() === "spectrum" ? {} : { panel };
}

/** Moves the pinned pixel, from the middle when there is none. */
export function nudgePixel(store: Store, dy: number, dx: number): void {
  const info = store._canvas.peek();
  if (!ready(info)) return;
  const [y, x] = store.pixel.peek() ?? [Math.floor(info.height / 2) - dy, Math.floor(info.width / 2) - dx];
  const inside = (value: number, size: number) => Math.max(0, Math.min(size - 1, value));
  pin(store, [inside((y ?? 0) + dy, info.height), inside((x ?? 0) + dx, info.width)]);
}

/** A cluster is selected in place of neurons: the frame, the curve and what is ablated are of what was chosen last. */
export function chooseCluster(store: Store, cluster: number): void {
  store.set(cluster < 0 ? { cluster } : { cluster, neuron: null, neurons: [] });
}

/** Limits the map over the frame to some frequencies; over a finding that is the selection's map. */
export function chooseBand(store: Store, band: readonly [number, number] | null): void {
  const overlay = hasBand(store.overlay.peek()) ? store.overlay.peek() : "selection";
  store.set(band ? { band: [...band], overlay } : { band });
}

/** Clears what is selected: the band of frequencies, else neurons, else the cluster, else the region, else the pinned pixel. */
export function clearChoice(store: Store): void {
  if (store.band.peek() && hasBand(store.overlay.peek())) chooseBand(store, null);
  else if (store.neuron.peek() || store.neurons.peek().length) chooseNeuron(store, null);
  else if (store.cluster.peek() >= 0) chooseCluster(store, -1);
  else if (store.region.peek()) chooseRegion(store, null);
  else pin(store, null);
}

/** An empty name gives the cluster its number back. */
export function nameCluster(store: Store, cluster: number, name: string): void {
  const key = namesKey(store.layer.peek(), store.n_clusters.peek());
  const before = store.cluster_names.peek();
  const names = Array.from({ length: store.n_clusters.peek() }, (_, i) => before[key]?.[i] ?? "");
  names[cluster] = name.trim().slice(0, LONGEST_NAME);
  store.set({ cluster_names: { ...before, [key]: names } });
}

export function chooseClusterCount(store: Store, n_clusters: number): void {
  if (!(n_clusters >= MIN_CLUSTERS && n_clusters <= MAX_CLUSTERS)) return;
  const values: Partial<Traits> = { n_clusters };
  if (store.cluster.peek() >= n_clusters) values.cluster = -1;
  store.set(values);
}
