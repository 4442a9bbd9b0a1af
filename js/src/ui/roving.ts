// One stop in the tab order for many buttons: the arrows move among them.
import type { Signal } from "@preact/signals-core";

const STEPS: Record<string, number> = {
  ArrowLeft: -1,
  ArrowUp: -1,
  ArrowRight: 1,
  ArrowDown: 1,
  Home: Number.NEGATIVE_INFINITY,
  End: Number.POSITIVE_INFINITY,
};

/** `active` is the place of the button that Tab stops at; whoever draws them gives that one `tabindex="0"`. */
export function rove(group: HTMLElement, buttons: () => HTMLButtonElement[], active: Signal<number>): void {
  group.addEventListener("keydown", (event) => {
    const step = event.shiftKey ? undefined : STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const all = buttons();
    const next = Math.max(0, Math.min(all.length - 1, active.peek() + step));
    active.value = next;
    all[next]?.focus();
  });
  group.addEventListener("focusin", (event) => {
    const at = buttons().indexOf(event.target as HTMLButtonElement);
    if (at >= 0) active.value = at;
  });
}
