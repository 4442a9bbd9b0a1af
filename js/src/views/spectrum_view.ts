// Power over frequency of the frame's pictures and of the selection's map, and their mean frequencies: in the place of the
// pixel's neurons.
import { computed, type ReadonlySignal } from "@preact/signals-core";
import { currentSpectrum, type PictureSpectra, type SelectionSpectrum } from "../sources/spectrum";
import { currentSelection, isWholeLayer, runLabel, selectionLabel } from "../state/selection";
import { ready } from "../state/store";
import type { Spectrum } from "../transport/messages";
import { attribute, h, write } from "../ui/dom";
import type { Panel } from "../ui/panel";
import { word } from "../ui/term_card";
import { countWhile, type View } from "../ui/view";
import { createBandTool } from "./band_tool";
import { createSpectrumChart, type SpectrumLine } from "./spectrum_chart";

const PICTURES = ["truth", "output", "error"] as const;
const NAMES = { truth: "truth", output: "reconstruction", error: "error" } as const;

export function createSpectrumView(view: View, panel: Panel, isOpen: ReadonlySignal<boolean>) {
  const { store, spectra } = view.session;
  const chart = createSpectrumChart(view);
  const rows = h("tbody", {});
  const table = h(
    "table",
    { class: "cw-spectrum-table", "data-testid": "spectrum-table" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "cycles a pixel"),
        h("th", { scope: "col" }, word("centroid")),
        h("th", { scope: "col" }, word("bandwidth")),
      ),
    ),
    rows,
  );
  const axis = (text: string) => h("p", { class: "cw-spectrum-axis" }, h("span", {}, text));
  const [up, across] = [axis("power a coefficient"), axis("frequency, cycles a pixel")];
  const band = createBandTool(view, chart.element, chart.along);
  up.append(band.bar);
  const skeleton = h("div", { class: "cw-skeleton", "aria-hidden": "true" });
  const element = h("div", { class: "cw-spectrum", hidden: true }, up, chart.element, across, table);
  panel.body.append(element);
  countWhile(view, spectra.seen, isOpen);

  /** The pictures of the run that is shown, and the selection if it is measured on the same frame. */
  const shown = computed(() => {
    const answer = spectra.pictures.shown.value;
    const pictures = answer && answer.run === store.run.value ? answer : null;
    return { pictures, selection: currentSpectrum(spectra.selection.shown.value, pictures, store) };
  });

  const row = (name: SpectrumLine["name"], text: string, { centroid, bandwidth }: Spectrum) =>
    h(
      "tr",
      { "data-line": name },
      h(
        "th",
        { scope: "row" },
        h("i", { class: `cw-spectrum-key cw-line-${name}`, "aria-hidden": "true" }),
        text,
      ),
      h("td", {}, frequency(centroid)),
      h("td", {}, frequency(bandwidth)),
    );
  const note = (text: string) => h("tr", {}, h("td", { class: "cw-muted", colspan: 3 }, text));
  const showTable = (pictures: PictureSpectra, selection: SelectionSpectrum | null) => {
    const chosen = currentSelection(store);
    const isWhole = chosen === null || isWholeLayer(chosen);
    rows.replaceChildren(
      ...PICTURES.flatMap((name) => {
        const known = pictures.pictures[name];
        return known ? [row(name, NAMES[name], known)] : [];
      }),
      selection
        ? row("selection", nameOf(selection), selection.spectrum)
        : note(
            isWhole
              ? "Select a neuron, several or a cluster: the spectrum of its map"
              : spectra.selection.state.value === "error"
                ? "The selection has no spectrum"
                : "measuring the selection…",
          ),
    );
  };
  const nameOf = ({ selection }: SelectionSpectrum) => selectionLabel(selection, store.cluster_names.value);

  view.effect(() => {
    element.hidden = !isOpen.value;
    if (!isOpen.value) {
      skeleton.remove();
      return;
    }
    const { pictures, selection } = shown.value;
    const failed = [spectra.pictures, spectra.selection].find(({ state }) => state.value === "error");
    const waits = [spectra.pictures, spectra.selection].some(({ state }) => state.value === "loading");
    panel.stand(failed ? "error" : waits ? "loading" : "ready", failed?.error.value);
    if (pictures) skeleton.remove();
    else if (!failed) panel.body.append(skeleton);
    element.hidden = pictures === null;
    attribute(panel.element, "data-time", pictures?.time);
    attribute(element, "data-selection", selection?.key);
    write(panel.label, pictures ? describe(pictures, selection) : "");
    attribute(panel.label, "title", panel.label.textContent);
    if (pictures) showTable(pictures, selection);
  });
  view.effect(() => {
    const { pictures, selection } = shown.value;
    if (!pictures || !isOpen.value) return chart.show(null);
    const lines = PICTURES.flatMap((name): SpectrumLine[] => {
      const spectrum = pictures.pictures[name];
      return spectrum ? [{ name, spectrum }] : [];
    });
    if (selection) lines.push({ name: "selection", spectrum: selection.spectrum });
    chart.show({ ...pictures, lines, band: band.shown.value });
  });

  const describe = ({ run, time }: PictureSpectra, selection: SelectionSpectrum | null): string => {
    const info = store._canvas.value;
    const centroid = selection?.spectrum.centroid ?? null;
    return [
      run !== null && store._runs.value.length > 1 ? runLabel(run) : "",
      ready(info) && info.n_frames > 1 ? `frame ${time}` : "",
      selection
        ? `${nameOf(selection)}: ${centroid === null ? "no frequency" : `${frequency(centroid)} cycles a pixel`}`
        : "",
    ]
      .filter(Boolean)
      .join(" · ");
  };
  return {
    retry: () => {
      spectra.pictures.retry();
      spectra.selection.retry();
    },
  };
}

/** In as many digits as tell frequencies of a frame apart. */
function frequency(value: number | null): string {
  return value === null ? "none" : value.toFixed(3);
}
