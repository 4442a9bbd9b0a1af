// One view on a page with timers that the test moves, for the tests of the panels and the hands.
import { afterEach, beforeEach, vi } from "vitest";
import { SAVE_AFTER } from "../src/state/store";
import { ManualModel, show, state, stubBox, stubCanvas } from "./page";

/** Lets timers, animation frames and the signals behind them run. */
export const pass = (ms = SAVE_AFTER) => vi.advanceTimersByTime(ms);

export interface OpenView {
  model: ManualModel;
  page: ReturnType<typeof show>;
  open(changes?: Record<string, unknown>): void;
  /** Answers all requests, and those that follow from the answers. */
  settle(): Promise<void>;
  key(name: string, target?: HTMLElement, more?: KeyboardEventInit): KeyboardEvent;
  pointer(type: string, target: HTMLElement, x: number, y: number, buttons?: number): void;
}

export function useView(): OpenView {
  /** A test may open none. */
  let opened: ReturnType<typeof show> | undefined;
  const view: OpenView = {
    model: new ManualModel({}),
    page: undefined as never,
    open(changes = {}) {
      view.model = new ManualModel(state(changes));
      opened = view.page = show(view.model);
      pass();
    },
    async settle() {
      for (let i = 0; i < 6; i++) {
        await view.model.settle();
        pass(50);
      }
    },
    key(name, target = view.page.find(".cw-root"), more = {}) {
      const event = new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true, ...more });
      target.dispatchEvent(event);
      pass();
      return event;
    },
    pointer(type, target, x, y, buttons = 0) {
      const at = { clientX: x, clientY: y, buttons, button: 0, bubbles: true, cancelable: true };
      target.dispatchEvent(new PointerEvent(type, at));
    },
  };
  beforeEach(() => {
    vi.useFakeTimers();
    stubCanvas();
    stubBox();
  });
  afterEach(() => {
    opened?.close();
    opened = undefined;
    vi.useRealTimers();
  });
  return view;
}
