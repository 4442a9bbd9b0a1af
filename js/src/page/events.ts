// The events of a model that has no host: of the exported page, and of the stand-in in tests.

export type Handler = (...values: unknown[]) => void;

export class Events {
  #handlers = new Map<string, Set<Handler>>();

  on(event: string, callback: Handler): void {
    const handlers = this.#handlers.get(event) ?? new Set();
    handlers.add(callback);
    this.#handlers.set(event, handlers);
  }

  off(event: string, callback: Handler): void {
    this.#handlers.get(event)?.delete(callback);
  }

  /** To those who listen now: a handler may take itself off. */
  emit(event: string, ...values: unknown[]): void {
    for (const handler of [...(this.#handlers.get(event) ?? [])]) handler(...values);
  }
}
