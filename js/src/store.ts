// The state that Python and every view share: one signal a trait, kept equal to the anywidget model.
import { batch, type ReadonlySignal, type Signal, signal } from "@preact/signals-core";
import type { CanvasInfo, Channel, Maps, NamedRegion, Overlay, Region, Sort, Source } from "./messages";
import type { ClusterNames } from "./selection";

export interface Traits {
  _canvas: CanvasInfo | Record<string, never>;
  /** The class of the picture that a saved notebook shows in place of this view. */
  _picture: string;
  layer: string;
  time: number;
  neuron: number[] | null;
  /** All selected neurons; the last of them is `neuron`. */
  neurons: number[][];
  pixel: number[] | null;
  region: Region | null;
  regions: NamedRegion[];
  cluster: number;
  n_clusters: number;
  rule: string;
  /** By layer, the neurons that are taken out of the model. */
  knocked_out: Record<string, number[][]>;
  source: Source;
  maps: Maps;
  overlay: Overlay;
  channel: Channel;
  palette: string;
  opacity: number;
  contrast: number;
  sort: Sort;
  /** The first and the last frame that play; null for all. */
  loop: number[] | null;
  cluster_names: ClusterNames;
  playing: boolean;
  fps: number;
  /** Whether it is measured how far maps can be believed. */
  trust: boolean;
}

const DEFAULTS: Traits = {
  _canvas: {},
  _picture: "cw-picture",
  layer: "",
  time: 0,
  neuron: null,
  neurons: [],
  pixel: null,
  region: null,
  regions: [],
  cluster: -1,
  n_clusters: 6,
  rule: "",
  knocked_out: {},
  source: "reconstruction",
  maps: "magnitude",
  overlay: "selection",
  channel: "sum",
  palette: "viridis",
  opacity: 0.8,
  contrast: 1,
  sort: "total",
  loop: null,
  cluster_names: {},
  playing: false,
  fps: 8,
  trust: true,
};

const NAMES = Object.keys(DEFAULTS) as (keyof Traits)[];

/**
 * So many ms after a change Python hears of it, and of all others until then: what the same change makes the page ask
 * for is answered first, and a gesture is few messages.
 */
export const SAVE_AFTER = 60;

/** What we use of anywidget's model; `send` and the events may come from another host than Jupyter. */
export interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  // biome-ignore lint/suspicious/noExplicitAny: the host's own event arguments
  on(event: string, callback: (...values: any[]) => void): void;
  // biome-ignore lint/suspicious/noExplicitAny: the host's own event arguments
  off(event: string, callback: (...values: any[]) => void): void;
  send(content: unknown): void;
}

export type Store = { readonly [K in keyof Traits]: ReadonlySignal<Traits[K]> } & {
  /** `held`: Python hears of it with the next change that is not, as the end of a gesture that only restyles. */
  set(values: Partial<Traits>, held?: boolean): void;
  /** Python hears of everything, now. */
  save(): void;
  /** Python hears of what is held, unless it sets that itself in the next moment. */
  release(): void;
  /** True once Python can't be reached any more. */
  readonly unsaved: ReadonlySignal<boolean>;
  dispose(): void;
};

export function same(a: unknown, b: unknown): boolean {
  return (
    a === b || (typeof a === "object" && typeof b === "object" && JSON.stringify(a) === JSON.stringify(b))
  );
}

export function createStore(model: Model): Store {
  const signals = {} as { [K in keyof Traits]: Signal<Traits[K]> };
  const read = <K extends keyof Traits>(name: K): Traits[K] =>
    (model.get(name) as Traits[K] | undefined) ?? DEFAULTS[name];
  const assign = <K extends keyof Traits>(name: K, value: Traits[K]) => {
    if (!same(signals[name].peek(), value)) signals[name].value = value;
  };
  const create = <K extends keyof Traits>(name: K) => {
    signals[name] = signal(read(name)) as (typeof signals)[K];
  };
  for (const name of NAMES) create(name);

  // What is held is not in the model: that would send it even after Python has set the trait to something else.
  const held: Partial<Traits> = {};
  // Python may change several traits in one message: read them all at the first event, so that no effect ever
  // sees a neuron of one layer under the name of another.
  const pull = () => batch(() => NAMES.forEach((name) => void (name in held || assign(name, read(name)))));
  const changed = NAMES.map((name) => {
    const handle = () => {
      delete held[name];
      pull();
    };
    model.on(`change:${name}`, handle);
    return [name, handle] as const;
  });

  const unsaved = signal(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let pending = false;
  const save = () => {
    clearTimeout(timer);
    timer = undefined;
    pending = false;
    for (const [name, value] of Object.entries(held)) {
      delete held[name as keyof Traits];
      model.set(name, value);
    }
    try {
      model.save_changes();
    } catch {
      unsaved.value = true;
    }
  };

  const release = () => {
    if (pending) timer ??= setTimeout(save, SAVE_AFTER);
  };
  const set = (values: Partial<Traits>, keep = false) => {
    const names = (Object.keys(values) as (keyof Traits)[]).filter(
      (name) => !same(signals[name].peek(), values[name]),
    );
    // All attributes go into the model before any signal moves: `pull` may run inside `model.set`.
    batch(() => {
      for (const name of names) {
        delete held[name];
        if (keep) Object.assign(held, { [name]: values[name] });
        else model.set(name, values[name]);
      }
      for (const name of names) assign(name, values[name] as never);
    });
    pending ||= names.length > 0;
    if (!keep) release();
  };

  return Object.assign(signals, {
    set,
    save,
    release,
    unsaved,
    dispose() {
      if (pending) save();
      clearTimeout(timer);
      for (const [name, handle] of changed) model.off(`change:${name}`, handle);
    },
  });
}

/** The canvas once Python has described it. */
export function ready(info: Traits["_canvas"]): info is CanvasInfo {
  return Array.isArray((info as CanvasInfo).layers) && (info as CanvasInfo).layers.length > 0;
}
