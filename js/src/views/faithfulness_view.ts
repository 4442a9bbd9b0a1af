// The faithfulness score in the status line, what it means, and the switch that turns it off.

import { wordOf } from "../sources/faithfulness";
import { count } from "../state/format";
import { savedOf } from "../state/saved";
import {
  currentSelection,
  layerName,
  magnitudesOf,
  neuronsOf,
  selectionKey,
  selectionLabel,
} from "../state/selection";
import { ready } from "../state/store";
import type { FaithfulnessReply, Range } from "../transport/messages";
import { attribute, h, write } from "../ui/dom";
import { closeByItself, closeMenu } from "../ui/menu";
import { documentLink } from "../ui/term_card";
import type { View } from "../ui/view";

interface Told {
  /** What stands in the line; the rest where there is room. */
  short: string;
  rest: string;
  grade: "high" | "fair" | "low" | "none" | "truth" | null;
  explained: string[];
}

const MEANING =
  "1: the rule orders neurons as taking them out of the model does. 0: its maps say nothing about that.";

export function correlation(value: number): string {
  return value.toFixed(2).replace("-", "−").replace("−0.00", "0.00");
}

function interval({ value, low, high }: Range): string {
  return low === high
    ? correlation(value)
    : `${correlation(value)} [${correlation(low)}, ${correlation(high)}]`;
}

export function showFaithfulness(
  score: FaithfulnessReply,
  layer: string,
  kernels: boolean,
  magnitudes: string,
): Told {
  const { rule, totals, pixels, measured, n_neurons, frame } = score;
  const neurons = kernels ? "kernels" : "neurons";
  const of = measured < n_neurons ? `${count(measured)} of ${count(n_neurons)}` : `all ${count(n_neurons)}`;
  const rest = ` · ${rule} · ${layer} · ${of} ${neurons}`;
  if (!totals)
    return {
      short: "faithfulness: not defined",
      rest,
      grade: null,
      explained: [`The ${neurons} of ${layer} don't differ, so there is no order to compare.`],
    };
  const word = wordOf(totals.value);
  return {
    short: `faithfulness ${word} ${interval(totals)}`,
    rest,
    grade: word,
    explained: [
      `Rank correlation of what ${rule} says each of the ${neurons} contributes with what the image loses without it: ${interval(totals)}, with its 95 % interval. Both are totals over the frame: ${magnitudes}.`,
      pixels ? `The same pixel by pixel, on average: ${interval(pixels)}.` : "",
      `Measured on ${of} ${neurons} of ${layer}, at frame ${frame}.`,
      MEANING,
    ].filter(Boolean),
  };
}

/** `compare` shows the selection under every rule. */
export function createFaithfulness(view: Omit<View, "say">, compare: () => void): HTMLElement {
  const { store, faithfulness, agreement, client } = view.session;
  const [short, rest] = [h("span", {}), h("span", { class: "cw-faithfulness-rest" })];
  const dot = h("i", { class: "cw-faithfulness-dot", "aria-hidden": "true" });
  const words = h("div", { class: "cw-faithfulness-words" });
  const button = h("button", {
    class: "cw-button",
    type: "button",
    "data-testid": "faithfulness-switch",
    on: { click: () => store.set({ faithfulness: !store.faithfulness.peek() }) },
  });
  const better = h(
    "button",
    {
      class: "cw-button",
      type: "button",
      "data-testid": "use-gated",
      on: {
        click: () => {
          closeMenu(element); // the button goes with the low score, and the focus with it
          store.set({ rule: "gated" });
        },
      },
    },
    "Use gated",
  );
  const both = h(
    "button",
    {
      class: "cw-button",
      type: "button",
      title: "The selection under xinc, gated and ablation, side by side (r)",
      "data-testid": "see-both",
      on: {
        click: () => {
          closeMenu(element);
          compare();
        },
      },
    },
    "See both maps",
  );
  const summary = h("summary", { class: "cw-faithfulness-line" }, dot, short, rest);
  const element = h(
    "details",
    { class: "cw-faithfulness", "data-testid": "faithfulness" },
    summary,
    h("div", { class: "cw-popover" }, words, both, better, button, documentLink("faithfulness")),
  );
  /** Whether there is a rule that agrees with ablation better than one of this grade. */
  const hasBetter = (grade: Told["grade"]) =>
    (grade === "low" || grade === "none") &&
    store.rule.value !== "gated" &&
    (store._canvas.value.rules ?? []).includes("gated");
  const told = (): Told => {
    const info = store._canvas.value;
    const [layer, rule] = [store.layer.value, store.rule.value];
    const plain = (what: string, ...explained: string[]): Told => ({
      short: `faithfulness: ${what}`,
      rest: "",
      grade: null,
      explained,
    });
    if (!store.faithfulness.value) return plain("off", "How far the maps can be believed is not measured.");
    const known = ready(info) ? info.layers.find(({ name }) => name === layer) : undefined;
    if (!ready(info) || !known) return plain("–");
    const name = layerName(info, layer);
    if (rule === "ablation")
      return {
        short: "faithfulness: ground truth",
        rest: ` · ablation · ${name}`,
        grade: "truth",
        explained: [
          "Ablation takes each neuron out and renders again: it is what the other rules are measured by.",
        ],
      };
    const score = faithfulness.shown.value;
    const { whole } = magnitudesOf(info, layer);
    // Ablation knows the colours of every layer, whatever the rule does.
    const lost =
      known.each_colour || info.n_channels === 1 ? "" : "; of what is lost, the magnitudes in each colour";
    if (score?.run === store.run.value && score.layer === layer && score.rule === rule)
      return showFaithfulness(score, name, known.neurons.length === 2, whole + lost);
    if (faithfulness.state.value === "error") return plain("not measured", faithfulness.error.value);
    if (store.playing.value) return plain("paused", "It is measured when nothing plays.");
    const done = Math.floor((client.background.value?.done ?? 0) / 2);
    const so = done ? `: ${count(done)} neurons so far` : "";
    return plain(
      "measuring",
      `While nothing else is asked for, neurons of ${name} are taken out one by one, to see whether ${rule} says the same${so}.`,
      MEANING,
    );
  };
  /** What is known of the selection: for the line, and in words. */
  const toldOfSelection = (): [string, string] => {
    const [shown, selection] = [agreement.shown.value, currentSelection(store)];
    const info = store._canvas.value;
    if (!shown || !selection || !ready(info) || !store.faithfulness.value) return ["", ""];
    const chosen = neuronsOf(selection);
    const isOfView =
      shown.run === store.run.value &&
      shown.rule === store.rule.value &&
      shown.time === store.time.value &&
      shown.key === selectionKey(chosen);
    if (!isOfView) return ["", ""];
    const name = selectionLabel(chosen, store.cluster_names.value);
    const frame = info.n_frames > 1 ? `, frame ${shown.time}` : "";
    const said = shown.correlation === null ? "not defined" : correlation(shown.correlation);
    // What is compared has the neurons and the colours added, whatever is made of them on the frame.
    const isColour = info.n_channels > 1 && (selection.channel ?? "sum") !== "sum";
    const added = [chosen.neuron ? "" : "neurons", isColour ? "colours" : ""].filter(Boolean);
    const how = added.length ? `, ${added.join(" and ")} added with their signs,` : "";
    const isOnFrame = store.overlay.value === "selection" && added.length === 0;
    return [
      `${isOnFrame ? "this map" : "selection"} ${said}`,
      `This selection (${name}${frame}): the correlation over the pixels of its map${how} with what the image loses without it is ${said}${shown.correlation === null ? ", since one of the two is the same everywhere" : ""}.`,
    ];
  };
  view.effect(() => {
    const { short: line, rest: more, grade, explained: ofLayer } = told();
    const [ofSelection, inWords] = toldOfSelection();
    const explained = [inWords, ...ofLayer].filter(Boolean);
    better.hidden = !hasBetter(grade);
    both.hidden = !ofSelection || savedOf(store._canvas.value) !== null; // a saved page has one rule
    // What is said of the selection comes first: it is what the picture shows.
    write(short, ofSelection ? `${ofSelection} · ${line.replace("faithfulness", "ranking")}` : line);
    write(rest, `${better.hidden ? "" : " → try gated"}${more}`);
    attribute(element, "data-grade", grade);
    attribute(summary, "title", explained.join("\n"));
    if (words.textContent !== explained.join(""))
      words.replaceChildren(...explained.map((text) => h("p", {}, text)));
    // A saved page contains the scores that were measured before it was saved.
    button.hidden = savedOf(store._canvas.value) !== null;
    write(button, store.faithfulness.value ? "Don't measure it" : "Measure it");
  });
  closeByItself(element, view.signal);
  return element;
}
