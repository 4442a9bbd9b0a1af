// The ablated and scaled neurons, under the picture: their number, what the frame shows, by how much the selection is scaled,
// the loss of PSNR, and the list.
import { type ReadonlySignal, type Signal, signal } from "@preact/signals-core";
import type { Frame, Picture } from "../sources/pictures";
import { isAblated, sizeOf } from "../state/ablated";
import { chooseNeuron } from "../state/actions";
import { count, number } from "../state/format";
import { layerName, layerOf, neuronLabel, neuronWords } from "../state/selection";
import { ready } from "../state/store";
import type { Source } from "../transport/messages";
import { attribute, h, icon, write } from "../ui/dom";
import { closeByItself } from "../ui/menu";
import { segmented } from "../ui/panel";
import type { Term } from "../ui/terms";
import type { View } from "../ui/view";

const MOST_LISTED = 100;
const VIEWS = [
  { value: "reconstruction", text: "original", title: "With all neurons" },
  { value: "ablated", text: "ablated", term: "ablated" },
  {
    value: "difference",
    text: "difference",
    title: "What is lost without them: the original less the picture without them, colours added",
  },
] as const satisfies { value: Source; text: string; title?: string; term?: Term }[];

/** The PSNR of a changed network and of the original, in words for both, and what it is measured against. */
export function qualityText(
  { psnr, psnr_before: before, scaled }: Frame,
  [changed, original] = [scaled ? "as edited" : "without them", "with all neurons as they are"],
): { text: string; title: string } {
  const now = psnr === null ? "" : `${psnr.toFixed(1)} dB`;
  if (before === null)
    return { text: `${now} to the original`, title: `PSNR against the original reconstruction: ${now}` };
  return {
    text: `${now}, was ${before.toFixed(1)} dB`,
    title: `PSNR against the truth: ${now} ${changed}, ${before.toFixed(1)} dB ${original}`,
  };
}

/** Whether the contributions lie over pictures of a changed network, which are compared without them: with a button. */
export function createCover(over: Signal<boolean>, title: string, testid: string) {
  const on = { click: () => (over.value = !over.peek()) };
  const content = { class: "cw-segment cw-alone", type: "button", title, "data-testid": testid, on };
  return h("button", content, "map");
}

export function createAblationView(
  view: View,
  picture: ReadonlySignal<Picture | null>,
  over: Signal<boolean>,
) {
  const { store, ablation } = view.session;
  const isCompared = (source: Source) => VIEWS.some(({ value }) => value === source);

  const toggle = () => {
    const { problem, done } = ablation.toggle();
    if (problem) view.say(problem, "error");
    else view.say(done);
  };
  const button = h(
    "button",
    { class: "cw-segment cw-tool", type: "button", "data-testid": "ablate", on: { click: toggle } },
    icon("out"),
  );
  view.effect(() => {
    const some = ablation.target();
    const out = some !== null && ablation.isOut(some);
    const what = some?.label ?? "the selection";
    const words = `${out ? "Put back" : "Ablate"} ${what} (k)`;
    attribute(button, "aria-pressed", String(out));
    attribute(button, "aria-disabled", some ? null : "true");
    attribute(button, "aria-label", words);
    attribute(button, "title", some ? words : "Select a neuron, several or a cluster to ablate (k)");
  });

  const amount = h("span", {});
  const rows = h("ul", { class: "cw-out-list" });
  const list = h(
    "details",
    { class: "cw-out", "data-testid": "ablated" },
    h("summary", { class: "cw-button" }, amount),
    h("div", { class: "cw-out-popover" }, rows),
  );
  const views = segmented<Source>("What the frame shows", VIEWS, (source) => store.set({ source }));
  const cover = createCover(over, "Lay the map of the contributions over the picture", "ablation-cover");
  // At 1 nothing is changed: the slider stays while it is in hand.
  const inHand = signal(false);
  const factor = h("input", {
    class: "cw-range",
    type: "range",
    min: 0,
    max: 2,
    step: 0.05,
    "aria-label": "Scale the selection",
    "data-testid": "factor",
    on: {
      input: () => ablation.scale(factor.valueAsNumber, true),
      change: () => {
        ablation.scale(factor.valueAsNumber);
        view.say(`${ablation.target()?.label} × ${factor.valueAsNumber}`);
      },
      focus: () => (inHand.value = true),
      blur: () => (inHand.value = false),
    },
  });
  const factorText = h("output", { class: "cw-factor" });
  const scaling = h(
    "label",
    {
      class: "cw-inline cw-scaling",
      title: "How many times the selection counts: 0 takes it out, 1 is as it was, 2 is twice",
    },
    factor,
    factorText,
  );
  view.effect(() => {
    const by = ablation.factor();
    const some = ablation.target();
    factor.disabled = !some;
    if (factor.valueAsNumber !== (by ?? 1)) factor.value = String(by ?? 1);
    write(factorText, some ? `× ${by === null ? "?" : number(by)}` : "");
    factor.style.setProperty("--cw-filled", `${Math.min(100, 50 * (by ?? 1))}%`);
    attribute(
      factor,
      "aria-valuetext",
      some ? `${some.label} times ${by ?? "several factors"}` : "nothing is selected",
    );
  });
  const quality = h("output", { class: "cw-quality", "data-testid": "ablation-psnr" });
  const all = h(
    "button",
    {
      class: "cw-button",
      type: "button",
      title: "Put all neurons back (shift + k)",
      "data-testid": "restore-all",
      on: { click: () => leave(ablation.restoreAll) },
    },
    "restore all",
  );
  const bar = h(
    "div",
    { class: "cw-ablation", role: "group", "aria-label": "Ablated", "data-testid": "ablation-bar" },
    list,
    scaling,
    views.element,
    cover,
    quality,
    all,
  );
  /** Moves the focus: the focused element may be removed. */
  const leave = (act: () => void) => {
    act();
    if (!document.activeElement || document.activeElement === document.body) view.root.focus();
    if (bar.hidden || !ablation.isAny()) view.root.focus();
  };
  closeByItself(list, view.signal);

  view.effect(() => {
    const ablated = store.ablated.value;
    const [n, scaled] = [sizeOf(ablated), store.edits.value.length];
    const source = store.source.value;
    bar.hidden = !ablation.isAny() && !inHand.value;
    if (bar.hidden) list.open = false;
    write(
      amount,
      [n || !scaled ? `${count(n)} out` : "", scaled ? `${count(scaled)} scaled` : ""]
        .filter(Boolean)
        .join(", "),
    );
    const neurons = (count_: number, how: string) =>
      count_ ? `${count(count_)} ${count_ === 1 ? "neuron is" : "neurons are"} ${how}` : "";
    const title = [neurons(n, "ablated"), neurons(scaled, "scaled")].filter(Boolean).join(", ");
    attribute(list.querySelector("summary") as Element, "title", title);
    views.press(source);
    write(views.element.children[1] as Element, scaled ? "edited" : "ablated");
    cover.hidden = !isCompared(source);
    attribute(cover, "aria-pressed", String(over.value));
  });
  view.effect(() => {
    const frame = picture.value?.frame;
    const told = frame && isAblated(frame.source) ? qualityText(frame) : { text: "", title: "" };
    write(quality, told.text);
    attribute(quality, "title", told.title || null);
  });
  view.effect(() => {
    const ablated = store.ablated.value;
    const info = store._canvas.value;
    const out = Object.entries(ablated).flatMap(([layer, neurons]) =>
      neurons.map((neuron) => ({ layer, neuron, factor: 0 })),
    );
    const every = [...out, ...store.edits.value];
    const lines = every.slice(0, MOST_LISTED).map(({ layer, neuron, factor: by }) => {
      const times = by === 0 ? "" : `  × ${number(by)}`;
      const name = `${layerName(info, layer)}  ${neuronLabel(neuron)}${times}`;
      const known = ready(info) && layerOf(info, layer) !== undefined;
      const choose = h(
        "button",
        {
          class: "cw-out-name",
          type: "button",
          title: known ? `Select ${neuronWords(neuron)} of ${layer}` : layer,
          on: { click: () => known && chooseNeuron(store, neuron, layer) },
        },
        name,
      );
      const back = h(
        "button",
        {
          class: "cw-out-back",
          type: "button",
          "aria-label": `Put back ${name}`,
          title: "Put back",
          // The second click of a double click would fall on the row that moves up.
          on: { click: ({ detail }) => detail < 2 && leave(() => ablation.restore(layer, neuron)) },
        },
        "×",
      );
      return h("li", {}, choose, back);
    });
    const more = every.length - lines.length;
    rows.replaceChildren(...lines, ...(more > 0 ? [h("li", {}, `and ${count(more)} more`)] : []));
  });

  return {
    button,
    bar,
    toggle,
    /** Whether a picture is shown with the contributions over it. Read inside an effect. */
    covered({ frame }: Picture): boolean {
      const source = frame?.source ?? "off";
      const alone = isAblated(source) || source === "quantisation";
      return over.value || !(alone || (ablation.isAny() && isCompared(source)));
    },
  };
}

/** What a picture shows, in its label. */
export function withoutLabel(frame: Frame | null): string | null {
  if (!frame || !isAblated(frame.source)) return null;
  const { out, scaled } = frame;
  const neurons = (n: number) => `${count(n)} neuron${n > 1 ? "s" : ""}`;
  const words = [out ? `without ${neurons(out)}` : "", scaled ? `with ${neurons(scaled)} scaled` : ""];
  const what = words.filter(Boolean).join(" and ");
  return frame.source === "ablated" ? what : `lost ${what}`;
}
