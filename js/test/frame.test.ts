import { describe, expect, it, vi } from "vitest";
import { SAVE_AFTER } from "../src/state/store";
import type { MapRequest } from "../src/transport/messages";
import { CANVAS } from "./fixture";
import { LAYER, NEURON, painted, palette } from "./page";
import { pass, useView } from "./view";

const view = useView();

describe("frame", () => {
  it("paints frame and map at the frame's own size, and labels what it painted", async () => {
    view.open();
    await view.settle();
    const canvas = view.page.find<HTMLCanvasElement>(".cw-frame-canvas");
    expect([canvas.width, canvas.height]).toEqual([CANVAS.width, CANVAS.height]);
    expect(canvas.dataset).toMatchObject({
      time: "2",
      source: "reconstruction",
      selection: `${LAYER}/${NEURON}`,
    });
    expect(painted.get(canvas)?.length).toBe(CANVAS.width * CANVAS.height * 4);
    expect(view.page.find(".cw-panel-frame").dataset.state).toBe("ready");
  });

  it("lets one map go over into another on the same picture, but nothing while time moves or motion is reduced", async () => {
    view.open();
    await view.settle();
    const animate = vi.spyOn(Element.prototype, "animate");
    const change = async (changes: Record<string, unknown>) => {
      animate.mockClear();
      for (const [name, value] of Object.entries(changes)) view.model.set(name, value);
      await view.settle();
      pass(400);
      await view.settle();
      return animate.mock.contexts.filter((one) => (one as Element).matches(".cw-fading")).length;
    };
    const other = CANVAS.layers.find(({ name }) => name === LAYER)?.neurons.map(() => 0) ?? [];
    expect(await change({ neurons: [other], neuron: other })).toBe(1);
    const fading = view.page.find(".cw-fading");
    await Promise.resolve();
    expect(fading.hidden).toBe(true);
    expect(await change({ time: 3 })).toBe(0);
    const query = { matches: true, addEventListener() {}, removeEventListener() {} };
    const reduced = vi.spyOn(window, "matchMedia").mockReturnValue(query as unknown as MediaQueryList);
    view.open({ time: 3 });
    await view.settle();
    expect(await change({ neurons: [other], neuron: other })).toBe(0);
    for (const spy of [animate, reduced]) spy.mockRestore();
  });

  it("shows a finding about the layer in place of the selection's map, whoever is selected", async () => {
    view.open();
    await view.settle();
    view.model.set("overlay", "neurons");
    pass(10);
    expect(view.model.last("map").body).toMatchObject({
      selection: { layer: LAYER, neuron: null, overlay: "neurons" },
    });
    await view.settle();
    pass();
    const canvas = view.page.find<HTMLCanvasElement>(".cw-frame-canvas");
    expect(canvas.dataset.selection).toBe(`${LAYER}/neurons`);
    expect(view.page.find(".cw-panel-frame .cw-label").textContent).toContain("neurons per pixel");
    // What the pixel and the curve are about stays the selection.
    for (const { body } of [...view.model.requests("pixel"), ...view.model.requests("curve")])
      expect(JSON.stringify(body)).not.toContain("overlay");
  });

  it("shows a slope of the picture, and how it was computed", async () => {
    view.open();
    await view.settle();
    view.model.set("overlay", "gradient");
    pass(10);
    const request = view.model.last("map");
    expect(request.body).toMatchObject({ selection: { neuron: null, overlay: "gradient" } });
    const { height, width } = CANVAS;
    const changes = {
      kind: "map" as const,
      time: 2,
      height,
      width,
      low: 0,
      high: 1,
      total: 1,
      signed_range: [],
    };
    const { selection } = request.body as MapRequest;
    const data = new Uint8Array(height * width);
    await view.model.reply(request, { ...changes, selection, by: "finite differences" }, data);
    pass();
    expect(view.page.find(".cw-panel-frame .cw-label").textContent).toContain(
      "gradient of the picture, by finite differences",
    );
  });

  it("composes the reply's pixels through the palette", async () => {
    view.open({ opacity: 1 });
    const size = CANVAS.width * CANVAS.height;
    await view.model.settle(["palettes"]);
    await view.model.reply(view.model.last("frame"), {}, new Uint8Array(size * 3).fill(50));
    const levels = new Uint8Array(size);
    levels[5] = 255;
    await view.model.reply(view.model.last("map"), { low: 0, high: 2 }, levels);
    pass();
    const pixels = painted.get(view.page.find<HTMLCanvasElement>(".cw-frame-canvas"));
    expect([...(pixels?.subarray(0, 4) ?? [])]).toEqual([50, 50, 50, 255]);
    expect([...(pixels?.subarray(20, 24) ?? [])]).toEqual([...palette("viridis").subarray(765), 255]);
  });

  it("never puts the map of one frame over another", async () => {
    view.open();
    await view.settle();
    view.model.set("time", 7);
    pass(10);
    await view.model.settle(["frame"]);
    pass(60);
    const canvas = view.page.find<HTMLCanvasElement>(".cw-frame-canvas");
    // The map of frame 7 is not there yet: the old pair stays, with its own label, for a moment ...
    expect(canvas.dataset).toMatchObject({ time: "2", selection: `${LAYER}/${NEURON}` });
    pass(200);
    // ... then the new frame is shown bare.
    expect(canvas.dataset.time).toBe("7");
    expect(canvas.getAttribute("data-selection")).toBe("");
    expect(view.page.find(".cw-panel-frame").dataset.state).toBe("loading");
    await view.model.settle(["map"]);
    pass();
    expect(canvas.dataset).toMatchObject({ time: "7", selection: `${LAYER}/${NEURON}` });
  });

  it("refuses an answer that is of another frame or selection", async () => {
    view.open();
    await view.model.settle(["palettes"]);
    const asked = view.model.last("frame");
    await view.model.reply({ ...asked, body: { ...asked.body, time: 7 } as never });
    pass();
    expect(view.page.find(".cw-panel-frame").dataset.state).toBe("error");
    expect(view.page.find(".cw-panel-frame .cw-error-text").textContent).toContain("something else");
    expect(view.page.find<HTMLCanvasElement>(".cw-frame-canvas").dataset.time).toBeUndefined();
  });

  it("refuses an answer that is too short", async () => {
    view.open();
    await view.model.reply(view.model.last("map"), {}, new Uint8Array(9));
    pass();
    expect(view.page.find(".cw-panel-frame .cw-error-text").textContent).toBe(
      "The kernel sent 9 bytes of 512",
    );
  });

  it("tells an error inside the panel and asks again on demand", async () => {
    view.open();
    await view.settle();
    view.model.set("neuron", [0, 0]);
    pass();
    view.model.say({ type: "error", id: view.model.last("map").id, message: "out of memory" });
    pass();
    expect(view.page.find(".cw-panel-frame").dataset.state).toBe("error");
    expect(view.page.find(".cw-panel-frame .cw-error-text").textContent).toBe("out of memory");
    const before = view.model.requests("map").length;
    view.page.find(".cw-panel-frame .cw-error button").click();
    pass();
    expect(view.model.requests("map")).toHaveLength(before + 1);
    await view.settle();
    expect(view.page.find(".cw-panel-frame").dataset.state).toBe("ready");
  });

  it("shows cached frames without asking again", async () => {
    view.open();
    await view.settle();
    view.model.set("time", 3);
    await view.settle();
    const asked = view.model.requests("frame").length + view.model.requests("map").length;
    view.model.set("time", 2);
    pass();
    expect(view.model.requests("frame").length + view.model.requests("map").length).toBe(asked);
    expect(view.page.find<HTMLCanvasElement>(".cw-frame-canvas").dataset.time).toBe("2");
  });

  it("pins the clicked pixel", async () => {
    view.open();
    await view.settle();
    const stage = view.page.find(".cw-stage");
    view.pointer("pointerdown", stage, 105, 85, 1);
    view.pointer("pointerup", stage, 105, 85);
    // 320 x 160 CSS pixels show 32 x 16.
    pass(SAVE_AFTER);
    expect(view.model.get("pixel")).toEqual([8, 10]);
    expect(view.model.saves.at(-1)).toEqual({ pixel: [8, 10] });
  });

  it("fits on a double click and leaves the pin as it was", async () => {
    view.open({ pixel: [1, 1] });
    await view.settle();
    const stage = view.page.find(".cw-stage");
    for (let i = 0; i < 2; i++) {
      view.pointer("pointerdown", stage, 105, 85, 1);
      view.pointer("pointerup", stage, 105, 85);
    }
    pass();
    expect(view.model.get("pixel")).toEqual([8, 10]);
    stage.dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    pass();
    expect(view.model.get("pixel")).toEqual([1, 1]);
  });

  it("zooms with the wheel, and lets the page scroll where there is nothing to zoom out of", async () => {
    view.open();
    await view.settle();
    const stage = view.page.find(".cw-stage");
    const wheel = (deltaY: number, ctrlKey = false) => {
      const event = new WheelEvent("wheel", { deltaY, clientX: 80, clientY: 40, cancelable: true });
      Object.defineProperty(event, "ctrlKey", { value: ctrlKey }); // which the DOM of the tests leaves out
      stage.dispatchEvent(event);
      return event.defaultPrevented;
    };
    const canvas = view.page.find<HTMLCanvasElement>(".cw-frame-canvas");
    expect(wheel(100)).toBe(false);
    const closer = -Math.log(2) / 0.002;
    // Until the widget is in use, the page scrolls, and it is said how to zoom.
    const stages = view.page.find(".cw-stages");
    expect(wheel(closer)).toBe(false);
    expect(stages.dataset.hint).toBe("");
    pass(2000);
    expect(stages.dataset.hint).toBeUndefined();
    expect(view.page.find("[data-testid=zoom-fit]").textContent).toBe("1×");
    expect(wheel(closer, true)).toBe(true);
    expect(Number.parseFloat(canvas.style.width)).toBeCloseTo(640);
    expect(view.page.find("[data-testid=zoom-fit]").textContent).toBe("2×");
    view.key("0");
    view.page.find(".cw-root").focus();
    expect(wheel(closer)).toBe(true);
    expect(Number.parseFloat(canvas.style.width)).toBeCloseTo(640);
    view.key("0");
    expect(Number.parseFloat(canvas.style.width)).toBeCloseTo(320);
  });

  it("does not pin at the end of a drag", async () => {
    view.open();
    await view.settle();
    const stage = view.page.find(".cw-stage");
    view.pointer("pointerdown", stage, 100, 80, 1);
    view.pointer("pointermove", stage, 160, 80, 1);
    view.pointer("pointerup", stage, 160, 80);
    expect(view.model.get("pixel")).toBeNull();
  });

  it("says a value at once from the levels, and exactly when the kernel has told it", async () => {
    view.open();
    await view.settle();
    view.pointer("pointermove", view.page.find(".cw-stage"), 105, 85);
    pass(10);
    const readout = view.page.find(".cw-readout");
    expect(readout.textContent).toMatch(/^\(8, 10\) +≈ \S+ +RGB \d+ \d+ \d+$/);
    pass(60);
    const request = view.model.requests().find(({ view }) => view === "hover");
    expect(request?.body).toMatchObject({ kind: "pixel", pixel: [8, 10], time: 2 });
    if (request) await view.model.reply(request, { selected: -0.125 });
    pass();
    expect(readout.textContent).toMatch(/^\(8, 10\) +−0\.125 +RGB/);
    expect(view.page.find(".cw-panel-pixel").dataset).toMatchObject({ pixel: "8,10", time: "2" });
    view.pointer("pointerleave", view.page.find(".cw-stage"), 0, 0);
    pass();
    expect(view.page.find(".cw-panel-pixel").dataset.pixel).toBeUndefined();
  });

  it("says one value of a signal of one channel", async () => {
    view.open({ _canvas: { ...CANVAS, n_channels: 1 } });
    await view.settle();
    view.pointer("pointermove", view.page.find(".cw-stage"), 105, 85);
    pass(10);
    expect(view.page.find(".cw-readout").textContent).toMatch(/^\(8, 10\) +≈ \S+ +value \d+$/);
  });

  it("shows truth and error only where there is a truth", () => {
    view.open();
    const hidden = () =>
      [
        ...view.page.el.querySelectorAll<HTMLElement>(".cw-panel-frame .cw-tools .cw-segment[data-value]"),
      ].map(({ hidden }) => hidden);
    expect(hidden()).toEqual([false, false, false, false, false]);
    view.model.set("_canvas", { ...(view.model.get("_canvas") as object), has_truth: false });
    expect(hidden()).toEqual([false, true, true, false, false]);
  });

  it("asks for no frame when the frame is off", async () => {
    view.open({ source: "off" });
    await view.settle();
    expect(view.model.requests("frame")).toEqual([]);
    expect(view.page.find<HTMLCanvasElement>(".cw-frame-canvas").dataset).toMatchObject({
      source: "off",
      time: "2",
    });
  });
});
