// Thumbnails of the layer's neurons. A layer may have 18,000: each view says which range it sees, and only the
// missing thumbnails of those ranges are asked for, a piece at a time.
import { computed, type ReadonlySignal, type Signal, signal, untracked } from "@preact/signals-core";
import { currentChannel, layerOf } from "../state/selection";
import { canvasOf, isSwitching, type Store } from "../state/store";
import type { Activity, RequestClient } from "../transport/client";
import { THUMBNAIL_SIDE } from "../transport/constants";
import { requireBytes } from "../transport/data";
import type { GridReply, GridRequest, Sort } from "../transport/messages";
import { same } from "../transport/same";
import { ByteCache } from "./cache";
import { type Chunk, ChunkedSource } from "./chunked_source";

export interface Thumb {
  neuron: number[];
  value: number;
  height: number;
  width: number;
  low: number;
  high: number;
  /** The sum of the absolute map. */
  total: number;
  levels: Uint8Array;
}

/** Everything a thumbnail depends on but its place. */
export type GridContext = Pick<
  GridRequest,
  | "run"
  | "rule"
  | "time"
  | "layer"
  | "cluster"
  | "n_clusters"
  | "sort"
  | "channel"
  | "pixel"
  | "region"
  | "look"
  | "beside"
>;

export interface Grid {
  context: GridContext;
  n: number;
  /** The largest magnitude and the largest total of the layer's strongest neurons: the scale that all can share. */
  scale: number;
  topTotal: number;
  /** What failed when a few of the layer's neurons were checked; empty where all held. */
  warning: string;
  /** Half the width of a total's 95 % interval, as a part of it, where neurons are sorted by estimates; else 0. */
  halfWidth: number;
}

/** Where a neuron stands in a grid; null where it is not in it. */
export interface Found {
  context: GridContext;
  neuron: number[];
  place: number | null;
}

/** Requests start at multiples of this, so that two views and a jittery scroll share their pieces. */
export const PIECE = 12;
const MOST = 60;
const THUMB_BYTES = 64e6;
/** Frame, map and pixel requests go first, unless they take longer than this. */
const URGENT = 400;
const PATIENCE = 150;
/** Totals as good as this are not estimated further, nor those whose last look took so many seconds. */
const SETTLED = 0.05;
const LONG = 60;
/** A half-width from where nothing is known, and so many looks at most. */
const UNKNOWN = 10;
const MOST_LOOKS = 24;
/** Where a chunk takes the kernel so many seconds at most, those that come into sight next are asked for ahead. */
const QUICK = 0.2;

interface Places {
  first: number;
  last: number;
}

/** As many places after and before those in sight. */
function besides({ first, last }: Places): Places[] {
  const count = last - first + 1;
  const before = { first: Math.max(0, first - count), last: first - 1 };
  return [{ first: last + 1, last: last + count }, ...(first > 0 ? [before] : [])];
}

export class GridSource extends ChunkedSource<"grid"> {
  /** The grid on screen; it may be of an earlier context than the one asked for. */
  readonly shown: ReadonlySignal<Grid | null>;
  /** The neuron that was looked for last. */
  readonly found: ReadonlySignal<Found | null>;
  #found: Signal<Found | null> = signal(null);
  #shown: Signal<Grid | null> = signal(null);
  #store: Store;
  #context: GridContext | null = null;
  #thumbs = new ByteCache<Thumb>(THUMB_BYTES);
  #ranges = new Map<object, Places>();
  /** By grid without its look, the last look that was shown. */
  #looks = new Map<string, number>();
  /** The last look that the kernel has, which may not be shown yet. */
  #latest: { context: GridContext; halfWidth: number; seconds: number; isLast: boolean } | null = null;
  /** How long the kernel took for the last chunk. */
  #seconds = Number.POSITIVE_INFINITY;
  /** The look that is asked for. */
  #asked: GridContext | null = null;
  /** Why the order must not change now: the pointer is over it, say. */
  #held: Signal<ReadonlySet<object>> = signal(new Set());

  constructor(store: Store, client: RequestClient, settled: ReadonlySignal<number>) {
    super(client, "grid", PATIENCE);
    this.#store = store;
    this.shown = this.#shown;
    this.found = this.#found;
    const context = computed(() => wantedContext(store, settled));
    this.watch(() => {
      const next = context.value;
      untracked(() => this.#enter(next && this.#at(next)));
    });
    this.watch(() => {
      const isIdle = client.activity.value.length === 0 && !store.playing.value;
      const isHeld = this.#held.value.size > 0;
      const grid = this.#shown.value;
      this.arrivals.value;
      if (grid && isIdle) untracked(() => this.#refine(grid, isHeld));
    });
    this.watch(() => {
      if (!this.#mustWait()) untracked(() => this.soon());
    });
  }

  thumb(index: number): Thumb | undefined {
    const grid = this.#shown.peek();
    return grid ? this.#thumbs.get(placeKey(grid.context, index)) : undefined;
  }

  /** Asks for the place of a neuron in the grid: the page knows only the places of neurons in sight. */
  locate(neuron: number[]): void {
    const context = this.#shown.peek()?.context;
    if (!context) return;
    const { generation } = this;
    const keep = ({ place }: GridReply) => {
      if (generation === this.generation) this.#found.value = { context, neuron, place };
    };
    this.client.ask(
      "find",
      { kind: "grid", ...context, first: 0, count: 0, side: THUMBNAIL_SIDE, find: neuron },
      // The panel of the grid shows the error of the grid's own request.
      { reply: keep, failed: () => {} },
    );
  }

  /** A view sees the places `first .. last` (both included). */
  see(view: object, first: number, last: number): void {
    this.#ranges.set(view, { first, last });
    this.advance();
  }

  forget(view: object): void {
    this.#ranges.delete(view);
  }

  /** While anything holds the order it stays, however much better the estimates get. */
  hold(holder: object, isHeld: boolean): void {
    if (this.#held.peek().has(holder) === isHeld) return;
    const held = new Set(this.#held.peek());
    if (isHeld) held.add(holder);
    else held.delete(holder);
    this.#held.value = held;
  }

  #at(context: GridContext): GridContext {
    return context.sort === "total" || context.sort === "change"
      ? { ...context, look: this.#looks.get(JSON.stringify(context)) ?? 0 }
      : context;
  }

  /** Asks for better estimates while nothing else is asked for, and sorts by those that have come. */
  #refine(grid: Grid, isHeld: boolean): void {
    const { context } = grid;
    if (context.look === undefined || !same(context, this.#context)) return;
    const isMore = this.#latest && same({ ...this.#latest.context, look: context.look }, context);
    const latest =
      isMore && this.#latest
        ? this.#latest
        : { context, halfWidth: grid.halfWidth, seconds: 0, isLast: false };
    if (latest.context.look !== context.look && !isHeld) {
      const { look = 0, ...plain } = latest.context;
      this.#looks.set(JSON.stringify(plain), look);
      this.#enter(latest.context);
    }
    if (this.#asked || latest.isLast || latest.halfWidth <= SETTLED || latest.seconds > LONG) return;
    const next = { ...latest.context, look: (latest.context.look ?? 0) + 1 };
    this.#asked = next;
    this.client.ask(
      "refine",
      { kind: "grid", ...next, first: 0, count: 0, side: THUMBNAIL_SIDE },
      {
        reply: ({ half_width: halfWidth }, _, seconds) => {
          if (this.#asked !== next) return;
          this.#asked = null;
          // Changes are estimated from a limited number of passes: then a further look is the same.
          const isSame = halfWidth === latest.halfWidth && halfWidth < UNKNOWN;
          const isLast = isSame || (next.look ?? 0) >= MOST_LOOKS;
          this.#latest = { context: next, halfWidth, seconds, isLast };
          const shown = this.#shown.peek();
          if (shown && this.client.activity.peek().length === 0)
            this.#refine(shown, this.#held.peek().size > 0);
        },
        // What is shown is an answer; another order asks again.
        failed: () => {},
      },
    );
  }

  #stopRefining(): void {
    this.#asked = null;
    this.client.drop("refine");
  }

  /** Shows nothing: the thumbnails are of another rule. */
  blank(): void {
    this.#shown.value = null;
    this.#enter(this.#context);
  }

  override reset(): void {
    super.reset();
    this.#latest = null;
    this.#looks.clear();
    this.#stopRefining();
    this.#thumbs.clear();
    this.#found.value = null;
    this.blank();
  }

  #enter(context: GridContext | null): void {
    if (context && same(context, this.#shown.peek()?.context)) {
      this.#context = context;
      this.stand("ready");
      this.soon();
      return;
    }
    const isBetterLook =
      context !== null &&
      same({ ...this.#context, look: 0 }, { ...context, look: 0 }) &&
      this.state.peek() === "ready";
    if (!isBetterLook) this.#stopRefining();
    this.#context = context;
    const before = this.#shown.peek()?.context;
    if (context?.layer !== before?.layer || context?.rule !== before?.rule) this.#shown.value = null;
    // A better order replaces the one on screen without a sign of waiting.
    if (!isBetterLook) this.stand(context || untracked(() => isSwitching(this.#store)) ? "loading" : "idle");
    if (context) this.soon();
    else this.drop();
  }

  /** Not while playing, when a picture is always in flight, nor for a slow rule, whose pixel may take minutes. */
  #mustWait(): boolean {
    if (this.#store.playing.value) return false;
    const long = Date.now() - URGENT;
    return this.client.activity.value.some((activity) => isUrgent(activity) && activity.since > long);
  }

  protected next(): Chunk<"grid"> | null {
    const context = this.#context;
    if (!context) return null;
    // Sixty maps would delay what the user looks at: an effect advances when that has arrived.
    if (untracked(() => this.#mustWait())) {
      this.soon(URGENT);
      return null;
    }
    const missing = this.#missing(context);
    if (!missing) return null;
    const { ahead, ...places } = missing;
    const body: GridRequest = { kind: "grid", ...context, ...places, side: THUMBNAIL_SIDE };
    return {
      body,
      ahead,
      isWanted: () => same(context, this.#context),
      keep: (answer, data) => this.#keep(body, answer, data),
      show: (answer, seconds) => {
        this.#seconds = seconds;
        this.#show(context, answer);
        this.advance();
      },
    };
  }

  #show(context: GridContext, reply: GridReply): void {
    const { n_neurons: n, scale, top_total: topTotal, half_width: halfWidth, warning } = reply;
    const grid = { context, n, scale, topTotal, halfWidth, warning };
    if (!same(this.#shown.peek(), grid)) this.#shown.value = grid;
    this.stand("ready");
  }

  #missing(context: GridContext): { first: number; count: number; ahead: boolean } | null {
    const grid = this.#shown.peek();
    const onScreen = grid && same(grid.context, context) ? grid : null;
    // In a new order start from the top: the old scroll position means nothing.
    const keepsPlace =
      onScreen ||
      (grid && same({ ...grid.context, run: context.run, time: context.time, look: context.look }, context));
    const inSight = [...this.#ranges.values()];
    const n = onScreen?.n ?? Number.POSITIVE_INFINITY;
    const near = onScreen && this.#seconds < QUICK ? inSight.flatMap(besides) : [];
    for (const [at, range] of [...inSight, ...near].entries()) {
      const start = keepsPlace ? range.first : 0;
      const end = Math.min(start + range.last - range.first, n - 1);
      const has = (index: number) => this.#thumbs.has(placeKey(context, index));
      let first = start;
      while (first <= end && has(first)) first++;
      // The cache may have all thumbnails of this context, but only an answer contains the number of neurons.
      if (first > end && onScreen) continue;
      if (first > end) first = start;
      let last = end;
      while (onScreen && last > first && has(last)) last--;
      first = Math.floor(first / PIECE) * PIECE;
      const count = Math.min(MOST, Math.ceil((last - first + 1) / PIECE) * PIECE);
      return { first, count: Math.min(count, n - first), ahead: at >= inSight.length };
    }
    return null;
  }

  #keep(body: GridRequest, answer: GridReply, data: Uint8Array): void {
    const { neurons, first, height, width } = answer;
    const size = height * width;
    requireBytes(data, neurons.length * size);
    if (neurons.length === 0 && first < answer.n_neurons) throw new Error("The kernel sent no thumbnails");
    neurons.forEach((neuron, i) => {
      const thumb: Thumb = {
        neuron,
        value: answer.values[i] ?? Number.NaN,
        height,
        width,
        low: answer.low[i] ?? 0,
        high: answer.high[i] ?? 0,
        total: answer.totals[i] ?? 0,
        // A copy of its own, so that dropping one thumbnail frees its bytes.
        levels: data.slice(i * size, (i + 1) * size),
      };
      this.#thumbs.set(placeKey(body, first + i), thumb, size + 200);
    });
  }
}

/** Fast requests that go first. The hover preview is not one: the grid would wait for ever. */
function isUrgent({ view, body }: Activity): boolean {
  if (body.kind === "map") return body.selection.neuron !== null;
  return view === "frame" || view === "pixel";
}

function placeKey(
  { run, rule, time, layer, cluster, n_clusters, sort, channel, pixel, region, look, beside }: GridContext,
  index: number,
): string {
  const group = cluster >= 0 ? `${cluster}of${n_clusters}` : "";
  return `${JSON.stringify(run)} ${rule}/${layer}@${time} ${group} ${sort} ${channel} ${pixel ?? ""}${region ? JSON.stringify(region) : ""} ${look ?? ""}${beside === undefined ? "" : JSON.stringify(beside)}#${index}`;
}

/** What neurons are sorted by: where there is no pixel, or no region, by their totals. */
export function wantedOrder(
  store: Store,
): Pick<GridRequest, "sort" | "channel" | "pixel" | "region" | "beside"> {
  const at = store.pixel.value;
  const region = store.region.value;
  const wish = store.sort.value;
  const other = store.compare.value;
  const lacks = { pixel: !at, region: !region, difference: other === null } as Partial<Record<Sort, boolean>>;
  const sort = lacks[wish] ? "total" : wish;
  return {
    sort,
    channel: currentChannel(store),
    // Only one order depends on the pixel: pinning another must not fetch the others again.
    pixel: sort === "pixel" ? at : null,
    region: sort === "region" ? region : null,
    ...(sort === "difference" ? { beside: other } : {}),
  };
}

function wantedContext(store: Store, settled: ReadonlySignal<number>): GridContext | null {
  const info = canvasOf(store);
  const layer = store.layer.value;
  if (!info || !layerOf(info, layer)) return null;
  return {
    run: store.run.value,
    rule: info.rule,
    time: settled.value,
    layer,
    cluster: store.cluster.value,
    n_clusters: store.n_clusters.value,
    ...wantedOrder(store),
  };
}
