// The neurons that make the region of the frame, of all layers.
import { type ReadonlySignal, type Signal, signal } from "@preact/signals-core";
import { savedOf } from "../state/saved";
import { digest } from "../state/selection";
import { canvasOf, isSwitching, type Store } from "../state/store";
import type { RequestClient } from "../transport/client";
import type { Region, RegionNeuronsReply, RunKey } from "../transport/messages";
import { ByteCache } from "./cache";
import { RANKED } from "./pixels";
import { Source } from "./source";

const BYTES = 4e6;

export type RegionNeurons = RegionNeuronsReply & { run: RunKey; region: Region };

export class RegionNeuronsSource extends Source<"region_neurons", RegionNeurons> {
  /** How many views show them. */
  readonly seen: Signal<number>;

  constructor(
    store: Store,
    client: RequestClient,
    watched: ReadonlySignal<boolean>,
    settled: ReadonlySignal<number>,
  ) {
    const seen = signal(0);
    super({
      client,
      view: "region neurons",
      watched,
      wanted: () => {
        const region = seen.value > 0 ? store.region.value : null;
        if (!region || !canvasOf(store) || savedOf(store._canvas.value)) return null;
        return {
          kind: "region_neurons",
          run: store.run.value,
          rule: store.rule.value,
          time: settled.value,
          region,
          k: RANKED,
          channel: store.channel.value,
        };
      },
      preparing: () => seen.value > 0 && store.region.value !== null && isSwitching(store),
      key: ({ rule, time, region, k, channel }) =>
        `${rule}/${channel}@${time}:${digest(JSON.stringify(region))}/${k}`,
      decode: (answer, _data, { run, region }) => ({ ...answer, run, region }),
      cache: new ByteCache(BYTES),
      bytes: ({ neurons, layers }) =>
        120 * neurons.length +
        layers.reduce((sum, { counts, shares }) => sum + 200 + 8 * (counts.length + shares.length), 0),
      patience: 250,
    });
    this.seen = seen;
  }
}
