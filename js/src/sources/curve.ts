// The selection's total on every frame, a few frames at a time, the nearest to the playhead first.
import { effect, type ReadonlySignal, type Signal, signal, untracked } from "@preact/signals-core";
import { framesOf } from "../state/saved";
import { currentSelection, selectionBytes, selectionKey } from "../state/selection";
import { isSwitching, ready, type Store } from "../state/store";
import type { RequestClient } from "../transport/client";
import type { CurveReply, Selection } from "../transport/messages";
import { ByteCache } from "./cache";
import type { State } from "./source";

export interface Curve {
  rule: string;
  selection: Selection;
  /** NaN where not known yet. */
  totals: Float64Array;
  /** Sums of the differences of magnitude to the frame before; NaN where not known, and at the first frame. */
  changes: Float64Array;
  /** Frames that the kernel has not, and never will. */
  absent: Set<number>;
  done: number;
}

type Of = Pick<Curve, "rule" | "selection">;

function keyOf({ rule, selection }: Of): string {
  return `${rule}/${selectionKey(selection)}`;
}

const FIRST_BATCH = 2;
const MOST = 64;
/** A batch should take about this long, so that a newer wish never waits longer. */
const BATCH_SECONDS = 0.15;
const CURVE_BYTES = 4e6;

export class CurveSource {
  /** The curve of the current selection; null when there is none to show. */
  readonly shown: ReadonlySignal<Curve | null>;
  /** `idle`: it waits for the user to ask for it. */
  readonly state: ReadonlySignal<State>;
  readonly error: ReadonlySignal<string>;
  /** Moves with each batch. */
  readonly arrivals: ReadonlySignal<number>;
  #shown: Signal<Curve | null> = signal(null);
  #state: Signal<State> = signal("idle");
  #error = signal("");
  #arrivals = signal(0);
  #started: Signal<ReadonlySet<string>> = signal(new Set());
  #curves = new ByteCache<Curve>(CURVE_BYTES);
  #perFrame = BATCH_SECONDS / FIRST_BATCH;
  #asking = "";
  #store: Store;
  #client: RequestClient;
  #stop: () => void;

  constructor(store: Store, client: RequestClient, watched: ReadonlySignal<boolean>) {
    this.#store = store;
    this.#client = client;
    this.shown = this.#shown;
    this.state = this.#state;
    this.error = this.#error;
    this.arrivals = this.#arrivals;
    const stopSelecting = effect(() => {
      const selection = currentSelection(store);
      const info = store._canvas.value;
      const started = this.#started.value;
      const frames = ready(info) ? info.n_frames : 0;
      const [rule, switching] = [store.rule.value, isSwitching(store)];
      untracked(() => this.#select(selection && { rule, selection }, frames, started, switching));
    });
    const stopAsking = effect(() => {
      this.#shown.value;
      this.#arrivals.value;
      // Pictures go first: a batch is asked for when none is on its way.
      if (!watched.value || client.waiting("frame") || client.waiting("map")) return;
      untracked(() => this.#advance());
    });
    this.#stop = () => {
      stopSelecting();
      stopAsking();
    };
  }

  /** Compute the whole layer's curve, which is too dear to be done unasked. */
  start(): void {
    const selection = currentSelection(this.#store);
    const rule = this.#store.rule.peek();
    if (selection) this.#started.value = new Set([...this.#started.peek(), keyOf({ rule, selection })]);
  }

  retry(): void {
    this.#state.value = "loading";
    this.#advance();
  }

  /** All answers so far are void: they are of another model. */
  reset(): void {
    this.#curves.clear();
    this.#shown.value = null;
    this.#started.value = new Set();
  }

  dispose(): void {
    this.#stop();
  }

  #select(of: Of | null, frames: number, started: ReadonlySet<string>, switching: boolean): void {
    const key = of ? keyOf(of) : "";
    const selection = of?.selection;
    const wanted =
      selection &&
      (selection.neuron || selection.neurons.length || selection.cluster >= 0 || started.has(key));
    if (!wanted || frames < 2) {
      this.#shown.value = null;
      this.#state.value = switching ? "loading" : "idle";
      if (this.#asking) this.#client.drop("curve");
      this.#asking = "";
      return;
    }
    let curve = this.#curves.get(key);
    if (curve?.totals.length !== frames) {
      const unknown = () => new Float64Array(frames).fill(Number.NaN);
      // What a saved page does not keep is not asked for.
      const kept = new Set(framesOf(this.#store._canvas.peek()));
      const absent = new Set(Array.from({ length: frames }, (_, at) => at).filter((at) => !kept.has(at)));
      curve = { ...of, totals: unknown(), changes: unknown(), absent, done: absent.size };
      this.#curves.set(key, curve, 16 * frames + selectionBytes(selection));
    }
    this.#state.value = curve.done === frames ? "ready" : "loading";
    this.#shown.value = curve;
  }

  #advance(): void {
    const curve = this.#shown.peek();
    if (!curve || this.#state.peek() === "error") return;
    const key = keyOf(curve);
    if (curve.done === curve.totals.length || this.#asking === key) return;
    const frames = this.#batch(curve);
    this.#asking = key;
    const keep = ({ frames: answered, totals, changes }: CurveReply) => {
      answered.forEach((frame, i) => {
        const total = totals[i];
        if (total === undefined || !(frame in curve.totals)) return;
        if (Number.isNaN(curve.totals[frame]) && !curve.absent.has(frame)) curve.done += 1;
        if (total === null) curve.absent.add(frame);
        curve.totals[frame] = total ?? Number.NaN;
        curve.changes[frame] = changes[i] ?? Number.NaN;
      });
    };
    this.#client.ask(
      "curve",
      { kind: "curve", rule: curve.rule, frames, selection: curve.selection },
      {
        reply: (answer, _data, seconds) => {
          const before = curve.done;
          keep(answer);
          this.#perFrame = seconds / frames.length;
          this.#asking = "";
          if (this.#shown.peek() !== curve) return;
          if (curve.done === before) return this.#fail("The kernel answered for other frames");
          this.#state.value = curve.done === curve.totals.length ? "ready" : "loading";
          this.#arrivals.value += 1;
        },
        late: keep,
        failed: (message) => {
          this.#asking = "";
          if (this.#shown.peek() === curve) this.#fail(message);
        },
      },
    );
  }

  #batch({ totals, absent }: Curve): number[] {
    const time = this.#store.time.peek();
    const size = Math.max(1, Math.min(MOST, Math.floor(BATCH_SECONDS / Math.max(this.#perFrame, 1e-6))));
    const missing = [...totals.keys()].filter((frame) => Number.isNaN(totals[frame]) && !absent.has(frame));
    missing.sort((a, b) => Math.abs(a - time) - Math.abs(b - time));
    return missing.slice(0, size).sort((a, b) => a - b);
  }

  #fail(message: string): void {
    this.#error.value = message;
    this.#state.value = "error";
  }
}
