// What one panel shows: one answer at a time, from the cache or from the kernel, with a state (idle, loading, ready or
// error). `shown` is the last answer. It carries its own label (frame, selection, rule), so that a view can tell
// whether it is the answer to the current request.
import { computed, effect, type ReadonlySignal, type Signal, signal, untracked } from "@preact/signals-core";
import type { AnswerOf, BodyOf, Kind, View } from "../transport/client";
import type { Requests } from "../transport/requests";
import { same } from "../transport/same";
import type { ByteCache } from "./cache";

/** In seconds of the kernel. After an answer that took this long no better one is asked for. */
const LONG = 60;

export type State = "idle" | "loading" | "ready" | "error";

export interface SourceOptions<K extends Kind, V> {
  client: Requests;
  view: View;
  /** Whether any view is on the page: a widget that is not displayed costs the kernel nothing. */
  watched: ReadonlySignal<boolean>;
  /** The request to make now, with everything that its answer depends on; null for none. Read inside an effect. */
  wanted: () => BodyOf<K> | null;
  /** Whether there is no request only because something else must arrive first. Read inside an effect. */
  preparing?: () => boolean;
  /** Equal for requests of one run that have the same answer. */
  key: (body: BodyOf<K>) => string;
  /** The answer as the cache stores it. Throws where the answer does not fit the request. */
  decode: (answer: AnswerOf<K>, data: Uint8Array, body: BodyOf<K>) => V;
  cache: ByteCache<V>;
  bytes: (value: V) => number;
  /** How long a newer request waits for the one in flight before that is cancelled. */
  patience?: number;
  /** Also show an answer that came too late, under its own label: pictures while the time slider moves. */
  showLate?: (body: BodyOf<K>) => boolean;
  /** The request for a better answer in the place of one that is shown; null where it is good enough. */
  better?: { view: View; than: (value: V, body: BodyOf<K>) => BodyOf<K> | null };
  /** How many ms a request must stay wanted before it is sent. */
  delay?: (body: BodyOf<K>) => number;
}

export class Source<K extends Kind, V> {
  readonly shown: ReadonlySignal<V | null>;
  readonly state: ReadonlySignal<State>;
  readonly error: ReadonlySignal<string>;
  /** Incremented whenever an answer arrives, even one that is no longer wanted. */
  readonly arrivals: ReadonlySignal<number>;
  #options: SourceOptions<K, V>;
  #shown: Signal<V | null> = signal(null);
  #state: Signal<State> = signal("idle");
  #error = signal("");
  #arrivals = signal(0);
  #attempt = signal(0);
  #key = "";
  #body: BodyOf<K> | null = null;
  /** The better answer that is asked for, or that took so long that no other is. */
  #asked: BodyOf<K> | null = null;
  #generation = 0;
  #stop: () => void;
  #stopRefining: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SourceOptions<K, V>) {
    this.#options = options;
    this.shown = this.#shown;
    this.state = this.#state;
    this.error = this.#error;
    this.arrivals = this.#arrivals;
    let before: BodyOf<K> | null = null;
    const wanted = computed(() => {
      const body = options.watched.value ? options.wanted() : null;
      if (!same(body, before)) before = body;
      return before;
    });
    this.#stop = effect(() => {
      const body = wanted.value;
      const preparing = options.preparing?.() ?? false;
      this.#attempt.value;
      untracked(() => this.#want(body, preparing));
    });
    const { better } = options;
    this.#stopRefining = better
      ? effect(() => {
          const isIdle = options.client.activity.value.length === 0;
          this.arrivals.value;
          if (this.#shown.value !== null && this.#state.value === "ready" && isIdle)
            untracked(() => this.#refine(better));
        })
      : () => {};
  }

  lookup(body: BodyOf<K>): V | undefined {
    return this.#options.cache.get(this.#keyOf(body));
  }

  has(body: BodyOf<K>): boolean {
    return this.#options.cache.has(this.#keyOf(body));
  }

  /** Asks for something that will be needed soon; call it while the view has no request in flight. */
  prefetch(body: BodyOf<K>): void {
    const { client, view, patience } = this.#options;
    const generation = this.#generation;
    const keep = (answer: AnswerOf<K>, data: Uint8Array) => void this.#keep(body, answer, data, generation);
    client.ask(view, body, { reply: keep, late: keep, failed: () => {} }, { patience, ahead: true });
  }

  retry(): void {
    this.#attempt.value += 1;
  }

  /** Shows nothing: what is shown was computed under another rule. */
  blank(): void {
    this.#shown.value = null;
    this.#arrivals.value += 1;
    this.retry();
  }

  /** Forgets all answers: they are of another model. */
  reset(): void {
    this.#generation += 1;
    this.#options.cache.clear();
    this.blank();
  }

  dispose(): void {
    this.#stop();
    this.#stopRefining();
    clearTimeout(this.#timer);
  }

  #keyOf(body: BodyOf<K>): string {
    const run = "run" in body ? body.run : null;
    return `${JSON.stringify(run)} ${this.#options.key(body)}`;
  }

  #want(body: BodyOf<K> | null, preparing: boolean): void {
    const { client, view, delay } = this.#options;
    clearTimeout(this.#timer);
    this.#key = body ? this.#keyOf(body) : "";
    this.#body = body;
    if (this.#asked && this.#options.better) client.drop(this.#options.better.view);
    this.#asked = null;
    if (body === null) {
      this.#state.value = preparing ? "loading" : "idle";
      client.drop(view);
      return;
    }
    const known = this.lookup(body);
    if (known !== undefined) {
      this.#shown.value = known;
      this.#state.value = "ready";
      return;
    }
    this.#state.value = "loading";
    const wait = delay?.(body) ?? 0;
    if (wait > 0) this.#timer = setTimeout(() => this.#ask(body), wait);
    else this.#ask(body);
  }

  #ask(body: BodyOf<K>): void {
    const { client, view, patience } = this.#options;
    const wanted = this.#key;
    const generation = this.#generation;
    client.ask(
      view,
      body,
      {
        reply: (answer, data) => {
          const value = this.#keep(body, answer, data, generation);
          if (value === undefined || this.#key !== wanted) return;
          this.#shown.value = value;
          this.#state.value = "ready";
        },
        late: (answer, data) => {
          const value = this.#keep(body, answer, data, generation);
          if (value !== undefined && this.#state.peek() === "loading" && this.#options.showLate?.(body))
            this.#shown.value = value;
        },
        failed: (message) => {
          if (this.#key === wanted && generation === this.#generation) this.#fail(message);
        },
      },
      { patience },
    );
  }

  /** Asks for a better answer while nothing else is asked for, and shows it in the place of the one before. */
  #refine(better: NonNullable<SourceOptions<K, V>["better"]>): void {
    const [body, value, wanted] = [this.#body, this.#shown.peek(), this.#key];
    if (!body || value === null || this.#asked || this.lookup(body) !== value) return;
    const next = better.than(value, body);
    if (!next) return;
    this.#asked = next;
    const generation = this.#generation;
    this.#options.client.ask(better.view, next, {
      reply: (answer, data, seconds) => {
        if (this.#asked !== next) return;
        if (seconds < LONG) this.#asked = null;
        const found = this.#keep(next, answer, data, generation);
        if (found !== undefined && this.#key === wanted) this.#shown.value = found;
      },
      // What is shown is an answer; another request asks again.
      failed: () => {},
    });
  }

  #fail(message: string): void {
    this.#error.value = message;
    this.#state.value = "error";
  }

  #keep(body: BodyOf<K>, answer: AnswerOf<K>, data: Uint8Array, generation: number): V | undefined {
    if (generation !== this.#generation) return undefined;
    const { cache, decode, bytes } = this.#options;
    const key = this.#keyOf(body);
    try {
      const value = decode(answer, data, body);
      cache.set(key, value, bytes(value));
      this.#arrivals.value += 1;
      return value;
    } catch (error) {
      if (this.#key === key) this.#fail(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }
}
