import { describe, expect, it } from "vitest";
import type { FrameReply } from "../src/transport/messages";
import { labelsOf } from "./baked";
import { answerTo, CANVAS } from "./fixture";
import { BIG, HEAD, LAYER, NEURON, painted, palette } from "./page";
import { pass, useView } from "./view";

const view = useView();

const out = () => view.model.get("ablated");
const source = () => view.model.get("source");
const part = (name: string) => view.page.find(`[data-testid=${name}]`);
const canvas = () => view.page.find<HTMLCanvasElement>(".cw-frame-canvas");
const pixels = () => [...(painted.get(canvas()) ?? [])];

async function open(changes: Record<string, unknown> = {}) {
  view.open(changes);
  await view.settle();
}

async function press(name: string, more: KeyboardEventInit = {}) {
  view.key(name, undefined, more);
  await view.settle();
}

/** The PSNR of a picture of frame 2, from its bytes. */
async function decibels(source: "ablated" | "reconstruction"): Promise<number> {
  const ask = (source: "ablated" | "reconstruction" | "truth") =>
    answerTo({ kind: "frame", run: null, time: 2, source });
  const [{ data }, { data: truth }] = [await ask(source), await ask("truth")];
  let sum = 0;
  for (let i = 0; i < data.length; i++) sum += (((data[i] ?? 0) - (truth[i] ?? 0)) / 255) ** 2;
  return -10 * Math.log10(sum / data.length);
}

describe("ablating", () => {
  it("takes the selected neuron out, shows the picture without it, and puts it back to the very same picture", async () => {
    await open();
    const before = pixels();
    await press("k");
    expect(out()).toEqual({ [LAYER]: [NEURON] });
    expect(source()).toBe("ablated");
    expect(view.model.last("frame").body).toEqual({
      kind: "frame",
      run: null,
      time: 2,
      source: "ablated",
      ablated: [{ layer: LAYER, neurons: [NEURON] }],
    });
    expect(canvas().dataset).toMatchObject({ source: "ablated", out: "1" });
    expect(canvas().getAttribute("data-selection")).toBe("");
    expect(pixels()).not.toEqual(before);
    const { psnr, psnr_before } = (await answerTo(view.model.last("frame").body)).answer as FrameReply;
    expect(part("ablation-psnr").textContent).toBe(
      `${psnr?.toFixed(1)} dB, was ${psnr_before?.toFixed(1)} dB`,
    );
    expect(psnr).toBeCloseTo(await decibels("ablated"), 1);
    expect(psnr_before).toBeCloseTo(await decibels("reconstruction"), 1);
    const asked = () => view.model.requests("frame").filter(({ body }) => "time" in body && body.time === 2);
    const times = asked().length;
    await press("k");
    expect([out(), source()]).toEqual([{}, "reconstruction"]);
    expect(pixels()).toEqual(before);
    expect(asked()).toHaveLength(times);
    expect(part("ablation-bar").hidden).toBe(true);
  });

  it("scales the selection by the slider: out at 0, as it was at 1", async () => {
    await open();
    await press("k");
    const slider = part("factor") as HTMLInputElement;
    const slide = (factor: number, type = "change") => {
      slider.value = String(factor);
      slider.dispatchEvent(new Event(type));
      pass();
    };
    expect([slider.value, part("ablation-bar").querySelector(".cw-factor")?.textContent]).toEqual([
      "0",
      "× 0",
    ]);
    slide(0.5, "input");
    const edit = { layer: LAYER, neuron: NEURON, factor: 0.5 };
    expect(view.model.last("frame").body).toMatchObject({ source: "ablated", ablated: [], edits: [edit] });
    slide(0.5);
    await view.settle();
    expect([out(), view.model.get("edits"), source()]).toEqual([{}, [edit], "ablated"]);
    expect(part("ablated").textContent).toContain("1 scaled");
    expect(part("ablated").textContent).toContain("× 0.5");
    expect(view.page.find(".cw-panel-frame .cw-label").textContent).toContain("with 1 neuron scaled");
    expect(part("ablation-psnr").title).toMatch(/ dB as edited, .* dB with all neurons as they are$/);
    slider.focus();
    slide(1);
    expect([out(), view.model.get("edits"), source()]).toEqual([{}, [], "reconstruction"]);
    expect(part("ablation-bar").hidden).toBe(false); // it may be dragged on
    slider.blur();
    expect(part("ablation-bar").hidden).toBe(true);
    view.key("z", undefined, { ctrlKey: true });
    expect([view.model.get("edits"), source()]).toEqual([[edit], "reconstruction"]);
    await press("k"); // what is scaled is taken out
    expect([out(), view.model.get("edits")]).toEqual([{ [LAYER]: [NEURON] }, []]);
    part("restore-all").click();
    pass();
    expect([out(), view.model.get("edits")]).toEqual([{}, []]);
  });

  it("adds to what is out, from several layers, and takes from it", async () => {
    await open({
      neuron: [0, 1],
      neurons: [
        [1, 1],
        [0, 1],
      ],
    });
    await press("k");
    view.model.set("layer", HEAD);
    view.model.set("neurons", [[2, 0]]);
    view.model.set("neuron", [2, 0]);
    pass();
    await press("k");
    expect(out()).toEqual({
      [LAYER]: [
        [1, 1],
        [0, 1],
      ],
      [HEAD]: [[2, 0]],
    });
    expect(part("ablated").textContent).toContain("3 out");
    expect(part("ablate").getAttribute("aria-pressed")).toBe("true");
    const rows = [...view.page.el.querySelectorAll<HTMLElement>(".cw-out-list li")];
    expect(rows.map((row) => row.querySelector(".cw-out-name")?.textContent)).toEqual([
      "decoder.2  1→1",
      "decoder.2  0→1",
      "head_layer  2→0",
    ]);
    rows[0]?.querySelector<HTMLElement>(".cw-out-name")?.click();
    pass();
    expect([view.model.get("layer"), view.model.get("neuron")]).toEqual([LAYER, [1, 1]]);
    rows[0]?.querySelector<HTMLElement>(".cw-out-back")?.click();
    await view.settle();
    expect(out()).toEqual({ [LAYER]: [[0, 1]], [HEAD]: [[2, 0]] });
    await press("K", { shiftKey: true });
    expect([out(), source()]).toEqual([{}, "reconstruction"]);
  });

  it("goes back to what was under the contributions before", async () => {
    await open({ source: "truth" });
    await press("k");
    expect(source()).toBe("ablated");
    part("restore-all").click();
    await view.settle();
    expect([out(), source()]).toEqual([{}, "truth"]);
  });

  it("takes a whole cluster, and says what to select where there is nothing to take", async () => {
    await open({ neuron: null, layer: BIG });
    expect(part("ablate").getAttribute("aria-disabled")).toBe("true");
    await press("k");
    expect(out()).toEqual({});
    expect(part("status").textContent).toContain("Select a neuron");
    view.model.set("cluster", 1);
    await view.settle();
    await press("k");
    const taken = (out() as Record<string, number[][]>)[BIG] ?? [];
    expect(taken.length).toBeGreaterThan(100);
    expect(part("ablate").getAttribute("aria-label")).toBe("Put back cluster 1 (k)");
    const listed = view.page.el.querySelectorAll(".cw-out-list li");
    expect(listed).toHaveLength(101);
    expect(listed[100]?.textContent).toBe(`and ${taken.length - 100} more`);
  });

  it("takes the cluster that was clicked after a neuron, then a neuron that was clicked after it, and says so", async () => {
    await open({ layer: BIG, neuron: [0, 0] });
    const [cluster] = await labelsOf(BIG);
    part("cluster-neurons").click();
    await view.settle();
    view.page.find(`.cw-chip[data-cluster='${cluster}']`).click();
    await view.settle();
    expect([view.model.get("neuron"), view.model.get("neurons"), view.model.get("cluster")]).toEqual([
      null,
      [],
      cluster,
    ]);
    expect(canvas().getAttribute("data-selection")).toBe(`${BIG}/cluster=${cluster}of6`);
    await press("k");
    const taken = (out() as Record<string, number[][]>)[BIG] ?? [];
    expect(taken.length).toBeGreaterThan(100);
    expect(part("status").textContent).toBe(`ablated cluster ${cluster}, ${taken.length} neurons of ${BIG}`);
    await press("k");
    expect(out()).toEqual({});
    const thumb = view.page.find(".cw-thumb[data-neuron]");
    thumb.click();
    await view.settle();
    await press("k");
    const neuron = thumb.dataset.neuron?.split(",").map(Number);
    expect(out()).toEqual({ [BIG]: [neuron] });
    expect(part("status").textContent).toBe(
      `ablated neuron in ${neuron?.[0]} → out ${neuron?.[1]} of ${BIG}`,
    );
  });

  it("puts one back at a double click, not the one below it too", async () => {
    await open({
      ablated: {
        [LAYER]: [
          [0, 0],
          [0, 1],
          [0, 2],
        ],
      },
    });
    const click = (detail: number) =>
      view.page.find(".cw-out-back").dispatchEvent(new MouseEvent("click", { detail, bubbles: true }));
    click(1);
    await view.settle();
    click(2);
    await view.settle();
    expect(out()).toEqual({
      [LAYER]: [
        [0, 1],
        [0, 2],
      ],
    });
  });

  it("shows the difference around the middle of the diverging palette, and contributions over it when asked", async () => {
    await open({ ablated: { [LAYER]: [[0, 0]] }, source: "difference" });
    const size = CANVAS.width * CANVAS.height;
    const levels = new Uint8Array(size).fill(51);
    levels[3] = 255;
    view.model.set("time", 5);
    pass();
    await view.model.reply(view.model.last("frame"), { low: -1, high: 4 }, levels);
    await view.settle();
    const diverging = palette("RdBu_r");
    expect(pixels().slice(0, 3)).toEqual([...diverging.subarray(128 * 3, 128 * 3 + 3)]);
    expect(pixels().slice(12, 15)).toEqual([...diverging.subarray(255 * 3)]);
    expect(part("colourbar").textContent).toBe("−4.004.00");
    part("ablation-cover").click();
    await view.settle();
    expect(canvas().dataset.selection).toBe(`${LAYER}/${NEURON}`);
    part("ablation-bar").querySelector<HTMLElement>("[data-value=reconstruction]")?.click();
    await view.settle();
    expect([source(), canvas().dataset.out]).toEqual(["reconstruction", undefined]);
    expect(part("ablation-bar").hidden).toBe(false);
  });

  it("compares the original with the picture without them: contributions lie over both or over neither", async () => {
    await open({ pixel: [4, 6] });
    await press("k");
    const choose = async (source: string) => {
      part("ablation-bar").querySelector<HTMLElement>(`[data-value=${source}]`)?.click();
      await view.settle();
      return canvas().getAttribute("data-selection");
    };
    expect([await choose("reconstruction"), await choose("ablated")]).toEqual(["", ""]);
    expect(part("readout").querySelector(".cw-at-value")?.textContent).toBe("");
    part("ablation-cover").click();
    await view.settle();
    const whole = `${LAYER}/${NEURON}`;
    expect([await choose("reconstruction"), await choose("ablated")]).toEqual([whole, whole]);
    expect(part("readout").querySelector(".cw-at-value")?.textContent).not.toBe("");
    await press("K", { shiftKey: true });
    part("ablation-cover").click();
    await view.settle();
    expect(canvas().getAttribute("data-selection")).toBe(whole); // nothing is ablated any more
  });

  it("never shows the picture without one set as that without another, also while time runs", async () => {
    await open({ ablated: { [LAYER]: [[0, 0]] }, source: "ablated" });
    view.model.set("time", 4);
    pass();
    const late = view.model.last("frame");
    view.model.set("ablated", {
      [LAYER]: [
        [0, 0],
        [0, 1],
      ],
    });
    pass();
    await view.model.reply(late);
    pass();
    expect(canvas().dataset).toMatchObject({ time: "2", out: "1" });
    await view.settle();
    expect(canvas().dataset).toMatchObject({ time: "4", out: "2" });
    const asked = view.model.requests("frame").length;
    view.model.set("time", 2);
    await view.settle();
    view.model.set("time", 4);
    pass();
    expect(canvas().dataset.time).toBe("4");
    const again = view.model.requests("frame").slice(asked);
    expect(again.filter(({ body }) => body.kind === "frame" && body.time === 4)).toEqual([]);
  });

  it("says against what the picture is measured where there is no truth", async () => {
    await open({ ablated: { [LAYER]: [[0, 0]] }, source: "ablated" });
    view.model.set("time", 6);
    pass();
    await view.model.reply(view.model.last("frame"), { psnr: 20.04, psnr_before: null });
    await view.settle();
    expect(part("ablation-psnr").textContent).toBe("20.0 dB to the original");
    expect(part("ablation-psnr").title).toContain("original reconstruction");
  });

  it("marks what is out among the thumbnails", async () => {
    await open();
    const thumb = view.page.find(".cw-thumb[data-neuron]");
    const neuron = thumb.dataset.neuron?.split(",").map(Number) ?? [];
    view.model.set("ablated", { [LAYER]: [neuron] });
    await view.settle();
    expect(thumb.hasAttribute("data-out")).toBe(true);
    expect(thumb.getAttribute("aria-label")).toContain("ablated");
    await press("K", { shiftKey: true });
    expect(thumb.hasAttribute("data-out")).toBe(false);
  });

  it("leaves the letter to a list that has the focus", async () => {
    await open();
    expect(view.key("k", view.page.find("select")).defaultPrevented).toBe(false);
    expect(out()).toEqual({});
  });
});
