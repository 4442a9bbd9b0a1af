// The field that finds a neuron of the layer by its number.
import { signal } from "@preact/signals-core";
import { chooseNeuron, currentLayer } from "../state/actions";
import { hasMap, NOT_KEPT } from "../state/saved";
import { parseNeuron } from "../state/selection";
import { ready } from "../state/store";
import type { LayerInfo } from "../transport/messages";
import { attribute, h, uniqueId, write } from "../ui/dom";
import type { View } from "../ui/view";

const HOW = "A neuron of this layer by its number (/), or of another: decoder.3 5,38";

export function createNeuronSearch(view: View) {
  const { store } = view.session;
  const problem = h("span", { class: "cw-search-problem", role: "alert", id: uniqueId() });
  const search = h("input", {
    class: "cw-search",
    type: "text",
    inputmode: "numeric",
    placeholder: "/ find",
    "aria-label": "Find a neuron by its number",
    title: HOW,
    "aria-describedby": problem.id,
    "data-testid": "search",
    spellcheck: "false",
    autocomplete: "off",
  });
  /** Incremented with each search: searching for the selected neuron again scrolls to it again. */
  const finds = signal(0);
  const find = () => {
    const now = currentLayer(store);
    if (!now || search.value.trim() === "") return;
    const { layer, numbers } = layerAndNumbers(search.value, now);
    const found = layer
      ? parseNeuron(numbers, layer)
      : { problem: `There is no one layer like "${search.value.trim().split(/\s/)[0]}"` };
    const kept = "problem" in found || !layer || hasMap(store._canvas.peek(), layer.name, found.neuron);
    const wrong = "problem" in found ? found.problem : kept ? "" : NOT_KEPT;
    attribute(search, "aria-invalid", wrong ? "true" : null);
    search.title = wrong || HOW;
    write(problem, wrong);
    attribute(problem, "data-shown", wrong !== "");
    if ("problem" in found || wrong) return view.say(wrong, "error");
    chooseNeuron(store, found.neuron, layer?.name);
    finds.value += 1;
    search.select();
  };
  /** The numbers may stand behind a layer, or a part of its name that no other has. */
  const layerAndNumbers = (text: string, now: LayerInfo) => {
    const [, name, numbers] = text.trim().match(/^([A-Za-z_][\w.]*)[\s:,]+(.*)$/) ?? [];
    const info = store._canvas.peek();
    if (name === undefined || numbers === undefined || !ready(info)) return { layer: now, numbers: text };
    const exact = info.layers.filter((layer) => layer.name === name);
    const like = exact.length ? exact : info.layers.filter((layer) => layer.name.includes(name));
    return { layer: like.length === 1 ? like[0] : undefined, numbers };
  };
  search.addEventListener("input", () => attribute(problem, "data-shown", false));
  search.addEventListener("blur", () => attribute(problem, "data-shown", false));
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") find();
    if (event.key === "Escape") view.root.focus();
  });
  const focusSearch = () => {
    search.focus();
    search.select();
  };
  const element = h("span", { class: "cw-find" }, search, problem);
  return { element, finds, focus: focusSearch };
}
