// The controls of the view: layer, time, cluster, rule, and a menu of the style.
import { chooseCluster, chooseRun, goTo, togglePlaying } from "../state/actions";
import { number } from "../state/format";
import { framesOf, frameToward, savedOf } from "../state/saved";
import { namesKey, OVERLAYS, runInMenu, runLabel } from "../state/selection";
import { ready } from "../state/store";
import { MAX_CONTRAST } from "../transport/constants";
import type { Overlay, RunInfo } from "../transport/messages";
import { attribute, h, icon, write } from "../ui/dom";
import { closeByItself } from "../ui/menu";
import { clusterColour } from "../ui/palette";
import { options, segmented } from "../ui/panel";
import { range, slide } from "../ui/range";
import { explain, word } from "../ui/term_card";
import { isTerm, type Term } from "../ui/terms";
import type { View } from "../ui/view";
import { createChannelControl } from "./channel_control";
import { createHistoryControl } from "./history_control";
import { createLayerControl } from "./layer_control";

const MAPS = [
  { value: "magnitude", text: "magnitude", term: "magnitude" },
  { value: "signed", text: "signed", term: "signed" },
] as const;

export function createToolbar(view: View) {
  return h(
    "div",
    { class: "cw-toolbar", role: "toolbar", "aria-label": "What is shown" },
    control("layer", ...createLayerControl(view)),
    runControl(view),
    timeControl(view),
    clusterControl(view),
    ruleControl(view),
    h("div", { class: "cw-control cw-control-end" }, styleControl(view), createHistoryControl(view)),
  );
}

function control(name: string, ...children: (Node | string)[]): HTMLElement {
  return h("div", { class: `cw-control cw-control-${name}` }, ...children);
}

/** A slider over the steps of a training, or a menu of runs that have names. */
function runControl({ session: { store, runPlayer }, effect }: View): HTMLElement {
  const play = h("button", {
    class: "cw-icon-button",
    type: "button",
    "data-testid": "play-runs",
    on: { click: () => runPlayer.toggle() },
  });
  const slider = range({
    name: "run",
    label: "Run",
    input: (at) => {
      const run = store._runs.peek()[at];
      if (run) chooseRun(store, run.key);
    },
  });
  const text = h("output", { class: "cw-value cw-run-name", "data-testid": "run-label" });
  const menu = h("select", {
    class: "cw-select",
    "aria-label": "Run",
    "data-testid": "run-menu",
    on: {
      change: () => {
        const run = store._runs.peek()[menu.selectedIndex];
        if (run) chooseRun(store, run.key);
      },
    },
  });
  const element = control("run", play, word("run", "run", "cw-name"), slider, text, menu);
  effect(() => {
    const playing = runPlayer.playing.value;
    play.replaceChildren(icon(playing ? "pause" : "play"));
    attribute(play, "aria-label", playing ? "Pause the runs" : "Play the runs");
    attribute(play, "title", playing ? "Pause" : "Play through the runs");
  });
  effect(() => {
    const runs = store._runs.value;
    const at = runs.findIndex(({ key }) => key === store.run.value);
    const shown = runs[at];
    const isTraining = runs.every(({ key }) => typeof key === "number");
    element.hidden = runs.length === 0;
    play.hidden = runs.length < 2;
    slider.hidden = text.hidden = !isTraining;
    menu.hidden = isTraining;
    if (isTraining) {
      slide(slider, Math.max(0, at), runLabel(store.run.value), Math.max(0, runs.length - 1));
      write(text, String(store.run.value));
      text.style.minWidth = `${Math.max(0, ...runs.map(({ key }) => String(key).length))}ch`;
    } else {
      const names = runs.map(({ key }) => String(key));
      const texts = runs.map(runInMenu);
      options(menu, names, String(store.run.value), (name, i) => texts[i] ?? name);
      menu.selectedIndex = at; // 1 and "1" can both be keys
    }
    attribute(element, "title", shown ? [runLabel(shown.key), ...factsOf(shown)].join(" · ") : null);
    attribute(element, "data-broken", shown?.error ? true : null);
  });
  return element;
}

function factsOf({ facts, error }: RunInfo): string[] {
  const known = Object.entries(facts).flatMap(([name, value]) =>
    value === null || name === "step" ? [] : [`${name} ${number(value)}`],
  );
  return error ? [...known, error] : known;
}

function timeControl({ session: { store }, effect }: View): HTMLElement {
  const play = h("button", {
    class: "cw-icon-button",
    type: "button",
    "data-testid": "play",
    on: { click: () => togglePlaying(store) },
  });
  const slider = range({
    name: "time",
    label: "Time",
    input: (to) => {
      const from = store.time.peek();
      goTo(store, frameToward(framesOf(store._canvas.peek()), from, to));
      // A saved page lacks some frames: move the thumb to the frame that was chosen.
      slider.value = String(store.time.peek());
    },
  });
  const text = h("output", { class: "cw-value cw-time", "data-testid": "time-label" });
  const element = control("time", play, word("frame", "time", "cw-name"), slider, text);
  effect(() => {
    const playing = store.playing.value;
    play.replaceChildren(icon(playing ? "pause" : "play"));
    attribute(play, "aria-label", playing ? "Pause" : "Play");
    attribute(play, "title", playing ? "Pause (space)" : "Play (space)");
  });
  effect(() => {
    const info = store._canvas.value;
    element.hidden = ready(info) && framesOf(info).length < 2;
    const n = ready(info) ? info.n_frames : 1;
    slide(
      slider,
      store.time.value,
      `index ${store.time.value}, frame ${store.time.value + 1} of ${n}`,
      n - 1,
    );
    const at = store.time.value;
    write(text, `${at} (${at + 1} of ${n})`);
    attribute(text, "title", `Index ${at}, counted from 0 as in w.time = ${at}: frame ${at + 1} of ${n}`);
    text.style.minWidth = `${3 * String(n).length + 6}ch`;
  });
  return element;
}

function clusterControl({ session: { store, clusters }, effect }: View): HTMLElement {
  const slider = range({
    name: "cluster",
    label: "Cluster",
    min: -1,
    input: (cluster) => chooseCluster(store, cluster),
  });
  slider.addEventListener("pointerdown", () => {
    clusters.asked.value = true;
  });
  const swatch = h("i", { class: "cw-swatch" });
  const text = h("span", {});
  const value = h("output", { class: "cw-value cw-cluster", "data-testid": "cluster-label" }, swatch, text);
  effect(() => {
    const cluster = store.cluster.value;
    const given = store.cluster_names.value[namesKey(store.layer.value, store.n_clusters.value)]?.[cluster];
    const name = cluster < 0 ? "all" : given || String(cluster);
    const full = cluster < 0 ? "all clusters" : given || `cluster ${cluster}`;
    slide(slider, cluster, full, store.n_clusters.value - 1);
    attribute(value, "title", full);
    write(text, name);
    swatch.style.background = cluster < 0 ? "transparent" : clusterColour(cluster);
  });
  return control("cluster", word("cluster", "cluster", "cw-name"), slider, value);
}

function ruleControl({ session: { store }, effect }: View): HTMLElement {
  const select = h("select", {
    class: "cw-select",
    "aria-label": "Rule",
    "data-testid": "rule",
    on: {
      change: () => {
        store.set({ rule: select.value });
        store.save(); // no request is possible before Python has sent the layers of that rule
      },
    },
  });
  const element = control("rule", word("rule", "rule", "cw-name"), select);
  effect(() => {
    const info = store._canvas.value;
    const rules = ready(info) ? info.rules : [];
    element.hidden = rules.length < 2;
    options(select, rules, store.rule.value);
    const rule = store.rule.value;
    const why = ready(info) && info.why ? `Here: ${info.why}.` : "";
    explain(select, isTerm(rule) ? rule : "rule", why);
  });
  return element;
}

function styleControl(view: View): HTMLElement {
  const { session, effect, signal, root } = view;
  const { store, palettes } = session;
  const maps = segmented("Maps", MAPS, (value) => store.set({ maps: value }));
  const palette = h("select", {
    class: "cw-select",
    "aria-label": "Palette",
    "data-testid": "palette",
    on: { change: () => store.set({ palette: palette.value }) },
  });
  const overlay = h("select", {
    class: "cw-select",
    "aria-label": "Over the frame",
    "data-testid": "overlay",
    on: { change: () => store.set({ overlay: overlay.value as Overlay }) },
  });
  const opacity = range({
    name: "opacity",
    label: "Opacity",
    step: 0.01,
    input: (value) => store.set({ opacity: value }, true),
    change: (value) => store.set({ opacity: value }),
  });
  // Equal steps of the slider multiply the gain equally: 1, 2, 4, ...
  const contrast = range({
    name: "contrast",
    label: "Contrast",
    max: Math.log2(MAX_CONTRAST),
    step: 0.05,
    input: (value) => store.set({ contrast: 2 ** value }, true),
    change: (value) => store.set({ contrast: 2 ** value }),
  });
  const [opacityText, contrastText] = [
    h("output", { class: "cw-value" }),
    h("output", { class: "cw-value" }),
  ];
  const contours = h("input", {
    type: "checkbox",
    "aria-label": "Contours",
    "data-testid": "contours-on",
    on: { change: () => store.set({ contours: contours.checked }) },
  });
  const channel = createChannelControl(view);
  const row = (name: Term | "maps", ...parts: Node[]) =>
    h("div", { class: "cw-style-row" }, word(name === "maps" ? "map" : name, name, "cw-name"), ...parts);
  const [findings, colours] = [row("overlay", overlay), row("colour", channel.element)];
  const details = h(
    "details",
    { class: "cw-style", "data-testid": "style" },
    h("summary", { class: "cw-button" }, "style"),
    h(
      "div",
      { class: "cw-popover" },
      findings,
      colours,
      channel.reason,
      row("maps", maps.element),
      row("palette", palette),
      row("opacity", opacity, opacityText),
      row("contrast", contrast, contrastText),
      row("contours", h("label", { class: "cw-check" }, contours)),
    ),
  );
  effect(() => {
    const info = store._canvas.value;
    // A saved page contains the sum of the colours only, and no findings.
    const saved = savedOf(info) !== null;
    findings.hidden = colours.hidden = saved;
    const moves = ready(info) && info.n_frames > 1;
    const overlays = (Object.keys(OVERLAYS) as Overlay[]).filter((one) => moves || one !== "change");
    options(overlay, overlays, store.overlay.value, (one) => OVERLAYS[one as Overlay]);
    maps.press(store.maps.value);
    contours.checked = store.contours.value;
    const finding = store.overlay.value !== "selection";
    maps.element.title = finding ? "Of thumbnails: a finding over the frame has its own way" : "";
    const known = palettes.value.sequential;
    options(palette, known.length ? known : [store.palette.value], store.palette.value);
    palette.disabled = store.maps.value === "signed";
    palette.title = palette.disabled ? "Signed maps use the diverging palette" : "";
    slide(opacity, store.opacity.value, `${Math.round(store.opacity.value * 100)} %`);
    write(opacityText, `${Math.round(store.opacity.value * 100)} %`);
    slide(contrast, Math.log2(Math.max(1, store.contrast.value)), `${store.contrast.value.toFixed(1)} times`);
    write(contrastText, `${store.contrast.value.toFixed(1)}×`);
  });
  closeByItself(details, signal, root);
  return control("style", details);
}
