// The centroid frequency of every neuron of the layer, asked for only where neurons have the colours of these.
import type { ReadonlySignal } from "@preact/signals-core";
import { savedOf } from "../state/saved";
import { currentChannel, flatIndex, layerOf } from "../state/selection";
import { canvasOf, isSwitching, type Store } from "../state/store";
import type { RequestClient } from "../transport/client";
import type { Channel, RunKey } from "../transport/messages";
import { ByteCache } from "./cache";
import { Source } from "./source";
import { numbersOf } from "./values";

const BYTES = 4e6;

/** In cycles a pixel, in C order; NaN where a map is 0 or the same everywhere. */
export interface Frequencies {
  run: RunKey;
  rule: string;
  time: number;
  layer: string;
  channel: Channel;
  values: Float32Array;
  /** The lowest and the highest; null where no neuron has a frequency. */
  range: readonly [number, number] | null;
}

export class FrequencySource extends Source<"values", Frequencies> {
  constructor(
    store: Store,
    client: RequestClient,
    watched: ReadonlySignal<boolean>,
    settled: ReadonlySignal<number>,
  ) {
    super({
      client,
      view: "frequencies",
      watched,
      wanted: () => {
        const info = canvasOf(store);
        const layer = store.layer.value;
        const isWanted = store.colour_by.value === "frequency" && !savedOf(store._canvas.value);
        if (!isWanted || !info || !layerOf(info, layer)) return null;
        return {
          kind: "values",
          run: store.run.value,
          rule: info.rule,
          time: settled.value,
          layer,
          sort: "frequency",
          channel: currentChannel(store),
          pixel: null,
          region: null,
        };
      },
      preparing: () => store.colour_by.value === "frequency" && isSwitching(store),
      key: ({ rule, layer, time, channel }) => `${rule}/${layer}@${time} ${channel}`,
      decode: ({ time, layer }, data, { run, rule, channel }) => {
        const values = numbersOf(store, layer, 1, data);
        const known = values.filter(Number.isFinite);
        const range = known.length
          ? ([known.reduce((a, b) => Math.min(a, b)), known.reduce((a, b) => Math.max(a, b))] as const)
          : null;
        return { run, rule, time, layer, channel, values, range };
      },
      cache: new ByteCache(BYTES),
      bytes: ({ values }) => values.byteLength + 200,
      patience: 250,
    });
  }
}

/** The frequencies that colours stand for now: of the layer and the rule that are shown, on the frame that is settled. */
export function currentFrequencies(
  shown: Frequencies | null,
  store: Store,
  time: number,
): Frequencies | null {
  const isOfIt =
    store.colour_by.value === "frequency" &&
    shown?.run === store.run.value &&
    shown.rule === store.rule.value &&
    shown.layer === store.layer.value &&
    shown.time === time &&
    shown.channel === currentChannel(store);
  return isOfIt ? shown : null;
}

/** Of one neuron; NaN where it has none, undefined where it is not known. */
export function frequencyOf(known: Frequencies | null, store: Store, neuron: number[]): number | undefined {
  const info = canvasOf(store);
  const layer = known && info ? layerOf(info, known.layer) : undefined;
  return known && layer ? known.values[flatIndex(layer, neuron)] : undefined;
}
