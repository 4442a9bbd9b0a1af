// The state that Python and all views share: one signal for each trait, synchronised with the anywidget model.
import { batch, type ReadonlySignal, type Signal, signal } from "@preact/signals-core";
import type { CanvasInfo, RunInfo, RunKey, ViewState } from "../transport/messages";
import type { Model } from "../transport/model";
import { same } from "../transport/same";
import { DEFAULTS, type Traits } from "./traits";

/** The traits that have a signal; the other two number the changes, to decide which of two is newer. */
export type Shared = Omit<Traits, "_changes" | "_seen">;

const { _changes, _seen, ...SHARED }: Traits = DEFAULTS;
const NAMES = Object.keys(SHARED) as (keyof Shared)[];
const STATE = NAMES.filter((name): name is keyof ViewState => !name.startsWith("_"));

/** Debounce, in ms, before traits are saved: a gesture makes few messages. */
export const SAVE_AFTER = 60;

export type Store = { readonly [K in keyof Shared]: ReadonlySignal<Shared[K]> } & {
  /** `held`: saved together with the next change that is not held, such as the end of a drag of the opacity. */
  set(values: Partial<Shared>, held?: boolean): void;
  /** Saves all changes now. */
  save(): void;
  /** Saves held changes after the debounce. */
  release(): void;
  /** True once Python can't be reached: nothing changes from then on. */
  readonly unsaved: ReadonlySignal<boolean>;
  /** Call when Python can't be reached any more. */
  lose(): void;
  dispose(): void;
};

export function createStore(model: Model): Store {
  const signals = {} as { [K in keyof Shared]: Signal<Shared[K]> };
  const read = <K extends keyof Shared>(name: K): Shared[K] =>
    (model.get(name) as Shared[K] | undefined) ?? DEFAULTS[name];
  const assign = <K extends keyof Shared>(name: K, value: Shared[K]) => {
    if (!same(signals[name].peek(), value)) signals[name].value = value;
  };
  const create = <K extends keyof Shared>(name: K) => {
    signals[name] = signal(read(name)) as (typeof signals)[K];
  };
  for (const name of NAMES) create(name);

  // Unsaved changes are kept out of the model, which would send them even after Python has set the trait to something
  // else. With each trait the page sends the number of the last change from Python that it had seen: where Python has
  // changed the trait since, Python's value wins.
  const unheard: Partial<Shared> = {};
  let known = newest(model.get("_changes"));
  const seen: Record<string, number> = {};
  let reports = Math.floor(Math.random() * 2 ** 31);
  const taken = { ...(model.get("_changes") as Numbers | undefined) };

  const report = (names: string[]) => {
    for (const name of names) seen[name] = known;
    model.set("_seen", { ...seen, report: ++reports });
  };

  // Python may change several traits in one message: read them all at the first event, so that no effect ever
  // sees a neuron of one layer under the name of another.
  const pull = () => {
    const numbers = (model.get("_changes") as Numbers | undefined) ?? {};
    for (const name of NAMES) {
      const number = numbers[name] ?? 0;
      if (number > (taken[name] ?? 0)) delete unheard[name];
      taken[name] = number;
    }
    known = Math.max(known, newest(numbers));
    batch(() => NAMES.forEach((name) => void (name in unheard || assign(name, read(name)))));
  };
  const changed = [...NAMES, "_changes" as const].map((name) => {
    const handle = () => {
      if (saving) return;
      if (name !== "_changes") {
        const numbers = (model.get("_changes") as Numbers | undefined) ?? {};
        const linked = (numbers[name] ?? 0) <= (taken[name] ?? 0) && !same(signals[name].peek(), read(name));
        delete unheard[name];
        // Not from Python but from another widget that is linked to this trait on the page.
        if (linked) report([name]);
      }
      pull();
    };
    model.on(`change:${name}`, handle);
    return [name, handle] as const;
  });

  const unsaved = signal(false);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let pending = false;
  let saving = false;
  const save = () => {
    clearTimeout(timer);
    timer = undefined;
    pending = false;
    if (unsaved.peek()) return;
    const values = Object.entries(unheard);
    // Write all of them to the model before reading any from it.
    saving = true;
    for (const [name, value] of values) {
      delete unheard[name as keyof Shared];
      model.set(name, value);
    }
    saving = false;
    if (values.length) report([]);
    pull();
    try {
      model.save_changes();
    } catch {
      unsaved.value = true;
    }
  };

  const release = () => {
    if (pending) timer ??= setTimeout(save, SAVE_AFTER);
  };
  const set = (values: Partial<Shared>, keep = false) => {
    if (unsaved.peek()) return;
    const names = (Object.keys(values) as (keyof Shared)[]).filter(
      (name) => !same(signals[name].peek(), values[name]),
    );
    for (const name of names) {
      Object.assign(unheard, { [name]: values[name] });
      seen[name] = known;
    }
    batch(() => {
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
    lose() {
      unsaved.value = true;
      signals.playing.value = false;
    },
    dispose() {
      if (pending) save();
      clearTimeout(timer);
      for (const [name, handle] of changed) model.off(`change:${name}`, handle);
    },
  });
}

type Numbers = Record<string, number>;

function newest(numbers: unknown): number {
  return Math.max(0, ...Object.values((numbers as Numbers | undefined) ?? {}));
}

/** What the view is set to, as a request states it. */
export function stateOf(store: Store): ViewState {
  return Object.fromEntries(STATE.map((name) => [name, store[name].peek()])) as unknown as ViewState;
}

/** Whether a run or a rule is chosen whose canvas Python has not described yet. Read inside an effect. */
export function isSwitching(store: Store): boolean {
  return ready(store._canvas.value) && canvasOf(store) === null;
}

/** The canvas of the chosen run and rule; null until Python has described it. Read inside an effect. */
export function canvasOf(store: Store): CanvasInfo | null {
  const info = store._canvas.value;
  return ready(info) && info.rule === store.rule.value && areAlike(store, info.run, store.run.value)
    ? info
    : null;
}

/** Whether one run is described by what describes another: their layers are the same. Read inside an effect. */
export function areAlike(store: Store, one: RunKey, other: RunKey): boolean {
  if (one === other) return true;
  const groups = [one, other].map((key) => runOf(store, key)?.group ?? null);
  return groups[0] !== null && groups[0] === groups[1];
}

/** Whether a neuron of the run that is shown has the same number in the compared one. Read inside an effect. */
export function keepsNumbers(store: Store): boolean {
  const other = store.compare.value;
  return other === store.run.value || (runOf(store, other)?.same_neurons ?? false);
}

/** What is known of a run. Read inside an effect. */
export function runOf(store: Store, run: RunKey): RunInfo | undefined {
  return store._runs.value.find(({ key }) => key === run);
}

/** Whether the canvas has weights that can be quantised. */
export function canQuantise(info: Traits["_canvas"]): boolean {
  return ready(info) && info.quantisation.why_not === "";
}

/** The canvas once Python has described it. */
export function ready(info: Traits["_canvas"]): info is CanvasInfo {
  return Array.isArray((info as CanvasInfo).layers) && (info as CanvasInfo).layers.length > 0;
}
