// Undo and redo of what is chosen: what it was before each change, from the page or from Python.
import { batch, computed, effect, type ReadonlySignal, signal } from "@preact/signals-core";
import { same } from "../transport/same";
import { ready, type Shared, type Store } from "./store";

const KEPT = [
  "run",
  "rule",
  "layer",
  "neuron",
  "neurons",
  "cluster",
  "n_clusters",
  "pixel",
  "region",
  "regions",
  "ablated",
  "edits",
  "overlay",
  "channel",
  "band",
] as const satisfies (keyof Shared)[];

type Choice = Pick<Shared, (typeof KEPT)[number]>;

/** Changes that follow each other within this many ms are one: a drag of the layers' slider, a double click. */
const TOGETHER = 400;
const MOST = 100;

export interface History {
  readonly canUndo: ReadonlySignal<boolean>;
  readonly canRedo: ReadonlySignal<boolean>;
  /** The next change is a step of its own, however soon it comes. */
  split(): void;
  undo(): void;
  redo(): void;
  dispose(): void;
}

export function createHistory(store: Store, now: () => number = () => performance.now()): History {
  const past = signal<Choice[]>([]);
  const future = signal<Choice[]>([]);
  let known: Choice | null = null;
  let last = Number.NEGATIVE_INFINITY;

  const look = () => Object.fromEntries(KEPT.map((name) => [name, store[name].value])) as unknown as Choice;
  const stop = effect(() => {
    const chosen = look();
    // Before the canvas is there, Python still chooses the first layer.
    if (!ready(store._canvas.value)) return;
    const before = known;
    known = chosen;
    if (!before || same(before, chosen)) return;
    const time = now();
    const isNew = time - last > TOGETHER || past.peek().length === 0;
    last = time;
    batch(() => {
      if (isNew) past.value = [...past.peek(), before].slice(-MOST);
      future.value = [];
    });
  });

  const go = (from: typeof past, to: typeof past) => {
    const choice = from.peek().at(-1);
    const left = known;
    if (!choice || !left || store.unsaved.peek()) return;
    known = choice; // so that the effect takes it for nothing new
    last = Number.NEGATIVE_INFINITY;
    batch(() => {
      from.value = from.peek().slice(0, -1);
      to.value = [...to.peek(), left];
      store.set(choice);
    });
    store.save();
  };
  return {
    canUndo: computed(() => past.value.length > 0),
    canRedo: computed(() => future.value.length > 0),
    split: () => {
      last = Number.NEGATIVE_INFINITY;
    },
    undo: () => go(past, future),
    redo: () => go(future, past),
    dispose: stop,
  };
}
