// What every part of one view is given.
import { effect, type ReadonlySignal, type Signal, signal, untracked } from "@preact/signals-core";
import type { Session } from "../sources/session";
import { adds } from "./dom";

export interface View {
  session: Session;
  root: HTMLElement;
  /** Ends every listener and effect of this view. */
  signal: AbortSignal;
  effect(run: () => void): void;
  /** Runs `paint` once before the next frame is drawn, however often it is asked for. */
  painter(paint: () => void): () => void;
  /** Runs `run` when the element gets its first size and at each change of it. */
  whenResized(element: Element, run: () => void): void;
  /** Whether every click adds a neuron to the selection, or takes it out, as one with Shift does. */
  several: Signal<boolean>;
  /** Whether this click adds to what is selected. */
  adds(event: MouseEvent): boolean;
  /** Says something in the status line. */
  say(message: string, kind?: "note" | "error"): void;
}

export function createView(session: Session, root: HTMLElement, end: AbortSignal): Omit<View, "say"> {
  const several = signal(false);
  return {
    session,
    root,
    signal: end,
    several,
    adds: (event) => several.peek() || adds(event),
    effect(run) {
      end.addEventListener("abort", effect(run));
    },
    whenResized(element, run) {
      const observer = new ResizeObserver(run);
      observer.observe(element);
      end.addEventListener("abort", () => observer.disconnect());
    },
    painter(paint) {
      let asked = 0;
      end.addEventListener("abort", () => cancelAnimationFrame(asked));
      return () => {
        if (asked) return;
        asked = requestAnimationFrame(() => {
          asked = 0;
          if (!end.aborted) paint();
        });
      };
    },
  };
}

/** Counts this view in `views` while `isSeen`: what no view shows is not asked for. */
export function countWhile(
  view: Omit<View, "say">,
  views: Signal<number>,
  isSeen: ReadonlySignal<boolean>,
): void {
  let isCounted = false;
  const count = (now: boolean) => {
    if (now !== isCounted) views.value += now ? 1 : -1;
    isCounted = now;
  };
  view.effect(() => {
    const now = isSeen.value;
    untracked(() => count(now));
  });
  view.signal.addEventListener("abort", () => count(false));
}
