// The line under the toolbar: what is being computed, how long the last thing took, where; what went wrong.
import { signal } from "@preact/signals-core";
import { count, seconds } from "../state/format";
import { neuronLabel, runLabel, selectionLabel } from "../state/selection";
import { isSwitching, ready, type Store } from "../state/store";
import { type Activity, GONE } from "../transport/client";
import { attribute, h, write } from "../ui/dom";
import { type ExportPlan, exportPng } from "../ui/export_png";
import { closeByItself, closeMenu } from "../ui/menu";
import type { View } from "../ui/view";
import { createCoach } from "./coach";
import { createExportCancel, createExportItems } from "./export_menu";
import { createFaithfulness } from "./faithfulness_view";
import { createRecipeButton } from "./recipe";

const READY = "ready";
/** What an answer is called beside the time that it took; others as their requests are. */
const ANSWERS: Partial<Record<Activity["body"]["kind"], string>> = {
  grid: "thumbnails",
  region_neurons: "region",
  run_curve: "curve",
  picture_spectra: "spectra",
  selection_spectrum: "spectrum",
};
const SLOW = 300;
/** How long, in ms, a note comes before all else; from then on it stays until there is something else to say. */
const NOTE = 6_000;
/** After a silence this long, in ms, the kernel may as well have been restarted as run a long cell. */
const DOUBTFUL = 90_000;

export interface Note {
  message: string;
  kind: "note" | "error";
}

export function activityText({ body, done, total }: Activity): string {
  const amount = total > 0 ? ` · ${count(done)} / ${count(total)}` : "";
  return `computing ${what(body)}${amount}`;
}

function what(body: Activity["body"]): string {
  switch (body.kind) {
    case "frame":
      return `frame ${body.time}`;
    case "map":
      return `the map of ${selectionLabel(body.selection)}`;
    case "grid":
      return `thumbnails of ${body.layer}`;
    case "pixel":
      return `the neurons of pixel (${body.pixel.join(", ")})`;
    case "curve":
      return `the curve of ${body.selection.neuron ? neuronLabel(body.selection.neuron) : selectionLabel(body.selection)}`;
    case "regions":
      return `what lies in ${count(body.regions.length)} regions`;
    case "region_neurons":
      return "the neurons of the region";
    case "carry":
      return `where the region is in frame ${body.to}`;
    case "clusters":
      return `${body.n_clusters} clusters of ${body.layer}`;
    case "scatter":
      return `where the neurons of ${body.layer} lie`;
    case "values":
      return body.sort === "frequency"
        ? `the frequencies of ${body.layer}`
        : `what sizes the neurons of ${body.layer}`;
    case "picture_spectra":
      return `the spectra of frame ${body.time}`;
    case "selection_spectrum":
      return `the spectrum of ${selectionLabel(body.selection)}`;
    case "rules":
      return `${selectionLabel(body.selection)} under every rule`;
    case "thumbnails":
      return `thumbnails of ${body.layer} of the second run`;
    case "bars":
      return "the neurons of the second run";
    case "pairs":
      return `which neuron of ${body.layer} is which in ${runLabel(body.other)}`;
    case "run_curve":
      return "the curve over runs";
    case "export":
      return body.form === "html" ? "the page" : `the ${body.form.toUpperCase()}`;
    default:
      return body.kind;
  }
}

function switching(store: Store): string {
  const info = store._canvas.value;
  return info.run === store.run.value
    ? `tracing the model under ${store.rule.value}`
    : `opening ${runLabel(store.run.value)}`;
}

export function createStatus(
  view: Omit<View, "say">,
  plan: () => ExportPlan | null,
  help: () => void,
  compare: () => void,
) {
  const { store, client, frames, maps, grid, pixels, curve, clusters, scatter } = view.session;
  const sources = [frames, maps, grid, pixels.pinned, curve, clusters, scatter];
  const note = signal<Note | null>(null);
  const isFresh = signal(false);
  const slow = signal<Activity | null>(null);
  let noteTimer: ReturnType<typeof setTimeout> | undefined;
  let slowTimer: ReturnType<typeof setTimeout> | undefined;
  view.signal.addEventListener("abort", () => {
    clearTimeout(noteTimer);
    clearTimeout(slowTimer);
  });
  const say = (message: string, kind: Note["kind"] = "note") => {
    note.value = { message, kind };
    isFresh.value = true;
    clearTimeout(noteTimer);
    noteTimer = setTimeout(() => (isFresh.value = false), NOTE);
  };
  const forget = () => {
    if (!isFresh.peek()) note.value = null;
  };
  view.root.addEventListener("pointerdown", forget, { signal: view.signal });
  view.root.addEventListener("keydown", forget, { signal: view.signal });

  const text = h("span", {
    class: "cw-status-text",
    role: "status",
    "aria-live": "polite",
    "data-testid": "status",
  });
  const meter = h("progress", { class: "cw-progress", max: 1, "aria-hidden": "true" });
  const [duration, place] = [h("span", { class: "cw-duration" }), h("span", {})];
  const facts = h("span", { class: "cw-facts", "data-testid": "facts" }, duration, place);
  const fallback = h("div", { class: "cw-popover" });
  const menu = h(
    "details",
    { class: "cw-export", "data-testid": "export" },
    h("summary", { class: "cw-button" }, "export"),
    fallback,
  );
  const close = () => closeMenu(menu);
  const png = h(
    "button",
    {
      class: "cw-button cw-wide",
      type: "button",
      "data-testid": "export-png",
      on: {
        click: async () => {
          close();
          const what = plan();
          if (!what) return say("There is no picture to export yet", "error");
          try {
            say(`saved ${await exportPng(what)}`);
          } catch (error) {
            say(error instanceof Error ? error.message : String(error), "error");
          }
        },
      },
    },
    "PNG of the frame view",
  );
  fallback.append(
    png,
    createRecipeButton({ ...view, say }, close),
    createExportItems({ ...view, say }, say, close),
  );
  closeByItself(menu, view.signal);

  // Requests that take less than `SLOW` are not shown, nor those that nobody waits for.
  view.effect(() => {
    const running = client.activity.value.filter(({ view: name, ahead }) => name !== "hover" && !ahead);
    const oldest = running.reduce<Activity | null>((a, b) => (a && a.since <= b.since ? a : b), null);
    clearTimeout(slowTimer);
    if (!oldest) slow.value = null;
    else if (Date.now() - oldest.since >= SLOW || oldest.total > 0) slow.value = oldest;
    else {
      slow.value = null;
      slowTimer = setTimeout(() => (slow.value = oldest), SLOW - (Date.now() - oldest.since));
    }
  });
  const line = (): Note => {
    if (client.gone.value || store.unsaved.value) return { message: GONE, kind: "error" };
    if (client.silent.value > DOUBTFUL)
      return {
        message:
          "The kernel is silent: if no cell is running, check the connection to it, then run the cell again",
        kind: "error",
      };
    if (client.silent.value > 0)
      return {
        // In steps: a screen reader would read every second aloud.
        message: `The kernel is busy: no answer for ${10 * Math.floor(client.silent.value / 10_000)} s`,
        kind: "note",
      };
    if (note.value && isFresh.value) return note.value;
    const broken = sources.find(({ state }) => state.value === "error");
    if (broken) return { message: broken.error.value, kind: "error" };
    if (!ready(store._canvas.value)) return { message: "preparing the canvas", kind: "note" };
    if (isSwitching(store)) return { message: switching(store), kind: "note" };
    if (slow.value) return { message: activityText(slow.value), kind: "note" };
    const { notice = "" } = store._canvas.value;
    if (notice)
      return { message: `${runLabel(store.run.value) || store.rule.value}: ${notice}`, kind: "note" };
    const warning = grid.shown.value?.warning;
    if (warning) return { message: `WARNING: ${warning}`, kind: "error" };
    return note.value ?? { message: READY, kind: "note" };
  };
  const coach = createCoach(view);
  const said = h("div", { class: "cw-said" }, text, coach.element, meter);
  view.effect(() => {
    const { message, kind } = line();
    attribute(said, "data-coach", coach.wanted.value && message === READY);
    text.title = message; // where the line is cut off, it can be read by pointing at it
    write(text, message);
    attribute(text, "data-kind", kind);
    const { done = 0, total = 0 } = slow.value ?? {};
    meter.classList.toggle("cw-invisible", !slow.value || kind === "error");
    if (total > 0) meter.value = done / total;
    else meter.removeAttribute("value");
  });
  view.effect(() => {
    const info = store._canvas.value;
    const last = client.last.value;
    const device = ready(info) ? info.device : "";
    const what = last && `${ANSWERS[last.kind] ?? last.kind} ${seconds(last.seconds)}`;
    write(duration, what ? `${what}${device ? " · " : ""}` : "");
    write(place, device);
  });
  const element = h(
    "div",
    { class: "cw-status" },
    said,
    createFaithfulness(view, compare),
    facts,
    h("div", { class: "cw-export-end" }, createExportCancel({ ...view, say }), menu),
    h(
      "button",
      {
        class: "cw-button cw-help-button",
        type: "button",
        "aria-label": "Help",
        title: "Help (?)",
        "data-testid": "help-button",
        on: { click: help },
      },
      "?",
    ),
  );
  return { element, say };
}
