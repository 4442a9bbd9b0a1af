// Thumbnails of neurons that are named one by one, wherever they stand in the order of their layer.
import type { ReadonlySignal } from "@preact/signals-core";
import type { BodyOf, View } from "../transport/client";
import { THUMBNAIL_SIDE } from "../transport/constants";
import { requireBytes } from "../transport/data";
import type { Requests } from "../transport/requests";
import { ByteCache } from "./cache";
import type { GridContext, Thumb } from "./grid";
import { Source } from "./source";

/** By the neurons' numbers. */
export interface Thumbs extends Pick<GridContext, "run" | "rule" | "time" | "layer" | "channel"> {
  thumbs: Map<string, Thumb>;
}

/** Neurons of one layer, and what their maps depend on. */
export type Wanted = Omit<BodyOf<"thumbnails">, "kind" | "side">;

export class ThumbnailSource extends Source<"thumbnails", Thumbs> {
  constructor(
    client: Requests,
    view: View,
    watched: ReadonlySignal<boolean>,
    wanted: () => Wanted | null,
    delay = 0,
  ) {
    super({
      client,
      view,
      watched,
      wanted: () => {
        const body = wanted();
        return body && { kind: "thumbnails", ...body, side: THUMBNAIL_SIDE };
      },
      key: ({ rule, time, layer, channel, neurons }) =>
        `${rule}/${layer}@${time} ${channel} ${JSON.stringify(neurons)}`,
      decode: (answer, data, { run, rule, channel, neurons }) => {
        const { time, layer, height, width, low, high, totals } = answer;
        const size = height * width;
        requireBytes(data, size * neurons.length);
        const found = neurons.map((neuron, i): [string, Thumb] => [
          neuron.join(","),
          {
            neuron,
            value: Number.NaN,
            height,
            width,
            low: low[i] ?? 0,
            high: high[i] ?? 0,
            total: totals[i] ?? 0,
            levels: data.subarray(i * size, (i + 1) * size),
          },
        ]);
        return { run, rule, time, layer, channel, thumbs: new Map(found) };
      },
      cache: new ByteCache(8e6),
      bytes: ({ thumbs }) => thumbs.size * (THUMBNAIL_SIDE * THUMBNAIL_SIDE + 200),
      patience: 150,
      delay: () => delay,
    });
  }
}
