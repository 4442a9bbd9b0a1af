// Plays through the runs: the next one once the picture of this one has been on screen for its time.
import { effect, type ReadonlySignal, type Signal, signal } from "@preact/signals-core";
import { stepRun } from "../state/actions";
import type { Store } from "../state/store";
import type { Picture } from "./pictures";

/** After this long, in ms, play on from a run that is not shown yet: it may be one that can't be made. */
const PATIENCE = 1500;

export interface RunPlayer {
  readonly playing: ReadonlySignal<boolean>;
  toggle(): void;
  dispose(): void;
}

export function createRunPlayer(
  store: Store,
  picture: ReadonlySignal<Picture | null>,
  views: ReadonlySignal<number>,
): RunPlayer {
  const playing: Signal<boolean> = signal(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = effect(() => {
    clearTimeout(timer);
    const isShown = picture.value?.run === store.run.value;
    if (!playing.value || views.value === 0 || store.unsaved.value || store._runs.value.length < 2) return;
    const period = 1000 / Math.max(0.1, store.fps.value);
    timer = setTimeout(() => stepRun(store, 1, true), isShown ? period : Math.max(PATIENCE, period));
  });
  return {
    playing,
    toggle() {
      playing.value = !playing.peek();
    },
    dispose() {
      stop();
      clearTimeout(timer);
    },
  };
}
