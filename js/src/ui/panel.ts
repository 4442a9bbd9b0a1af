// The frame that all panels share: heading, tools, body, foot, the state of the data, and the error.

import type { State } from "../sources/source";
import { GONE } from "../transport/client";
import { NEEDS_NOTEBOOK } from "../transport/constants";
import { same } from "../transport/same";
import { attribute, h, write } from "./dom";
import { explain, word } from "./term_card";
import type { Term } from "./terms";
import type { View } from "./view";

export interface Panel {
  element: HTMLElement;
  heading: HTMLElement;
  title: HTMLElement;
  /** What the panel shows right now, beside its title. */
  label: HTMLElement;
  tools: HTMLElement;
  body: HTMLElement;
  foot: HTMLElement;
  stand(state: State, error?: string): void;
}

export function createPanel(
  _view: View,
  name: "frame" | "neurons" | "pixel" | "time",
  title: string,
  term: Term,
  retry: () => void,
): Panel {
  const message = h("p", { class: "cw-error-text" });
  const again = h("button", { class: "cw-button", type: "button", on: { click: retry } }, "Try again");
  const error = h("div", { class: "cw-error", role: "alert", hidden: true }, message, again);
  const label = h("span", { class: "cw-label" });
  const tools = h("div", { class: "cw-tools" });
  const titled = word(term, title);
  const heading = h("header", { class: "cw-heading" }, h("h3", { class: "cw-title" }, titled), label, tools);
  const body = h("div", { class: "cw-body" });
  const foot = h("footer", { class: "cw-foot" });
  const element = h(
    "section",
    {
      class: `cw-panel cw-panel-${name}`,
      "aria-label": title,
      "data-panel": name,
      "data-testid": `panel-${name}`,
      "data-state": "loading",
    },
    h("div", { class: "cw-loading", "aria-hidden": "true" }),
    heading,
    body,
    error,
    foot,
  );
  return {
    element,
    heading,
    title: titled,
    label,
    tools,
    body,
    foot,
    stand(state, text = "") {
      attribute(element, "data-state", state === "idle" ? "ready" : state);
      attribute(element, "aria-busy", state === "loading" ? "true" : null);
      // That the kernel has gone is said once, in the status line; there is nothing to try again.
      error.hidden = state !== "error" || text === GONE;
      // What a saved page does not contain is not there the second time either.
      again.hidden = text.startsWith(NEEDS_NOTEBOOK);
      write(message, text);
    },
  };
}

/** A row of buttons of which one is pressed. */
export function segmented<V extends string>(
  label: string,
  options: readonly { value: V; text: string; title?: string; term?: Term }[],
  choose: (value: V) => void,
) {
  const buttons = options.map(({ value, text, title, term }) => {
    const button = h(
      "button",
      {
        class: "cw-segment",
        type: "button",
        "data-value": value,
        "aria-pressed": "false",
        title,
        on: { click: () => choose(value) },
      },
      text,
    );
    return term ? explain(button, term) : button;
  });
  const element = h("div", { class: "cw-segments", role: "group", "aria-label": label }, ...buttons);
  return {
    element,
    press(value: V, allowed: (option: V) => boolean = () => true) {
      for (const button of buttons) {
        const option = button.dataset.value as V;
        attribute(button, "aria-pressed", String(option === value));
        button.hidden = !allowed(option);
      }
    },
  };
}

/** A select whose options follow the data without losing the choice. */
export function options(
  select: HTMLSelectElement,
  values: readonly string[],
  chosen: string,
  text = (value: string, _at: number) => value,
) {
  const now = [...select.options].map(({ value, textContent }) => [value, textContent]);
  const wanted = values.map((value, at) => [value, text(value, at)] as const);
  if (!same(now, wanted))
    select.replaceChildren(...wanted.map(([value, words]) => h("option", { value }, words)));
  if (select.value !== chosen) select.value = chosen;
}
