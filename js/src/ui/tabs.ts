// Tabs by the ARIA pattern: one stop in the tab order, the arrows choose among them.
import { attribute, h, uniqueId } from "./dom";

const STEPS: Record<string, (at: number, last: number) => number> = {
  ArrowLeft: (at, last) => (at > 0 ? at - 1 : last),
  ArrowRight: (at, last) => (at < last ? at + 1 : 0),
  Home: () => 0,
  End: (_, last) => last,
};

/** A list of tabs for one panel, whose contents `choose` changes. */
export function createTabs<V extends string>(
  label: string,
  tabs: readonly { value: V; text: string; title: string }[],
  panel: HTMLElement,
  choose: (value: V) => void,
) {
  const buttons = tabs.map(({ value, text, title }) =>
    h(
      "button",
      {
        class: "cw-segment",
        type: "button",
        role: "tab",
        id: uniqueId(),
        title,
        "data-value": value,
        on: { click: () => choose(value) },
      },
      text,
    ),
  );
  const element = h("div", { class: "cw-segments", role: "tablist", "aria-label": label }, ...buttons);
  panel.id ||= uniqueId();
  attribute(panel, "role", "tabpanel");
  for (const button of buttons) attribute(button, "aria-controls", panel.id);
  element.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const there = buttons.filter(({ hidden }) => !hidden);
    const at = there.indexOf(event.target as HTMLButtonElement);
    if (!step || at < 0 || event.shiftKey || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    const next = there[step(at, there.length - 1)];
    next?.focus();
    next?.click();
  });
  return {
    element,
    /** Marks the tab that is shown; those that are not `allowed` are hidden. */
    select(value: V, allowed: (tab: V) => boolean = () => true) {
      for (const button of buttons) {
        const isChosen = button.dataset.value === value;
        attribute(button, "aria-selected", String(isChosen));
        attribute(button, "tabindex", isChosen ? 0 : -1);
        button.hidden = !allowed(button.dataset.value as V);
        if (isChosen) attribute(panel, "aria-labelledby", button.id);
      }
    },
  };
}
