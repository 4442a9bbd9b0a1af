// Undo, redo and full screen.
import type { History } from "../state/history";
import { attribute, h, icon } from "../ui/dom";
import type { View } from "../ui/view";

export function createHistoryControl(view: View): HTMLElement {
  const { history } = view.session;
  const step = (name: "undo" | "redo", title: string, act: keyof Pick<History, "undo" | "redo">) => {
    const button = h(
      "button",
      {
        class: "cw-icon-button",
        type: "button",
        title,
        "aria-label": title,
        "data-testid": name,
        on: { click: () => history[act]() },
      },
      icon(name),
    );
    const can = act === "undo" ? history.canUndo : history.canRedo;
    view.effect(() => attribute(button, "aria-disabled", can.value ? null : "true"));
    return button;
  };
  return h(
    "div",
    { class: "cw-control cw-control-history" },
    step("undo", "Undo the last choice (ctrl + z)", "undo"),
    step("redo", "Redo it (ctrl + shift + z)", "redo"),
    createFullScreen(view),
  );
}

function createFullScreen({ root, signal, say }: View): HTMLElement {
  const button = h("button", {
    class: "cw-icon-button",
    type: "button",
    "data-testid": "full-screen",
    on: {
      click: () => {
        const done = isFull() ? document.exitFullscreen() : root.requestFullscreen();
        done.catch((error: unknown) => say(`Full screen was refused: ${String(error)}`, "error"));
      },
    },
  });
  const isFull = () => (root.getRootNode() as Document | ShadowRoot).fullscreenElement === root;
  const show = () => {
    const title = isFull() ? "Leave full screen (Esc)" : "Full screen";
    button.replaceChildren(icon(isFull() ? "shrink" : "expand"));
    attribute(button, "title", title);
    attribute(button, "aria-label", title);
  };
  button.hidden = !document.fullscreenEnabled;
  document.addEventListener("fullscreenchange", show, { signal });
  show();
  return button;
}
