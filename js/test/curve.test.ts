import { describe, expect, it } from "vitest";
import { LAYER, NEURON, state } from "./page";
import { pass, useView } from "./view";

const view = useView();

describe("the curve of the selection over time", () => {
  const asked = () =>
    view.model.requests("curve").flatMap(({ body }) => (body as { frames: number[] }).frames);

  it("fills the curve in, nearest first, a few frames at a time", async () => {
    view.open();
    await view.model.settle(["palettes", "frame", "map"]);
    pass();
    expect(asked()).toHaveLength(2);
    expect(asked()).toContain(2);
    const done = view.page.find("[data-testid=curve]");
    expect(done.dataset.done).toBe("0");
    await view.model.reply(view.model.last("curve"), {}, undefined, 0.4);
    pass();
    expect(done.dataset.done).toBe("2");
    // 0.2 s a frame: one at a time.
    expect(asked()).toHaveLength(3);
    await view.model.reply(view.model.last("curve"), {}, undefined, 0.001);
    pass();
    expect(asked()).toHaveLength(8);
    await view.model.reply(view.model.last("curve"), {}, undefined, 0.001);
    pass();
    expect(done.dataset.done).toBe("8");
    expect([...asked()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(view.page.find(".cw-panel-time").dataset.state).toBe("ready");
  });

  it("moves the playhead where the curve is clicked or dragged", async () => {
    view.open();
    await view.settle();
    const track = view.page.find(".cw-track");
    view.pointer("pointerdown", track, 228, 50, 1); // of 320
    pass();
    expect(view.model.get("time")).toBe(5);
    expect(view.page.find("[data-testid=playhead]").style.transform).toMatch(/^translateX\(71\.4/);
    view.pointer("pointermove", track, 9999, 50, 1);
    pass();
    expect(view.model.get("time")).toBe(7);
  });

  it("starts anew for another neuron and remembers the first", async () => {
    view.open();
    await view.settle();
    expect(view.page.find("[data-testid=curve]").dataset.done).toBe("8");
    view.model.set("neuron", [0, 1]);
    pass();
    expect(view.page.find("[data-testid=curve]").dataset).toMatchObject({
      done: "0",
      selection: `${LAYER}/0,1`,
    });
    const before = view.model.requests("curve").length;
    view.model.set("neuron", NEURON);
    pass();
    expect(view.page.find("[data-testid=curve]").dataset.done).toBe("8");
    expect(view.model.requests("curve").length).toBeLessThanOrEqual(before + 1);
  });

  it("does not sum up a whole layer unasked", async () => {
    view.open({ neuron: null });
    await view.settle();
    pass(1000);
    await view.settle();
    expect(view.model.requests("curve")).toEqual([]);
    expect(view.page.find(".cw-panel-time .cw-hint").textContent).toContain("Select a neuron or a cluster");
    view.page.find("[data-testid=whole-layer]").click();
    await view.settle();
    expect(view.page.find("[data-testid=curve]").dataset.done).toBe("8");
  });

  it("has no playhead for an image", async () => {
    view.open({ _canvas: { ...(state()._canvas as object), n_frames: 1 }, time: 0 });
    await view.settle();
    expect(view.page.find(".cw-control-time").hidden).toBe(true);
    expect(view.model.requests("curve")).toEqual([]);
    expect(view.page.find(".cw-panel-time").hidden).toBe(true);
    expect(view.page.find(".cw-panel-frame .cw-label").textContent).toMatch(
      / · total 18\.8 \(colours added\)/,
    );
  });
});
