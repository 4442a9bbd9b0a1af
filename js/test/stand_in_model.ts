// A stand-in for the anywidget model: traits that can be set from both sides, and a kernel given as a function.
import { Events } from "../src/page/events";
import type { FromKernel, FromPage } from "../src/transport/messages";
import type { Model } from "../src/transport/model";

export class StandInModel extends Events implements Model {
  readonly sent: FromPage[] = [];
  #state: Record<string, unknown>;
  #answer: (message: FromPage, reply: (message: FromKernel, data?: Uint8Array) => void) => void;

  constructor(state: Record<string, unknown>, answer: StandInModel["answer"] = () => {}) {
    super();
    this.#state = state;
    this.#answer = answer;
  }

  get answer() {
    return this.#answer;
  }

  get(name: string): unknown {
    return this.#state[name];
  }

  set(name: string, value: unknown): void {
    if (this.#state[name] === value) return;
    this.#state[name] = value;
    this.emit(`change:${name}`);
  }

  /** Several at once, as a host takes them from a message. */
  assign(values: Record<string, unknown>): void {
    const names = Object.keys(values).filter((name) => this.#state[name] !== values[name]);
    for (const name of names) this.#state[name] = values[name];
    for (const name of names) this.emit(`change:${name}`);
  }

  save_changes(): void {}

  send(content: unknown): void {
    const message = content as FromPage;
    this.sent.push(message);
    this.#answer(message, (reply, data) => {
      // As on the wire: the data somewhere inside a larger buffer, then padding.
      const whole = new Uint8Array((data?.length ?? 0) + 64);
      whole.set(data ?? [], 16);
      const buffers = [
        new DataView(whole.buffer, 16, data?.length ?? 0),
        new DataView(new ArrayBuffer(1000)),
      ];
      this.emit("msg:custom", reply, data ? buffers : []);
    });
  }
}
