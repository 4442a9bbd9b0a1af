// Where each neuron of the layer lies among the others; asked for only while a view shows it.
import { computed, type ReadonlySignal, type Signal, signal } from "@preact/signals-core";
import { isInside } from "../state/polygon";
import { currentChannel, layerOf, neuronAt } from "../state/selection";
import { canvasOf, isSwitching, type Store } from "../state/store";
import type { Embedding, RunKey, ScatterReply } from "../transport/messages";
import type { Requests } from "../transport/requests";
import { ByteCache } from "./cache";
import { Source } from "./source";
import { ThumbnailSource } from "./thumbnails";
import { numbersOf } from "./values";

/** `points` has `x, y` of each neuron in C order, NaN for a dead one. */
export type Scatter = ScatterReply & { run: RunKey; points: Float32Array };

const SCATTER_BYTES = 8e6;
/** Points that the pointer only passes, within so many ms, are not asked for. */
const PAUSE = 60;

export class ScatterSource extends Source<"scatter", Scatter> {
  /** How many views show a scatter. */
  readonly seen: Signal<number>;
  readonly method: Signal<Embedding>;
  /** The neuron under the pointer, or that the keys have come to, by its place in C order. */
  readonly pointed: Signal<number | null> = signal(null);
  /** Whether any of them is on the page. */
  readonly watched: ReadonlySignal<boolean>;

  /** With `first` it is seen, and arranged, as that one is. */
  constructor(
    store: Store,
    client: Requests,
    watched: ReadonlySignal<boolean>,
    settled: ReadonlySignal<number>,
    first?: ScatterSource,
  ) {
    const seen = first?.seen ?? signal(0);
    const method: Signal<Embedding> = first?.method ?? signal("pca");
    const shown = computed(() => watched.value && seen.value > 0);
    super({
      client,
      view: "scatter",
      watched: shown,
      wanted: () => {
        const info = canvasOf(store);
        const layer = store.layer.value;
        if (!info || !layerOf(info, layer)) return null;
        return {
          kind: "scatter",
          run: store.run.value,
          rule: info.rule,
          time: settled.value,
          layer,
          method: method.value,
        };
      },
      preparing: () => isSwitching(store),
      key: ({ rule, time, layer, method }) => `${rule}/${method}/${layer}@${time}`,
      decode: (answer, data, { run }) => {
        const points = numbersOf(store, answer.layer, 2, data);
        const before = this.shown.peek();
        const alike = before?.layer === answer.layer && before.points.length === points.length;
        if (alike && before.method === answer.method) turnTowards(points, before.points);
        return { ...answer, run, points };
      },
      cache: new ByteCache(SCATTER_BYTES),
      bytes: ({ points }) => points.byteLength,
    });
    this.seen = seen;
    this.method = method;
    this.watched = shown;
  }
}

/** The map of the neuron under the pointer. */
export function pointedSource(
  store: Store,
  client: Requests,
  scatter: ScatterSource,
  settled: ReadonlySignal<number>,
): ThumbnailSource {
  const wanted = () => {
    const [at, info] = [scatter.pointed.value, canvasOf(store)];
    const layer = info && layerOf(info, store.layer.value);
    if (at === null || !layer) return null;
    return {
      run: store.run.value,
      rule: info.rule,
      time: settled.value,
      layer: layer.name,
      channel: currentChannel(store),
      neurons: [neuronAt(layer, at)],
    };
  };
  return new ThumbnailSource(client, "pointed", scatter.watched, wanted, PAUSE);
}

/** Mirrors points to lie as near to the earlier ones as possible: the sign of each axis is arbitrary. */
export function turnTowards(points: Float32Array, before: Float32Array): void {
  for (const axis of [0, 1]) {
    let alike = 0;
    for (let i = axis; i < points.length; i += 2) {
      const product = ((points[i] ?? 0.5) - 0.5) * ((before[i] ?? 0.5) - 0.5);
      if (!Number.isNaN(product)) alike += product;
    }
    if (alike < 0) for (let i = axis; i < points.length; i += 2) points[i] = 1 - (points[i] ?? 0.5);
  }
}

/** The neuron nearest to a point, within `reach` of it, by its place in C order. */
export function nearest(points: Float32Array, x: number, y: number, reach: number): number | null {
  let found: number | null = null;
  let best = reach * reach;
  for (let i = 0; i < points.length / 2; i++) {
    const [dx, dy] = [(points[2 * i] ?? Number.NaN) - x, (points[2 * i + 1] ?? Number.NaN) - y];
    const distance = dx * dx + dy * dy;
    if (distance <= best) {
      best = distance;
      found = i;
    }
  }
  return found;
}

/** The nearest point in a direction from a place: those that lie more along it than across. */
export function nextTowards(points: Float32Array, from: readonly [number, number], dx: number, dy: number) {
  let found: number | null = null;
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < points.length / 2; i++) {
    const [x, y] = [(points[2 * i] ?? Number.NaN) - from[0], (points[2 * i + 1] ?? Number.NaN) - from[1]];
    const [along, across] = [x * dx + y * dy, Math.abs(x * dy - y * dx)];
    if (along > 1e-6 && along >= across && along + 2 * across < best) {
      best = along + 2 * across;
      found = i;
    }
  }
  return found;
}

/** Of each group of points, by its label, the point that is nearest to the medians of all: groups may be scattered. */
export function middles(points: Float32Array, labels: Uint8Array): Map<number, [number, number]> {
  const groups = new Map<number, [number[], number[]]>();
  labels.forEach((label, at) => {
    const [x, y] = [points[2 * at] ?? Number.NaN, points[2 * at + 1] ?? Number.NaN];
    if (Number.isNaN(x) || Number.isNaN(y)) return;
    const group = groups.get(label) ?? [[], []];
    group[0].push(x);
    group[1].push(y);
    groups.set(label, group);
  });
  const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0.5;
  const middle = ([x, y]: [number[], number[]]): [number, number] => {
    const flat = Float32Array.from(x.flatMap((value, i) => [value, y[i] ?? 0]));
    const at = nearest(flat, median(x), median(y), Number.POSITIVE_INFINITY) ?? 0;
    return [x[at] ?? 0.5, y[at] ?? 0.5];
  };
  return new Map([...groups].map(([label, group]) => [label, middle(group)]));
}

/** The neurons inside a polygon of points `[x, y]`. */
export function inside(points: Float32Array, polygon: readonly (readonly [number, number])[]): number[] {
  const places = Array.from({ length: points.length / 2 }, (_, i) => i);
  return places.filter((i) =>
    isInside(polygon, points[2 * i] ?? Number.NaN, points[2 * i + 1] ?? Number.NaN),
  );
}
