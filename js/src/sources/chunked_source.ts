// A source of many small things, such as thumbnails, requested one chunk at a time: the next chunk depends on what is
// still missing. The data of a chunk that is no longer wanted is stored, but not shown.
import { effect, type ReadonlySignal, type Signal, signal } from "@preact/signals-core";
import type { AnswerOf, BodyOf, Kind, View } from "../transport/client";
import type { Requests } from "../transport/requests";
import type { State } from "./source";

export interface Chunk<K extends Kind> {
  body: BodyOf<K>;
  /** No view shows what it is of yet. */
  ahead?: boolean;
  /** Whether the grid, curve or strip that the chunk is of is still wanted. */
  isWanted(): boolean;
  /** Stores the answer. Throws where the answer does not fit the request. */
  keep(answer: AnswerOf<K>, data: Uint8Array): void;
  /** Called after `keep` for a chunk that is wanted. */
  show(answer: AnswerOf<K>, seconds: number): void;
}

export abstract class ChunkedSource<K extends Kind> {
  readonly state: ReadonlySignal<State>;
  readonly error: ReadonlySignal<string>;
  /** Incremented with each chunk that is shown. */
  readonly arrivals: ReadonlySignal<number>;
  protected readonly client: Requests;
  /** The chunk in flight. */
  protected pending: Chunk<K> | null = null;
  /** Incremented when all answers so far become wrong. */
  protected generation = 0;
  #view: View;
  #patience: number;
  #state: Signal<State> = signal("idle");
  #error = signal("");
  #arrivals = signal(0);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stops: (() => void)[] = [];

  /** `patience`: how long a newer chunk waits for the one in flight before that is cancelled. */
  constructor(client: Requests, view: View, patience = 0) {
    this.client = client;
    this.#view = view;
    this.#patience = patience;
    this.state = this.#state;
    this.error = this.#error;
    this.arrivals = this.#arrivals;
  }

  /** The chunk to ask for now; null where nothing is missing, or something else goes first. */
  protected abstract next(): Chunk<K> | null;

  /** Asks for the next chunk. After an error it asks for nothing until `retry`. */
  protected advance(): void {
    if (this.#state.peek() === "error") return;
    const chunk = this.next();
    if (!chunk) return;
    this.pending = chunk;
    const { generation } = this;
    const keep = (answer: AnswerOf<K>, data: Uint8Array) => {
      try {
        chunk.keep(answer, data);
        return "";
      } catch (error) {
        return error instanceof Error ? error.message : String(error);
      }
    };
    const end = () => {
      if (this.pending === chunk) this.pending = null;
      return generation === this.generation;
    };
    this.client.ask(
      this.#view,
      chunk.body,
      {
        reply: (answer, data, seconds) => {
          if (!end()) return;
          const problem = keep(answer, data);
          if (!chunk.isWanted()) return;
          if (problem) return this.#fail(problem);
          chunk.show(answer, seconds);
          this.#arrivals.value += 1;
        },
        late: (answer, data) => {
          if (end()) keep(answer, data);
        },
        failed: (message) => {
          if (end() && chunk.isWanted()) this.#fail(message);
        },
      },
      { patience: this.#patience, ahead: chunk.ahead },
    );
  }

  /** Advances once the effects of the current change have run, or later. */
  protected soon(wait = 0): void {
    this.wait();
    this.#timer = setTimeout(() => this.advance(), wait);
  }

  /** Cancels what `soon` has scheduled. */
  protected wait(): void {
    clearTimeout(this.#timer);
  }

  protected stand(state: State): void {
    this.#state.value = state;
  }

  /** Runs an effect until this source is disposed of. */
  protected watch(run: () => void): void {
    this.#stops.push(effect(run));
  }

  /** Cancels the chunk in flight: nothing is wanted. */
  protected drop(): void {
    this.pending = null;
    this.client.drop(this.#view);
  }

  retry(): void {
    this.stand("loading");
    this.advance();
  }

  /** Forgets all answers: they are of another model. */
  reset(): void {
    this.generation += 1;
    this.pending = null;
    this.stand("idle");
    this.#arrivals.value += 1;
  }

  dispose(): void {
    for (const stop of this.#stops) stop();
    this.wait();
  }

  #fail(message: string): void {
    this.#error.value = message;
    this.#state.value = "error";
  }
}
