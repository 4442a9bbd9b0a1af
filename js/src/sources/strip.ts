// Small pictures of frames for the film strip, requested a few at a time while no other request is in flight.
import { type ReadonlySignal, signal } from "@preact/signals-core";
import { ready, type Store } from "../state/store";
import type { RequestClient } from "../transport/client";
import { requireBytes } from "../transport/data";
import type { RunKey } from "../transport/messages";
import { ByteCache } from "./cache";
import { type Chunk, ChunkedSource } from "./chunked_source";

export interface SmallFrame {
  height: number;
  width: number;
  rgb: Uint8Array;
}

export const STRIP_SIDE = 96;
const AT_A_TIME = 4;
const BYTES = 8e6;
const REST = 60;

function keyOf(run: RunKey, time: number): string {
  return `${JSON.stringify(run)} ${time}`;
}

/** Errors are not shown: the frame panel shows what is wrong with a frame. */
export class StripSource extends ChunkedSource<"strip"> {
  #wanted = new Map<object, number[]>();
  #changes = signal(0);
  #frames = new ByteCache<SmallFrame>(BYTES);
  #store: Store;

  constructor(store: Store, client: RequestClient, watched: ReadonlySignal<boolean>) {
    super(client, "strip");
    this.#store = store;
    this.watch(() => {
      this.#changes.value;
      this.arrivals.value;
      store.run.value;
      const idle = client.activity.value.length === 0 && !store.playing.value;
      if (watched.value && ready(store._canvas.value) && idle) this.soon(REST);
      else this.wait();
    });
  }

  frame(time: number): SmallFrame | undefined {
    return this.#frames.get(keyOf(this.#store.run.value, time));
  }

  /** A view shows these frames. */
  want(view: object, frames: number[]): void {
    this.#wanted.set(view, frames);
    this.#changes.value += 1;
  }

  forget(view: object): void {
    this.#wanted.delete(view);
  }

  override reset(): void {
    this.#frames.clear();
    super.reset();
  }

  protected next(): Chunk<"strip"> | null {
    const run = this.#store.run.peek();
    const lacks = (time: number) => !this.#frames.has(keyOf(run, time));
    const missing = new Set([...this.#wanted.values()].flat().filter(lacks));
    if (missing.size === 0) return null;
    const frames = [...missing].slice(0, AT_A_TIME);
    return {
      body: { kind: "strip", run, frames, side: STRIP_SIDE },
      ahead: true, // nobody waits for the small frames; the picture itself is there
      isWanted: () => true,
      keep: ({ frames: answered, height, width }, data) => {
        const size = height * width * 3;
        requireBytes(data, answered.length * size);
        if (answered.join() !== frames.join()) throw new Error("The kernel answered for other frames");
        answered.forEach((time, i) => {
          const rgb = data.slice(i * size, (i + 1) * size);
          this.#frames.set(keyOf(run, time), { height, width, rgb }, size + 100);
        });
      },
      show: () => this.stand("ready"),
    };
  }
}
