// The offer to move the region with the picture.
import { beforeEach, describe, expect, it } from "vitest";
import type { CarryReply, Region } from "../src/transport/messages";
import { CANVAS } from "./fixture";
import { pass, useView } from "./view";

const view = useView();
const HERE: Region = { points: [], runs: [3, 4] };
const THERE: Region = { points: [], runs: [5, 4] };
const region = () => view.model.get("region") as Region | null;
const button = () => view.page.find<HTMLButtonElement>("[data-testid=carry]");
const said = () => view.page.find("[data-testid=status]").textContent;
const answer = async (reply: Partial<CarryReply>) => {
  await view.model.reply(view.model.last("carry"), reply, new Uint8Array(0));
  pass(500);
};
const step = async (by: 1 | -1) => {
  view.key(by > 0 ? "ArrowRight" : "ArrowLeft");
  pass(500);
  await view.settle();
};

describe("the offer to carry the region", () => {
  beforeEach(async () => {
    view.open({ region: HERE });
    await view.settle();
  });

  it("is there on other frames than the one it was drawn on", async () => {
    expect(button().hidden).toBe(true);
    await step(1);
    expect([button().hidden, button().textContent]).toEqual([false, "carry the region from frame 2"]);
    await step(-1);
    expect(button().hidden).toBe(true);
    await step(1);
    view.model.set("region", null);
    expect(button().hidden).toBe(true);
    view.model.set("region", THERE); // drawn here
    expect(button().hidden).toBe(true);
  });

  it("asks the kernel, and what it answers is the region, with a step of undo", async () => {
    await step(1);
    button().click();
    expect(view.model.last("carry").body).toEqual({ kind: "carry", run: null, time: 2, to: 3, region: HERE });
    expect([button().textContent, button().getAttribute("aria-disabled")]).toEqual([
      "carrying the region…",
      "true",
    ]);
    button().click();
    expect(view.model.requests("carry")).toHaveLength(1);
    const sort = view.model.get("sort");
    await answer({ region: THERE });
    expect([region(), button().hidden, view.model.get("sort")]).toEqual([THERE, true, sort]);
    view.key("z", undefined, { ctrlKey: true });
    // It is that of frame 2 again.
    expect([region(), button().hidden]).toEqual([HERE, false]);
  });

  it("says that the region has left, and what went wrong", async () => {
    await step(1);
    button().click();
    await answer({ region: null });
    expect([region(), said()]).toEqual([HERE, "The region has left the picture by frame 3"]);
    button().click();
    const { id } = view.model.last("carry");
    view.model.say({ type: "error", id, message: "out of memory" });
    pass();
    expect([said(), button().textContent]).toEqual(["out of memory", "carry the region from frame 2"]);
  });

  it("drops an answer for a frame that is no longer shown", async () => {
    await step(1);
    button().click();
    const { id } = view.model.last("carry");
    view.key("ArrowRight");
    pass(500);
    expect(view.model.cancels()).toContain(id);
    await answer({ region: THERE });
    expect([region(), button().textContent]).toEqual([HERE, "carry the region from frame 2"]);
    button().click();
    expect(view.model.last("carry").body).toMatchObject({ time: 2, to: 4 });
  });

  it("is not made while playing, nor of an object that has a region of its own on each frame", async () => {
    await step(1);
    view.model.set("playing", true);
    expect(button().hidden).toBe(true);
    view.model.set("playing", false);
    expect(button().hidden).toBe(false);
    const frames = Array.from({ length: CANVAS.n_frames }, (_, i) => (i === 2 ? HERE : null));
    view.model.set("regions", [{ name: "object 1", frames }]);
    expect(button().hidden).toBe(true);
  });
});

it("is not made by a saved page", async () => {
  const saved = { frames: Array.from({ length: CANVAS.n_frames }, (_, i) => i), neurons: {} };
  view.open({ region: HERE, _canvas: { ...CANVAS, saved } });
  await view.settle();
  await step(1);
  expect([view.model.get("time"), button().hidden]).toEqual([3, true]);
});
