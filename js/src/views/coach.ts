// The three steps that show a new user what the widget does; they go at the first click or key in it.
import { signal } from "@preact/signals-core";
import { framesOf } from "../state/saved";
import { ready } from "../state/store";
import { h } from "../ui/dom";
import type { View } from "../ui/view";

export function createCoach(view: Omit<View, "say">) {
  const { store } = view.session;
  const wanted = signal(true);
  const done = () => (wanted.value = false);
  // Not at the press: the line may get shorter without it, and what was pressed would not be there any more to be clicked.
  view.root.addEventListener("click", done, { signal: view.signal, capture: true });
  view.root.addEventListener("keydown", done, { signal: view.signal });
  const element = h("ol", { class: "cw-coach", "data-testid": "coach" });
  view.effect(() => {
    const info = store._canvas.value;
    const steps = ["Point at a pixel: its neurons", "Click a neuron: its pixels"];
    if (ready(info) && framesOf(info).length > 1) steps.push("Drag the time");
    element.replaceChildren(...steps.map((step) => h("li", {}, step)));
  });
  return { element, wanted };
}
