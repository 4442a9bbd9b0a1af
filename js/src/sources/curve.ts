// The selection's total on every frame, a few frames at a time, the nearest to the playhead first.
import { type ReadonlySignal, type Signal, signal, untracked } from "@preact/signals-core";
import { framesOf } from "../state/saved";
import { currentSelection, selectionBytes, selectionKey } from "../state/selection";
import { isSwitching, ready, type Store } from "../state/store";
import type { RunKey, Selection } from "../transport/messages";
import type { Requests } from "../transport/requests";
import { ByteCache } from "./cache";
import { type Chunk, ChunkedSource } from "./chunked_source";

export interface Curve {
  run: RunKey;
  rule: string;
  selection: Selection;
  /** NaN where not known yet. */
  totals: Float64Array;
  /** Sums of the differences of magnitude to the frame before; NaN where not known, and at the first frame. */
  changes: Float64Array;
  /** Half of the 95 % intervals of both, as a part of them; 0 where they are exact. */
  halfWidths: Float64Array;
  changeHalfWidths: Float64Array;
  /** Frames for which the kernel has no value: a saved canvas contains only some frames. */
  absent: Set<number>;
  done: number;
}

type Of = Pick<Curve, "run" | "rule" | "selection">;

function keyOf({ run, rule, selection }: Of): string {
  return `${JSON.stringify(run)} ${rule}/${selectionKey(selection)}`;
}

const FIRST_BATCH = 2;
const MOST = 64;
/** A batch should take about this long: a newer request waits no longer than that. */
const BATCH_SECONDS = 0.15;
const CURVE_BYTES = 4e6;

/** In state `idle` it waits until the user asks for the curve (`start`). */
export class CurveSource extends ChunkedSource<"curve"> {
  /** The curve of the current selection; null when there is none to show. */
  readonly shown: ReadonlySignal<Curve | null>;
  #shown: Signal<Curve | null> = signal(null);
  #started: Signal<ReadonlySet<string>> = signal(new Set());
  #curves = new ByteCache<Curve>(CURVE_BYTES);
  #perFrame = BATCH_SECONDS / FIRST_BATCH;
  #store: Store;

  constructor(store: Store, client: Requests, watched: ReadonlySignal<boolean>) {
    super(client, "curve");
    this.#store = store;
    this.shown = this.#shown;
    this.watch(() => {
      const selection = currentSelection(store);
      const info = store._canvas.value;
      const started = this.#started.value;
      const frames = ready(info) ? info.n_frames : 0;
      const [run, rule, switching] = [store.run.value, store.rule.value, isSwitching(store)];
      untracked(() => this.#select(selection && { run, rule, selection }, frames, started, switching));
    });
    this.watch(() => {
      this.#shown.value;
      this.arrivals.value;
      // Pictures go first: a batch is requested when no frame or map is in flight.
      if (!watched.value || client.waiting("frame") || client.waiting("map")) return;
      untracked(() => this.advance());
    });
  }

  /** Computes the whole layer's curve, which is too slow to compute without being asked to. */
  start(): void {
    const selection = currentSelection(this.#store);
    const [run, rule] = [this.#store.run.peek(), this.#store.rule.peek()];
    if (selection) this.#started.value = new Set([...this.#started.peek(), keyOf({ run, rule, selection })]);
  }

  override reset(): void {
    this.#curves.clear();
    this.#shown.value = null;
    super.reset();
    this.#started.value = new Set();
  }

  #select(of: Of | null, frames: number, started: ReadonlySet<string>, switching: boolean): void {
    const key = of ? keyOf(of) : "";
    const selection = of?.selection;
    const wanted =
      selection &&
      (selection.neuron || selection.neurons.length || selection.cluster >= 0 || started.has(key));
    if (!wanted || frames < 2) {
      this.#shown.value = null;
      this.stand(switching ? "loading" : "idle");
      if (this.pending) this.drop();
      return;
    }
    let curve = this.#curves.get(key);
    if (curve?.totals.length !== frames) {
      const unknown = () => new Float64Array(frames).fill(Number.NaN);
      // Frames that a saved page does not contain are never requested.
      const kept = new Set(framesOf(this.#store._canvas.peek()));
      const absent = new Set(Array.from({ length: frames }, (_, at) => at).filter((at) => !kept.has(at)));
      curve = {
        ...of,
        totals: unknown(),
        changes: unknown(),
        halfWidths: new Float64Array(frames),
        changeHalfWidths: new Float64Array(frames),
        absent,
        done: absent.size,
      };
      this.#curves.set(key, curve, 32 * frames + selectionBytes(selection));
    }
    this.stand(curve.done === frames ? "ready" : "loading");
    this.#shown.value = curve;
  }

  protected next(): Chunk<"curve"> | null {
    const curve = this.#shown.peek();
    if (!curve || curve.done === curve.totals.length || this.pending?.isWanted()) return null;
    const { run, rule, selection, totals, changes, absent } = curve;
    const frames = this.#batch(curve);
    const isKnown = (frame: number) => absent.has(frame) || !Number.isNaN(totals[frame]);
    return {
      body: { kind: "curve", run, rule, frames, selection },
      isWanted: () => this.#shown.peek() === curve,
      keep: (answer) => {
        answer.frames.forEach((frame, i) => {
          const total = answer.totals[i];
          if (total === undefined || !(frame in totals)) return;
          if (!isKnown(frame)) curve.done += 1;
          if (total === null) absent.add(frame);
          totals[frame] = total ?? Number.NaN;
          changes[frame] = answer.changes[i] ?? Number.NaN;
          curve.halfWidths[frame] = answer.half_widths[i] ?? 0;
          curve.changeHalfWidths[frame] = answer.change_half_widths[i] ?? 0;
        });
        if (!frames.some(isKnown)) throw new Error("The kernel answered for other frames");
      },
      show: (_answer, seconds) => {
        this.#perFrame = seconds / frames.length;
        this.stand(curve.done === totals.length ? "ready" : "loading");
      },
    };
  }

  #batch({ totals, absent }: Curve): number[] {
    const time = this.#store.time.peek();
    const size = Math.max(1, Math.min(MOST, Math.floor(BATCH_SECONDS / Math.max(this.#perFrame, 1e-6))));
    const missing = [...totals.keys()].filter((frame) => Number.isNaN(totals[frame]) && !absent.has(frame));
    missing.sort((a, b) => Math.abs(a - time) - Math.abs(b - time));
    return missing.slice(0, size).sort((a, b) => a - b);
  }
}
