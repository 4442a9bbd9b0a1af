// The colour bar: where its colours end, and the limit that holds for every map until it is released.
import { describe, expect, it } from "vitest";
import { painted } from "./page";
import { pass, useView } from "./view";

const view = useView();
const part = (name: string) => view.page.find<HTMLElement>(`[data-testid="${name}"]`);
const pixels = () => [...(painted.get(view.page.find<HTMLCanvasElement>('[data-testid="frame"]')) ?? [])];
const high = () => view.page.find(".cw-bar-high").textContent ?? "";
const ends = () => Number(high().replace("≥ ", ""));

async function open(changes: Record<string, unknown> = {}) {
  view.open(changes);
  await view.settle();
}

describe("the bar of colours", () => {
  it("ends at a map's own largest magnitude, and stays where it is locked", async () => {
    await open();
    const own = high();
    expect(part("lock-limit").getAttribute("aria-pressed")).toBe("false");
    const free = pixels();
    part("lock-limit").click();
    pass();
    expect(view.model.get("limit")).toBeCloseTo(Number(own), 2);
    expect(high()).toBe(own);
    expect(pixels()).toEqual(free);
    view.model.python({ contrast: 4 }); // which has no part in a locked scale
    pass();
    expect(high()).toBe(own);
    part("lock-limit").click();
    pass();
    expect(view.model.get("limit")).toBeNull();
    expect(ends()).toBeCloseTo(Number(own) / 4, 2);
  });

  it("is moved by keys, by a drag and from Python, and says what goes on beyond it", async () => {
    await open();
    const own = ends();
    const grip = part("limit");
    view.key("ArrowLeft", grip);
    expect(high()).toContain("≥ ");
    expect(ends()).toBeCloseTo(own / 1.1, 2);
    view.key("Enter", grip);
    expect(ends()).toBe(own);
    view.pointer("pointerdown", grip, 100, 5, 1);
    view.pointer("pointermove", grip, 160, 5, 1);
    view.pointer("pointerup", grip, 160, 5);
    pass();
    expect(view.model.get("limit")).toBeCloseTo(2 * own, 1);
    expect(high()).not.toContain("≥");
    grip.dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    pass();
    expect(view.model.get("limit")).toBeNull();
    view.model.python({ limit: own / 2 });
    pass();
    expect(high()).toContain("≥");
    expect(grip.getAttribute("aria-valuetext")).toBe(high().replace("≥ ", ""));
  });

  it("has no limit for findings, which have another unit", async () => {
    await open({ limit: 0.001, overlay: "neurons" });
    expect(part("lock-limit").hidden).toBe(true);
    expect(high()).not.toContain("0.001");
  });
});
