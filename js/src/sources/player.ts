// Plays the clip, and asks for the next frames before they are needed.
import { effect, type ReadonlySignal, type Signal, signal, untracked } from "@preact/signals-core";
import { chooseTime } from "../state/actions";
import { framesOf, nearestFrame } from "../state/saved";
import { currentOverlay } from "../state/selection";
import { ready, type Store } from "../state/store";
import type { RequestClient } from "../transport/client";
import { type ContributionMap, type Frame, frameBody, mapBody } from "./pictures";
import type { Source } from "./source";

/** Tolerance, in ms, for animation frames that come a little early. */
const SLACK = 4;
const TELL_EVERY = 250;
/** After this long, in ms, play on to a frame that is not loaded yet: it is shown when it comes. */
const PATIENCE = 1500;
const QUIET = 180;
const REST = 350;
/** How many frames are requested before they are needed: few for a slow map, which sums over a layer. */
const AHEAD = {
  playing: { forward: 8, back: 0 },
  resting: { forward: 4, back: 2 },
  slow: { forward: 1, back: 1 },
};
const AHEAD_BYTES = 40e6;

interface Playing {
  store: Store;
  client: RequestClient;
  frames: Source<"frame", Frame>;
  maps: Source<"map", ContributionMap>;
  /** How many views are on the page: nothing plays unseen. */
  views: ReadonlySignal<number>;
}

/** The frame once the time slider rests: slow panels follow it, and not every step of a drag. */
export function settledTime(store: Store): { settled: ReadonlySignal<number>; dispose: () => void } {
  const settled: Signal<number> = signal(store.time.peek());
  let moved = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = effect(() => {
    const time = store.time.value;
    const playing = store.playing.value;
    clearTimeout(timer);
    if (time === settled.peek()) return;
    const now = Date.now();
    const alone = now - moved > 2 * QUIET;
    moved = now;
    if (alone && !playing) settled.value = time;
    else if (!playing) timer = setTimeout(() => (settled.value = time), QUIET);
  });
  return {
    settled,
    dispose() {
      stop();
      clearTimeout(timer);
    },
  };
}

/** The frame `by` steps on: within the loop that plays, around the clip's ends without one. */
export function following(time: number, by: number, all: readonly number[], loop: number[] | null): number {
  const [first = 0, last = 0] = loop ?? [all[0], all.at(-1)];
  const frames = all.filter((frame) => frame >= first && frame <= last);
  const { length } = frames;
  if (length === 0) return time;
  if (time < first || time > last) return (by > 0 ? frames[0] : frames.at(-1)) ?? time;
  const at = nearestFrame(frames, time) + by;
  return frames[((at % length) + length) % length] ?? time;
}

export function startPlayer({ store, frames, maps, views }: Playing): () => void {
  let asked = 0;
  /** When the frame on screen was due. */
  let due = 0;
  let told = 0;
  let timer: ReturnType<typeof setTimeout> | undefined;
  // Between two animation frames: what is set inside of one is painted with the next but one.
  const wait = () => {
    asked = requestAnimationFrame((now) => {
      timer = setTimeout(step, 0, now);
    });
  };
  const step = (now: number) => {
    wait();
    const info = store._canvas.peek();
    if (!ready(info)) return;
    const next = following(store.time.peek(), 1, framesOf(info), store.loop.peek());
    const period = 1000 / Math.max(0.1, store.fps.peek());
    const waited = now - due;
    if (waited < period - SLACK) return;
    if (waited < PATIENCE && !untracked(() => loaded(next))) return;
    // On time: keep the beat. Late: begin a new one.
    due = waited < 2 * period ? due + period : now;
    // Save the frame a few times a second, and when the clip pauses. Save at once, without the debounce: meanwhile
    // Python may stop the clip and choose a frame.
    chooseTime(store, next, true);
    if (now - told < TELL_EVERY) return;
    told = now;
    store.save();
  };
  const halt = () => {
    cancelAnimationFrame(asked);
    clearTimeout(timer);
  };
  const loaded = (time: number) => {
    const source = store.source.peek();
    const selection = currentOverlay(store);
    const hasFrame =
      source === "off" || frames.has(frameBody(store, time)) || frames.state.peek() === "error";
    const hasMap = !selection || maps.has(mapBody(store, time, selection)) || maps.state.peek() === "error";
    return hasFrame && hasMap;
  };
  const stop = effect(() => {
    halt();
    const info = store._canvas.value;
    if (!store.playing.value || views.value === 0 || !ready(info) || framesOf(info).length < 2)
      return untracked(store.release);
    due = performance.now();
    wait();
  });
  return () => {
    stop();
    halt();
  };
}

export function startPrefetch({ store, client, frames, maps, views }: Playing): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let before = store.time.peek();
  /** The direction the playhead last moved: frames ahead are requested before frames behind. */
  let direction = 1;
  const fetch = () => {
    const info = store._canvas.peek();
    const frameNumbers = framesOf(info);
    if (!ready(info) || frameNumbers.length < 2 || document.hidden) return;
    if (frames.state.peek() === "loading" || maps.state.peek() === "loading") return;
    const source = store.source.peek();
    const selection = currentOverlay(store);
    const playing = store.playing.peek();
    const ahead = AHEAD[playing ? "playing" : selection?.neuron ? "resting" : "slow"];
    const most = Math.min(
      frameNumbers.length - 1,
      Math.max(1, Math.floor(AHEAD_BYTES / (info.height * info.width * 4))),
    );
    const next = (by: number) =>
      following(store.time.peek(), by * direction, frameNumbers, playing ? store.loop.peek() : null);
    const lacks = (time: number) => ({
      frame: source !== "off" && frames.state.peek() !== "error" && !frames.has(frameBody(store, time)),
      map: selection !== null && maps.state.peek() !== "error" && !maps.has(mapBody(store, time, selection)),
    });
    const steps = Array.from({ length: Math.min(ahead.forward, most) }, (_, k) => k + 1);
    const back = Array.from({ length: Math.min(ahead.back, most) }, (_, k) => -k - 1);
    // Frame and map of one time together: the kernel then runs the model once for both.
    for (const step of [...steps, ...back].sort((a, b) => Math.abs(a) - Math.abs(b))) {
      const missing = lacks(next(step));
      if (missing.frame && !client.waiting("frame")) frames.prefetch(frameBody(store, next(step)));
      if (missing.map && selection && !client.waiting("map"))
        maps.prefetch(mapBody(store, next(step), selection));
      if (missing.frame || missing.map) return;
    }
  };
  const stop = effect(() => {
    // Whatever changes, something may be missing now.
    const time = store.time.value;
    if (time !== before) direction = store.playing.peek() || time > before ? 1 : -1;
    before = time;
    frames.state.value;
    maps.state.value;
    const busy = client.activity.value.length > 0;
    const playing = store.playing.value;
    clearTimeout(timer);
    if (views.value === 0 || client.gone.value || (busy && !playing)) return;
    timer = setTimeout(() => untracked(fetch), playing ? 0 : REST);
  });
  return () => {
    stop();
    clearTimeout(timer);
  };
}
