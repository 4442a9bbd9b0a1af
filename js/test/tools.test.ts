// The brush and the polygon: by pointer, by keys, and what becomes of them.
import { describe, expect, it } from "vitest";
import { maskOf } from "../src/state/raster";
import { MOST_RUNS } from "../src/transport/constants";
import type { Region } from "../src/transport/messages";
import { CANVAS } from "./fixture";
import { pass, useView } from "./view";

const view = useView();
const region = () => view.model.get("region") as Region | null;
const area = () => maskOf(region(), CANVAS).reduce((sum, one) => sum + one, 0);
const root = () => view.page.find(".cw-root");
const part = (name: string) => view.page.find(`[data-testid=${name}]`);
const said = () => view.page.find("[data-testid=status]").textContent;
const marks = () => view.page.find(".cw-tool-marks");

/** The stage's 320 x 160 box shows 32 x 16 pixels: one is 10 wide. */
function press(points: [number, number][], more: PointerEventInit = {}): void {
  const stage = view.page.find(".cw-stage");
  const at = ([x, y]: [number, number], buttons: number) => ({
    ...{ clientX: x, clientY: y, buttons, button: 0, bubbles: true, cancelable: true },
    ...more,
  });
  points.forEach((point, i) => {
    stage.dispatchEvent(new PointerEvent(i ? "pointermove" : "pointerdown", at(point, 1)));
  });
  stage.dispatchEvent(new PointerEvent("pointerup", at(points.at(-1) ?? [0, 0], 0)));
  pass();
}

function hover(x: number, y: number, more: PointerEventInit = {}): void {
  const at = { clientX: x, clientY: y, bubbles: true, ...more };
  view.page.find(".cw-stage").dispatchEvent(new PointerEvent("pointermove", at));
}

/** Nothing tells the view its size here: zooming measures it. */
function measure(): void {
  view.key("+");
  view.key("0");
}

async function take(name: "brush" | "polygon", changes: Record<string, unknown> = {}): Promise<void> {
  view.open(changes);
  await view.settle();
  measure();
  part(`tool-${name}`).click();
  pass();
}

/** Of the smallest size. */
const small = () => {
  for (let i = 0; i < 5; i++) view.key("[");
};

describe("the brush", () => {
  it("paints pixels, which are shown at once and are the region when it is lifted", async () => {
    await take("brush");
    small();
    expect(part("brush-size").getAttribute("aria-valuetext")).toBe("1 px");
    const stage = view.page.find(".cw-stage");
    view.pointer("pointerdown", stage, 25, 35, 1);
    view.pointer("pointermove", stage, 85, 35, 1);
    expect(region()).toBeNull();
    expect(view.page.find("[data-testid=region]").dataset.painted).toBe("");
    expect(view.page.el.querySelectorAll("[data-testid=region] path")).toHaveLength(2);
    view.pointer("pointerup", stage, 85, 35);
    pass();
    expect(region()).toEqual({ points: [], runs: [3 * 32 + 2, 7] });
    expect(view.page.find("[data-testid=region]").dataset.painted).toBeUndefined();
    expect([view.model.get("sort"), view.model.get("pixel")]).toEqual(["region", null]);
    pass(500);
    expect(view.model.last("grid").body).toMatchObject({ sort: "region", region: region() });
  });

  it("adds to the region that is there, of any form, and erases with Alt or its eraser", async () => {
    const box = [
      [0, 0],
      [0, 4],
      [4, 4],
      [4, 0],
    ];
    await take("brush", { region: { points: box, runs: [] } });
    small();
    press([[65, 5]]);
    expect([area(), region()?.points]).toEqual([17, []]);
    press([[5, 5]], { altKey: true });
    expect(area()).toBe(16);
    part("brush-erase").click();
    press([[15, 5]]);
    expect([area(), part("brush-erase").getAttribute("aria-pressed")]).toEqual([15, "true"]);
    press([[5, 5]], { altKey: true });
    expect(area()).toBe(16);
    view.key("e");
    expect(part("brush-erase").getAttribute("aria-pressed")).toBe("false");
  });

  it("makes no region of nothing", async () => {
    await take("brush");
    press([[50, 50]], { altKey: true });
    expect([region(), view.model.get("sort")]).toEqual([null, "total"]);
    press([[50, 50]]);
    expect(region()).not.toBeNull();
    for (let i = 0; i < 9; i++) view.key("]");
    press([[50, 50]], { altKey: true });
    expect([region(), view.model.get("sort")]).toEqual([null, "pixel"]);
  });

  it("has one step of undo a stroke, however fast they are", async () => {
    await take("brush");
    small();
    press([[5, 5]]);
    press([[45, 5]]);
    press([[85, 5]]);
    expect(area()).toBe(3);
    for (const left of [2, 1, 0]) {
      view.key("z", root(), { ctrlKey: true });
      expect(area()).toBe(left);
    }
    view.key("z", root(), { ctrlKey: true, shiftKey: true });
    expect(area()).toBe(1);
  });

  it("shows a ring of its size under the pointer, dashed where it erases", async () => {
    await take("brush");
    expect(marks().querySelector("circle")).toBeNull();
    hover(100, 50);
    const ring = () => marks().querySelector("circle");
    const at = ["cx", "cy", "r"].map((name) => Number(ring()?.getAttribute(name)));
    expect(at).toEqual([100, 50, 10]); // 2 pixels across
    view.key("]");
    expect(Number(ring()?.getAttribute("r"))).toBe(15);
    expect(marks().dataset.erases).toBeUndefined();
    hover(100, 50, { altKey: true });
    expect(marks().dataset.erases).toBe("");
    view.page.find(".cw-stage").dispatchEvent(new PointerEvent("pointerleave"));
    expect(ring()).toBeNull();
  });

  it("keeps the place on the picture while zoomed in", async () => {
    await take("brush");
    small();
    view.key("+");
    view.key("+");
    press([[165, 85]]);
    // In the middle of the stage lies the middle of the frame.
    expect(region()?.runs).toEqual([8 * 32 + 16, 1]);
  });

  it("leaves two fingers the zoom, and forgets what the first has begun", async () => {
    await take("brush");
    const stage = view.page.find(".cw-stage");
    const finger = (type: string, pointerId: number, x: number, y: number) =>
      stage.dispatchEvent(
        new PointerEvent(type, {
          ...{ pointerId, pointerType: "touch", clientX: x, clientY: y, buttons: 1, button: 0 },
          ...{ bubbles: true, cancelable: true },
        }),
      );
    finger("pointerdown", 1, 50, 50);
    finger("pointermove", 1, 60, 50);
    finger("pointerdown", 2, 100, 50);
    finger("pointermove", 2, 160, 50);
    finger("pointerup", 2, 160, 50);
    finger("pointerup", 1, 60, 50);
    pass();
    expect(region()).toBeNull();
    expect(part("zoom-fit").textContent).not.toBe("1×");
  });

  it("is moved by the arrows, paints with the space key and ends with Enter", async () => {
    await take("brush", { pixel: [4, 6] });
    const time = view.model.get("time");
    expect(document.activeElement).toBe(root());
    small();
    view.key("ArrowRight");
    view.key("ArrowDown", root(), { shiftKey: true });
    view.key(" ");
    view.key(" ", root(), { repeat: true });
    view.key("ArrowRight");
    expect(region()).toBeNull();
    root().dispatchEvent(new KeyboardEvent("keyup", { key: " ", bubbles: true }));
    pass();
    expect(region()?.runs).toEqual([14 * 32 + 7, 2]);
    expect([view.model.get("time"), view.model.get("playing")]).toEqual([time, false]);
    expect(view.model.get("pixel")).toEqual([4, 6]);
    view.key("Enter");
    expect(part("brush-bar").hidden).toBe(true);
    expect(part("tool-brush").getAttribute("aria-pressed")).toBe("false");
    view.key("ArrowRight");
    expect(view.model.get("time")).toBe((time as number) + 1);
  });

  it("leaves the arrows to its slider and the space key to its buttons", async () => {
    await take("brush");
    expect(view.key("ArrowRight", part("brush-size")).defaultPrevented).toBe(false);
    expect(view.key(" ", part("brush-erase")).defaultPrevented).toBe(false);
    expect(region()).toBeNull();
  });

  it("gives the focus back to its button where it was taken by keyboard, and says its keys", async () => {
    view.open();
    await view.settle();
    measure();
    const button = part("tool-brush");
    button.focus();
    button.click(); // by Enter: without a detail
    pass();
    expect(said()).toContain("space paints");
    expect(marks().querySelector("circle")).not.toBeNull();
    view.key("Enter");
    expect(document.activeElement).toBe(button);
  });

  it("shows its controls only while it is in hand", async () => {
    view.open();
    await view.settle();
    expect([part("brush-bar").hidden, part("polygon-bar").hidden]).toEqual([true, true]);
    part("tool-brush").click();
    expect([part("brush-bar").hidden, part("polygon-bar").hidden]).toEqual([false, true]);
    part("tool-polygon").click();
    expect([part("brush-bar").hidden, part("polygon-bar").hidden]).toEqual([true, false]);
    view.key("Escape");
    expect([part("brush-bar").hidden, part("polygon-bar").hidden]).toEqual([true, true]);
  });

  it("says where a region has too many parts to be sent", async () => {
    const size = { height: 200, width: 400 };
    const runs = Array.from({ length: MOST_RUNS / 2 }, (_, i) => [4 * i, 1]).flat();
    // No picture has come yet, so that the frame is as large as Python says.
    view.open({ _canvas: { ...CANVAS, ...size }, region: { points: [], runs } });
    measure();
    part("tool-brush").click();
    const before = region();
    view.key("[");
    press([[319, 159]]);
    expect(region() === before).toBe(true);
    expect(said()).toContain("too many parts");
  });
});

describe("the polygon", () => {
  const click = (x: number, y: number) => press([[x, y]]);
  const triangle = [
    [2, 3],
    [2, 15],
    [12, 10],
  ];

  it("closes at its first corner", async () => {
    await take("polygon");
    click(30, 20);
    click(150, 20);
    click(34, 24); // not yet: two corners make no area
    view.key("Backspace");
    view.key("Backspace");
    click(150, 20);
    click(100, 120);
    expect(region()).toBeNull();
    hover(33, 23);
    expect(marks().querySelector("path")?.getAttribute("d")).toMatch(/z$/);
    click(33, 23);
    expect(region()).toEqual({ points: triangle, runs: [] });
    expect(view.model.get("pixel")).toBeNull();
  });

  it("closes at Enter, and is put away by the next", async () => {
    await take("polygon");
    for (const [y = 0, x = 0] of triangle) click(10 * x, 10 * y);
    view.key("Enter");
    expect(region()?.points).toEqual(triangle);
    expect(part("tool-polygon").getAttribute("aria-pressed")).toBe("true");
    view.key("Enter");
    expect(part("tool-polygon").getAttribute("aria-pressed")).toBe("false");
  });

  it("closes at a double click, whose second click is no corner, and does not fit the picture", async () => {
    await take("polygon");
    view.key("+");
    const zoomed = part("zoom-fit").textContent;
    for (const [x, y] of [
      [60, 60],
      [180, 60],
      [120, 130],
      [120, 130],
    ] as const)
      click(x, y);
    view.page.find(".cw-stage").dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    pass();
    expect(region()?.points).toHaveLength(3);
    expect([part("zoom-fit").textContent, view.model.get("pixel")]).toEqual([zoomed, null]);
  });

  it("is drawn with keys", async () => {
    await take("polygon", { pixel: [2, 3] });
    const walk = (name: string, times: number) => {
      for (let i = 0; i < times; i++) view.key(name);
    };
    const corner = () => {
      view.key(" ");
      root().dispatchEvent(new KeyboardEvent("keyup", { key: " ", bubbles: true }));
    };
    corner();
    walk("ArrowRight", 6);
    corner();
    walk("ArrowDown", 5);
    corner();
    view.key("Enter");
    expect(region()?.points).toEqual([
      [2.5, 3.5],
      [2.5, 9.5],
      [7.5, 9.5],
    ]);
  });

  it("forgets its corners at Escape, which leaves the region", async () => {
    const before = { points: [], runs: [0, 4] };
    await take("polygon", { region: before });
    click(30, 20);
    view.key("Escape");
    expect(marks().childElementCount).toBe(0);
    part("tool-polygon").click();
    pass();
    expect([part("polygon-back").getAttribute("aria-disabled"), region()]).toEqual(["true", before]);
  });

  it("says that one without a pixel is none", async () => {
    await take("polygon");
    for (const [x, y] of [
      [31, 31],
      [32, 31],
      [31, 32],
    ] as const)
      click(x, y);
    view.key("Enter");
    expect([region(), said()]).toEqual([null, expect.stringContaining("middle of no pixel")]);
  });
});

describe("the middle button", () => {
  it("moves the picture with a tool in hand, and pins nothing", async () => {
    await take("brush");
    view.key("+");
    view.key("+");
    const stage = view.page.find(".cw-stage");
    const lies = () => view.page.find(".cw-frame-canvas").style.transform;
    const before = lies();
    const middle = (type: string, x: number) =>
      stage.dispatchEvent(
        new PointerEvent(type, { clientX: x, clientY: 80, button: 1, buttons: 4, bubbles: true }),
      );
    middle("pointerdown", 160);
    middle("pointermove", 120);
    middle("pointerup", 120);
    pass();
    expect(lies()).not.toBe(before);
    expect([region(), view.model.get("pixel")]).toEqual([null, null]);
  });
});
