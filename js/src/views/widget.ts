// One view: toolbar, status line, four panels and keyboard.

import type { Session } from "../sources/session";
import { ready } from "../state/store";
import { attribute, h } from "../ui/dom";
import { createTermCard } from "../ui/term_card";
import { followTheme } from "../ui/theme";
import { createView, type View } from "../ui/view";
import { createFrameView } from "./frame_view";
import { createHelp } from "./help";
import { handleKey } from "./keys";
import { createNeuronView } from "./neuron_view";
import { createPixelView } from "./pixel_view";
import { createRulesView } from "./rules_view";
import { addSplitters } from "./splitters";
import { createStatus } from "./status";
import { createTimeView } from "./time_view";
import { createToolbar } from "./toolbar";

export function createWidget(session: Session, signal: AbortSignal): HTMLElement {
  const { store, picture } = session;
  const root = h("div", {
    class: "cw-root",
    tabindex: "0",
    role: "region",
    "aria-label": "Implicit neural canvas",
    "data-testid": "canvaswidget",
    "data-lm-suppress-shortcuts": "true",
  });
  const base = createView(session, root, signal);
  const help = createHelp(base);
  const status = createStatus(
    base,
    () => {
      const shown = picture.peek();
      const info = store._canvas.peek();
      return shown && ready(info) ? frame.plan(info.title) : null;
    },
    () => help.toggle(true),
    () => rules.toggle(true),
  );
  const view: View = { ...base, say: status.say };
  const rules = createRulesView(view);
  const frame = createFrameView(view, rules.button);
  const neurons = createNeuronView(view);
  const pixel = createPixelView(view);
  const time = createTimeView(view);
  const panels = h(
    "div",
    { class: "cw-panels" },
    frame.element,
    pixel.element,
    time.element,
    neurons.element,
  );
  addSplitters(root, { panels, frame: frame.element, neurons: neurons.element });
  const toolbar = createToolbar(view);
  root.append(toolbar, status.element, panels, rules.element, help.element, createTermCard(root, signal));

  view.effect(() => {
    const info = store._canvas.value;
    root.dataset.ready = String(ready(info));
    if (ready(info)) root.setAttribute("aria-label", `Implicit neural canvas of ${info.title}`);
  });
  // Without a kernel nothing can be selected: the screen stays as it is, and the status line says why.
  view.effect(() => {
    const gone = session.client.gone.value || store.unsaved.value;
    attribute(root, "data-gone", gone);
    for (const part of [toolbar, panels, rules.element]) part.inert = gone;
  });
  const hands = {
    store,
    history: session.history,
    help,
    rules,
    zoom: frame.zoom,
    fit: frame.reset,
    ...frame.hands,
    leaveSeveral: () => {
      const was = view.several.peek();
      view.several.value = false;
      return was;
    },
    focusSearch: neurons.focusSearch,
  };
  root.addEventListener("keydown", (event) => handleKey(event, hands), { signal });
  // The colours the canvases draw with are known once the root is in the page.
  requestAnimationFrame(() => signal.aborted || followTheme(root, signal, neurons.restyle));
  return root;
}
