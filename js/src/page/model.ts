// In place of the kernel's model: traits that stay in the page, requests that the page answers itself.
import type { Body, FromKernel, FromPage } from "../transport/messages";
import type { Model } from "../transport/model";
import { Events } from "./events";
import type { Answered } from "./saved_page";

export class PageModel extends Events implements Model {
  #state: Map<string, unknown>;
  #answer: (body: Body) => Promise<Answered>;

  constructor(state: Record<string, unknown>, answer: (body: Body) => Promise<Answered>) {
    super();
    this.#state = new Map(Object.entries(state));
    this.#answer = answer;
  }

  get(name: string): unknown {
    return this.#state.get(name);
  }

  set(name: string, value: unknown): void {
    if (this.#state.get(name) === value) return;
    this.#state.set(name, value);
    this.emit(`change:${name}`);
  }

  /** Sets traits that belong together: all are there before anybody hears of one. */
  assign(values: Record<string, unknown>): void {
    const changed = Object.keys(values).filter((name) => this.#state.get(name) !== values[name]);
    for (const name of changed) this.#state.set(name, values[name]);
    for (const name of changed) this.emit(`change:${name}`);
  }

  /** There is nobody to save them for. */
  save_changes(): void {}

  /** Answers are quick: a cancelled request is answered all the same, and nobody listens. */
  send(content: unknown): void {
    const message = content as FromPage;
    if (message.type === "request") void this.#reply(message.id, message.body);
  }

  async #reply(id: number, body: Body): Promise<void> {
    const started = performance.now();
    try {
      const { answer, data } = await this.#answer(body);
      const seconds = (performance.now() - started) / 1000;
      const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
      this.#tell({ type: "reply", id, seconds, of: body, body: answer }, [view]);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      // Not within the call that asked: nobody listens yet.
      await Promise.resolve();
      this.#tell({ type: "error", id, message: text }, []);
    }
  }

  #tell(message: FromKernel, buffers: DataView[]): void {
    this.emit("msg:custom", message, buffers);
  }
}
