// The frame and the selection's contribution map, and the pair of them that belongs together on screen.
import { effect, type ReadonlySignal, type Signal, signal } from "@preact/signals-core";
import { isAblated, onWire, setKey } from "../state/ablated";
import { currentOverlay, isWholeLayer, selectionKey } from "../state/selection";
import { isSwitching, ready, type Store } from "../state/store";
import { requireBytes } from "../transport/data";
import type {
  FrameReply,
  FrameRequest,
  MapReply,
  MapRequest,
  Maps,
  Quantiser,
  RunKey,
  Selection,
} from "../transport/messages";
import type { Requests } from "../transport/requests";
import { same } from "../transport/same";
import { ByteCache } from "./cache";
import { Source } from "./source";

export type Frame = FrameReply & {
  run: RunKey;
  data: Uint8Array;
  /** How many neurons are ablated of it, how many are scaled, and which: empty where none are. */
  out: number;
  scaled: number;
  set: string;
  /** Of a picture of what quantised weights lose: their bits, and which share a grid. */
  quantised: Quantiser | null;
};
/** Levels and their range. */
export interface Plane {
  data: Uint8Array;
  low: number;
  high: number;
}

export type ContributionMap = MapReply & {
  run: RunKey;
  rule: string;
  data: Uint8Array;
  /** Which estimate it is, where the kernel estimates it. */
  look: number;
  /** The sum with signs, where the map sums the magnitudes of more than one neuron. */
  signed: Plane | null;
};

/**
 * Whether a map is drawn around zero: a difference and a part of the frequencies always are, whatever maps of neurons are;
 * counts and changes never.
 */
export function drawnAs(map: ContributionMap, maps: Maps): Maps {
  if (map.selection.band) return "signed";
  if (isOfContributions(map)) return maps;
  const { overlay } = map.selection;
  return overlay === "intensity" || overlay === "laplacian" ? "signed" : "magnitude";
}

/** Whether a map shows contributions, and not a finding about the whole layer, which has another unit. */
export function isOfContributions({ selection }: ContributionMap): boolean {
  return (selection.overlay ?? "selection") === "selection";
}

/** The plane that is drawn: magnitudes, or values around zero. */
export function planeOf(map: ContributionMap, maps: Maps): Plane {
  return maps === "signed" && map.signed ? map.signed : map;
}

function withPlanes(
  answer: MapReply,
  data: Uint8Array,
  { run, rule, look = 0 }: MapRequest,
): ContributionMap {
  const [low, high] = answer.signed_range;
  const size = answer.height * answer.width;
  const two = low !== undefined && high !== undefined;
  const { data: all } = sized(answer, data, two ? 2 : 1);
  return {
    ...answer,
    run,
    rule,
    look,
    data: all.subarray(0, size),
    signed: two ? { data: all.subarray(size), low, high } : null,
  };
}

/** What the frame panel paints: never a map of another frame, or another run, than the one under it. */
export interface Picture {
  run: RunKey;
  frame: Frame | null;
  map: ContributionMap | null;
  time: number;
}

const FRAME_BYTES = 192e6;
const MAP_BYTES = 96e6;
/** In ms: a frame waits this long for its map before it is painted without. */
const GRACE = 150;
/** In ms. Python may select a neuron right after a layer change: wait before asking for the slow sum of a layer. */
const WHOLE_LAYER_DELAY = 250;
/** Maps whose interpolated numbers are no further off, as a part of their mean, are not estimated further. */
const SETTLED = 0.05;

function sized<A extends { height: number; width: number }>(answer: A, data: Uint8Array, channels: number) {
  const bytes = answer.height * answer.width * channels;
  requireBytes(data, bytes);
  return { ...answer, data: data.subarray(0, bytes) };
}

type Watched = ReadonlySignal<boolean>;

export function frameSource(store: Store, client: Requests, watched: Watched): Source<"frame", Frame> {
  return new Source<"frame", Frame>({
    client,
    view: "frame",
    watched,
    wanted: () => {
      const body = frameBody(store, store.time.value);
      const changed = body.ablated?.length || body.edits?.length;
      const needed = isAblated(body.source) ? changed : body.source !== "off";
      return ready(store._canvas.value) && needed ? body : null;
    },
    key: ({ time, source, ablated, edits, quantised }) =>
      `${source}${setKey(ablated, edits)}${quantised ? `${quantised.bits} ${quantised.scheme}` : ""}/${time}`,
    decode: (answer, data, { run, ablated = [], edits = [], quantised = null }) => ({
      run,
      ...sized(answer, data, answer.channels),
      out: ablated.reduce((sum, { neurons }) => sum + neurons.length, 0),
      scaled: edits.length,
      set: setKey(ablated, edits),
      quantised,
    }),
    cache: new ByteCache(FRAME_BYTES),
    bytes: ({ data }) => data.length,
    // Frames are fast, and are painted while the slider moves: cancel them late.
    patience: 1000,
    showLate: (body) => same({ ...body, run: null, time: 0 }, { ...frameBody(store, 0), run: null }),
  });
}

export function mapSource(store: Store, client: Requests, watched: Watched): Source<"map", ContributionMap> {
  return new Source<"map", ContributionMap>({
    client,
    view: "map",
    watched,
    wanted: () => {
      const selection = currentOverlay(store);
      return selection && mapBody(store, store.time.value, selection);
    },
    preparing: () => isSwitching(store),
    key: ({ rule, time, selection }) => `${rule}/${selectionKey(selection)}@${time}`,
    decode: withPlanes,
    cache: new ByteCache(MAP_BYTES),
    bytes: ({ data, signed }) => data.length + (signed?.data.length ?? 0),
    patience: 250,
    better: {
      view: "better map",
      than: ({ sampled, look }, body) =>
        sampled?.has_more && sampled.error > SETTLED ? { ...body, look: look + 1 } : null,
    },
    delay: ({ selection }) => (!selection.overlay && isWholeLayer(selection) ? WHOLE_LAYER_DELAY : 0),
    showLate: (body) => {
      const now = currentOverlay(store);
      return now !== null && same(body, { ...mapBody(store, body.time, now), run: body.run });
    },
  });
}

/** What is shown of a frame under the contributions. */
export function frameBody(store: Store, time: number, run = store.run.value): FrameRequest {
  const source = store.source.value;
  if (source === "quantisation") {
    const quantised = { bits: store.bits.value, scheme: store.scheme.value };
    return { kind: "frame", run, time, source, quantised };
  }
  if (!isAblated(source)) return { kind: "frame", run, time, source };
  const [ablated, edits] = [onWire(store.ablated.value), store.edits.value];
  return { kind: "frame", run, time, source, ablated, ...(edits.length ? { edits } : {}) };
}

/** What is over it, under the chosen rule. */
export function mapBody(store: Store, time: number, selection: Selection, run = store.run.value): MapRequest {
  // What sums many neurons may be estimated: the first look comes soon, and better ones replace it.
  const look = selection.neuron === null || selection.overlay ? { look: 0 } : {};
  return { kind: "map", run, rule: store.rule.value, time, selection, ...look };
}

/** Joins frames and maps: both of one time and of the current selection, or the frame alone after a grace. */
export function joinPictures(
  store: Store,
  frames: Source<"frame", Frame>,
  maps: Source<"map", ContributionMap>,
): { picture: ReadonlySignal<Picture | null>; dispose: () => void } {
  const picture: Signal<Picture | null> = signal(null);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const show = (frame: Frame | null, map: ContributionMap | null) => {
    clearTimeout(timer);
    timer = undefined;
    const time = frame?.time ?? map?.time ?? 0;
    const run = frame?.run ?? map?.run ?? null;
    const before = picture.peek();
    if (before?.frame !== frame || before.map !== map) picture.value = { run, frame, map, time };
  };
  const join = () => {
    maps.arrivals.value;
    const selection = currentOverlay(store);
    const before = picture.peek();
    // The last picture stays on screen until the next one is there, except a map of another rule, which has no label.
    if (before?.map && before.map.rule !== store.rule.value) show(before.frame, null);
    if (store.source.value === "off") {
      const map = maps.shown.value;
      const current =
        map &&
        selection &&
        map.run === store.run.value &&
        map.rule === store.rule.value &&
        selectionKey(map.selection) === selectionKey(selection);
      if (current || maps.state.value === "error" || maps.state.value === "idle")
        show(null, current ? map : null);
      return;
    }
    const frame = frames.shown.value;
    if (!frame) return;
    const map = selection && maps.lookup(mapBody(store, frame.time, selection, frame.run));
    const failed = maps.state.value === "error" || maps.state.value === "idle";
    if (map || failed) show(frame, map ?? null);
    else timer ??= setTimeout(() => show(frames.shown.peek(), null), GRACE);
  };
  const stop = effect(join);
  return {
    picture,
    dispose() {
      stop();
      clearTimeout(timer);
    },
  };
}
