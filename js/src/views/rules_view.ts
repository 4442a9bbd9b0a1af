// One selection under every rule, side by side over the widget: the maps, and what each has more than ablation.

import type { Palettes } from "../sources/palettes";
import type { Levels, RulePictures, SideBySide } from "../sources/rules";
import { number } from "../state/format";
import { layerName, runLabel, selectionLabel } from "../state/selection";
import { ready } from "../state/store";
import { RULES } from "../transport/constants";
import { createDialog } from "../ui/dialog";
import { attribute, h, icon, write } from "../ui/dom";
import { composeBar, composeThumbnail } from "../ui/painting";
import { onScale, reach, type Style } from "../ui/palette";
import { explain } from "../ui/term_card";
import type { View } from "../ui/view";
import { correlation } from "./faithfulness_view";

/** A canvas and what is written under it. */
function createFigure(testid: string) {
  const canvas = h("canvas", {
    class: "cw-rule-map",
    role: "img",
    "data-testid": testid,
    width: 1,
    height: 1,
  });
  const title = h("b", {});
  const text = h("span", {});
  const caption = h("figcaption", {}, title, text);
  return { canvas, title, text, element: h("figure", { class: "cw-rule" }, canvas, caption) };
}

type Figure = ReturnType<typeof createFigure>;

/** All with the same limits, so that equal colours are equal values. */
function paint(
  { canvas }: Figure,
  levels: Levels,
  shown: SideBySide,
  top: number,
  style: Style,
  palettes: Palettes,
): void {
  const { width, height } = shown;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d");
  if (!context) return;
  const shared = onScale(style, levels, top);
  const image = context.createImageData(width, height);
  image.data.set(composeThumbnail(levels.data, levels, shared, palettes));
  context.putImageData(image, 0, 0);
}

export function sharedTop(maps: RulePictures[]): number {
  return Math.max(
    0,
    ...maps.flatMap(({ map, difference }) => [map, difference].map((one) => (one ? reach(one) : 0))),
  );
}

export function createRulesView(view: View) {
  const { store, rules, palettes } = view.session;
  const label = h("span", { class: "cw-label" });
  const columns = RULES.map((rule) => ({
    rule,
    map: createFigure(`rule-${rule}`),
    difference: rule === "ablation" ? null : createFigure(`difference-${rule}`),
    why: h("p", { class: "cw-rule-why" }),
    use: h("button", {
      class: "cw-button",
      type: "button",
      "data-testid": `choose-${rule}`,
      on: {
        click: () => {
          toggle(false);
          store.set({ rule });
          store.save(); // no request is possible before Python has sent the layers of that rule
        },
      },
    }),
  }));
  const bar = h("canvas", { class: "cw-bar-colours", width: 256, height: 1, "aria-hidden": "true" });
  const [low, high] = [h("span", { class: "cw-bar-low" }), h("span", { class: "cw-bar-high" })];
  const legend = h(
    "div",
    { class: "cw-rule-legend" },
    h("div", { class: "cw-colourbar", "data-testid": "rules-limits" }, low, bar, high),
    h("p", { class: "cw-muted" }, "Maps with the colours added. All pictures have the same limits."),
  );
  const status = h("p", { class: "cw-muted", role: "status", "data-testid": "rules-status" });
  const again = h(
    "button",
    { class: "cw-button", type: "button", "data-testid": "rules-again", on: { click: () => rules.retry() } },
    "Try again",
  );
  const grid = h(
    "div",
    { class: "cw-rule-grid" },
    ...columns.map(({ rule, map, difference, why, use }) =>
      h(
        "div",
        { class: "cw-rule-column", "data-rule": rule },
        map.element,
        why,
        use,
        difference ? difference.element : legend,
      ),
    ),
  );
  const dialog = createDialog("rules", "Rules side by side", (open) => {
    rules.open.value += open ? 1 : -1;
  });
  const { element, toggle, isOpen } = dialog;
  element.append(
    h(
      "div",
      { class: "cw-dialog-head" },
      h("h3", { class: "cw-title" }, "Rules side by side"),
      label,
      status,
      again,
      dialog.close,
    ),
    grid,
  );
  const button = h(
    "button",
    {
      class: "cw-segment cw-tool",
      type: "button",
      "aria-label": "Rules side by side (r)",
      title: "The selection under xinc, gated and ablation, side by side (r)",
      "data-testid": "rules-button",
      on: { click: () => toggle(true) },
    },
    icon("columns"),
  );

  view.signal.addEventListener("abort", () => {
    if (isOpen()) rules.open.value -= 1;
  });

  const name = ({ run, selection, time }: SideBySide): string => {
    const info = store._canvas.value;
    const layer = layerName(info, selection.layer);
    const frame = ready(info) && info.n_frames > 1 ? [`frame ${time}`] : [];
    const network = run === null ? [] : [runLabel(run)];
    return [...network, layer, selectionLabel(selection, store.cluster_names.value), ...frame].join(" · ");
  };
  const told = ({ rule, total, each_colour, correlation: r }: RulePictures, alone: boolean): string => {
    const parts = [`${totalWord(each_colour, alone)} ${number(total)}`];
    if (rule !== "ablation")
      parts.push(r === null ? "no correlation with ablation" : `correlation with ablation ${correlation(r)}`);
    return parts.join(" · ");
  };
  const hasColours = () => {
    const info = store._canvas.value;
    return ready(info) && info.n_channels > 1;
  };
  const totalWord = (eachColour: boolean, alone: boolean): string => {
    if (!alone) return "net total";
    return `total${hasColours() ? (eachColour ? " (each colour)" : " (colours added)") : ""}`;
  };
  /** What the total adds, in full. */
  const totalMeans = (eachColour: boolean, alone: boolean): string => {
    if (!alone) return "Net total: the magnitudes of this map, in which neurons and colours are added";
    const which = !hasColours() ? "" : eachColour ? " to each colour" : ", the colours added first";
    return `Total: the sum over the frame of the magnitudes of the contributions${which}`;
  };
  const style = (): Style => ({
    maps: "signed",
    palette: store.palette.value,
    opacity: 1,
    contrast: store.contrast.value,
  });
  const draw = (shown: SideBySide) => {
    const [top, how, colours] = [sharedTop(shown.maps), style(), palettes.value];
    const alone = shown.selection.neuron !== null;
    const together = alone ? "" : "Here all of them are taken out at once.";
    for (const { rule, map, difference, why, use } of columns) {
      const found = shown.maps.find((one) => one.rule === rule);
      const missing = found?.map ? "" : `Not defined here: ${found?.why ?? "the kernel sent nothing"}`;
      why.replaceChildren(...(missing ? [h("b", {}, rule), h("br", {}), missing] : []));
      map.element.hidden = missing !== "";
      use.hidden = missing !== "";
      use.disabled = rule === store.rule.value;
      write(use, use.disabled ? "in use" : `Use ${rule}`);
      write(map.title, rule);
      write(map.text, found?.map ? told(found, alone) : "");
      explain(map.title, rule, rule === "ablation" ? together : "");
      attribute(map.text, "title", found?.map ? totalMeans(found.each_colour, alone) : null);
      attribute(map.canvas, "aria-label", `${rule}, ${missing || told(found as RulePictures, alone)}`);
      attribute(map.canvas, "data-total", found?.map ? found.total : null);
      if (found?.map) paint(map, found.map, shown, top, how, colours);
      if (!difference) continue;
      difference.element.hidden = !found?.difference;
      write(difference.title, `${rule} − ablation`);
      write(difference.text, found?.difference ? `at most ${number(reach(found.difference))}` : "");
      attribute(difference.canvas, "aria-label", `${rule} less ablation`);
      if (found?.difference) paint(difference, found.difference, shown, top, how, colours);
    }
    const context = bar.getContext("2d");
    if (context) {
      const image = context.createImageData(256, 1);
      image.data.set(composeBar(how, colours, null));
      context.putImageData(image, 0, 0);
    }
    const beyond = how.contrast > 1;
    write(low, `${beyond ? "≤ " : ""}${number(-top / how.contrast)}`);
    write(high, `${beyond ? "≥ " : ""}${number(top / how.contrast)}`);
  };
  view.effect(() => {
    const info = store._canvas.value;
    if (ready(info)) grid.style.setProperty("--cw-aspect", `${info.width} / ${info.height}`);
  });
  view.effect(() => {
    if (rules.open.value === 0) return;
    const [state, shown] = [rules.state.value, rules.shown.value];
    attribute(element, "data-state", state);
    attribute(element, "data-time", shown?.time);
    attribute(grid, "data-empty", shown === null);
    again.hidden = state !== "error";
    const words = { error: rules.error.value, loading: "computing the maps" };
    write(status, state === "error" || state === "loading" ? words[state] : "");
    write(label, shown ? name(shown) : "");
    if (shown) draw(shown);
  });
  return { element, button, toggle, isOpen };
}
