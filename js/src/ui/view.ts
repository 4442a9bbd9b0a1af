// What every part of one view is given.
import { effect } from "@preact/signals-core";
import type { Session } from "../sources/session";

export interface View {
  session: Session;
  root: HTMLElement;
  /** Ends every listener and effect of this view. */
  signal: AbortSignal;
  effect(run: () => void): void;
  /** Runs `paint` once before the next frame is drawn, however often it is asked for. */
  painter(paint: () => void): () => void;
  /** Says something in the status line. */
  say(message: string, kind?: "note" | "error"): void;
}

export function createView(session: Session, root: HTMLElement, signal: AbortSignal): Omit<View, "say"> {
  return {
    session,
    root,
    signal,
    effect(run) {
      signal.addEventListener("abort", effect(run));
    },
    painter(paint) {
      let asked = 0;
      signal.addEventListener("abort", () => cancelAnimationFrame(asked));
      return () => {
        if (asked) return;
        asked = requestAnimationFrame(() => {
          asked = 0;
          if (!signal.aborted) paint();
        });
      };
    },
  };
}
