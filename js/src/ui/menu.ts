// What every menu of the widget does: it closes by itself.

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
