// What the layer's neurons are sorted by, all of them: how large the points of the scatter are.
import type { ReadonlySignal } from "@preact/signals-core";
import { digest, layerOf, neuronCount } from "../state/selection";
import { canvasOf, isSwitching, ready, type Store } from "../state/store";
import type { RequestClient } from "../transport/client";
import { requireBytes } from "../transport/data";
import type { RunKey, ValuesReply } from "../transport/messages";
import { ByteCache } from "./cache";
import { wantedOrder } from "./grid";
import { Source } from "./source";

/** `values` has one of each neuron in C order, `top` is the largest magnitude. */
export type Values = ValuesReply & { run: RunKey; values: Float32Array; top: number };

const BYTES = 8e6;

/** So many numbers of each neuron of a layer, in C order, as they came from the kernel. */
export function numbersOf(store: Store, name: string, each: number, data: Uint8Array): Float32Array {
  const info = store._canvas.peek();
  const layer = ready(info) ? layerOf(info, name) : undefined;
  const count = (layer ? neuronCount(layer) : 0) * each;
  requireBytes(data, count * 4);
  return new Float32Array(data.buffer, 0, count);
}

export class ValueSource extends Source<"values", Values> {
  constructor(
    store: Store,
    client: RequestClient,
    watched: ReadonlySignal<boolean>,
    settled: ReadonlySignal<number>,
  ) {
    super({
      client,
      view: "values",
      watched,
      wanted: () => {
        const info = canvasOf(store);
        const layer = store.layer.value;
        const order = wantedOrder(store);
        // Sorted by index, all points have the same size.
        if (!info || !layerOf(info, layer) || order.sort === "index") return null;
        return {
          kind: "values",
          run: store.run.value,
          rule: info.rule,
          time: settled.value,
          layer,
          ...order,
        };
      },
      preparing: () => isSwitching(store),
      key: (body) => digest(JSON.stringify(body)),
      decode: (answer, data, { run }) => {
        const values = numbersOf(store, answer.layer, 1, data);
        return {
          ...answer,
          run,
          values,
          top: values.reduce((top, value) => Math.max(top, Math.abs(value) || 0), 0),
        };
      },
      cache: new ByteCache(BYTES),
      bytes: ({ values }) => values.byteLength + 1000,
    });
  }
}
