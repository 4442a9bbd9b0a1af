// A second run beside the one that is shown: the same requests about it, for the neurons that stand for the selected ones.
import { computed, type ReadonlySignal, type Signal, signal, untracked } from "@preact/signals-core";
import { isAblated } from "../state/ablated";
import {
  CHANNELS,
  currentChannel,
  flatIndex,
  isNeuronOf,
  layerOf,
  neuronAt,
  neuronCount,
} from "../state/selection";
import { canQuantise, canvasOf, isSwitching, keepsNumbers, ready, type Store } from "../state/store";
import type { RequestClient } from "../transport/client";
import { requireBytes } from "../transport/data";
import type { BarsReply, BarsRequest, PairsReply, RunKey } from "../transport/messages";
import { besides } from "../transport/requests";
import { same } from "../transport/same";
import { ByteCache } from "./cache";
import { type ClusterSource, currentClusters } from "./clusters";
import { CurveSource } from "./curve";
import type { GridContext, Thumb } from "./grid";
import { frameSource, joinPictures, mapSource } from "./pictures";
import type { PixelSources } from "./pixels";
import { ScatterSource } from "./scatter";
import { Source } from "./source";
import { ThumbnailSource } from "./thumbnails";

/** Of each neuron of a layer, in C order, the flat index of its counterpart, -1 without one, and their correlation. */
export interface Pairs extends PairsReply {
  run: RunKey;
  rule: string;
  other: RunKey;
  places: Int32Array;
  correlations: Float32Array;
}

export interface Counterpart {
  layer: string;
  neuron: number[];
  /** Of the two maps; null where both runs are one network, in which a neuron keeps its number. */
  correlation: number | null;
}

/** The second run's values, in the order of the bars that they belong to. */
export type Bars = BarsReply & Pick<BarsRequest, "run" | "rule" | "channel" | "neurons">;

export type Comparing = ReturnType<typeof createComparison>;

export function createComparison(
  store: Store,
  client: RequestClient,
  watched: ReadonlySignal<boolean>,
  settled: ReadonlySignal<number>,
  {
    pixels,
    clusters,
    scatter: first,
  }: { pixels: PixelSources; clusters: ClusterSource; scatter: ScatterSource },
) {
  const isOn = computed(() => store.compare.value !== null && ready(store._compared.value));
  const comparing = computed(() => watched.value && isOn.value);
  /** Whether a neuron keeps its number. */
  const keeps = computed(() => keepsNumbers(store));
  const pairs = new PairSource(
    store,
    client,
    computed(() => comparing.value && !keeps.value),
    settled,
  );

  /** The layer of the second run that stands for one of the first. Read inside an effect. */
  const layerOfOther = (name: string) => {
    const other = store._compared.value;
    return ready(other) ? layerOf(other, other.counterparts[name] ?? name) : undefined;
  };
  /** Why the second run has no contributions to the colour that is shown; empty where it has. Read inside an effect. */
  const whyNoColour = () => {
    const channel = currentChannel(store);
    const other = channel === "sum" ? undefined : layerOfOther(store.layer.value);
    return other?.why_no_colours ? `no ${CHANNELS[channel]} there: ${other.why_no_colours}` : "";
  };
  /** The neuron of the second run that stands for one of the first; null while it is not known, and without one. */
  const counterpart = (name: string, neuron: number[]): Counterpart | null => {
    const info = canvasOf(store);
    const [layer, other] = [info && layerOf(info, name), layerOfOther(name)];
    if (!layer || !other) return null;
    if (keeps.value)
      return isNeuronOf(other, neuron) ? { layer: other.name, neuron, correlation: null } : null;
    const known = pairs.shown.value;
    if (!known || !isOf(known, store, name) || !isNeuronOf(layer, neuron)) return null;
    const at = flatIndex(layer, neuron);
    const place = known.places[at] ?? -1;
    return place < 0
      ? null
      : { layer: other.name, neuron: neuronAt(other, place), correlation: known.correlations[at] ?? null };
  };

  // --- the selection in the second run --------------------------------------------------------------------------

  const selected = computed(() => {
    const name = store.layer.value;
    const other = layerOfOther(name);
    const chosen = members();
    if (!other || !chosen || whyNoColour()) return { layer: "", neurons: [], alone: false };
    const neurons = chosen.flatMap((neuron) => {
      const found = counterpart(name, neuron);
      return found ? [found.neuron] : [];
    });
    // Neurons without a counterpart are not the whole layer, nor is a cluster without neurons.
    const isLayer = store.neuron.value === null && chosen.length === 0 && store.cluster.value < 0;
    const isNothing = neurons.length === 0 && !isLayer;
    // What is left of several neurons is summed up as they are.
    const alone = store.neuron.value !== null && store.neurons.value.length < 2;
    return { layer: isNothing ? "" : other.name, neurons, alone };
  });
  /** The selected neurons one by one, none for the whole layer; null for a cluster that is not known yet. */
  const members = (): number[][] | null => {
    const info = canvasOf(store);
    const layer = info && layerOf(info, store.layer.value);
    if (!layer) return null;
    if (store.neurons.value.length) return store.neurons.value;
    if (store.neuron.value) return [store.neuron.value];
    const cluster = store.cluster.value;
    if (cluster < 0) return [];
    const known = currentClusters(clusters.shown.value, store);
    if (!known) return null;
    return [...known.labels.keys()]
      .filter((at) => known.labels[at] === cluster)
      .map((at) => neuronAt(layer, at));
  };
  const second: Store = {
    ...store,
    run: store.compare,
    _canvas: store._compared,
    layer: computed(() => selected.value.layer),
    neurons: computed(() => selected.value.neurons),
    neuron: computed(() => (selected.value.alone && selected.value.neurons[0]) || null),
    cluster: computed(() => -1),
    source: computed(() => {
      const [source, other] = [store.source.value, store._compared.value];
      // Neurons that are ablated of one network are none of another.
      const fits = source === "quantisation" ? canQuantise(other) : !isAblated(source) || keeps.value;
      return fits ? source : "reconstruction";
    }),
  };

  // --- what is asked about it -----------------------------------------------------------------------------------

  const requests = besides(client);
  const frames = frameSource(second, requests, comparing);
  const maps = mapSource(second, requests, comparing);
  const { picture, dispose: stopJoining } = joinPictures(second, frames, maps);
  const curve = new CurveSource(second, requests, comparing);
  const bars: Source<"bars", Bars> = new Source<"bars", Bars>({
    client: requests,
    view: "bars",
    watched: comparing,
    wanted: () => {
      const shown = pixels.pinned.shown.value;
      const run = store.compare.value;
      if (!shown || run === null || pixels.pinned.state.value !== "ready" || isSwitching(second)) return null;
      const neurons = shown.neurons.flatMap(({ layer, neuron }) => {
        const found = counterpart(layer, neuron);
        return found ? [{ layer: found.layer, neuron: found.neuron }] : [];
      });
      const { rule, time, pixel, channel } = shown;
      return neurons.length ? { kind: "bars", run, rule, time, pixel, channel, neurons } : null;
    },
    key: ({ rule, time, pixel, channel, neurons }) =>
      `${rule}@${time}:${pixel.join(",")} ${channel} ${JSON.stringify(neurons)}`,
    decode: (answer, _data, { run, rule, channel, neurons }) => ({ ...answer, run, rule, channel, neurons }),
    cache: new ByteCache(2e6),
    bytes: ({ values }) => 200 + 80 * values.length,
    patience: 100,
  });
  // All neurons of the layer, whichever are selected.
  const wholeLayer = { ...second, layer: computed(() => layerOfOther(store.layer.value)?.name ?? "") };
  const scatter = new ScatterSource(wholeLayer, requests, comparing, settled, first);
  // The neurons in sight, and the thumbnails of those that stand for them.
  const inSight: Signal<{ context: GridContext; neurons: number[][] } | null> = signal(null);
  const thumbs = new ThumbnailSource(requests, "grid", comparing, () => {
    const seen = inSight.value;
    const run = store.compare.value;
    if (!seen || run === null || isSwitching(second) || whyNoColour()) return null;
    const { rule, time, layer, channel } = seen.context;
    const found = seen.neurons.flatMap((neuron) => counterpart(layer, neuron) ?? []);
    const [first] = found;
    if (!first || rule !== store.rule.value) return null;
    return { run, rule, time, layer: first.layer, channel, neurons: found.map(({ neuron }) => neuron) };
  });
  const sources = { frames, maps, curve, bars, thumbs, scatter, pairs };
  return {
    isOn,
    store: second,
    picture,
    counterpart,
    whyNoColour,
    ...sources,
    /** What a second run contributes with a neuron's counterpart to the pinned pixel. Read inside an effect. */
    barOf(layer: string, neuron: number[]): number | null {
      const found = isOn.value ? counterpart(layer, neuron) : null;
      const [shown, pinned] = [bars.shown.value, pixels.pinned.shown.value];
      const current =
        shown?.run === store.compare.value &&
        shown.rule === store.rule.value &&
        shown.time === pinned?.time &&
        shown.channel === pinned.channel &&
        String(shown.pixel) === String(pinned.pixel);
      if (!found || !shown || !current) return null;
      const at = shown.neurons.findIndex(
        (one) => one.layer === found.layer && String(one.neuron) === String(found.neuron),
      );
      return shown.values[at] ?? null;
    },
    /** A grid shows these neurons. */
    see(context: GridContext, neurons: number[][]): void {
      const before = inSight.peek();
      if (!same(before, { context, neurons })) inSight.value = { context, neurons };
    },
    /** The thumbnail of what stands for a neuron of the grid; null while it is not known. */
    thumbOf({ time, layer, channel }: GridContext, neuron: number[]): Thumb | null {
      const known = thumbs.shown.peek();
      const found = isOn.peek() && known ? untracked(() => counterpart(layer, neuron)) : null;
      const current =
        known?.run === store.compare.peek() &&
        known.rule === store.rule.peek() &&
        known.time === time &&
        known.channel === channel &&
        known.layer === found?.layer;
      return (current && found && known.thumbs.get(found.neuron.join(","))) || null;
    },
    blank(): void {
      for (const source of [maps, bars, thumbs, scatter, pairs]) source.blank();
    },
    reset(): void {
      for (const source of Object.values(sources)) source.reset();
    },
    dispose(): void {
      stopJoining();
      for (const source of Object.values(sources)) source.dispose();
    },
  };
}

function isOf(known: Pairs, store: Store, layer: string): boolean {
  return (
    known.run === store.run.value &&
    known.rule === store.rule.value &&
    known.other === store.compare.value &&
    known.layer === layer
  );
}

/** Which neuron of the second run is which of the layer; asked for in the background, and only where they differ. */
class PairSource extends Source<"pairs", Pairs> {
  constructor(
    store: Store,
    client: RequestClient,
    watched: ReadonlySignal<boolean>,
    settled: ReadonlySignal<number>,
  ) {
    super({
      client,
      view: "pairs",
      watched,
      wanted: () => {
        const info = canvasOf(store);
        const layer = store.layer.value;
        const other = store.compare.value;
        if (!info || !layerOf(info, layer) || other === null) return null;
        const { run, rule } = { run: store.run.value, rule: info.rule };
        return { kind: "pairs", run, rule, time: settled.value, layer, other };
      },
      preparing: () => isSwitching(store),
      key: ({ rule, time, layer, other }) => `${rule}/${layer}@${time} ${JSON.stringify(other)}`,
      decode: (answer, data, { run, rule, other }) => {
        const info = store._canvas.peek();
        const layer = ready(info) ? layerOf(info, answer.layer) : undefined;
        const count = layer ? neuronCount(layer) : 0;
        requireBytes(data, 8 * count);
        const places = new Int32Array(data.buffer, 0, count);
        const correlations = new Float32Array(data.buffer, 4 * count, count);
        return { ...answer, run, rule, other, places, correlations };
      },
      cache: new ByteCache(8e6),
      bytes: ({ places }) => 8 * places.length + 200,
    });
  }
}
