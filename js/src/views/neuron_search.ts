// The field that finds a neuron of the layer by its number.
import { signal } from "@preact/signals-core";
import { chooseNeuron, currentLayer } from "../state/actions";
import { hasMap, NOT_KEPT } from "../state/saved";
import { parseNeuron } from "../state/selection";
import { attribute, h, uniqueId, write } from "../ui/dom";
import type { View } from "../ui/view";

export function createNeuronSearch(view: View) {
  const { store } = view.session;
  const problem = h("span", { class: "cw-hidden", role: "alert", id: uniqueId() });
  const search = h("input", {
    class: "cw-search",
    type: "text",
    inputmode: "numeric",
    placeholder: "/ find",
    "aria-label": "Find a neuron by its number",
    "aria-describedby": problem.id,
    "data-testid": "search",
    spellcheck: "false",
    autocomplete: "off",
  });
  /** Incremented with each search: searching for the selected neuron again scrolls to it again. */
  const finds = signal(0);
  const find = () => {
    const layer = currentLayer(store);
    if (!layer || search.value.trim() === "") return;
    const found = parseNeuron(search.value, layer);
    const kept = "problem" in found || hasMap(store._canvas.peek(), layer.name, found.neuron);
    const wrong = "problem" in found ? found.problem : kept ? "" : NOT_KEPT;
    attribute(search, "aria-invalid", wrong ? "true" : null);
    search.title = wrong;
    write(problem, wrong);
    if ("problem" in found || wrong) return view.say(wrong, "error");
    chooseNeuron(store, found.neuron);
    finds.value += 1;
    search.select();
  };
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") find();
    if (event.key === "Escape") view.root.focus();
  });
  const focusSearch = () => {
    search.focus();
    search.select();
  };
  return { elements: [search, problem], finds, focus: focusSearch };
}
