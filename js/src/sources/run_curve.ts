// The selection's total, the PSNR and the faithfulness of every run, a few runs at a time, the nearest to the shown one
// first.
import { type ReadonlySignal, type Signal, signal, untracked } from "@preact/signals-core";
import { currentSelection, selectionBytes, selectionKey } from "../state/selection";
import { canvasOf, type Store } from "../state/store";
import type { RunInfo, RunKey, Selection } from "../transport/messages";
import type { Requests } from "../transport/requests";
import { same } from "../transport/same";
import { ByteCache } from "./cache";
import { type Chunk, ChunkedSource } from "./chunked_source";
import type { Faithfulness } from "./faithfulness";

export interface RunCurve {
  rule: string;
  time: number;
  /** Null where the same number is not the same neuron in every run: then there are no totals. */
  selection: Selection | null;
  runs: RunKey[];
  /** NaN where not known, or not there. */
  totals: Float64Array;
  /** Half of the 95 % intervals of totals, as a part of them; 0 where they are exact. */
  halfWidths: Float64Array;
  psnr: Float64Array;
  faithfulness: Float64Array;
  done: boolean[];
}

const AT_A_TIME = 4;
const BYTES = 2e6;

export class RunCurveSource extends ChunkedSource<"run_curve"> {
  /** The curve of the current selection; null with fewer than two runs. */
  readonly shown: ReadonlySignal<RunCurve | null>;
  /** How many views show it. */
  readonly seen: Signal<number> = signal(0);
  #shown: Signal<RunCurve | null> = signal(null);
  #curves = new ByteCache<RunCurve>(BYTES);
  #store: Store;

  constructor(
    store: Store,
    client: Requests,
    watched: ReadonlySignal<boolean>,
    settled: ReadonlySignal<number>,
    faithfulness: ReadonlySignal<Faithfulness | null>,
  ) {
    super(client, "run curve");
    this.#store = store;
    this.shown = this.#shown;
    this.watch(() => {
      const info = canvasOf(store);
      const isSeen = this.seen.value > 0;
      const selection = isSeen ? currentSelection(store) : null;
      const [runs, time, rule] = [store._runs.value, settled.value, store.rule.value];
      const wanted = info !== null && isSeen && runs.length > 1;
      untracked(() =>
        this.#select(wanted ? { rule, time, selection: followed(selection, runs) } : null, runs),
      );
    });
    this.watch(() => {
      const score = faithfulness.value;
      const curve = this.#shown.value;
      this.arrivals.value;
      const at = score && curve?.selection?.layer === score.layer ? curve.runs.indexOf(score.run) : -1;
      if (!curve || !score || at < 0 || score.rule !== curve.rule) return;
      curve.faithfulness[at] = score.totals?.value ?? Number.NaN;
    });
    this.watch(() => {
      this.#shown.value;
      this.arrivals.value;
      // What the user looks at goes first.
      if (!watched.value || client.activity.value.some(({ view }) => view !== "run curve")) return;
      untracked(() => this.advance());
    });
  }

  override reset(): void {
    this.#curves.clear();
    this.#shown.value = null;
    super.reset();
  }

  #select(of: Pick<RunCurve, "rule" | "time" | "selection"> | null, runs: RunInfo[]): void {
    if (!of) {
      this.#shown.value = null;
      this.stand("idle");
      if (this.pending) this.drop();
      return;
    }
    const key = `${of.rule}@${of.time} ${of.selection ? selectionKey(of.selection) : ""}`;
    const keys = runs.map((run) => run.key);
    let curve = this.#curves.get(key);
    if (!same(curve?.runs, keys)) {
      const unknown = () => new Float64Array(keys.length).fill(Number.NaN);
      const done = keys.map(() => false);
      const halfWidths = new Float64Array(keys.length);
      const numbers = { totals: unknown(), halfWidths, psnr: unknown(), faithfulness: unknown() };
      curve = { ...of, runs: keys, ...numbers, done };
      const bytes = 38 * keys.length + (of.selection ? selectionBytes(of.selection) : 0);
      this.#curves.set(key, curve, bytes);
    }
    this.stand(curve?.done.every(Boolean) ? "ready" : "loading");
    this.#shown.value = curve ?? null;
  }

  protected next(): Chunk<"run_curve"> | null {
    const curve = this.#shown.peek();
    if (!curve || this.pending?.isWanted()) return null;
    const here = curve.runs.indexOf(this.#store.run.peek());
    const missing = [...curve.runs.keys()].filter((at) => !curve.done[at]);
    if (missing.length === 0) return null;
    const places = missing.sort((a, b) => Math.abs(a - here) - Math.abs(b - here)).slice(0, AT_A_TIME);
    const { rule, time, selection } = curve;
    const runs = places.map((at) => curve.runs[at] ?? null);
    return {
      body: { kind: "run_curve", run: this.#store.run.peek(), rule, time, runs, selection },
      isWanted: () => this.#shown.peek() === curve,
      keep: (answer) => {
        if (!same(answer.runs, runs)) throw new Error("The kernel answered for other runs");
        places.forEach((at, i) => {
          curve.totals[at] = answer.totals[i] ?? Number.NaN;
          curve.halfWidths[at] = answer.half_widths[i] ?? 0;
          curve.psnr[at] = answer.psnr[i] ?? Number.NaN;
          curve.faithfulness[at] = answer.faithfulness[i] ?? Number.NaN;
          curve.done[at] = true;
        });
      },
      show: () => this.stand(curve.done.every(Boolean) ? "ready" : "loading"),
    };
  }
}

/** The neurons that can be followed from run to run: those of one network keep their numbers, clusters don't. */
function followed(selection: Selection | null, runs: RunInfo[]): Selection | null {
  if (!selection || !runs.every((run) => run.same_neurons)) return null;
  return selection.neuron || selection.neurons.length ? selection : null;
}
