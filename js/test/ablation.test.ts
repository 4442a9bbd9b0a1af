import { describe, expect, it } from "vitest";
import { LAYER, OPTIONS, painted, palettes } from "./page";
import { pass, useView } from "./view";

const view = useView();
const HEAD = "head";

const out = () => view.model.get("ablated");
const source = () => view.model.get("source");
const part = (name: string) => view.page.find(`[data-testid=${name}]`);
const canvas = () => view.page.find<HTMLCanvasElement>(".cw-frame-canvas");
const pixels = () => [...(painted.get(canvas()) ?? [])];

function open(changes: Record<string, unknown> = {}): void {
  view.open(changes);
  view.settle();
}

function press(name: string, more: KeyboardEventInit = {}): void {
  view.key(name, undefined, more);
  view.settle();
}

describe("ablating", () => {
  it("takes the selected neuron out, shows the picture without it, and puts it back to the very same picture", () => {
    open();
    const before = pixels();
    press("k");
    expect(out()).toEqual({ [LAYER]: [[3, 17]] });
    expect(source()).toBe("ablated");
    expect(view.model.last("frame").body).toEqual({
      kind: "frame",
      run: null,
      time: 2,
      source: "ablated",
      ablated: [{ layer: LAYER, neurons: [[3, 17]] }],
    });
    expect(canvas().dataset).toMatchObject({ source: "ablated", out: "1" });
    expect(canvas().getAttribute("data-selection")).toBe("");
    expect(pixels()).not.toEqual(before);
    expect(part("ablation-psnr").textContent).toBe("24.1 dB, was 31.3 dB");
    const asked = () => view.model.requests("frame").filter(({ body }) => "time" in body && body.time === 2);
    const times = asked().length;
    press("k");
    expect([out(), source()]).toEqual([{}, "reconstruction"]);
    expect(pixels()).toEqual(before);
    expect(asked()).toHaveLength(times);
    expect(part("ablation-bar").hidden).toBe(true);
  });

  it("adds to what is out, from several layers, and takes from it", () => {
    open({
      neuron: [0, 1],
      neurons: [
        [1, 1],
        [0, 1],
      ],
    });
    press("k");
    view.model.set("layer", HEAD);
    view.model.set("neurons", [[2, 0]]);
    view.model.set("neuron", [2, 0]);
    pass();
    press("k");
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
      "decoder.1  1→1",
      "decoder.1  0→1",
      "head  2→0",
    ]);
    rows[0]?.querySelector<HTMLElement>(".cw-out-name")?.click();
    pass();
    expect([view.model.get("layer"), view.model.get("neuron")]).toEqual([LAYER, [1, 1]]);
    rows[0]?.querySelector<HTMLElement>(".cw-out-back")?.click();
    view.settle();
    expect(out()).toEqual({ [LAYER]: [[0, 1]], [HEAD]: [[2, 0]] });
    press("K", { shiftKey: true });
    expect([out(), source()]).toEqual([{}, "reconstruction"]);
  });

  it("goes back to what was under the contributions before", () => {
    open({ source: "truth" });
    press("k");
    expect(source()).toBe("ablated");
    part("restore-all").click();
    view.settle();
    expect([out(), source()]).toEqual([{}, "truth"]);
  });

  it("takes a whole cluster, and says what to select where there is nothing to take", () => {
    open({ neuron: null });
    expect(part("ablate").getAttribute("aria-disabled")).toBe("true");
    press("k");
    expect(out()).toEqual({});
    expect(part("status").textContent).toContain("Select a neuron");
    view.model.set("cluster", 1);
    view.settle();
    press("k");
    const taken = (out() as Record<string, number[][]>)[LAYER] ?? [];
    expect(taken.length).toBeGreaterThan(100);
    expect(part("ablate").getAttribute("aria-label")).toBe("Put back cluster 1 (k)");
    const listed = view.page.el.querySelectorAll(".cw-out-list li");
    expect(listed).toHaveLength(101);
    expect(listed[100]?.textContent).toBe(`and ${taken.length - 100} more`);
  });

  it("takes the cluster that was clicked after a neuron, then a neuron that was clicked after it, and says so", () => {
    open();
    part("cluster-neurons").click();
    view.settle();
    view.page.find(".cw-chip[data-cluster='2']").click();
    view.settle();
    expect([view.model.get("neuron"), view.model.get("neurons"), view.model.get("cluster")]).toEqual([
      null,
      [],
      2,
    ]);
    expect(canvas().getAttribute("data-selection")).toBe(`${LAYER}/cluster=2of6`);
    press("k");
    const taken = (out() as Record<string, number[][]>)[LAYER] ?? [];
    expect(taken.length).toBeGreaterThan(100);
    expect(part("status").textContent).toBe(`ablated cluster 2, ${taken.length} neurons of ${LAYER}`);
    press("k");
    expect(out()).toEqual({});
    const thumb = view.page.find(".cw-thumb[data-neuron]");
    thumb.click();
    view.settle();
    press("k");
    const neuron = thumb.dataset.neuron?.split(",").map(Number);
    expect(out()).toEqual({ [LAYER]: [neuron] });
    expect(part("status").textContent).toBe(`ablated neuron ${neuron?.join("→")} of ${LAYER}`);
  });

  it("puts one back at a double click, not the one below it too", () => {
    open({
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
    view.settle();
    click(2);
    view.settle();
    expect(out()).toEqual({
      [LAYER]: [
        [0, 1],
        [0, 2],
      ],
    });
  });

  it("shows the difference around the middle of the diverging palette, and contributions over it when asked", () => {
    open({ ablated: { [LAYER]: [[0, 0]] }, source: "difference" });
    const size = OPTIONS.width * OPTIONS.height;
    const levels = new Uint8Array(size).fill(51);
    levels[3] = 255;
    view.model.set("time", 5);
    pass();
    view.model.reply(view.model.last("frame"), { low: -1, high: 4 }, levels);
    view.settle();
    const diverging = palettes().subarray(4 * 768);
    expect(pixels().slice(0, 3)).toEqual([...diverging.subarray(128 * 3, 128 * 3 + 3)]);
    expect(pixels().slice(12, 15)).toEqual([...diverging.subarray(255 * 3)]);
    expect(part("colourbar").textContent).toBe("−4.004.00");
    part("ablation-cover").click();
    view.settle();
    expect(canvas().dataset.selection).toBe(`${LAYER}/3,17`);
    part("ablation-bar").querySelector<HTMLElement>("[data-value=reconstruction]")?.click();
    view.settle();
    expect([source(), canvas().dataset.out]).toEqual(["reconstruction", undefined]);
    expect(part("ablation-bar").hidden).toBe(false);
  });

  it("never shows the picture without one set as that without another, also while time runs", () => {
    open({ ablated: { [LAYER]: [[0, 0]] }, source: "ablated" });
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
    view.model.reply(late);
    pass();
    expect(canvas().dataset).toMatchObject({ time: "2", out: "1" });
    view.settle();
    expect(canvas().dataset).toMatchObject({ time: "4", out: "2" });
    const asked = view.model.requests("frame").length;
    view.model.set("time", 2);
    view.settle();
    view.model.set("time", 4);
    pass();
    expect(canvas().dataset.time).toBe("4");
    const again = view.model.requests("frame").slice(asked);
    expect(again.filter(({ body }) => body.kind === "frame" && body.time === 4)).toEqual([]);
  });

  it("says against what the picture is measured where there is no truth", () => {
    open({ ablated: { [LAYER]: [[0, 0]] }, source: "ablated" });
    view.model.set("time", 6);
    pass();
    view.model.reply(view.model.last("frame"), { psnr: 20.04, psnr_before: null });
    view.settle();
    expect(part("ablation-psnr").textContent).toBe("20.0 dB to the original");
    expect(part("ablation-psnr").title).toContain("original reconstruction");
  });

  it("marks what is out among the thumbnails", () => {
    open();
    const thumb = view.page.find(".cw-thumb[data-neuron]");
    const neuron = thumb.dataset.neuron?.split(",").map(Number) ?? [];
    view.model.set("ablated", { [LAYER]: [neuron] });
    view.settle();
    expect(thumb.hasAttribute("data-out")).toBe(true);
    expect(thumb.getAttribute("aria-label")).toContain("ablated");
    press("K", { shiftKey: true });
    expect(thumb.hasAttribute("data-out")).toBe(false);
  });

  it("leaves the letter to a list that has the focus", () => {
    open();
    expect(view.key("k", view.page.find("select")).defaultPrevented).toBe(false);
    expect(out()).toEqual({});
  });
});
