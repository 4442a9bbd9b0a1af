// What every menu of the widget does: it closes by itself, and keeps the focus in the widget.
import { holdsFocus } from "./dom";

/** Closes a menu; a focus in it, which would be lost with the widget's keys, goes to its summary. */
export function closeMenu(menu: HTMLDetailsElement): void {
  if (holdsFocus(menu)) menu.querySelector("summary")?.focus({ preventScroll: true });
  menu.open = false;
}

/** A `details` that a press outside it closes, and Escape, which moves the focus: to its summary, or elsewhere. */
export function closeByItself(menu: HTMLDetailsElement, signal: AbortSignal, focus?: HTMLElement): void {
  document.addEventListener(
    "pointerdown",
    (event) => {
      if (!menu.contains(event.target as Node)) menu.open = false;
    },
    { signal },
  );
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    event.stopPropagation();
    menu.open = false;
    (focus ?? menu.querySelector("summary"))?.focus({ preventScroll: true });
  });
}
