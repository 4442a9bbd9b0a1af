// The spectrum panel: whose place it shares, what it asks for, and what its lines and its words are of.
import { describe, expect, it } from "vitest";
import type { Body, PictureSpectraReply, SelectionSpectrumReply, Spectrum } from "../src/transport/messages";
import { activityText } from "../src/views/status";
import { LAYER, NEURON } from "./page";
import { pass, useView } from "./view";

const view = useView();
const panel = () => view.page.find("[data-testid=panel-pixel]");
const title = () => panel().querySelector(".cw-title")?.textContent;
const label = () => panel().querySelector(".cw-label")?.textContent ?? "";
const tab = (name: string) => view.page.find(`[role=tab][data-value=${name}]`);
const asked = (kind: "picture_spectra" | "selection_spectrum") => view.model.requests(kind).length;
const rows = () =>
  [...view.page.el.querySelectorAll("[data-testid=spectrum-table] tbody tr")].map((row) =>
    [...row.children].map(({ textContent }) => textContent),
  );
const NO_DATA = new Uint8Array();

function spectrum(centroid: number | null): Spectrum {
  return { power: [1, 0.1, null, 0.001], centroid, bandwidth: centroid && centroid / 2 };
}

function ofPictures(time: number, centroid = 0.05): PictureSpectraReply {
  const pictures = { truth: spectrum(0.04), output: spectrum(centroid), error: spectrum(0.2) };
  const limits = [0, 0.2, 0.35, 0.5, 0.708];
  return { kind: "picture_spectra", time, limits, frequencies: [0.1, 0.3, 0.45, 0.6], pictures };
}

function ofSelection(time: number, centroid: number | null): Partial<SelectionSpectrumReply> {
  return { kind: "selection_spectrum", time, spectrum: spectrum(centroid), each_colour: true };
}

async function open(changes: Record<string, unknown> = {}) {
  view.open({ panel: "spectrum", ...changes });
  await view.settle();
  pass(200);
}

describe("the tabs beside the frame", () => {
  it("are one stop in the tab order; the arrows go from one to the next, and Python hears of it", async () => {
    view.open();
    await view.settle();
    expect([title(), asked("picture_spectra"), tab("region").hidden]).toEqual(["Pixel", 0, true]);
    const list = tab("pixel").parentElement as HTMLElement;
    expect(list.getAttribute("role")).toBe("tablist");
    expect([tab("pixel").tabIndex, tab("spectrum").tabIndex]).toEqual([0, -1]);
    tab("pixel").focus();
    view.key("ArrowRight", tab("pixel"));
    expect(document.activeElement).toBe(tab("spectrum"));
    expect([title(), view.model.get("panel"), tab("spectrum").tabIndex]).toEqual(["Spectrum", "spectrum", 0]);
    expect(view.model.get("time")).toBe(2);
    const shown = view.page.find("[role=tabpanel]");
    expect(tab("spectrum").getAttribute("aria-controls")).toBe(shown.id);
    expect(shown.getAttribute("aria-labelledby")).toBe(tab("spectrum").id);
    view.key("ArrowRight", tab("spectrum")); // around
    expect([title(), view.model.get("panel")]).toEqual(["Pixel", "pixel"]);
    view.key("End", tab("pixel"));
    expect(title()).toBe("Spectrum");
  });

  it("follow Python, and a pixel that is pinned meanwhile waits behind its tab", async () => {
    view.open();
    await view.settle();
    view.model.set("panel", "spectrum");
    pass();
    expect([title(), tab("spectrum").getAttribute("aria-selected")]).toEqual(["Spectrum", "true"]);
    expect(view.page.find(".cw-bars").closest("[hidden]")).not.toBeNull();
    view.model.set("pixel", [4, 6]);
    pass();
    expect(title()).toBe("Spectrum");
    tab("pixel").click();
    await view.settle();
    expect(label()).toContain("(4, 6)");
    expect(view.page.find(".cw-bars").closest("[hidden]")).toBeNull();
    expect(view.page.find(".cw-spectrum").hidden).toBe(true);
  });

  it("are not there in a saved page", async () => {
    view.open({ panel: "spectrum" });
    await view.settle();
    const saved = { frames: [0, 2], neurons: { [LAYER]: [NEURON] } };
    view.model.set("_canvas", { ...(view.model.get("_canvas") as object), saved });
    pass();
    expect(title()).toBe("Pixel");
    expect(tab("spectrum").closest("[hidden]")).not.toBeNull();
    expect(view.page.el.querySelector("[role=tabpanel]")).toBeNull();
  });
});

describe("a band", () => {
  const LEFT = 48;
  const ACROSS = 320 - LEFT - 14;
  const chart = () => view.page.find("[data-testid=spectrum]");
  const word = () => view.page.find("[data-testid=band]").textContent;
  const end = (name: "low" | "high") => view.page.find(`[data-testid=band-${name}]`);
  const at = (frequency: number) => LEFT + (frequency / 0.5) * ACROSS;
  const drag = (from: number, to: number, target: HTMLElement = chart()) => {
    view.pointer("pointerdown", target, at(from), 50, 1);
    view.pointer("pointermove", target, at((from + to) / 2), 50, 1);
    view.pointer("pointermove", target, at(to), 50, 1);
    view.pointer("pointerup", target, at(to), 50);
    pass();
  };
  const openChart = async (changes: Record<string, unknown> = {}) => {
    view.open({ panel: "spectrum", ...changes });
    for (const [name, value] of [
      ["clientWidth", 320],
      ["clientHeight", 160],
    ] as const)
      Object.defineProperty(chart(), name, { value });
    await view.settle();
    pass(200);
    await view.settle();
  };
  const mapOf = () =>
    (view.model.last("map").body as unknown as { selection: Record<string, unknown> }).selection;

  it("is dragged over the chart: the frame asks for these frequencies of the selection's map, and says which", async () => {
    await openChart();
    expect(word()).toBe("drag: a band for the frame");
    drag(0.2, 0.098);
    expect(view.model.get("band")).toEqual([0.1, 0.2]);
    expect(mapOf()).toMatchObject({ layer: LAYER, neuron: NEURON, band: [0.1, 0.2] });
    expect(document.activeElement).toBe(end("low"));
    await view.settle();
    const words = "0.10 to 0.20 cycles a pixel";
    expect(word()).toBe(words);
    expect(view.page.find("[data-testid=panel-frame] .cw-label").textContent).toContain(words);
    expect(view.page.find("[data-testid=colourbar]").dataset.signed).toBe("");
    expect(view.page.find(".cw-bar-unit").textContent).toBe("contribution (raw level)");
    expect(view.page.find("[data-testid=frame]").dataset.selection).toContain("~0.1-0.2");
    const span = chart().querySelector(".cw-chart-span")?.getAttribute("d") ?? "";
    expect(span.match(/[\d.]+/g)?.map(Number)[0]).toBeCloseTo(at(0.1));
    // The spectrum itself, and what else follows the selection, are of the whole map.
    expect(view.model.last("selection_spectrum").body).toMatchObject({ selection: { neuron: NEURON } });
    expect(
      (view.model.last("selection_spectrum").body as { selection: object }).selection,
    ).not.toHaveProperty("band");
  });

  it("is 0.05 wide where the chart is clicked", async () => {
    await openChart();
    drag(0.13, 0.13);
    expect(view.model.get("band")).toEqual([0.1, 0.15]);
    drag(0.499, 0.499);
    expect(view.model.get("band")).toEqual([0.45, 0.5]);
  });

  it("has ends that are moved by keys and dragged, never past each other", async () => {
    await openChart({ band: [0.1, 0.2] });
    view.key("ArrowRight", end("low"));
    expect(view.model.get("band")).toEqual([0.11, 0.2]);
    expect(end("low").getAttribute("aria-valuetext")).toBe("0.11 cycles a pixel");
    view.key("PageDown", end("high"));
    view.key("PageDown", end("high"));
    expect(view.model.get("band")).toEqual([0.11, 0.12]);
    view.key("End", end("low"));
    expect(view.model.get("band")).toEqual([0.11, 0.12]);
    view.key("End", end("high"));
    view.key("Home", end("low"));
    expect(view.model.get("band")).toEqual([0, 0.5]);
    expect(view.model.get("time")).toBe(2);
    drag(0.5, 0.3, end("high"));
    expect(view.model.get("band")).toEqual([0, 0.3]);
    view.pointer("pointerdown", end("low"), at(0), 50, 1);
    view.pointer("pointerup", end("low"), at(0), 50);
    pass();
    expect(view.model.get("band")).toEqual([0, 0.3]);
  });

  it("is let go by Esc before the selection, by its button, and by undo", async () => {
    await openChart();
    drag(0.1, 0.2);
    pass(500);
    view.key("Escape", end("high"));
    expect([view.model.get("band"), view.model.get("neuron")]).toEqual([null, NEURON]);
    await view.settle();
    expect(view.page.find("[data-testid=frame]").dataset.selection).not.toContain("~");
    pass(500);
    view.key("z", undefined, { ctrlKey: true });
    expect(view.model.get("band")).toEqual([0.1, 0.2]);
    pass(500);
    view.page.find("[data-testid=clear-band]").click();
    pass();
    expect(view.model.get("band")).toBeNull();
    expect(view.page.find("[data-testid=clear-band]").hidden).toBe(true);
  });

  it("is of the picture where that lies over the frame, and leaves a finding for the selection", async () => {
    await openChart({ overlay: "picture", band: [0.1, 0.2] });
    expect(mapOf()).toMatchObject({ overlay: "picture", neuron: null, band: [0.1, 0.2] });
    expect(view.page.find("[data-testid=panel-frame] .cw-label").textContent).toContain(
      "picture, its colours added · 0.10 to 0.20 cycles a pixel",
    );
    view.model.set("overlay", "neurons");
    pass();
    expect(mapOf()).not.toHaveProperty("band");
    drag(0.2, 0.3);
    expect([view.model.get("overlay"), view.model.get("band")]).toEqual(["selection", [0.2, 0.3]]);
  });
});

describe("the status line", () => {
  const said = (body: Body) =>
    activityText({ view: "spectra", body, ahead: false, since: 0, done: 0, total: 0 });

  it("says in words what is measured", async () => {
    await open();
    expect(said(view.model.last("picture_spectra").body)).toBe("computing the spectra of frame 2");
    const selection = view.model.last("selection_spectrum").body;
    expect(said(selection)).toBe("computing the spectrum of neuron in 1 → out 11");
    view.page.find(".cw-colour-by [data-value=frequency]").click();
    pass();
    expect(said(view.model.last("values").body)).toBe(`computing the frequencies of ${LAYER}`);
  });
});

describe("the spectrum", () => {
  it("is asked for while it is seen: of the frame, and of the selection after its map", async () => {
    view.open({ panel: "spectrum" });
    expect(view.model.last("picture_spectra").body).toEqual({ kind: "picture_spectra", run: null, time: 2 });
    expect(panel().dataset.state).toBe("loading");
    expect(panel().querySelector(".cw-body > .cw-skeleton")).not.toBeNull();
    await view.model.reply(view.model.last("picture_spectra"), ofPictures(2), NO_DATA);
    expect(panel().querySelector(".cw-body > .cw-skeleton")).toBeNull();
    expect(asked("selection_spectrum")).toBe(0);
    expect(rows().at(-1)).toEqual(["measuring the selection…"]);
    pass(200);
    const request = view.model.last("selection_spectrum");
    expect(request.body).toMatchObject({
      rule: "xinc",
      time: 2,
      selection: { layer: LAYER, neuron: NEURON },
    });
    await view.model.reply(request, ofSelection(2, 0.125), NO_DATA);
    expect(rows()).toEqual([
      ["truth", "0.040", "0.020"],
      ["reconstruction", "0.050", "0.025"],
      ["error", "0.200", "0.100"],
      ["neuron in 1 → out 11", "0.125", "0.063"],
    ]);
    expect(label()).toBe("frame 2 · neuron in 1 → out 11: 0.125 cycles a pixel");
    expect(panel().dataset.state).toBe("ready");
  });

  it("has the kernel's own answer on the network of the tests", async () => {
    await open();
    await view.settle();
    expect(rows().map(([name]) => name)).toEqual([
      "truth",
      "reconstruction",
      "error",
      "neuron in 1 → out 11",
    ]);
    for (const [, centroid] of rows()) expect(Number(centroid)).toBeGreaterThan(0);
  });

  it("shows a selection under its own frame and neuron only", async () => {
    await open();
    await view.settle();
    expect(rows()).toHaveLength(4);
    view.model.set("time", 3);
    pass(400);
    await view.model.reply(view.model.last("picture_spectra"), ofPictures(3), NO_DATA);
    expect([label(), rows().at(-1)]).toEqual(["frame 3", ["measuring the selection…"]]);
    await view.model.reply(view.model.last("selection_spectrum"), ofSelection(3, 0.3), NO_DATA);
    expect(label()).toContain("0.300 cycles a pixel");
    view.model.set("neuron", [0, 0]);
    view.model.set("neurons", [[0, 0]]);
    pass();
    expect([label(), rows().at(-1)]).toEqual(["frame 3", ["measuring the selection…"]]);
    pass(200);
    await view.model.reply(view.model.last("selection_spectrum"), ofSelection(3, null), NO_DATA);
    expect(label()).toBe("frame 3 · neuron in 0 → out 0: no frequency");
    expect(rows().at(-1)).toEqual(["neuron in 0 → out 0", "none", "none"]);
  });

  it("says what to select where the whole layer is, and does not measure that", async () => {
    await open({ neuron: null });
    expect(asked("selection_spectrum")).toBe(0);
    expect(rows().at(-1)).toEqual(["Select a neuron, several or a cluster: the spectrum of its map"]);
    view.model.set("cluster", 1);
    pass(200);
    expect(view.model.last("selection_spectrum").body).toMatchObject({ selection: { cluster: 1 } });
  });

  it("says why there is none, and asks again", async () => {
    view.open({ panel: "spectrum" });
    const { id } = view.model.last("picture_spectra");
    view.model.say({
      type: "error",
      id,
      message: "frame=2: the truth holds NaN or infinity; it has no spectrum",
    });
    pass();
    expect(panel().dataset.state).toBe("error");
    expect(panel().querySelector(".cw-error")?.textContent).toContain("it has no spectrum");
    panel().querySelector<HTMLElement>(".cw-error .cw-button")?.click();
    pass();
    expect(asked("picture_spectra")).toBe(2);
  });
});
