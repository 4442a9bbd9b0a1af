import { describe, expect, it } from "vitest";
import type { Region, Selection } from "../src/transport/messages";
import { rankedAt } from "./baked";
import { CANVAS } from "./fixture";
import { LAYER, NEURON, NEXT, painted, palette } from "./page";
import { pass, useView } from "./view";

const view = useView();
const region = () => view.model.get("region") as Region | null;

/** Nothing tells the view its size here: zooming measures it. */
function measured(): void {
  view.key("+");
  view.key("0");
}

/** A drag over the stage, whose 320 x 160 box shows 32 x 16 pixels. */
function drag(points: [number, number][], more: PointerEventInit = {}): void {
  const stage = view.page.find(".cw-stage");
  points.forEach(([x, y], i) => {
    const type = i === 0 ? "pointerdown" : "pointermove";
    const at = { clientX: x, clientY: y, buttons: 1, button: 0, bubbles: true, cancelable: true, ...more };
    stage.dispatchEvent(new PointerEvent(type, at));
  });
  const [x, y] = points.at(-1) ?? [0, 0];
  stage.dispatchEvent(
    new PointerEvent("pointerup", { clientX: x, clientY: y, button: 0, bubbles: true, ...more }),
  );
  pass();
}

describe("region", () => {
  it("is a box of whole pixels after a drag with shift, and orders the neurons", async () => {
    view.open();
    await view.settle();
    drag(
      [
        [25, 31],
        [60, 50],
        [98, 72],
      ],
      { shiftKey: true },
    );
    measured();
    expect(region()).toEqual({
      points: [
        [3, 2],
        [3, 10],
        [8, 10],
        [8, 2],
      ],
      runs: [],
    });
    expect(view.model.get("sort")).toBe("region");
    expect(view.model.get("pixel")).toBeNull();
    expect(view.model.last("grid").body).toMatchObject({ sort: "region", region: region(), pixel: null });
    expect(view.page.el.querySelectorAll("[data-testid=region] path")).toHaveLength(2);
  });

  it("has its neurons in the pixel's place, of all layers, until a pixel is clicked", async () => {
    view.open();
    await view.settle();
    const panel = view.page.find("[data-testid=panel-pixel]");
    const title = () => panel.querySelector(".cw-title")?.textContent;
    expect(title()).toBe("Pixel");
    const box: [number, number][] = [
      [25, 31],
      [98, 72],
    ];
    drag(box, { shiftKey: true });
    expect(title()).toBe("Region");
    expect(panel.dataset.state).toBe("loading");
    const request = view.model.last("region_neurons");
    expect(request.body).toMatchObject({ rule: "xinc", time: 2, region: region(), k: 24, channel: "sum" });
    const neurons = [{ layer: NEXT, neuron: [1, 2], value: -0.25, magnitude: 0.25, share: 0.5 }];
    const layers = [
      { layer: NEXT, n_neurons: 8, total: 1, n50: 1, n90: 3, counts: [1, 8], shares: [0.5, 1] },
    ];
    const answer = {
      kind: "region_neurons" as const,
      time: 2,
      n_pixels: 40,
      channel: "sum" as const,
      neurons,
      layers,
    };
    await view.model.reply(request, answer, new Uint8Array());
    expect(panel.dataset.state).toBe("ready");
    expect(panel.querySelector(".cw-label")?.textContent).toBe("mean of 40 pixels · frame 2");
    const bar = panel.querySelector<HTMLElement>(".cw-bar:not([hidden])");
    expect(bar?.dataset).toMatchObject({ layer: NEXT, neuron: "1,2", value: "-0.25" });
    bar?.click();
    pass();
    expect([view.model.get("layer"), view.model.get("neuron")]).toEqual([NEXT, [1, 2]]);
    expect(title()).toBe("Region");
    // Another region has nothing to show until its own answer is there.
    drag(
      [
        [25, 31],
        [150, 90],
      ],
      { shiftKey: true },
    );
    expect(panel.querySelector(".cw-label")?.textContent).toBe("");
    expect(panel.querySelector(".cw-bar:not([hidden])")).toBeNull();
    const next = view.model.last("region_neurons");
    expect(next.body).toMatchObject({ region: region() });
    await view.model.reply(next, { ...answer, n_pixels: 91 }, new Uint8Array());
    expect(panel.querySelector(".cw-label")?.textContent).toBe("mean of 91 pixels · frame 2");
    // Back to a pixel: by a click on one, and to and fro by the buttons.
    expect(view.model.get("panel")).toBe("region");
    view.model.set("pixel", [4, 6]);
    view.model.set("panel", "pixel"); // as Python does
    pass();
    expect(title()).toBe("Pixel");
    const [ofPixel, ofRegion] = [...panel.querySelectorAll<HTMLElement>(".cw-segment")];
    ofRegion?.click();
    pass();
    expect(view.model.get("panel")).toBe("region");
    pass();
    expect([title(), ofRegion?.getAttribute("aria-selected")]).toEqual(["Region", "true"]);
    ofPixel?.click();
    view.page.find("[data-testid=clear-region]").click();
    pass();
    expect([title(), ofRegion?.hidden]).toEqual(["Pixel", true]);
  });

  it("is a lasso with its tool, and is cleared", async () => {
    view.open();
    await view.settle();
    view.page.find("[data-testid=tool-lasso]").click();
    drag([
      [50, 50],
      [150, 50],
      [100, 120],
    ]);
    expect(region()?.points).toEqual([
      [5, 5],
      [5, 15],
      [12, 10],
    ]);
    const clear = view.page.find("[data-testid=clear-region]");
    clear.click();
    pass();
    expect(region()).toBeNull();
    expect([clear.hidden, clear.getAttribute("aria-disabled")]).toEqual([false, "true"]);
    expect(view.model.get("sort")).toBe("pixel");
  });

  it("leaves a click with a tool to the pixel", async () => {
    view.open();
    await view.settle();
    view.page.find("[data-testid=tool-box]").click();
    drag([[55, 35]]);
    expect(region()).toBeNull();
  });

  it("puts its tool away at Escape, before anything that is chosen", async () => {
    view.open();
    await view.settle();
    const tool = view.page.find("[data-testid=tool-box]");
    const before = view.model.get("neuron");
    tool.click();
    pass();
    expect(tool.getAttribute("aria-pressed")).toBe("true");
    view.key("Escape");
    expect(tool.getAttribute("aria-pressed")).toBe("false");
    expect(view.model.get("neuron")).toEqual(before);
    view.key("Escape");
    expect(view.model.get("neuron")).toBeNull();
  });

  it("shows a mask that Python sets, a run beyond its row in two", async () => {
    view.open();
    await view.settle();
    measured();
    view.model.set("region", { points: [], runs: [30, 4] });
    pass();
    const path = view.page.find("[data-testid=region] path").getAttribute("d") ?? "";
    expect(path.match(/M/g)).toHaveLength(2);
  });
});

describe("several neurons", () => {
  const thumbs = () => [...view.page.el.querySelectorAll<HTMLElement>(".cw-thumb[data-neuron]")];
  it.each([
    { shiftKey: true },
    { ctrlKey: true },
    { metaKey: true },
  ])("are added and taken out with %o, asked for as one, and all marked", async (held) => {
    const shiftClick = async (element: HTMLElement | undefined) => {
      element?.dispatchEvent(new MouseEvent("click", { bubbles: true, ...held }));
      await view.settle();
    };
    view.open();
    await view.settle();
    thumbs()[0]?.click();
    pass();
    await shiftClick(thumbs()[2]);
    const chosen = view.model.get("neurons") as number[][];
    expect(chosen).toHaveLength(2);
    expect(view.model.get("neuron")).toEqual(chosen[1]);
    const { selection } = view.model.last("map").body as { selection: Selection };
    expect(selection).toMatchObject({ neuron: null, neurons: chosen });
    expect(thumbs().filter((thumb) => thumb.getAttribute("aria-pressed") === "true")).toHaveLength(2);
    expect(view.page.find(".cw-panel-frame .cw-label").textContent).toContain("2 neurons");
    await shiftClick(thumbs()[2]);
    expect(view.model.get("neurons")).toEqual([chosen[0]]);
    expect(view.model.get("neuron")).toEqual(chosen[0]);
  });

  it("turn from magnitudes to signs without a message", async () => {
    view.open({
      neurons: [NEURON, [0, 1]],
      neuron: [0, 1],
      source: "off",
    });
    await view.model.settle(["palettes"]);
    const size = CANVAS.width * CANVAS.height;
    const levels = new Uint8Array(2 * size);
    levels[size] = 255;
    await view.model.reply(view.model.last("map"), { low: 0, high: 1, signed_range: [-1, 1] }, levels);
    pass(300);
    const before = view.model.sent.length;
    const first = () => {
      const pixels = painted.get(view.page.find<HTMLCanvasElement>(".cw-frame-canvas"));
      return [...(pixels?.subarray(0, 3) ?? [])];
    };
    expect(first()).toEqual([...palette("viridis").subarray(0, 3)]);
    view.model.set("maps", "signed");
    pass();
    expect(first()).toEqual([103, 0, 31]);
    expect(view.model.sent).toHaveLength(before);
  });
});

describe("share curve", () => {
  it("has a line a layer, and the counts of the current one in words", async () => {
    view.open({ pixel: [4, 6] });
    await view.settle();
    expect(view.page.el.querySelectorAll(".cw-share-line")).toHaveLength(5);
    expect(view.page.el.querySelectorAll(".cw-share-line.cw-current")).toHaveLength(1);
    const n50 = (await rankedAt(2, [4, 6])).halves.find(({ layer }) => layer === LAYER)?.n50;
    expect(view.page.find("[data-testid=share-curve]").getAttribute("aria-label")).toContain(
      `${n50} make half`,
    );
  });
});
