// The Python that makes the view again: into the clipboard, or, where the browser withholds that, shown to be copied.

import { stateOf } from "../state/store";
import { createDialog } from "../ui/dialog";
import { h } from "../ui/dom";
import type { View } from "../ui/view";

export function createRecipeButton(view: View, chosen: () => void): HTMLButtonElement {
  const { client, store } = view.session;
  const copy = async (text: string) => {
    try {
      await navigator.clipboard.writeText(text);
      view.say("copied the Python that makes this view");
    } catch {
      // A page that is not served over https, or an embedded one, has no clipboard.
      showText(view, text);
    }
  };
  return h(
    "button",
    {
      class: "cw-button cw-wide",
      type: "button",
      title: "Python that makes this view again",
      "data-testid": "copy-recipe",
      on: {
        click: () => {
          chosen();
          client.ask(
            "recipe",
            { kind: "recipe", state: stateOf(store) },
            { reply: ({ text }) => copy(text), failed: (message) => view.say(message, "error") },
          );
        },
      },
    },
    "Copy recipe (Python)",
  );
}

function showText({ root, signal }: View, text: string): void {
  const area = h("textarea", {
    class: "cw-recipe-text",
    readonly: true,
    spellcheck: "false",
    rows: Math.min(18, text.split("\n").length),
    "aria-label": "Python that makes this view again",
    "data-testid": "recipe-text",
  });
  area.value = text;
  const dialog = createDialog("recipe", "Recipe", (open) => {
    if (!open) dialog.element.remove();
  });
  dialog.element.append(
    h("h3", { class: "cw-title" }, "Recipe"),
    h("p", { class: "cw-muted" }, "The browser gives no access to the clipboard here: press Ctrl+C or ⌘C."),
    area,
    dialog.close,
  );
  // Keys are of the text, not of the widget.
  dialog.element.addEventListener("keydown", (event) => event.stopPropagation());
  root.append(dialog.element);
  signal.addEventListener("abort", () => dialog.element.remove());
  dialog.toggle(true);
  area.focus();
  area.select();
}
