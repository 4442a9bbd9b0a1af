// Which cluster each neuron of the layer belongs to. Never computed before the user asks for it.
import { type ReadonlySignal, type Signal, signal, untracked } from "@preact/signals-core";
import { ByteCache } from "./cache";
import type { RequestClient } from "./client";
import type { ClustersReply } from "./messages";
import { flatIndex, layerOf, neuronCount } from "./selection";
import { Source } from "./source";
import { ready, type Store } from "./store";

export type Clusters = ClustersReply & { labels: Uint8Array; thumbs: Uint8Array[] };
const DEAD = 255;

export class ClusterSource extends Source<"clusters", Clusters> {
  readonly asked: Signal<boolean>;

  constructor(store: Store, client: RequestClient, watched: ReadonlySignal<boolean>) {
    const asked = signal(false);
    super({
      client,
      view: "clusters",
      watched,
      wanted: () => {
        const info = store._canvas.value;
        const layer = store.layer.value;
        const n_clusters = store.n_clusters.value;
        if (!ready(info) || !layerOf(info, layer) || !(asked.value || store.cluster.value >= 0)) return null;
        // Clusters keep their names while time runs: the frame they were asked on is not part of the wish.
        return { kind: "clusters", time: untracked(() => store.time.value), layer, n_clusters };
      },
      key: ({ layer, n_clusters }) => `${layer}/${n_clusters}`,
      decode: (answer, data) => {
        const info = store._canvas.peek();
        const layer = ready(info) ? layerOf(info, answer.layer) : undefined;
        const count = layer ? neuronCount(layer) : 0;
        const size = answer.height * answer.width;
        const bytes = count + answer.exemplars.length * size;
        if (data.length < bytes) throw new Error(`The kernel sent ${data.length} bytes of ${bytes}`);
        const thumbs = answer.exemplars.map((_, i) =>
          data.subarray(count + i * size, count + (i + 1) * size),
        );
        return { ...answer, labels: data.subarray(0, count), thumbs };
      },
      cache: new ByteCache(4e6),
      bytes: ({ labels, thumbs }) => labels.length + thumbs.reduce((sum, { length }) => sum + length, 0),
    });
    this.asked = asked;
  }
}

/** The neuron's cluster; -1 for a dead neuron and where clusters are not known. */
export function clusterOf(clusters: Clusters | null, store: Store, neuron: number[], fallback = -1): number {
  const info = store._canvas.value;
  const layer = clusters && ready(info) ? layerOf(info, clusters.layer) : undefined;
  if (
    !clusters ||
    !layer ||
    layer.name !== store.layer.value ||
    clusters.n_clusters !== store.n_clusters.value
  )
    return fallback;
  const label = clusters.labels[flatIndex(layer, neuron)] ?? DEAD;
  return label === DEAD ? -1 : label;
}
