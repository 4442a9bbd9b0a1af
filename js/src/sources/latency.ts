// Latency: the time from an input to the first frame on screen that shows what was asked for. Only inputs that need a
// request count. The page reports the times to Python about once a second; `w.stats()` returns them.

import { effect, type ReadonlySignal, untracked } from "@preact/signals-core";
import { currentOverlay, selectionKey } from "../state/selection";
import type { Store } from "../state/store";
import type { Act, Timing } from "../transport/messages";
import type { Model } from "../transport/model";
import type { Comparing } from "./comparison";
import type { ContributionMap, Picture } from "./pictures";
import type { PixelSources } from "./pixels";
import type { Source } from "./source";

const REPORT_AFTER = 1000;
/** The rate of playing is an average over this time, in ms. */
const SPAN = 1000;

/** Runs once what has been drawn up to now is on screen. */
export function onScreen(run: (now: number) => void): void {
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      run(performance.now());
    };
    port2.postMessage(null);
  });
}

interface Watched {
  store: Store;
  comparison: Comparing;
  picture: ReadonlySignal<Picture | null>;
  maps: Source<"map", ContributionMap>;
  pixels: PixelSources;
  views: ReadonlySignal<number>;
}

export function watchLatency(
  model: Model,
  { store, comparison, picture, maps, pixels, views }: Watched,
): () => void {
  const begun = new Map<Act, number>();
  let times: Timing[] = [];
  let rate: number | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const report = () => {
    timer = undefined;
    const message = { type: "painted", id: 0, times, rate } as const;
    times = [];
    rate = null;
    try {
      model.send(message);
    } catch {
      // A request that fails for the same reason reports that the kernel is gone.
    }
  };
  const soon = () => {
    timer ??= setTimeout(report, REPORT_AFTER);
  };
  const begin = (act: Act) => {
    if (views.peek() > 0 && !store.playing.peek() && !document.hidden) begun.set(act, performance.now());
  };
  const end = (act: Act) => {
    const start = begun.get(act);
    if (start === undefined) return;
    begun.delete(act);
    onScreen((now) => {
      times.push({ act, milliseconds: now - start });
      soon();
    });
  };
  /** The clock starts when what is wanted changes and is not shown yet, and stops when it is shown. */
  const act = (name: Act, wanted: () => string, shown: () => string) => {
    let before = untracked(wanted);
    return effect(() => {
      const [now, seen] = [wanted(), shown()];
      if (now !== before && now !== seen) begin(name);
      before = now;
      if (now === seen) end(name);
    });
  };
  /** The run whose picture is on screen; the chosen one where that is none. */
  const seenRun = (chosen: Store["run"], seen: ReadonlySignal<Picture | null>) => () =>
    String(chosen.value === null ? null : (seen.value?.run ?? ""));
  const selected = () => {
    const selection = currentOverlay(store);
    return selection ? selectionKey(selection) : "";
  };
  const stops = [
    act(
      "pixel",
      () => String(store.pixel.value ?? ""),
      () => String(pixels.pinned.shown.value?.pixel ?? ""),
    ),
    act("overlay", selected, () => {
      const map = picture.value?.map;
      return map ? selectionKey(map.selection) : "";
    }),
    act(
      "step",
      () => String(store.time.value),
      () => {
        const shown = picture.value;
        return shown && (shown.map || maps.state.value === "idle") ? String(shown.time) : "";
      },
    ),
    act("run", () => String(store.run.value), seenRun(store.run, picture)),
    act("compare", () => String(store.compare.value), seenRun(store.compare, comparison.picture)),
    effect(() => {
      if (!store.playing.value) return undefined;
      let [count, start, last] = [0, performance.now(), -1];
      let drawn = -1;
      return effect(() => {
        const time = picture.value?.time ?? -1;
        if (time === last) return;
        last = time;
        onScreen((now) => {
          // A picture that a newer one replaced before it was drawn doesn't count.
          if (drawn === last) return;
          drawn = last;
          count += 1;
          if (now - start < SPAN) return;
          rate = (count / (now - start)) * 1000;
          [count, start] = [0, now];
          soon();
        });
      });
    }),
  ];
  return () => {
    for (const stop of stops) stop();
    clearTimeout(timer);
  };
}
