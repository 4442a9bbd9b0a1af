// Which cluster each neuron of the layer belongs to. Never computed before the user asks for it.
import { type ReadonlySignal, type Signal, signal, untracked } from "@preact/signals-core";
import { flatIndex, layerOf, neuronCount } from "../state/selection";
import { canvasOf, isSwitching, ready, type Store } from "../state/store";
import type { RequestClient } from "../transport/client";
import { NO_CLUSTER } from "../transport/constants";
import { requireBytes } from "../transport/data";
import type { ClustersReply, RunKey } from "../transport/messages";
import { ByteCache } from "./cache";
import { Source } from "./source";

export type Clusters = ClustersReply & {
  run: RunKey;
  rule: string;
  labels: Uint8Array;
  thumbs: Uint8Array[];
};

export class ClusterSource extends Source<"clusters", Clusters> {
  readonly asked: Signal<boolean>;

  constructor(store: Store, client: RequestClient, watched: ReadonlySignal<boolean>) {
    const asked = signal(false);
    super({
      client,
      view: "clusters",
      watched,
      wanted: () => {
        const info = canvasOf(store);
        const layer = store.layer.value;
        const n_clusters = store.n_clusters.value;
        if (!info || !layerOf(info, layer) || !(asked.value || store.cluster.value >= 0)) return null;
        // Clusters keep their numbers and names from frame to frame: a change of frame does not repeat the request.
        const time = untracked(() => store.time.value);
        return { kind: "clusters", run: store.run.value, rule: info.rule, time, layer, n_clusters };
      },
      preparing: () => asked.value && isSwitching(store),
      key: ({ rule, layer, n_clusters }) => `${rule}/${layer}/${n_clusters}`,
      decode: (answer, data, { run, rule }) => {
        const info = store._canvas.peek();
        const layer = ready(info) ? layerOf(info, answer.layer) : undefined;
        const count = layer ? neuronCount(layer) : 0;
        const size = answer.height * answer.width;
        requireBytes(data, count + answer.exemplars.length * size);
        const thumbs = answer.exemplars.map((_, i) =>
          data.subarray(count + i * size, count + (i + 1) * size),
        );
        return { ...answer, run, rule, labels: data.subarray(0, count), thumbs };
      },
      cache: new ByteCache(4e6),
      bytes: ({ labels, thumbs }) => labels.length + thumbs.reduce((sum, { length }) => sum + length, 0),
    });
    this.asked = asked;
  }
}

/** The clusters that are known, if they are those of the rule, the layer and the number that are chosen. */
export function currentClusters(clusters: Clusters | null, store: Store): Clusters | null {
  const current =
    clusters?.run === store.run.value &&
    clusters.rule === store.rule.value &&
    clusters.layer === store.layer.value &&
    clusters.n_clusters === store.n_clusters.value;
  return current ? clusters : null;
}

/** The neuron's cluster; -1 for a dead neuron and where clusters are not known. */
export function clusterOf(shown: Clusters | null, store: Store, neuron: number[]): number {
  const info = canvasOf(store);
  const clusters = currentClusters(shown, store);
  const layer = clusters && info ? layerOf(info, clusters.layer) : undefined;
  if (!clusters || !layer) return -1;
  const label = clusters.labels[flatIndex(layer, neuron)] ?? NO_CLUSTER;
  return label === NO_CLUSTER ? -1 : label;
}
