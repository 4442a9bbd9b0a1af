// Changes, delays and answers in any order: what is on screen as ready is always of what the traits say.
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createSession, type Session } from "../src/sources/session";
import type { Request } from "../src/transport/messages";
import { CANVAS } from "./fixture";
import { HEAD, LAYER, ManualModel, state } from "./page";

/** Equal numbers for equal seeds. */
function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const RULES = ["xinc", "gated", "ablation"];
// The first two have the same layers, so the page asks about them without waiting for Python.
const RUNS = [0, 500, "other"].map((key) => ({
  key,
  group: key === "other" ? 1 : 0,
  error: "",
  facts: {},
  version: 0,
}));
const LAYERS = [LAYER, HEAD];

/** The kernel's half: it has traits of its own, hears of the page's late, and answers late and in any order. */
class Kernel {
  readonly model: ManualModel;
  readonly #traits: Record<string, unknown>;
  readonly #numbers: Record<string, number> = {};
  readonly #toPage: (() => void)[] = [];
  #count = 0;
  #saved = 0;
  readonly #done = new Set<number>();

  constructor() {
    const _canvas = { ...CANVAS, run: 0 };
    this.#traits = state({ pixel: [3, 4], sort: "pixel", regions: [], run: 0, _runs: RUNS, _canvas });
    this.model = new ManualModel({ ...this.#traits });
  }

  get traits(): Readonly<Record<string, unknown>> {
    return this.#traits;
  }

  /** Python sets traits, and what follows from them; the page hears of it when `deliver` says so. */
  python(values: Record<string, unknown>): void {
    const { run, rule } = { ...this.#traits, ...values };
    const isOther = "rule" in values || "run" in values;
    const all = isOther ? { ...values, _canvas: { ...CANVAS, run, rule } } : values;
    this.#count += 1;
    Object.assign(this.#traits, all);
    for (const name of Object.keys(all)) this.#numbers[name] = this.#count;
    const message = { ...all, _changes: { ...this.#numbers } };
    this.#toPage.push(() => this.model.assign(message));
  }

  deliver(): void {
    this.#toPage.shift()?.();
  }

  /** Take the page's next report: what Python's changes have crossed is older. */
  hear(): void {
    const saved = this.model.saves[this.#saved];
    const seen = this.model.seen[this.#saved];
    if (saved === undefined) return;
    this.#saved += 1;
    const current = Object.entries(saved).filter(
      ([name]) => (seen?.[name] ?? 0) >= (this.#numbers[name] ?? 0),
    );
    const { rule, run, ...others } = Object.fromEntries(current);
    Object.assign(this.#traits, others);
    if (rule !== undefined && rule !== this.#traits.rule) this.python({ rule });
    if (run !== undefined && run !== this.#traits.run) this.python({ run });
  }

  get waiting(): Request[] {
    return this.model.requests().filter(({ id }) => !this.#done.has(id));
  }

  async answer(request: Request): Promise<void> {
    this.#done.add(request.id);
    const cancelled = this.model.cancels().includes(request.id);
    if (cancelled && request.id % 2) this.model.say({ type: "cancelled", id: request.id });
    else await this.model.reply(request, { total: totalOf(request) } as never);
  }

  /** Everything arrives. */
  async settle(): Promise<void> {
    for (let i = 0; i < 60; i++) {
      vi.advanceTimersByTime(100);
      this.hear();
      this.deliver();
      for (const request of this.waiting) await this.answer(request);
    }
  }

  get quiet(): boolean {
    return this.#toPage.length === 0 && this.#saved === this.model.saves.length;
  }
}

/** A number that tells apart the answers to different requests. */
function totalOf({ body }: Request): number {
  return [...JSON.stringify(body)].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 1e6, 7);
}

describe("changes, delays and answers in any order", () => {
  let kernel: Kernel;
  let session: Session;

  beforeEach(() => {
    vi.useFakeTimers();
    kernel = new Kernel();
    session = createSession(kernel.model);
    session.views.value = 1;
  });
  afterEach(() => {
    session.dispose();
    vi.useRealTimers();
  });

  function check(): void {
    const { store, maps, pixels, curve, grid, picture } = session;
    const [run, rule] = [store.run.value, store.rule.value];
    const shown = picture.value?.map;
    if (shown) expect(shown.rule).toBe(rule);
    if (shown && picture.value?.frame) expect(shown.run).toBe(picture.value.frame.run);
    if (curve.shown.value) expect(curve.shown.value.rule).toBe(rule);
    if (grid.shown.value) expect(grid.shown.value.context.rule).toBe(rule);
    if (maps.state.value === "ready") {
      const map = maps.shown.value;
      expect([map?.run, map?.rule, map?.time, map?.selection.layer]).toEqual([
        run,
        rule,
        store.time.value,
        store.layer.value,
      ]);
      expect(map?.selection.neuron).toEqual(store.neuron.value);
      const { selection } = map as NonNullable<typeof map>;
      const body = { kind: "map", run, rule, time: store.time.value, selection } as const;
      expect(map?.total).toBe(totalOf({ body } as Request));
    }
    if (pixels.pinned.state.value === "ready") {
      const at = pixels.pinned.shown.value;
      expect([at?.run, at?.rule, at?.pixel, at?.selection.layer]).toEqual([
        run,
        rule,
        store.pixel.value,
        store.layer.value,
      ]);
    }
  }

  it.each(Array.from({ length: 40 }, (_, seed) => seed))("shows only what is true, seed %i", async (seed) => {
    const next = random(seed);
    const pick = <T>(some: readonly T[]) => some[Math.floor(next() * some.length)] as T;
    const values = (): Record<string, unknown> => {
      const neuron = [pick([0, 1, 2]), pick([0, 1, 2])];
      return pick([
        { rule: pick(RULES) },
        { run: pick(RUNS).key },
        { time: pick([0, 1, 2, 3, 4, 5]) },
        { layer: pick(LAYERS), neuron, neurons: [neuron] },
        { neuron, neurons: [neuron] },
        { pixel: [pick([1, 2]), pick([3, 4])] },
        { sort: pick(["total", "index", "pixel"]) },
        { n_clusters: pick([3, 4]) },
      ]);
    };
    for (let step = 0; step < 60; step++) {
      const action = next();
      if (action < 0.25) session.store.set(values());
      else if (action < 0.35) kernel.python(values());
      else if (action < 0.5) kernel.hear();
      else if (action < 0.65) kernel.deliver();
      else if (action < 0.85 && kernel.waiting.length) await kernel.answer(pick(kernel.waiting));
      else vi.advanceTimersByTime(pick([5, 30, 80, 300]));
      check();
    }
    await kernel.settle();
    check();
    expect(kernel.quiet).toBe(true);
    for (const name of [
      "run",
      "rule",
      "layer",
      "time",
      "neuron",
      "neurons",
      "pixel",
      "sort",
      "n_clusters",
    ] as const)
      expect([name, session.store[name].value]).toEqual([name, kernel.traits[name]]);
    expect(session.maps.state.value).toBe("ready");
    expect(session.grid.state.value).not.toBe("error");
  });
});
