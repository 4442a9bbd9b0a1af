// The anywidget model, as far as the page uses it.

/** What we use of anywidget's model; `send` and the events may come from another host than Jupyter. */
export interface Model {
  get(name: string): unknown;
  set(name: string, value: unknown): void;
  save_changes(): void;
  // biome-ignore lint/suspicious/noExplicitAny: the host's own event arguments
  on(event: string, callback: (...values: any[]) => void): void;
  // biome-ignore lint/suspicious/noExplicitAny: the host's own event arguments
  off(event: string, callback: (...values: any[]) => void): void;
  send(content: unknown): void;
}
