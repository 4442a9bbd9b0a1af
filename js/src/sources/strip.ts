// Small pictures of frames for the film strip: asked for a few at a time, when nothing else is.
import { effect, type ReadonlySignal, type Signal, signal, untracked } from "@preact/signals-core";
import { ready, type Store } from "../state/store";
import type { RequestClient } from "../transport/client";
import { ByteCache } from "./cache";

export interface SmallFrame {
  height: number;
  width: number;
  rgb: Uint8Array;
}

export const STRIP_SIDE = 96;
const AT_A_TIME = 4;
const BYTES = 8e6;
const REST = 60;

export class StripSource {
  /** Moves whenever pictures arrive. */
  readonly arrivals: ReadonlySignal<number>;
  #arrivals = signal(0);
  #wanted = new Map<object, number[]>();
  #wishes: Signal<number> = signal(0);
  #frames = new ByteCache<SmallFrame>(BYTES);
  #failed = false;
  #client: RequestClient;
  #generation = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stop: () => void;

  constructor(store: Store, client: RequestClient, watched: ReadonlySignal<boolean>) {
    this.#client = client;
    this.arrivals = this.#arrivals;
    this.#stop = effect(() => {
      this.#wishes.value;
      this.#arrivals.value;
      const idle = client.activity.value.length === 0 && !store.playing.value;
      clearTimeout(this.#timer);
      if (!watched.value || !ready(store._canvas.value) || !idle) return;
      this.#timer = setTimeout(() => untracked(() => this.#advance()), REST);
    });
  }

  frame(time: number): SmallFrame | undefined {
    return this.#frames.get(String(time));
  }

  /** A view shows these frames. */
  want(view: object, frames: number[]): void {
    this.#wanted.set(view, frames);
    this.#wishes.value += 1;
  }

  forget(view: object): void {
    this.#wanted.delete(view);
  }

  reset(): void {
    this.#generation += 1;
    this.#frames.clear();
    this.#failed = false;
    this.#arrivals.value += 1;
  }

  dispose(): void {
    this.#stop();
    clearTimeout(this.#timer);
  }

  #advance(): void {
    const missing = new Set(
      [...this.#wanted.values()].flat().filter((time) => !this.#frames.has(String(time))),
    );
    if (missing.size === 0 || this.#failed) return;
    const frames = [...missing].slice(0, AT_A_TIME);
    const generation = this.#generation;
    this.#client.ask(
      "strip",
      { kind: "strip", frames, side: STRIP_SIDE },
      {
        reply: ({ frames: answered, height, width }, data) => {
          if (generation !== this.#generation) return;
          const size = height * width * 3;
          if (data.length < answered.length * size || answered.join() !== frames.join()) {
            this.#failed = true;
            return;
          }
          answered.forEach((time, i) => {
            const rgb = data.slice(i * size, (i + 1) * size);
            this.#frames.set(String(time), { height, width, rgb }, size + 100);
          });
          this.#arrivals.value += 1;
        },
        // The frame panel tells what is wrong with a frame: a strip without pictures is no trouble of its own.
        failed: () => {
          this.#failed = true;
        },
      },
    );
  }
}
